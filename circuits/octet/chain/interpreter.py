"""What a plan means, instruction by instruction: definitions, where the contract has algorithms.

Source: the table of circuits/octet/chain/instructions.py.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from circuits.octet.chain.instructions import Instruction, Op, Slot
from circuits.octet.spec.multilinear import eq, eq_table, index_bits
from zkml.core.field import R

Memory = MutableMapping[Slot, int]
"""Words by slot."""


def run(segment: tuple[Instruction, ...], memory: Memory) -> int:
    """Run one segment of a plan and return its value.

    Args:
        segment: which ends in END.
        memory: constants, and of the frame what the segment's turn has brought; changed in place.
    """
    accumulator = 0
    for instruction in segment:
        slots = instruction.operands
        if instruction.op is None:
            product = 1
            for slot in slots:
                product = product * memory[_slot(slot)] % R
            accumulator = (accumulator + product) % R
        elif instruction.op is Op.PUT:
            memory[_slot(slots[0])] = accumulator
            accumulator = 0
        elif instruction.op is Op.END:
            return accumulator
        else:
            _MEANINGS[instruction.op](memory, *slots)
    raise AssertionError("a segment without END")


def _slot(operand: Slot | int) -> Slot:
    assert isinstance(operand, Slot)
    return operand


def words(memory: Memory, start: Slot, count: int) -> list[int]:
    """Return words that lie behind each other."""
    return [memory[start + index] for index in range(count)]


def _write(memory: Memory, start: Slot, values: list[int]) -> None:
    for index, value in enumerate(values):
        memory[start + index] = value % R


def _weights(memory: Memory, start: Slot, count: int) -> list[int]:
    return [int(value) for value in eq_table(words(memory, start, count))]


def _eq(memory: Memory, d: Slot, a: Slot, b: Slot, n: int) -> None:
    _write(memory, d, [eq(words(memory, a, n), words(memory, b, n))])


def _bits(memory: Memory, d: Slot, a: Slot, n: int, c: int) -> None:
    _write(memory, d, [eq(words(memory, a, n), index_bits(c, n))])


def _below(memory: Memory, d: Slot, a: Slot, n: int, c: int) -> None:
    _write(memory, d, [sum(_weights(memory, a, n)[:c])])


def _eq_below(memory: Memory, d: Slot, *operands: Any) -> None:
    a, b, n, c = operands
    pairs = zip(_weights(memory, a, n)[:c], _weights(memory, b, n)[:c], strict=True)
    _write(memory, d, [sum(x * y for x, y in pairs)])


def _eq3_below(memory: Memory, d: Slot, *operands: Any) -> None:
    a, b, e, n, c = operands
    tables = [_weights(memory, point, n)[:c] for point in (a, b, e)]
    _write(memory, d, [sum(x * y * z for x, y, z in zip(*tables, strict=True))])


def _prefix(memory: Memory, d: Slot, a: Slot, b: Slot, n: int) -> None:
    left, right = words(memory, a, n), words(memory, b, n)
    _write(memory, d, [eq(left[:count], right[:count]) for count in range(n + 1)])


def _table(memory: Memory, d: Slot, a: Slot, n: int) -> None:
    _write(memory, d, _weights(memory, a, n))


def _outer(memory: Memory, d: Slot, *operands: Any) -> None:
    a, p, b, q = operands
    right = words(memory, b, q)
    _write(memory, d, [x * y for x in words(memory, a, p) for y in right])


def _inner(memory: Memory, d: Slot, *operands: Any) -> None:
    a, p, b, q, e = operands
    left, right = words(memory, a, p), words(memory, b, q)
    _write(memory, d, [sum(left[i] * right[j] * memory[e + (i * q + j)] for i in range(p) for j in range(q))])


def _correlate(memory: Memory, d: Slot, *operands: Any) -> None:
    a, m, b, n, c, s, e, f, k, w, _ = operands
    outputs, rows = _weights(memory, a, m)[:c], _weights(memory, b, n)
    sums = []
    for tap in range(k):
        places = ((weight, (s << e) * o + f + w * tap) for o, weight in enumerate(outputs))
        sums.append(sum(weight * rows[x] for weight, x in places if 0 <= x < len(rows)))
    _write(memory, d, sums)


def _lanes(memory: Memory, d: Slot, a: Slot, n: int, s: int) -> None:
    product = 1
    for j, x in enumerate(words(memory, a, n)):
        product = product * ((1 - x) * (1 << (s << j)) + x) % R
    _write(memory, d, [product])


def _digit(memory: Memory, d: Slot, *operands: Any) -> None:
    n, q, a, c = operands
    quotient, rest = divmod(memory[a], c)
    _write(memory, d, index_bits(rest, n))
    memory[q] = quotient


def _less(memory: Memory, d: Slot, a: Slot, b: Slot, n: int) -> None:
    total = 0
    for bound, weight in enumerate(_weights(memory, b, n)):
        total += weight * sum(_weights(memory, a, n)[:bound])
    _write(memory, d, [total])


_MEANINGS: dict[Op, Callable[..., None]] = {
    Op.EQ: _eq,
    Op.BITS: _bits,
    Op.BELOW: _below,
    Op.EQ_BELOW: _eq_below,
    Op.EQ3_BELOW: _eq3_below,
    Op.PREFIX: _prefix,
    Op.TABLE: _table,
    Op.OUTER: _outer,
    Op.INNER: _inner,
    Op.CORRELATE: _correlate,
    Op.WINDOW: _correlate,
    Op.LANES: _lanes,
    Op.DIGIT: _digit,
    Op.LESS: _less,
}
