"""The instructions of a plan: straight-line code over words of memory, run by a verifier on chain.

A plan evaluates multilinear extensions at points that the frame holds. An operand of kind `slot` is the
number of a word behind the key's first one; the others are plain numbers. `eq(a, i)` is the product over the
bits of i; a point of n coordinates lies in n words, the lowest bit's first. There is one accumulator, 0 at
the start of a segment; all arithmetic is modulo r. Opcodes 1..7 are products: that many pairs of slots are
multiplied and the product is added to the accumulator.

    END                                   the segment's value is the accumulator
    PUT     d                             d = accumulator, which is 0 afterwards
    EQ      d a b n                       eq(a, b)
    EQ_BELOW d a b n c                    sum_{i < c} eq(a, i) eq(b, i), 1 <= c <= 2^n
    EQ3_BELOW d a b e n c                 sum_{i < c} eq(a, i) eq(b, i) eq(e, i), 1 <= c <= 2^n
    BELOW   d a n c                       sum_{i < c} eq(a, i), c < 2^n
    BITS    d a n c                       eq(a, c)
    PREFIX  d a b n                       d[j] = prod_{i < j} eq(a_i, b_i) for j = 0 .. n
    TABLE   d a n                         d[i] = eq(a, i) for all 2^n indices
    OUTER   d a p b q                     d[i q + j] = a[i] b[j] for i < p, j < q
    INNER   d a p b q e                   sum_{i < p, j < q} a[i] b[j] e[i q + j]
    CORRELATE d a m b n c s e f k w t     d[i] = sum_{o < c} eq(a, o) eq(b, x) over 0 <= x < 2^n, for i < k,
                                          where x = 2^e s o + f + w i; a has m coordinates, b has n >= e,
                                          1 <= c <= 2^m; t is room to work in
    WINDOW  (the operands of CORRELATE)   the same, for s = 1, 1 <= m <= n - e, and x >> e at o = 0 within
                                          -2..2, or within 0..4 if m > 1
    LANES   d a n s                       prod_{j < n} ((1 - a_j) 2^(s 2^j) + a_j)
    DIGIT   d n q a c                     d = the n bits of (a mod c), q = a div c, of integers
    LESS    d a b n                       sum_i eq(a, i) [i < b] for bits b, extended to all b

Source: octet.md 3.12, A1, A2 (index bounds and windows as automata).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from zkml.errors import UnsuitableCircuitError

MAX_FACTORS = 14
"""Slots of one product: as many pairs as fit a word of memory behind the opcode."""


class Op(IntEnum):
    """Opcodes other than products; the numbers are those of `OctetPlan.sol`."""

    BITS = 16
    EQ = 17
    PUT = 18
    INNER = 19
    TABLE = 20
    WINDOW = 21
    EQ_BELOW = 22
    BELOW = 23
    PREFIX = 24
    LANES = 25
    OUTER = 26
    EQ3_BELOW = 27
    DIGIT = 28
    LESS = 29
    CORRELATE = 30
    END = 31


class Section(IntEnum):
    """Where a slot lies; numbers of words are settled when the plan is whole."""

    CONSTANT = 0
    FRAME = 1
    TEMPORARY = 2


@dataclass(frozen=True, order=True)
class Slot:
    """A word of memory.

    Attributes:
        section: constants lie in the key, temporaries behind the frame.
        index: of the word in its section.
    """

    section: Section
    index: int

    def __add__(self, words: int) -> "Slot":
        return Slot(self.section, self.index + words)


Kind = Literal["slot", "u8", "u16", "u32", "i32"]
_BYTES: dict[Kind, int] = {"slot": 2, "u8": 1, "u16": 2, "u32": 4, "i32": 4}

_SLOT: tuple[Kind, ...] = ("slot",)
_WALK: tuple[Kind, ...] = (
    "slot", "slot", "u8", "slot", "u8", "u32", "u16", "u8", "i32", "u16", "u16", "slot",
)  # fmt: skip

OPERANDS: dict[Op, tuple[Kind, ...]] = {
    Op.END: (),
    Op.PUT: ("slot",),
    Op.BITS: ("slot", "slot", "u8", "u32"),
    Op.EQ: ("slot", "slot", "slot", "u8"),
    Op.EQ_BELOW: ("slot", "slot", "slot", "u8", "u32"),
    Op.BELOW: ("slot", "slot", "u8", "u32"),
    Op.INNER: ("slot", "slot", "u16", "slot", "u16", "slot"),
    Op.TABLE: ("slot", "slot", "u8"),
    Op.CORRELATE: _WALK,
    Op.WINDOW: _WALK,
    Op.PREFIX: ("slot", "slot", "slot", "u8"),
    Op.LANES: ("slot", "slot", "u8", "u8"),
    Op.OUTER: ("slot", "slot", "u16", "slot", "u16"),
    Op.EQ3_BELOW: ("slot", "slot", "slot", "slot", "u8", "u32"),
    Op.DIGIT: ("slot", "u8", "slot", "slot", "u32"),
    Op.LESS: ("slot", "slot", "slot", "u8"),
}


@dataclass(frozen=True)
class Instruction:
    """One step of a plan.

    Attributes:
        op: an opcode, or None for a product.
        operands: slots and numbers in the order of `OPERANDS`; for a product an even number of slots.
    """

    op: Op | None
    operands: tuple[Slot | int, ...]

    def encode(self, place: Callable[[Slot], int]) -> bytes:
        """Write the instruction as bytes: the opcode, then every operand big-endian.

        Args:
            place: gives a slot its number.

        Raises:
            UnsuitableCircuitError: an operand does not fit its field.
        """
        if self.op is None:
            kinds = _SLOT * len(self.operands)
            code = len(self.operands) // 2
        else:
            kinds, code = OPERANDS[self.op], self.op
        parts = [bytes([code])]
        for kind, operand in zip(kinds, self.operands, strict=True):
            number = place(operand) if isinstance(operand, Slot) else operand
            parts.append(_field(number, kind))
        return b"".join(parts)


def _field(number: int, kind: Kind) -> bytes:
    try:
        return number.to_bytes(_BYTES[kind], "big", signed=kind == "i32")
    except OverflowError as error:
        raise UnsuitableCircuitError(
            f"expected numbers of {_BYTES[kind]} bytes in a verifier's plan, found {number}",
            hint="the model is too large for verification on a chain; split it or make its tensors smaller",
        ) from error
