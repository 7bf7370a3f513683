"""The chain key: a model as the one verifier contract reads it, words of 32 bytes kept as contract code.

    header          HEADER_WORDS words: shape, frame, places, public tensors, digest, -[tau]_2
    descriptors     of tables, outputs, inputs, columns of the key
    commitments     two words per column
    constants       that the plan reads
    plan            bytes, filled up with zeros

A packed word holds sixteen numbers of 16 bits, the first one highest. A slot is the number of a word counted
from the key's first; the frame begins behind the key's last. The twin is verifier_contracts/src/OctetKey.sol.
The words follow from program, commitments, digest, tau and the port's tensors alone, so that an auditor who
rebuilds the circuit rebuilds them.

Source: octet.md 3.11, 3.12; circuits/octet/chain/frame.py, instructions.py.
"""

from collections.abc import Sequence
from math import prod

from circuits.octet.chain.frame import POINT_WORDS, Frame
from circuits.octet.chain.plan import Plan, make_plan
from circuits.octet.input_words import word_layout
from circuits.octet.opened_key import OpenedKey
from circuits.octet.program import Program
from circuits.octet.proof_length import words_to_bytes
from circuits.octet.spec.curve import Q
from circuits.octet.spec.field import WORD_BYTES
from circuits.octet.spec.pairing import G2Point, g2_words
from circuits.octet.spec.proof_words import part_lengths
from circuits.octet.spec.statement import VerifyingKey, output_range
from circuits.octet.spec.wiring import slots
from circuits.octet.tensors import Input
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import UnsuitableCircuitError

VERSION = 1
HEADER_WORDS = 9
MAX_WORDS = 2_047
"""Places in the plan are offsets of 16 bits, in bytes."""

_FIELDS = 16
_FIELD_BITS = 16
_HINT = "the model is too large for verification on a chain; split it or make its tensors smaller"


def chain_key(opened: OpenedKey) -> tuple[bytes, ...]:
    """Return the words of a circuit's key, 32 bytes each.

    Raises:
        UnsuitableCircuitError: the program is too large for the contract.
    """
    port = opened.settings.port
    return chain_key_words(opened.verifying, opened.tau_g2, port.layout, port.domain, port.input_offset)


def chain_key_words(
    verifying: VerifyingKey, tau_g2: G2Point, layout: TensorLayout, domain: InputDomain, zero: int
) -> tuple[bytes, ...]:
    """Return the words of a key, 32 bytes each.

    Args:
        verifying: program, commitments, digest.
        tau_g2: [tau]_2.
        layout: of the packed tensors.
        domain: of the packed input's elements v.
        zero: the statement's byte is v + zero.

    Raises:
        UnsuitableCircuitError: the program is too large for the contract.
    """
    program = verifying.program
    if program.nu > POINT_WORDS:
        raise _too_large(f"2^{POINT_WORDS} rows", f"2^{program.nu}")
    plan = make_plan(program)
    descriptors = [
        _tables(program),
        _outputs(program),
        input_descriptors(program.inputs),
        _columns(program, plan.frame),
    ]
    points = [word for point in verifying.commitments for word in point]
    parts = [*descriptors, points, list(plan.constants)]
    starts = [HEADER_WORDS]
    for part in parts:
        starts.append(starts[-1] + len(part))
    constants_at, plan_at = starts[-2], starts[-1]
    length = sum(map(len, plan.encode(constants_at, 0)))
    key_words = plan_at + -(-length // WORD_BYTES)
    if key_words > MAX_WORDS:
        raise _too_large(f"a key of at most {MAX_WORDS} words", f"{key_words}")
    segments = plan.encode(constants_at, key_words)
    offsets = [WORD_BYTES * plan_at]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))

    header = [
        _shape(program, plan.frame),
        _frame(program, plan, key_words),
        _packed([starts[0], starts[1], len(program.outputs), starts[2], len(program.inputs), starts[3],
                 starts[4], 0, *offsets, zero]),
        _tensors(layout, domain),
        int.from_bytes(verifying.digest, "big"),
        *_negated(tau_g2),
    ]  # fmt: skip
    code = b"".join(segments).ljust(WORD_BYTES * (key_words - plan_at), b"\0")
    data = words_to_bytes([*header, *(word for part in parts for word in part)]) + code
    return tuple(data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES))


def _shape(program: Program, frame: Frame) -> int:
    lengths = part_lengths(program)
    claims, finals = lengths[3], lengths[5]
    places = {column: 1 + index for index, column in enumerate(frame.elsewhere)}
    return _packed([
        VERSION, program.nu, program.shift // 8, program.saturation, program.slots, len(program.tables),
        len(program.first_columns), len(program.second_columns), program.vk_columns, claims, finals,
        frame.powers, frame.input_words, frame.outputs, places.get("Y", 0), places.get("V", 0),
    ])  # fmt: skip


def _frame(program: Program, plan: Plan, key_words: int) -> int:
    frame = plan.frame
    sections = (frame.lambda_, frame.ev, frame.mu, frame.finals, frame.queries, frame.out, frame.words)
    end = key_words + plan.frame_size
    return _packed(
        [*(key_words + slot.index for slot in sections), end, sum(part_lengths(program)), key_words]
    )


def _tables(program: Program) -> list[int]:
    """Write identity << 16 | place of the values' column among the claims, per table."""
    places = {slot.name: index for index, slot in enumerate(slots(program)) if slot.factor is None}
    columns = [f"K{program.vk_tensor(table.values).column}" for table in program.tables]
    pairs = zip(program.tables, columns, strict=True)
    return [table.identity << _FIELD_BITS | places[column] for table, column in pairs]


def _outputs(program: Program) -> list[int]:
    """Write span << 128 | -low mod 2^64 << 64 | count: an element v is one of `span` integers from `low`."""
    words = []
    for output in program.outputs:
        low, high = output_range(output)
        words.append((high - low + 1) << 128 | (-low) << 64 | output.count)
    return words


def input_descriptors(inputs: Sequence[Input]) -> list[int]:
    """Write width << 80 | lines << 48 | whole words a line << 32 | elements of a last one << 16 | lanes."""
    words = []
    for given in inputs:
        layout = word_layout(given)
        lines = prod(layout.outer)
        whole, rest = divmod(layout.length, layout.lanes)
        if not rest:
            # Words follow each other without a gap, so that lines say nothing.
            lines, whole = 1, lines * whole
        words.append(layout.width << 80 | lines << 48 | whole << 32 | rest << 16 | layout.lanes)
    return words


def _columns(program: Program, frame: Frame) -> list[int]:
    """Write place among the claims + 1 and place among the finals per column of the key; eight to a word."""
    claimed = {slot.name: 1 + index for index, slot in enumerate(slots(program)) if slot.factor is None}
    finals = {column: 1 + index for index, column in enumerate(frame.elsewhere)}
    numbers = [
        number for name in program.key_columns for number in (claimed.get(name, 0), finals.get(name, 0))
    ]
    return [_packed(numbers[at : at + _FIELDS]) for at in range(0, len(numbers), _FIELDS)]


def _tensors(layout: TensorLayout, domain: InputDomain) -> int:
    """Write counts and widths as a clone's arguments have them, then the input's domain; left-aligned."""
    parts = (
        (layout.input_count, 4), (layout.input_bytes, 1), (layout.output_count, 4), (layout.output_bytes, 1),
        (domain.minimum, 8), (domain.maximum, 8),
    )  # fmt: skip
    data = b"".join(number.to_bytes(size, "big", signed=size == 8) for number, size in parts)
    return int.from_bytes(data.ljust(WORD_BYTES, b"\0"), "big")


def _negated(tau_g2: G2Point) -> tuple[int, int, int, int]:
    x1, x0, y1, y0 = g2_words(tau_g2)
    return x1, x0, -y1 % Q, -y0 % Q


def _packed(numbers: Sequence[int]) -> int:
    """Write up to sixteen numbers of 16 bits, the first one highest.

    Raises:
        UnsuitableCircuitError: a number does not fit.
    """
    word = 0
    for index, number in enumerate(numbers):
        if number >> _FIELD_BITS:
            raise _too_large(f"numbers below 2^{_FIELD_BITS} in a key", f"{number}")
        word |= number << _FIELD_BITS * (_FIELDS - 1 - index)
    return word


def _too_large(expected: str, found: str) -> UnsuitableCircuitError:
    return UnsuitableCircuitError(f"expected {expected}, found {found}", hint=_HINT)
