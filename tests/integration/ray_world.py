"""A Ray cluster of two machines in one, and what a node's workers do with it. Run as a program.

    python tests/integration/ray_world.py BUNDLE FOLDER > answers.json

Ray starts servers and threads, and warns as it likes: none of that belongs into a test run's own process.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import ray
from ray.cluster_utils import Cluster

from circuits.bundle import Bundle
from circuits.sample import sample_input
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.workers.opening import open_circuits
from zkml.adapters.ray.cluster import RayCluster, Resources, Stored
from zkml.config.settings import ProverSettings
from zkml.core.progress import silent
from zkml.errors import ZkmlError

MEBIBYTE = 1 << 20
DEADLINE_SECONDS = 60
CONTEXT = bytes(range(32))


def until(condition: Callable[[], bool]) -> bool:
    """Poll until a condition holds; say whether it did."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def machine(folder: Path, name: str) -> dict[str, object]:
    cache = folder / f"cache-{name}"
    return {
        "num_cpus": 1,
        "memory": 4096 * MEBIBYTE,
        "object_store_memory": 80 * MEBIBYTE,
        "include_dashboard": False,
        "env_vars": {"ZKML_RAY_CACHE": str(cache), "MACHINE": name},
    }


def on_both_at_once(gate: str) -> str:
    """Say which machine this is, once both are here."""
    Path(gate, os.environ["MACHINE"]).touch()
    until(lambda: len(list(Path(gate).iterdir())) >= 2)
    return os.environ["MACHINE"]


def die_once(marker: str) -> str:
    """Kill this worker at its first call, and answer at the second."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die_always(marker: str) -> None:
    """Kill this worker at each call."""
    with Path(marker).open("a") as stream:
        stream.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def hang_with_child(marker: str) -> None:
    """Start a child under guard that never ends."""
    from zkml.adapters.process.child import Limits, run_child  # noqa: PLC0415

    code = f"import os, threading; open({marker!r}, 'w').write(str(os.getpid())); threading.Event().wait()"
    run_child([sys.executable, "-c", code], limits=Limits(1 << 30, 600))


def told(error: ZkmlError) -> dict[str, str]:
    return {"type": type(error).__name__, "message": error.message}


def refused(action: Callable[[], object]) -> dict[str, str]:
    try:
        action()
    except ZkmlError as error:
        return told(error)
    return {"type": "", "message": "nothing was refused"}


def in_threads(*actions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Devices:
    """Collects what the observer hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        self.heard.append(f"{circuit}:{device}:{peak_bytes > 0}")


def put_and_tell() -> tuple[int, list[object]]:
    """Put an object into the store and return this worker's id and the object's."""
    return os.getpid(), [ray.put(b"lost soon")]


def is_lost(piece: object) -> bool:
    """Ask the cluster for an object; say whether it has lost it."""
    try:
        ray.get(piece, timeout=DEADLINE_SECONDS)
    except ray.exceptions.ObjectLostError:
        return True
    return False


def lose(circuit: BundleCircuit, caches: list[Path]) -> None:
    """Take a bundle out of its machines' caches, and put pieces in its place whose owner is dead."""
    owner, [piece] = ray.get(ray.remote(put_and_tell).remote())
    os.kill(owner, signal.SIGKILL)
    # A machine's store gives the piece out until it has heard that its owner died.
    assert until(lambda: is_lost(piece))
    worker = circuit._worker
    files = {role: [Stored(piece)] for role in worker._travelling.files}
    worker._travelling = dataclasses.replace(worker._travelling, files=files)
    for cache in caches:
        shutil.rmtree(cache, ignore_errors=True)


def proofs(folder: Path, bundle: Bundle, address: str) -> dict[str, object]:
    """Prove through the cluster."""
    prover = ProverSettings(ray_address=address, workers=2, memory_limit_mib=2048)
    observer = Devices()
    before = signal.getsignal(signal.SIGTERM)
    opened = open_circuits(
        [bundle],
        prover=prover,
        work=folder / "work",
        verifiers=folder / "verifiers",
        measurements=folder / "measurements.json",
        observer=observer,
    )
    with opened:
        [circuit] = opened.circuits
        packed = sample_input(bundle)
        output, _seconds = circuit.witness(packed, progress=silent)
        proof, _seconds = circuit.prove(packed, output, context=CONTEXT, progress=silent)
        circuit.verify(packed, output, proof, context=CONTEXT)
        made: list[bytes] = []
        prove = lambda: made.append(circuit.prove(packed, output, context=CONTEXT, progress=silent)[0])  # noqa: E731
        in_threads(prove, prove)
        digest = bundle.manifest_digest.removeprefix("sha256:")
        caches = [folder / f"cache-{name}" / digest / "proving.key" for name in ("a", "b")]
        kept = [path.stat().st_ino for path in caches if path.exists()]
        spoiled = next(path for path in caches if path.exists())
        spoiled.write_bytes(b"another key")
        in_threads(prove, prove)
        for one in made:
            circuit.verify(packed, output, one, context=CONTEXT)
        lose(circuit, [path.parent for path in caches])
        found_again, _seconds = circuit.witness(packed, progress=silent)
        wrong = refused(lambda: circuit.witness(packed[:-1], progress=silent))
        return {
            "verified": 1 + len(made),
            "kept": len(kept),
            "mended": spoiled.stat().st_size == bundle.manifest.files["proving_key"].size_bytes,
            "observed": observer.heard,
            "found_again": found_again == output,
            "wrong_input": wrong,
            "peak_known": circuit.expected_peak_bytes() is not None,
            "seconds_known": circuit.expected_prove_seconds() is not None,
            "witnesses_here": [path.name for path in folder.glob("work/*")],
            "same_sigterm": signal.getsignal(signal.SIGTERM) is before,
        }


def losses(folder: Path, address: str) -> dict[str, object]:
    """Lose workers, cancel, and close."""
    cluster = RayCluster.connect(address)
    one = Resources(cpus=1)
    gate = folder / "gate"
    gate.mkdir()
    names: list[str] = []
    meet = lambda: names.append(  # noqa: E731
        cluster.run(on_both_at_once, str(gate), resources=one, wait_seconds=60)
    )
    in_threads(meet, meet)
    answer = cluster.run(die_once, str(folder / "died"), resources=one, wait_seconds=60)
    deaths = folder / "deaths"
    lost = refused(lambda: cluster.run(die_always, str(deaths), resources=one, wait_seconds=60))
    nowhere = refused(
        lambda: cluster.run(die_always, str(deaths), resources=Resources(cpus=9), wait_seconds=0.5)
    )
    child = folder / "child"
    ended: list[dict[str, str]] = []
    hang = lambda: ended.append(  # noqa: E731
        refused(lambda: cluster.run(hang_with_child, str(child), resources=one, wait_seconds=600))
    )
    hanging = threading.Thread(target=hang)
    hanging.start()
    until(lambda: child.exists() and bool(child.read_text()))
    cluster.close()
    hanging.join()
    pid = int(child.read_text())
    return {
        "machines": sorted(names),
        "after_one_death": answer,
        "lost": lost,
        "deaths": len(deaths.read_text()),
        "nowhere": nowhere,
        "cancelled": ended,
        "child_gone": until(lambda: not psutil.pid_exists(pid)),
        "after_close": refused(lambda: cluster.run(die_always, "", resources=one, wait_seconds=1)),
    }


def main() -> None:
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    answers = os.dup(1)
    os.dup2(2, 1)
    bundle = Bundle.open(path)
    cluster = Cluster(initialize_head=True, head_node_args=machine(folder, "a"))
    try:
        cluster.add_node(**machine(folder, "b"))
        found = {"proofs": proofs(folder, bundle, cluster.address), "losses": losses(folder, cluster.address)}
    finally:
        with contextlib.suppress(Exception):
            ray.shutdown()
        cluster.shutdown()
    with os.fdopen(answers, "w") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main()
