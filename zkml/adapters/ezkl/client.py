"""Typed functions for EZKL's calls, one child process each. Paths in, plain values out.

Does not judge: bundles, digests, domains and lookup ranges are checked by `circuits.ezkl`.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.adapters.ezkl.process import BUFFER_BYTES, DEFAULT_OPTIONS, ChildOptions, call_ezkl, shorten
from zkml.core.field import ezkl_hex_from_felt
from zkml.errors import (
    BackendError,
    CompileError,
    KeygenError,
    ProofRejectedError,
    SrsError,
    StorageError,
    WitnessError,
    ZkmlError,
)

FORWARD_BATCH = 256
"""Samples per child: enough to forget its start, few enough to bound memory and time."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One input's way through the circuit.

    Attributes:
        inputs: the integers EZKL read.
        outputs: the integers it computed, row-major.
        minimum_lookup_input, maximum_lookup_input: extremes of what its lookup tables were asked.
        peak_rss_bytes: resident memory that computing it took at most; 0 when nobody looked.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    minimum_lookup_input: int
    maximum_lookup_input: int
    peak_rss_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class MadeProof:
    """A proof as EZKL returned it, and what it cost."""

    proof: bytes
    instances: tuple[int, ...]
    wall_seconds: float
    peak_rss_bytes: int


def gen_settings(
    onnx: Path, settings: Path, run_args: Mapping[str, Any], *, options: ChildOptions = DEFAULT_OPTIONS
) -> None:
    """Write a model's settings; not canonical yet.

    Raises:
        CompileError: EZKL does not take the model.
        StorageError: no space for the file.
    """
    arguments = {"onnx": str(onnx), "settings": str(settings), "run_args": dict(run_args)}
    call_ezkl("gen_settings", arguments, raises=CompileError, options=options)
    _check_written(settings, ends_with=b"}")


def compile_circuit(
    onnx: Path, compiled: Path, settings: Path, *, options: ChildOptions = DEFAULT_OPTIONS
) -> None:
    """Write the compiled circuit; its bytes differ from run to run.

    Raises:
        CompileError: EZKL does not take the model.
        StorageError: no space for the file.
    """
    arguments = {"onnx": str(onnx), "compiled": str(compiled), "settings": str(settings)}
    call_ezkl("compile_circuit", arguments, raises=CompileError, options=options)
    _check_written(compiled)


def gen_srs(srs: Path, logrows: int, *, options: ChildOptions = DEFAULT_OPTIONS) -> None:
    """Write an insecure SRS for 2^logrows rows.

    Raises:
        SrsError: EZKL refused.
    """
    call_ezkl("gen_srs", {"srs": str(srs), "logrows": logrows}, raises=SrsError, options=options)


def setup(
    compiled: Path,
    verifying_key: Path,
    proving_key: Path,
    srs: Path,
    *,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> None:
    """Write both keys.

    Raises:
        KeygenError: EZKL refused, e.g. because the SRS is too small.
    """
    arguments = {
        "compiled": str(compiled),
        "verifying_key": str(verifying_key),
        "proving_key": str(proving_key),
        "srs": str(srs),
    }
    call_ezkl("setup", arguments, raises=KeygenError, options=options)


def gen_witness(
    compiled: Path, elements: Sequence[int], witness: Path, *, options: ChildOptions = DEFAULT_OPTIONS
) -> Passage:
    """Write the witness of one input.

    Args:
        compiled: the compiled circuit.
        elements: the input's integers, row-major; fed as they are, without rounding.
        witness: path to write.
        options: limits, progress, verbosity.

    Raises:
        WitnessError: the input has no witness.
        StorageError: no space for the file.
    """
    arguments = {
        "compiled": str(compiled),
        "elements": [int(element) for element in elements],
        "witness": str(witness),
    }
    answer = call_ezkl("gen_witness", arguments, raises=WitnessError, options=options)
    _check_written(witness, ends_with=b"}")
    return replace(_passage(answer.value), peak_rss_bytes=answer.peak_rss_bytes)


def weight_points(
    compiled: Path,
    elements: Sequence[int],
    *,
    verifying_key: Path,
    srs: Path,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> tuple[bytes, ...]:
    """Return the commitments to a circuit's weights; none where they are not committed.

    Args:
        compiled: the compiled circuit.
        elements: any input that has a witness.
        verifying_key: its key.
        srs: the SRS that the key was made with.
        options: limits, progress, verbosity.

    Returns:
        64 bytes each: x and y, big-endian.

    Raises:
        WitnessError: the input has no witness.
    """
    arguments = {
        "compiled": str(compiled),
        "elements": [int(element) for element in elements],
        "verifying_key": str(verifying_key),
        "srs": str(srs),
    }
    answer = call_ezkl("weight_points", arguments, raises=WitnessError, options=options)
    return tuple(bytes.fromhex(point) for point in answer.value)


def forward(
    compiled: Path, inputs: NDArray[np.int64], *, options: ChildOptions = DEFAULT_OPTIONS
) -> list[Passage]:
    """Compute the circuit's outputs on many inputs, in few children.

    Args:
        compiled: the compiled circuit.
        inputs: quantized inputs. Shape: (samples, elements).
        options: limits and progress of each child.

    Raises:
        WitnessError: an input has no witness; names its index.
    """
    passages: list[Passage] = []
    for start in range(0, len(inputs), FORWARD_BATCH):
        batch = inputs[start : start + FORWARD_BATCH].tolist()
        arguments = {"compiled": str(compiled), "inputs": batch}
        answer = call_ezkl("forward", arguments, raises=WitnessError, options=options)
        for offset, found in enumerate(answer.value):
            if "failure" in found:
                words = answer.remark or shorten(found["words"])
                raise WitnessError(
                    f"expected a witness for input {start + offset}, found: {words}",
                    index=start + offset,
                )
            passages.append(_passage(found))
    return passages


def mock(witness: Path, compiled: Path, *, options: ChildOptions = DEFAULT_OPTIONS) -> None:
    """Check that a witness satisfies its circuit, without keys.

    Raises:
        BackendError: it does not; EZKL's words name the constraint.
    """
    arguments = {"witness": str(witness), "compiled": str(compiled)}
    if not call_ezkl("mock", arguments, raises=BackendError, options=options).value:
        raise BackendError("expected the witness to satisfy the circuit, found that it does not")


def prove(
    witness: Path, compiled: Path, proving_key: Path, srs: Path, *, options: ChildOptions = DEFAULT_OPTIONS
) -> MadeProof:
    """Make a proof. EZKL does not check it, and hangs on a lookup out of range: look before.

    Raises:
        BackendError: EZKL refused.
        ProverLimitError: out of memory or time.
    """
    with tempfile.TemporaryDirectory(prefix="zkml-proof-") as scratch:
        arguments = {
            "witness": str(witness),
            "compiled": str(compiled),
            "proving_key": str(proving_key),
            "proof": str(Path(scratch) / "proof.json"),
            "srs": str(srs),
        }
        answer = call_ezkl("prove", arguments, raises=BackendError, options=options)
    value = answer.value
    instances = tuple(int(felt) for felt in value["instances"])
    return MadeProof(bytes.fromhex(value["proof"]), instances, answer.wall_seconds, answer.peak_rss_bytes)


def verify(
    proof: bytes,
    instances: Sequence[int],
    *,
    settings: Path,
    verifying_key: Path,
    srs: Path,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> None:
    """Verify proof bytes against instances. The proof file EZKL reads is written here from both.

    Nothing else of a proof file is ever read, because EZKL ignores the rest: altered
    `pretty_public_inputs` and `hex_proof` pass its check. Trailing bytes pass too: check the length before.

    Args:
        proof: proof bytes.
        instances: field elements below r, inputs then outputs.
        settings: settings file whose digest the caller checked.
        verifying_key: key file whose digest the caller checked.
        srs: any file of the ceremony, the one for logrows 1 suffices.
        options: limits, progress, verbosity.

    Raises:
        ProofRejectedError: a verdict: the proof does not hold for these instances.
        BackendError: EZKL could not read its files: no verdict.
    """
    with tempfile.TemporaryDirectory(prefix="zkml-verify-") as scratch:
        path = Path(scratch) / "proof.json"
        path.write_bytes(proof_json(proof, instances))
        arguments = {
            "proof": str(path),
            "settings": str(settings),
            "verifying_key": str(verifying_key),
            "srs": str(srs),
        }
        try:
            accepted = call_ezkl("verify", arguments, raises=BackendError, options=options).value
        except BackendError as error:
            raise _verdict(error) from error
    if not accepted:
        raise ProofRejectedError("expected an accepted proof, found that EZKL refuses it")


def proof_json(proof: bytes, instances: Sequence[int]) -> bytes:
    """Return the least proof file that EZKL reads: bytes and instances."""
    document = {
        "protocol": None,
        "instances": [[ezkl_hex_from_felt(felt) for felt in instances]],
        "proof": list(proof),
        "hex_proof": None,
        "split": None,
        "pretty_public_inputs": None,
        "timestamp": None,
        "version": None,
    }
    return json.dumps(document).encode()


def create_verifier_source(
    *,
    verifying_key: Path,
    settings: Path,
    srs: Path,
    reusable: bool = False,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> str:
    """Return the Solidity source of a verifier of this key.

    Raises:
        CompileError: EZKL wrote none.
    """
    with tempfile.TemporaryDirectory(prefix="zkml-solidity-") as scratch:
        source = Path(scratch) / "Verifier.sol"
        arguments = {
            "verifying_key": str(verifying_key),
            "settings": str(settings),
            "source": str(source),
            "abi": str(Path(scratch) / "Verifier.json"),
            "srs": str(srs),
            "reusable": reusable,
        }
        call_ezkl("create_verifier_source", arguments, raises=CompileError, options=options)
        return source.read_text(encoding="utf-8")


def create_vka(
    *, verifying_key: Path, settings: Path, srs: Path, options: ChildOptions = DEFAULT_OPTIONS
) -> bytes:
    """Return the verifying-key artifact: 8 bytes of word count, then words of 32 bytes.

    Raises:
        CompileError: EZKL wrote none.
    """
    with tempfile.TemporaryDirectory(prefix="zkml-vka-") as scratch:
        vka = Path(scratch) / "vka.bytes"
        arguments = {
            "verifying_key": str(verifying_key),
            "settings": str(settings),
            "vka": str(vka),
            "srs": str(srs),
        }
        call_ezkl("create_vka", arguments, raises=CompileError, options=options)
        return vka.read_bytes()


def float_to_integer(
    values: Sequence[float], scale_bits: int, *, options: ChildOptions = DEFAULT_OPTIONS
) -> list[int]:
    """Quantize as EZKL does; `zkml.core.fixed_point.quantize` is held equal to it by a test.

    Raises:
        BackendError: EZKL refused a value.
    """
    arguments = {"values": [float(value) for value in values], "scale_bits": scale_bits}
    answer = call_ezkl("float_to_felt", arguments, raises=BackendError, options=options)
    return [int(value) for value in answer.value]


def _check_written(path: Path, *, ends_with: bytes = b"") -> None:
    """Refuse a file that EZKL could not write to its end: it drops the error of its last buffer."""
    try:
        with path.open("rb") as stream:
            length = path.stat().st_size
            stream.seek(max(0, length - len(ends_with)))
            is_whole = length > 0 and stream.read(len(ends_with)) == ends_with
    except OSError:
        is_whole = False
    free_bytes = shutil.disk_usage(path.parent).free
    if not is_whole or free_bytes < BUFFER_BYTES:
        raise StorageError(
            f"expected EZKL to write {path.name} to its end, found it cut or {free_bytes} bytes left",
            hint="free some disk space",
            path=path,
        )


def _passage(found: Mapping[str, Any]) -> Passage:
    return Passage(
        tuple(element for tensor in found["inputs"] for element in tensor),
        tuple(element for tensor in found["outputs"] for element in tensor),
        found["minimum_lookup_input"],
        found["maximum_lookup_input"],
    )


def _verdict(error: BackendError) -> ZkmlError:
    """Tell a refused proof from files that EZKL could not read: only the first is a verdict."""
    words = str(error.context.get("words", ""))
    refusals = ("Multi-opening", "constraint system is not satisfied", "Transcript error", "load the proof")
    if any(refusal in words for refusal in refusals):
        return ProofRejectedError(f"expected an accepted proof, found: {words}")
    return error
