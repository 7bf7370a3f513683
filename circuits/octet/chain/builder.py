"""Making a plan: every value is computed once, products and sums of values become instructions.

A `Value` is an integer times a product of slots; it costs nothing until it is added to something. What is
asked for twice with the same operands is the same slot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from circuits.octet.chain.frame import EQ_RHO_SIGMA, EQ_TAU_RHO, RHO, SIGMA, TAU, Frame
from circuits.octet.chain.instructions import MAX_FACTORS, Instruction, Op, Section, Slot
from zkml.core.field import R
from zkml.errors import UnsuitableCircuitError


@dataclass(frozen=True, order=True)
class Pair:
    """eq of two runs of coordinates, as a factor that still may join another one.

    Attributes:
        a: slot of the first coordinate of one run.
        b: slot of that of the other, behind `a`.
        count: coordinates of each.
    """

    a: Slot
    b: Slot
    count: int


@dataclass(frozen=True)
class Value:
    """factor * the product of the slots * the eq of the pairs.

    Attributes:
        factor: an integer, reduced modulo r when it is written.
        slots: none for a constant.
        pairs: runs that do not continue each other.
    """

    factor: int = 1
    slots: tuple[Slot, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def __mul__(self, other: "Value | int") -> "Value":
        if isinstance(other, int):
            return Value(self.factor * other, self.slots, self.pairs)
        pairs = _joined(self.pairs + other.pairs)
        return Value(self.factor * other.factor, self.slots + other.slots, pairs)

    @property
    def is_zero(self) -> bool:
        """Whether the value is 0 whatever the slots hold."""
        return self.factor % R == 0

    @property
    def is_constant(self) -> bool:
        """Whether the value is its factor alone."""
        return not self.slots and not self.pairs


def _joined(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Join runs of which one continues another on both sides: eq over axes side by side is one eq."""
    joined: list[Pair] = []
    for pair in sorted(pairs):
        before = joined[-1] if joined else None
        if before and (before.a + before.count, before.b + before.count) == (pair.a, pair.b):
            joined[-1] = Pair(before.a, before.b, before.count + pair.count)
        else:
            joined.append(pair)
    return tuple(joined)


_TABLE_BITS = 2
"""Coordinates at the end of rho and of sigma whose four weights every plan needs."""

_SHARED_BITS = 4
"""Bits of a longer number that are a value of their own."""

MAX_INSTRUCTIONS = 1 << 15
"""More than any key has room for (65,504 bytes): a stranger's program is refused before its plan is whole."""

ONE = Value()
ZERO = Value(0)


@dataclass(frozen=True)
class Coordinates:
    """A part of a point: `count` coordinates from a slot, the lowest bit's first."""

    start: Slot
    count: int

    def low(self, count: int) -> "Coordinates":
        """The first coordinates."""
        return Coordinates(self.start, count)

    def high(self, skipped: int) -> "Coordinates":
        """All but the first coordinates."""
        return Coordinates(self.start + skipped, self.count - skipped)


class PlanBuilder:
    """Instructions, constants and memory of a plan in the making.

    Attributes:
        frame: grows by what is kept.
        segments: instructions of every finished segment.
        constants: words of the key, field elements.
        temporary_size: words of the largest temporary area.
    """

    def __init__(self, frame: Frame, variables: int) -> None:
        """Start with an empty segment; points have `variables` coordinates."""
        self.frame = frame
        self._ends = {RHO + variables, SIGMA + variables}
        self.segments: list[tuple[Instruction, ...]] = []
        self.constants: list[int] = []
        self.temporary_size = 0
        self._current: list[Instruction] = []
        self._known: dict[tuple[object, ...], Slot] = {}
        self._vectors: dict[tuple[int, ...], Slot] = {}
        self._total: list[Value] = []

    # --- values -------------------------------------------------------------------------------

    def constant(self, *words: int) -> Slot:
        """Return the slot of the first of these constants, which lie behind each other."""
        reduced = tuple(word % R for word in words)
        if reduced not in self._vectors:
            self._vectors[reduced] = Slot(Section.CONSTANT, len(self.constants))
            for index, word in enumerate(reduced):
                self._vectors.setdefault((word,), Slot(Section.CONSTANT, len(self.constants) + index))
            self.constants += reduced
        return self._vectors[reduced]

    def eq(self, a: Coordinates, b: Coordinates) -> Value:
        """Return eq of two points of one length."""
        first, second = sorted((a.start, b.start))
        return Value(1, (), (Pair(first, second, a.count),)) if a.count else ONE

    def bits(self, a: Coordinates, number: int) -> Value:
        """Return eq(a, number), in parts that other numbers share.

        Of a point's last coordinates, which every block of rows asks for, the table lies in the frame.
        """
        if not a.count:
            return ONE
        if a.count >= _TABLE_BITS and a.start + a.count in self._ends:
            low = a.count - _TABLE_BITS
            table = self.vector(Op.TABLE, 1 << _TABLE_BITS, a.start + low, _TABLE_BITS)
            top = Value(1, (table + (number >> low),))
        elif a.count > _SHARED_BITS + 1:
            low = a.count - _SHARED_BITS
            top = self._scalar(Op.BITS, a.start + low, _SHARED_BITS, number >> low)
        else:
            return self._scalar(Op.BITS, a.start, a.count, number)
        return top * self.bits(a.low(low), number & (1 << low) - 1)

    def below(self, a: Coordinates, bound: int) -> Value:
        """Return the sum of eq(a, i) over i < bound."""
        if bound >= 1 << a.count:
            return ONE
        return self._scalar(Op.BELOW, a.start, a.count, bound) if bound else ZERO

    def range(self, a: Coordinates, start: int, stop: int) -> Value:
        """Return the sum of eq(a, i) over start <= i < stop."""
        if start + 1 == stop:
            return self.bits(a, start)
        if start == 0:
            return self.below(a, stop)
        return self.sum([self.below(a, stop), self.below(a, start) * -1])

    def eq_below(self, points: Sequence[Coordinates], bound: int) -> Value:
        """Return the sum over i < bound of the products of eq(a, i), for two or three points a."""
        bits = min((bound - 1).bit_length(), *(a.count for a in points)) if bound else 0
        if not bound:
            return ZERO
        value = ONE
        for a in points:
            value = value * self.bits(a.high(bits), 0)
        low = [a.low(bits) for a in points]
        if len(points) == 2 and bound == 1 << bits:
            return value * self.eq(low[0], low[1])
        if bits == 0:
            return value
        op = Op.EQ_BELOW if len(points) == 2 else Op.EQ3_BELOW
        return value * self._scalar(op, *(a.start for a in low), bits, bound)

    def scalar(self, op: Op, *operands: Slot | int) -> Value:
        """Return the one word that an instruction writes; its destination is added in front."""
        return self._scalar(op, *operands)

    def vector(self, op: Op, words: int, *operands: Slot | int) -> Slot:
        """Return the first of the words that an instruction writes, which are kept."""
        return self._kept(op, words, operands)

    def sum(self, values: Iterable[Value]) -> Value:
        """Return a sum as a value of its own."""
        terms = [value for value in values if not value.is_zero]
        if not terms:
            return ZERO
        if all(value.is_constant for value in terms):
            return Value(sum(value.factor for value in terms))
        if len(terms) == 1:
            return terms[0]
        key = ("sum", *terms)
        if key not in self._known:
            self._known[key] = self.frame.allocate(1)
            self.store(terms, self._known[key])
        return Value(1, (self._known[key],))

    def slot_of(self, value: Value) -> Slot:
        """Return a slot that holds a value."""
        if value.is_constant:
            return self.constant(value.factor)
        if value.factor == 1 and len(value.slots) == 1 and not value.pairs:
            return value.slots[0]
        key = ("sum", value)
        if key not in self._known:
            self._known[key] = self.frame.allocate(1)
            self.store([value], self._known[key])
        return self._known[key]

    # --- instructions -------------------------------------------------------------------------

    def emit(self, op: Op, *operands: Slot | int) -> None:
        """Add an instruction that writes where its operands say."""
        self._append(Instruction(op, operands))

    def store(self, terms: Sequence[Value], place: Slot) -> None:
        """Write a sum to a place."""
        for value in [self._short(value) for value in terms]:
            self._product(value)
        self.emit(Op.PUT, place)

    def temporary(self, *sizes: int) -> list[Slot]:
        """Return areas that last until the next call."""
        places, start = [], 0
        for size in sizes:
            places.append(Slot(Section.TEMPORARY, start))
            start += size
        self.temporary_size = max(self.temporary_size, start)
        return places

    def add(self, value: Value) -> None:
        """Add to the segment's value."""
        if not value.is_zero:
            self._total.append(value)

    def finish_segment(self) -> None:
        """End a segment: its value is what was added."""
        for value in [self._short(value) for value in self._total]:
            self._product(value)
        self.emit(Op.END)
        self.segments.append(tuple(self._current))
        self._current, self._total = [], []

    def _short(self, value: Value) -> Value:
        """Return a value of slots alone that fit one product, with room for its factor."""
        slots = (*value.slots, *(self._eq(pair) for pair in value.pairs))
        while len(slots) >= MAX_FACTORS:
            head = self.slot_of(Value(1, slots[: MAX_FACTORS - 1]))
            slots = (head, *slots[MAX_FACTORS - 1 :])
        return Value(value.factor, slots)

    def _eq(self, pair: Pair) -> Slot:
        for left, right, products in ((TAU, RHO, EQ_TAU_RHO), (RHO, SIGMA, EQ_RHO_SIGMA)):
            if (pair.a, pair.b) == (left, right):
                return products + pair.count
        return self._kept(Op.EQ, 1, (pair.a, pair.b, pair.count))

    def _product(self, value: Value) -> None:
        slots = list(value.slots)
        if value.factor % R != 1 or not slots:
            slots.append(self.constant(value.factor))
        if len(slots) % 2:
            slots.append(self.constant(1))
        self._append(Instruction(None, tuple(slots)))

    def _append(self, instruction: Instruction) -> None:
        if len(self._current) >= MAX_INSTRUCTIONS:
            raise UnsuitableCircuitError(
                f"expected a plan of at most {MAX_INSTRUCTIONS} instructions, found more",
                hint="the model is too large for verification on a chain; split it or shrink its tensors",
            )
        self._current.append(instruction)

    def _scalar(self, op: Op, *operands: Slot | int) -> Value:
        return Value(1, (self._kept(op, 1, operands),))

    def _kept(self, op: Op, words: int, operands: tuple[Slot | int, ...]) -> Slot:
        key = (op, words, *operands)
        if key not in self._known:
            self._known[key] = self.frame.allocate(words)
            self.emit(op, self._known[key], *operands)
        return self._known[key]
