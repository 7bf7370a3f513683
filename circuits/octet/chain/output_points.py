"""The points of a relation's output index space, as slots of the frame.

A relation is tested at tau; an arg-max at the claimed index as well, whose bits the plan writes out and then
treats like any other coordinates.

Source: octet.md 3.4, 3.0 items 5 and 7; spec/relations.py (`Weighting`, `argmax_weightings`).
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from circuits.octet.chain.builder import ONE, Coordinates, PlanBuilder, Value
from circuits.octet.chain.frame import TAU
from circuits.octet.chain.instructions import Op, Slot
from circuits.octet.tensors import padded


@dataclass(frozen=True)
class OutputPoint:
    """One point of an output's index space and its coefficient.

    Attributes:
        coefficient: of everything that is read at this point.
        axes: coordinates along every output axis, the slowest first.
        dims: true lengths of the axes.
    """

    coefficient: Value
    axes: tuple[Coordinates, ...]
    dims: tuple[int, ...]

    def unused(self, builder: PlanBuilder, used: Container[int | None]) -> Value:
        """Return the factor of output axes that no index is tied to."""
        value = ONE
        for index, (axis, length) in enumerate(zip(self.axes, self.dims, strict=True)):
            if index not in used:
                value = value * builder.below(axis, length)
        return value

    def along(self, out: int | None) -> Coordinates | None:
        """Return the coordinates along an output axis, none without one."""
        return None if out is None else self.axes[out]

    def valid(self, builder: PlanBuilder) -> Value:
        """Return the extension of the true box at the point."""
        return self.unused(builder, ())


def split(start: Slot, dims: Sequence[int]) -> tuple[Coordinates, ...]:
    """Give each axis of a tensor its coordinates; the last axis owns the lowest bits."""
    found: list[Coordinates] = []
    for length in reversed(dims):
        bits = padded(length).bit_length() - 1
        found.append(Coordinates(start, bits))
        start = start + bits
    return tuple(found[::-1])


def random_point(dims: tuple[int, ...], coefficient: int = 1) -> OutputPoint:
    """Return the point tau."""
    return OutputPoint(Value(coefficient), split(TAU, dims), dims)


def claimed_point(builder: PlanBuilder, dims: tuple[int, ...], index: Slot) -> OutputPoint:
    """Return the corner of an arg-max's claimed index, and write its bits into the frame.

    Args:
        builder: of the plan.
        dims: true lengths of the scores' axes.
        index: where the claimed index stands, below the number of scores.
    """
    here = random_point(dims)
    place = builder.frame.allocate(sum(axis.count for axis in here.axes))
    axes = split(place, dims)
    for axis, length in zip(axes[::-1], dims[::-1], strict=True):
        if length > 1:
            rest = builder.frame.allocate(1)
            builder.emit(Op.DIGIT, axis.start, axis.count, rest, index, length)
            index = rest
    return OutputPoint(here.valid(builder), axes, dims)


def earlier_indices(builder: PlanBuilder, here: OutputPoint, claimed: OutputPoint) -> Value:
    """Return sum_j eq(t, j) [j < index] over true j: ties go to the first (3.0 item 5).

    The first axis on which j differs from the index decides.
    """
    equal, terms = ONE, []
    for position, (t, corner) in enumerate(zip(here.axes, claimed.axes, strict=True)):
        if not t.count:
            continue
        less = builder.scalar(Op.LESS, t.start, corner.start, t.count)
        terms.append(equal * less * here.unused(builder, range(position + 1)))
        equal = equal * builder.eq(t, corner)
    return builder.sum(terms)
