"""Sums over one axis of a term: how a source's index moves with the output's, as numbers and not as tables.

Everything here is about S = sum over outputs o and taps k of eq(t, o) eq(u, x), where
x = base + stride (o - first) + dilation k, first <= o < first + count and 0 <= x < length. Where a window
moves in whole steps of itself S is a product over bits; any other is one walk over the bits of both indices
(WINDOW, CORRELATE), whatever the number of taps.

Source: octet.md 3.4, A1, A2; 3.0 items 7 and 11; spec/relations.py (`tap_weights`) is what S must be.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from circuits.octet.chain.builder import ZERO, Coordinates, PlanBuilder, Value
from circuits.octet.chain.instructions import Op, Slot
from circuits.octet.spec.sumchecks import HALF
from circuits.octet.tensors import padded
from circuits.octet.terms import Axis

_NEAR = 2
"""Carries at the lowest bit up to which a walk needs no tables; twice as many on one side alone."""

_SUMS = 7
"""Carries of such a walk."""

_FEW = 4
"""Indices that are cheaper one by one than as a walk."""


@dataclass(frozen=True)
class Walk:
    """An axis of a term and where its coordinates lie.

    Attributes:
        axis: of a term.
        length: true length of the source axis.
        t: coordinates along the output axis; none for an axis without one.
        u: coordinates along the source axis.
    """

    axis: Axis
    length: int
    t: Coordinates | None
    u: Coordinates

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Per tap the outputs [start, stop) that read a true index through it."""
        axis, ranges = self.axis, []
        for tap in range(axis.taps):
            # x >= 0 from the first step on where stride * step >= -at, x < length up to the last below.
            at = axis.base + axis.dilation * tap
            start = min(max(0, -(at // axis.stride)), axis.count)
            stop = min(axis.count, -((at - self.length) // axis.stride))
            ranges.append((axis.first + start, axis.first + max(start, stop)))
        return tuple(ranges)

    @property
    def indices(self) -> list[int]:
        """The true indices that are read, of an axis without output."""
        found = [self.axis.base + self.axis.dilation * tap for tap in range(self.axis.taps)]
        return [index for index in found if 0 <= index < self.length]

    @property
    def is_slice(self) -> bool:
        """Whether tap k reads index base + k, of the only output that there is."""
        axis = self.axis
        one = self.t is not None and not self.t.count and axis.dilation == 1
        return one and axis.base >= 0 and axis.base + axis.taps <= self.length

    def at(self, output: int, tap: int) -> int:
        """Return x."""
        return self.axis.base + self.axis.stride * (output - self.axis.first) + self.axis.dilation * tap


def axis_sum(builder: PlanBuilder, walk: Walk) -> Value:
    """Return S for all taps together."""
    if walk.t is None:
        return _still_sum(builder, walk)
    axis, u = walk.axis, walk.u
    step = axis.stride.bit_length() - 1
    aligned = axis.stride == 1 << step and step <= u.count
    shift = walk.at(0, 0)
    (start, stop), *others = walk.ranges
    same = all(other == (start, stop) for other in others)
    if aligned and shift == 0 and same and axis.taps == axis.stride and (axis.dilation == 1 or step == 0):
        return _copied(builder, (walk.t, u.high(step)), start, stop)
    if aligned and axis.taps == 1 and 0 <= shift < axis.stride:
        copied = _copied(builder, (walk.t, u.high(step)), start, stop)
        return builder.bits(u.low(step), shift) * copied
    if axis.taps == 1 and axis.stride == 1:
        moved = _block_moved(builder, walk)
        if moved is not None:
            return moved
    taps = tap_sums(builder, walk)
    return builder.sum([Value(1, (taps + tap,)) for tap in range(axis.taps)])


def tap_sums(builder: PlanBuilder, walk: Walk) -> Slot:
    """Return the slot of the first of S's parts, one word per tap.

    Raises:
        ValueError: the axis has no output.
    """
    place = builder.frame.allocate(walk.axis.taps)
    tap = 0
    for bound, run in groupby(_bound(walk, tap) for tap in range(walk.axis.taps)):
        taps = range(tap, tap + len(list(run)))
        _correlate(builder, walk, taps, bound, place + tap)
        tap = taps.stop
    earlier = [_earlier(walk, tap) for tap in range(walk.axis.taps)]
    return _without(builder, walk, place, earlier) if any(earlier) else place


def axis_total(builder: PlanBuilder, walk: Walk) -> Value:
    """Return the sum of eq(t, o) over outputs and taps that read a true index."""
    if walk.t is None:
        return Value(len(walk.indices))
    counts = Counter(span for span in walk.ranges if span[0] < span[1])
    return builder.sum([builder.range(walk.t, *span) * count for span, count in counts.items()])


def _still_sum(builder: PlanBuilder, walk: Walk) -> Value:
    """Sum eq(u, x) over the taps alone."""
    indices, u = walk.indices, walk.u
    if not indices:
        return ZERO
    if walk.axis.dilation == 1 or len(indices) == 1:
        return builder.range(u, indices[0], indices[-1] + 1)
    if len(indices) <= _FEW:
        return builder.sum([builder.bits(u, index) for index in indices])
    # Steps over an axis are a window of one tap that moves along outputs which all weigh 1: eq(1/2, o) 2^n.
    bits = padded(len(indices)).bit_length() - 1
    halves = Coordinates(builder.constant(*[HALF] * bits), bits)
    axis = Axis(0, 0, len(indices), stride=walk.axis.dilation, base=indices[0])
    return Value(1, (tap_sums(builder, Walk(axis, walk.length, halves, u)),)) * (1 << bits)


def _copied(builder: PlanBuilder, points: tuple[Coordinates, Coordinates], start: int, stop: int) -> Value:
    """Sum eq(t, o) eq(u, o) over a range."""
    if start >= stop:
        return ZERO
    if start + 1 == stop:
        return builder.bits(points[0], start) * builder.bits(points[1], start)
    parts = [builder.eq_below(points, stop)]
    if start:
        parts.append(builder.eq_below(points, start) * -1)
    return builder.sum(parts)


def _block_moved(builder: PlanBuilder, walk: Walk) -> Value | None:
    """A run that starts at a multiple of its padded size on both sides: the low bits are copied."""
    assert walk.t is not None  # axis_sum asks of axes with an output alone
    ((start, stop),) = walk.ranges
    if start >= stop:
        return ZERO
    source = walk.at(start, 0)
    size = padded(stop - start)
    if start % size or source % size:
        return None
    bits = size.bit_length() - 1
    high = builder.bits(walk.t.high(bits), start // size) * builder.bits(walk.u.high(bits), source // size)
    return high * builder.eq_below((walk.t.low(bits), walk.u.low(bits)), stop - start)


def _bound(walk: Walk, tap: int) -> int:
    """Return where the walk of a tap may stop counting outputs: as late as no padding of the source is read.

    Taps with one bound share a walk, and an index beyond the source's last row reads nothing anyway.
    """
    stop = walk.ranges[tap][1]
    return walk.axis.first + walk.axis.count if walk.at(stop, tap) >= 1 << walk.u.count else stop


def _earlier(walk: Walk, tap: int) -> int:
    """Return how many outputs are before the range and read an index from 0 on: some only if `first` > 0."""
    start = walk.ranges[tap][0]
    return start if start > 0 and walk.at(start - 1, tap) >= 0 else 0


def _without(builder: PlanBuilder, walk: Walk, place: Slot, earlier: list[int]) -> Slot:
    """Subtract from each tap's sum that over its first outputs."""
    kept = builder.frame.allocate(walk.axis.taps)
    for tap, bound in enumerate(earlier):
        found = builder.frame.allocate(1)
        _correlate(builder, walk, range(tap, tap + 1), bound, found)
        builder.store([Value(1, (place + tap,)), Value(-1, (found,))], kept + tap)
    return kept


def _correlate(builder: PlanBuilder, walk: Walk, taps: range, bound: int, place: Slot) -> None:
    """Write the sums of some taps over outputs below a bound."""
    axis, t, u = walk.axis, walk.t, walk.u
    if t is None:
        raise ValueError("expected an axis that moves along an output, found one of taps alone")
    if bound == 0:
        for tap in taps:
            builder.store([], place + (tap - taps.start))
        return
    step = min((axis.stride & -axis.stride).bit_length() - 1, u.count)
    odd = axis.stride >> step
    offset, reach = walk.at(0, taps.start), axis.dilation * (len(taps) - 1)
    # Sums or weights of one bit, the low bits' table, two tables of the walk's states: pairs per carry.
    (room,) = builder.temporary(_SUMS + (1 << step) + 4 * max((reach >> step) + 2, odd + 4))
    least, most = offset >> step, offset + reach >> step
    short = odd == 1 and 1 <= t.count <= u.count - step
    near = (least >= -_NEAR and most <= _NEAR) or (least >= 0 and most <= 2 * _NEAR and t.count > 1)
    builder.emit(
        Op.WINDOW if short and near else Op.CORRELATE, place, t.start, t.count, u.start, u.count, bound, odd,
        step, offset, len(taps), axis.dilation, room,
    )  # fmt: skip
