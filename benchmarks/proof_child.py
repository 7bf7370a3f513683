"""One step of a comparison in a process of its own, so that its memory is its own: JSON in, JSON out.

EZKL is called as its documentation does, with its defaults; OCTET through its port. Neither finds anything of
the other's in its process.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

Given = Mapping[str, Any]


def peak_bytes() -> int:
    """Return the most resident memory this process has had since it began, in bytes."""
    # Not getrusage: that counts the parent's memory from before exec.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise OSError("expected VmHWM in /proc/self/status, found none")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall seconds of a call, and what it returned."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def ezkl_setup(given: Given) -> dict[str, Any]:
    """Settings, calibration, circuit and keys of EZKL, with its defaults."""
    from benchmarks.octet_points import points_file  # noqa: PLC0415
    from circuits.octet.native.kernels import find_native  # noqa: PLC0415

    ezkl: Any = import_module("ezkl")
    folder = Path(given["folder"])
    path = {
        name: str(folder / name) for name in ("settings", "data", "samples", "compiled", "vk", "pk", "srs")
    }
    samples = given["samples"]
    Path(path["data"]).write_text(json.dumps({"input_data": [samples[0]]}))
    joined = [value for sample in samples[: given["calibrated"]] for value in sample]
    Path(path["samples"]).write_text(json.dumps({"input_data": [joined]}))
    ezkl.gen_settings(given["model"], path["settings"])
    ezkl.calibrate_settings(path["samples"], given["model"], path["settings"], "resources")
    ezkl.compile_circuit(given["model"], path["compiled"], path["settings"])
    settings = json.loads(Path(path["settings"]).read_text())
    arguments = settings["run_args"]
    srs = points_file(find_native(), Path(given["srs"]), arguments["logrows"])
    Path(path["srs"]).unlink(missing_ok=True)
    Path(path["srs"]).hardlink_to(srs)
    ezkl.setup(path["compiled"], path["vk"], path["pk"], path["srs"])
    return {
        "log_rows": arguments["logrows"],
        "scale": arguments["input_scale"],
        "used_rows": settings["num_rows"],
    }


def ezkl_prove(given: Given) -> dict[str, Any]:
    """Witness and prove with EZKL; then verify once."""
    ezkl: Any = import_module("ezkl")
    folder = Path(given["folder"])
    path = {
        name: str(folder / name)
        for name in ("settings", "data", "compiled", "vk", "pk", "srs", "witness", "proof")
    }
    witness, prove = [], []
    for _ in range(given["repeats"]):
        made = partial(ezkl.gen_witness, path["data"], path["compiled"], path["witness"])
        witness.append(timed(made)[0])
        work = (path["witness"], path["compiled"], path["pk"], path["proof"], path["srs"])
        prove.append(timed(partial(ezkl.prove, *work))[0])
    peak = peak_bytes()
    seconds, accepted = timed(lambda: ezkl.verify(path["proof"], path["settings"], path["vk"], path["srs"]))
    if not accepted:
        raise SystemExit("expected EZKL to accept its own proof, found it refused")
    return {"witness": witness, "prove": prove, "verify": [seconds], "peak_bytes": peak}


def octet_setup(given: Given) -> dict[str, Any]:
    """Compile a bundle with OCTET."""
    import numpy as np  # noqa: PLC0415

    from circuits.octet.opened_key import open_settings  # noqa: PLC0415
    from circuits.port import CompileRequest, ErrorBudget  # noqa: PLC0415
    from circuits.srs import SrsStore  # noqa: PLC0415
    from circuits.systems import open_system  # noqa: PLC0415

    folder = Path(given["folder"])
    samples = np.array(given["samples"], dtype=np.float32)
    request = CompileRequest(
        name="benchmark",
        onnx=Path(given["model"]),
        calibration=samples,
        target=folder / "bundle",
        srs=SrsStore(Path(given["srs"])),
        domain=(float(samples.min()), float(samples.max())),
        # The weights are random here: what the error is belongs to another table.
        budget=ErrorBudget(relative_error=1.0, min_argmax_agreement=0.0),
    )
    bundle = open_system("octet").compile(request)
    settings = open_settings(bundle)
    return {"log_rows": settings.program.nu, "program": settings.program.to_json()}


def phase_seconds(engine: Any, statement: Any, columns: Any) -> dict[str, float]:
    """Prove once on one thread; return the processor seconds of each phase: other load hardly counts."""
    marks: list[tuple[str, float]] = []
    engine.prove(statement, columns, on_phase=lambda phase, _: marks.append((phase, time.thread_time())))
    marks.append(("", time.thread_time()))
    found: dict[str, float] = {}
    for (phase, began), (_, ended) in pairwise(marks):
        found[phase] = found.get(phase, 0.0) + ended - began
    return found


def octet_prove(given: Given) -> dict[str, Any]:
    """Witness and prove with OCTET, then verify with a loaded verifier, as often."""
    import numpy as np  # noqa: PLC0415

    from circuits.bundle import Bundle  # noqa: PLC0415
    from circuits.octet.opened_key import open_key  # noqa: PLC0415
    from circuits.octet.packed_statement import statement_of  # noqa: PLC0415
    from circuits.octet.proof_length import words_from_bytes  # noqa: PLC0415
    from circuits.octet.prove import make_proof, open_prover  # noqa: PLC0415
    from circuits.octet.run_witness import witness_of  # noqa: PLC0415
    from circuits.octet.verifier_engine import open_verifier  # noqa: PLC0415
    from circuits.octet.witness_file import read_witness  # noqa: PLC0415
    from circuits.packed_input import pack_real_input  # noqa: PLC0415
    from zkml.adapters.process.child import Limits  # noqa: PLC0415
    from zkml.core.records import from_hex  # noqa: PLC0415

    bundle = Bundle.open(Path(given["folder"]) / "bundle")
    loading, prover = timed(lambda: open_prover(bundle, given["threads"]))
    packed = pack_real_input(bundle.manifest, np.array(given["samples"][0], dtype=np.float32))
    limits = Limits(memory_bytes=64 << 30, wall_seconds=3600)
    kept = Path(given["folder"]) / "witness"
    options: dict[str, Any] = {"context": bytes(32), "limits": limits, "on_tick": lambda _: None}
    witness, prove = [], []
    for _ in range(given["repeats"]):
        seconds, found = timed(lambda: witness_of(bundle, packed, kept))
        witness.append(seconds)
        seconds, result = timed(partial(make_proof, bundle, found, prover, **options))
        prove.append(seconds)
    peak = peak_bytes()
    alone = open_prover(bundle, 1)
    (given_bytes, made_bytes), columns = read_witness(
        found.path, alone.settings.program, bundle.manifest.circuit
    )
    asked = statement_of(alone.settings, given_bytes, made_bytes, bytes(32))
    phases = [phase_seconds(alone.engine, asked, columns) for _ in range(given["repeats"])]
    key, proof = open_key(bundle), result.proof
    statement = statement_of(
        key.settings, from_hex(proof.input), from_hex(proof.output), from_hex(proof.context)
    )
    verifier, words = open_verifier(key), words_from_bytes(from_hex(proof.proof))
    verify = [timed(lambda: verifier.verify(statement, words))[0] for _ in range(20)]
    return {
        "loading": loading,
        "witness": witness,
        "prove": prove,
        "phases": phases,
        "verify": verify,
        "peak_bytes": peak,
    }


STEPS: Mapping[str, Callable[[Given], dict[str, Any]]] = {
    "ezkl setup": ezkl_setup,
    "ezkl prove": ezkl_prove,
    "octet setup": octet_setup,
    "octet prove": octet_prove,
}


def main() -> None:
    """Run the step that stdin names; the answer is the last line of stderr, since EZKL writes to stdout."""
    given = json.load(sys.stdin)
    answer = STEPS[given["step"]](given)
    print(json.dumps(answer), file=sys.stderr)


if __name__ == "__main__":
    main()
