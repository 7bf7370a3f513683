"""What a proof is about: a model's key, an input, an output and a context; and the seed that binds them.

Source: octet.md 3.8 (seed), 3.10 (digest, context), 3.13; 3.0 items 5, 15, 17.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from circuits.octet.input_words import words_of
from circuits.octet.program import Program
from circuits.octet.spec.curve import Point
from circuits.octet.spec.field import from_signed, to_word
from circuits.octet.spec.transcript import Transcript
from circuits.octet.tensors import Output
from zkml.core.digests import keccak256
from zkml.errors import ProofRejectedError

TAG = b"OCTET proof v2".ljust(32, b"\0")
"""Separates these transcripts from every other use of keccak256."""

INT32_BOUND = 1 << 31


@dataclass(frozen=True)
class VerifyingKey:
    """A model as a verifier knows it.

    Attributes:
        program: the statement without weights.
        commitments: one per column of the key.
        digest: 32 bytes that pin program, semantics, meaning at the port, commitments and SRS.
    """

    program: Program
    commitments: tuple[Point, ...]
    digest: bytes


@dataclass(frozen=True)
class Statement:
    """One inference.

    Attributes:
        inputs: the bytes of all inputs, row-major, one after the other.
        outputs: the values of all outputs, row-major, one after the other; signed integers.
        context: 32 bytes by which the settlement keeps a proof from being used for another job.
    """

    inputs: bytes
    outputs: tuple[int, ...]
    context: bytes


def check_inputs(program: Program, statement: Statement) -> None:
    """Insist on as many input bytes as there are, each within its input's domain.

    Raises:
        ProofRejectedError: another length, or a byte the program has no proof for.
    """
    expected = sum(prod(item.dims) for item in program.inputs)
    if len(statement.inputs) != expected:
        raise ProofRejectedError(f"expected {expected} input bytes, found {len(statement.inputs)}")
    for item, values in zip(program.inputs, input_values(program, statement), strict=True):
        for value in values:
            if not item.low <= value <= item.high:
                raise ProofRejectedError(
                    f"expected input {item.name} within {item.low}..{item.high}, found {value}"
                )


def check_outputs(program: Program, statement: Statement) -> None:
    """Insist on as many outputs as there are, each the one integer that its field element stands for.

    Raises:
        ProofRejectedError: another count, or a value out of its kind's range.
    """
    expected = sum(output.count for output in program.outputs)
    if len(statement.outputs) != expected:
        raise ProofRejectedError(f"expected {expected} outputs, found {len(statement.outputs)}")
    for output, values in zip(program.outputs, output_values(program, statement), strict=True):
        low, high = output_range(output)
        for value in values:
            if not low <= value <= high:
                raise ProofRejectedError(f"expected output {output.name} within {low}..{high}, found {value}")


def output_range(output: Output) -> tuple[int, int]:
    """Return the least and the greatest value an output may have."""
    if output.kind == "argmax":
        return 0, prod(output.dims) - 1
    return (0, 255) if output.kind == "byte" else (1 - INT32_BOUND, INT32_BOUND - 1)


def check_context(statement: Statement) -> None:
    """Insist on a context of 32 bytes: the seed separates its parts by their lengths alone.

    Raises:
        ProofRejectedError: another length.
    """
    if len(statement.context) != 32:
        raise ProofRejectedError(f"expected 32 bytes of context, found {len(statement.context)}")


def seed(key: VerifyingKey, statement: Statement) -> Transcript:
    """Start the transcript from everything that is known before the proof (docs/octet.md, protocol)."""
    return Transcript.start(
        TAG,
        key.digest,
        statement.context,
        keccak256(b"".join(to_word(word) for word in input_words(key.program, statement))),
        *(to_word(from_signed(value)) for value in statement.outputs),
    )


def input_words(program: Program, statement: Statement) -> tuple[int, ...]:
    """Return the words of all inputs, one input after the other."""
    return tuple(word for words in named_words(program, statement).values() for word in words)


def named_words(program: Program, statement: Statement) -> dict[str, list[int]]:
    """Return every input's words by name."""
    values = input_values(program, statement)
    return {item.name: words_of(item, part) for item, part in zip(program.inputs, values, strict=True)}


def named_outputs(program: Program, statement: Statement) -> dict[str, Sequence[int]]:
    """Return every output's values by name."""
    values = output_values(program, statement)
    return {output.name: part for output, part in zip(program.outputs, values, strict=True)}


def input_values(program: Program, statement: Statement) -> list[Sequence[int]]:
    """Cut the input bytes, one part per input."""
    return _cut(statement.inputs, [prod(item.dims) for item in program.inputs])


def output_values(program: Program, statement: Statement) -> list[Sequence[int]]:
    """Cut the outputs, one part per output."""
    return _cut(statement.outputs, [output.count for output in program.outputs])


def _cut(values: Sequence[int], counts: Sequence[int]) -> list[Sequence[int]]:
    parts: list[Sequence[int]] = []
    start = 0
    for count in counts:
        parts.append(values[start : start + count])
        start += count
    return parts
