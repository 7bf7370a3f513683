"""The program that runs in the child process: one request on stdin, one answer on stdout.

    python -m zkml.adapters.ezkl.child < request.json > answer.json

A request is `{"call": name, "arguments": {...}}`; the answer `{"value": ...}` or
`{"failure": kind, "words": text}`. EZKL is imported before the request is read, so that a child that is
started ahead of its request answers it at once. EZKL prints to stdout as it likes, so the descriptor that the
answer goes to is set aside before EZKL is imported, and whatever it prints joins stderr.
Checks nothing about policy: the parent does. Imports EZKL and the standard library, so that it starts in
a tenth of a second.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from zkml.core.field import ezkl_hex_from_felt, felt_from_ezkl_hex, felt_from_int, int_from_felt

BAD_REQUEST = 3
"""Exit code when the request is not one of `CALLS`."""

Tensors = list[list[int]]


def _ezkl() -> Any:
    import ezkl  # noqa: PLC0415 imported after stdout is set aside, and in this process only

    return ezkl


def _graph_input(elements: list[int]) -> str:
    """Write one input tensor as field elements, which EZKL takes as they are, without rounding."""
    return json.dumps({"input_data": [[ezkl_hex_from_felt(felt_from_int(element)) for element in elements]]})


def _integers(tensors: list[list[str]]) -> Tensors:
    return [[int_from_felt(felt_from_ezkl_hex(felt)) for felt in tensor] for tensor in tensors]


def _summary(witness: dict[str, Any]) -> dict[str, Any]:
    return {
        "inputs": _integers(witness["inputs"]),
        "outputs": _integers(witness["outputs"]),
        "minimum_lookup_input": int(witness["min_lookup_inputs"]),
        "maximum_lookup_input": int(witness["max_lookup_inputs"]),
    }


def gen_settings(onnx: str, settings: str, run_args: dict[str, Any]) -> None:
    """Write the settings of an ONNX model under these run arguments."""
    arguments = _ezkl().PyRunArgs()
    for name, value in run_args.items():
        if not hasattr(arguments, name):
            raise ValueError(f"PyRunArgs has no {name}")
        setattr(arguments, name, tuple(value) if name == "lookup_range" else value)
    _ezkl().gen_settings(onnx, settings, py_run_args=arguments)


def compile_circuit(onnx: str, compiled: str, settings: str) -> None:
    """Write the compiled circuit."""
    _ezkl().compile_circuit(onnx, compiled, settings)


def gen_srs(srs: str, logrows: int) -> None:
    """Write an SRS whose tau this machine has known."""
    _ezkl().gen_srs(srs, logrows)


def setup(compiled: str, verifying_key: str, proving_key: str, srs: str) -> None:
    """Write both keys."""
    _ezkl().setup(compiled, verifying_key, proving_key, srs)


def gen_witness(compiled: str, elements: list[int], witness: str) -> dict[str, Any]:
    """Write the witness of one input and return its public side."""
    found = _ezkl().gen_witness(_graph_input(elements), compiled, witness)
    return _summary(found)


def weight_points(compiled: str, elements: list[int], verifying_key: str, srs: str) -> list[str]:
    """Return the commitments to a circuit's weights, 64 bytes (x, y) each, as hexadecimal."""
    found = _ezkl().gen_witness(_graph_input(elements), compiled, None, verifying_key, srs)
    groups = (found.get("processed_params") or {}).get("polycommit") or []
    return [_coordinate(point.x) + _coordinate(point.y) for group in groups for point in group]


def _coordinate(text: str) -> str:
    """Turn EZKL's little-endian hexadecimal into the big-endian one of proofs."""
    return bytes.fromhex(text)[::-1].hex()


def forward(compiled: str, inputs: Tensors) -> list[dict[str, Any]]:
    """Return, for each input, the outputs and lookup range, or why it has no witness."""
    return [_forward_one(compiled, elements) for elements in inputs]


def _forward_one(compiled: str, elements: list[int]) -> dict[str, Any]:
    try:
        return _summary(_ezkl().gen_witness(_graph_input(elements), compiled, None))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 EZKL's panics are no Exception
        return {"failure": type(error).__name__, "words": str(error)}


def mock(witness: str, compiled: str) -> bool:
    """Say whether the witness satisfies the circuit; makes no proof."""
    return bool(_ezkl().mock(witness, compiled))


def prove(witness: str, compiled: str, proving_key: str, proof: str, srs: str) -> dict[str, Any]:
    """Make a proof and return its bytes and its instances as signed integers."""
    _ezkl().prove(witness, compiled, proving_key, proof, srs)
    with open(proof, "rb") as stream:  # noqa: PTH123 pathlib costs start-up time
        made = json.load(stream)
    instances = [felt_from_ezkl_hex(felt) for column in made["instances"] for felt in column]
    # Field elements do not fit JSON numbers of every reader, so they travel as text.
    return {"proof": bytes(made["proof"]).hex(), "instances": [str(felt) for felt in instances]}


def verify(proof: str, settings: str, verifying_key: str, srs: str) -> bool:
    """Say whether EZKL accepts a proof file; it raises when it does not."""
    return bool(_ezkl().verify(proof, settings, verifying_key, srs, False))  # noqa: FBT003 positional only


def _run(create: Callable[[], Any]) -> None:
    import asyncio  # noqa: PLC0415 a third of the start-up time of every call that needs none of it

    asyncio.run(create())


def create_verifier_source(
    *, verifying_key: str, settings: str, source: str, abi: str, srs: str, reusable: bool
) -> None:
    """Write the Solidity of a verifier; EZKL's own compile step after it may fail."""

    async def create() -> None:
        await _ezkl().create_evm_verifier(verifying_key, settings, source, abi, srs, reusable)

    try:
        _run(create)
    except RuntimeError:
        # It writes the source, then looks for a compiler it cannot download. Ours compiles later.
        if not os.path.exists(source) or os.path.getsize(source) == 0:  # noqa: PTH110, PTH202
            raise


def create_vka(verifying_key: str, settings: str, vka: str, srs: str) -> None:
    """Write the verifying-key artifact of the reusable verifier."""

    async def create() -> None:
        await _ezkl().create_evm_vka(verifying_key, settings, vka, srs)

    _run(create)


def float_to_felt(values: list[float], scale_bits: int) -> list[str]:
    """Quantize as EZKL does; for tests that hold ours equal."""
    return [str(int_from_felt(felt_from_ezkl_hex(_ezkl().float_to_felt(x, scale_bits)))) for x in values]


CALLS: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (
        gen_settings,
        compile_circuit,
        gen_srs,
        setup,
        gen_witness,
        weight_points,
        forward,
        mock,
        prove,
        verify,
        create_verifier_source,
        create_vka,
        float_to_felt,
    )
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request; whatever EZKL raises becomes a failure with its words."""
    try:
        return {"value": CALLS[request["call"]](**request["arguments"])}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 EZKL's panics are no Exception
        return {"failure": type(error).__name__, "words": str(error)}


def main() -> None:
    """Answer the request on stdin and leave without finalising the interpreter."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    # A child that cannot import it says so in its answer.
    with contextlib.suppress(ImportError):
        _ezkl()
    request = json.loads(sys.stdin.buffer.read())
    if request.get("call") not in CALLS:
        sys.exit(BAD_REQUEST)
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(json.dumps(answer(request)).encode())
    # The interpreter can crash at its exit after EZKL's awaitables, with the work done and answered.
    os._exit(0)


if __name__ == "__main__":
    main()
