"""The extension of public values at tau: input words and outputs, as nested sums over short tables of eq.

Source: octet.md 3.4; spec/wiring.py (`public_value`).
"""

from collections.abc import Sequence

from circuits.octet.chain.builder import Coordinates, PlanBuilder, Value
from circuits.octet.chain.instructions import Op, Slot
from circuits.octet.chain.output_points import split

MAX_TABLE_BITS = 4
"""Longer axes are cut in two: a table entry costs more than a value."""

ROW = 8
"""Values that the contract adds up in one go."""

_ROW_BITS = 3


def extension(builder: PlanBuilder, dims: Sequence[int], values: Slot, point: Slot) -> Value:
    """Return the extension at a point of values that lie row-major behind each other, 0 in all padding.

    Args:
        builder: of the plan.
        dims: true lengths.
        values: slot of the first value.
        point: slot of the first coordinate; the last axis' come first.
    """
    lengths, axes = _merged(dims, split(point, dims))
    if not axes:
        return Value(1, (values,))
    if axes[-1].count > MAX_TABLE_BITS and not lengths[-1] % ROW:
        lengths[-1:] = [lengths[-1] // ROW, ROW]
        axes[-1:] = [axes[-1].high(_ROW_BITS), axes[-1].low(_ROW_BITS)]
    if len(axes) == 1 and axes[0].count > MAX_TABLE_BITS:
        return _cut_in_two(builder, lengths[0], axes[0], values)
    return _nested(builder, lengths, axes, values)


def _merged(dims: Sequence[int], axes: Sequence[Coordinates]) -> tuple[list[int], list[Coordinates]]:
    """Join every axis without padding with the one before it; axes of one element go."""
    lengths: list[int] = []
    merged: list[Coordinates] = []
    for length, axis in zip(dims, axes, strict=True):
        if lengths and length == 1 << axis.count:
            lengths[-1] *= length
            merged[-1] = Coordinates(axis.start, axis.count + merged[-1].count)
        elif length > 1:
            lengths.append(length)
            merged.append(axis)
    return lengths, merged


def _cut_in_two(builder: PlanBuilder, length: int, axis: Coordinates, values: Slot) -> Value:
    """Read a long axis as rows of a power of two, and what is left as one more row."""
    low = axis.count // 2
    rows, rest = divmod(length, 1 << low)
    parts = []
    if rows:
        axes = [axis.high(low), axis.low(low)]
        parts.append(_nested(builder, [rows, 1 << low], axes, values))
    if rest:
        last = _nested(builder, [rest], [axis.low(low)], values + (rows << low))
        parts.append(builder.bits(axis.high(low), rows) * last)
    return builder.sum(parts)


def _nested(builder: PlanBuilder, lengths: Sequence[int], axes: Sequence[Coordinates], values: Slot) -> Value:
    """Sum over the last axis inside, over all others outside."""
    sizes = [1 << axis.count for axis in axes]
    joined = [0] * len(axes)
    for index in range(1, len(axes) - 1):
        joined[index] = (joined[index - 1] or lengths[0]) * lengths[index]
    places = builder.temporary(*sizes, *joined)
    tables, products = places[: len(axes)], places[len(axes) :]
    for axis, table in zip(axes, tables, strict=True):
        builder.emit(Op.TABLE, table, axis.start, axis.count)
    outer, count = builder.constant(1), 1
    if len(axes) > 1:
        outer, count = tables[0], lengths[0]
    for index in range(1, len(axes) - 1):
        builder.emit(Op.OUTER, products[index], outer, count, tables[index], lengths[index])
        outer, count = products[index], count * lengths[index]
    place = builder.frame.allocate(1)
    builder.emit(Op.INNER, place, outer, count, tables[-1], lengths[-1], values)
    return Value(1, (place,))
