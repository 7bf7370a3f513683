"""Committed weights: the point that pins them, and the proof that the key does not depend on them.

EZKL's own verification accepts a proof of any weights of the architecture: only who compares the point that
the proof begins with knows whose weights it is about. The point does not hide them: a guess can be confirmed.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from circuits.ezkl.keygen import rebuild_key
from circuits.ezkl.weightless import write_weightless
from circuits.file_identity import identify_file
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.errors import UnsuitableCircuitError, VerifierMismatchError

POINT_BYTES = 64
"""x and y, 32 bytes each, big-endian."""


def weight_point_of(
    compiled: Path,
    sample: Sequence[int],
    proof: bytes,
    *,
    verifying_key: Path,
    srs: Path,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> bytes:
    """Return the commitment to a circuit's weights.

    Args:
        compiled: the compiled circuit, which has the weights.
        sample: an input that has a witness.
        proof: any proof of the circuit; it must begin with the point.
        verifying_key: the circuit's key.
        srs: what the key was made with.
        options: limits and progress of the child.

    Raises:
        UnsuitableCircuitError: there is not exactly one point, or proofs begin with another.
        WitnessError: the sample has no witness.
    """
    points = client.weight_points(compiled, sample, verifying_key=verifying_key, srs=srs, options=options)
    if len(points) != 1 or proof[:POINT_BYTES] != points[0]:
        raise UnsuitableCircuitError(
            f"expected one commitment to the weights, which proofs begin with, found {len(points)}",
            hint="compile the model with fixed weights",
        )
    return points[0]


def write_checked_weightless(
    onnx: Path,
    target: Path,
    *,
    batch: int,
    settings: Path,
    verifying_key: Path,
    srs: Path,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> None:
    """Write the model without its weights and check that it gives the same settings and the same key.

    Args:
        onnx: the model for one input.
        target: file to write.
        batch: inputs that the circuit proves at once.
        settings: the circuit's.
        verifying_key: the circuit's.
        srs: what the key was made with.
        options: limits and progress of each child.

    Raises:
        UnsuitableCircuitError: the key depends on the weights: publishing the architecture would not let
            anybody rebuild it.
        CompileError, KeygenError, ProverLimitError, ToolchainError: it could not be rebuilt.
    """
    write_weightless(onnx, target)
    with tempfile.TemporaryDirectory(prefix="zkml-weightless-") as scratch:
        try:
            found = rebuild_key(
                target, settings.read_bytes(), srs, Path(scratch), batch=batch, options=options
            )
        except VerifierMismatchError as error:
            raise _depends() from error
    if found != identify_file(verifying_key).digest:
        raise _depends()


def _depends() -> UnsuitableCircuitError:
    return UnsuitableCircuitError(
        "expected a key that does not depend on the weights, found another one with other weights",
        hint="a constant of the model decides its layout: compile it with fixed weights",
    )
