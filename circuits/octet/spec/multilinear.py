"""Multilinear extensions: v~(x) is the polynomial of degree 1 in each x_j with v~(bits of i) = v_i.

Bits are counted from the lowest: index i <-> (x_0 .. x_{n-1}) with i = sum x_j 2^j.

Source: docs/octet.md, notation (3.1) and index bounds (appendix A1 with 3.0 item 11).
"""

from collections.abc import Sequence

import numpy as np

from circuits.octet.spec.field import Vector, vector
from zkml.core.field import R


def index_bits(index: int, count: int) -> list[int]:
    """Return the `count` lowest bits of an index, the lowest first.

    Raises:
        ValueError: the index does not fit.
    """
    if not 0 <= index < 1 << count:
        raise ValueError(f"expected an index of {count} bits, found {index}")
    return [index >> bit & 1 for bit in range(count)]


def eq(left: Sequence[int], right: Sequence[int]) -> int:
    """Return prod_j (a_j x_j + (1 - a_j)(1 - x_j)): on bits, 1 if the two are equal and 0 if not.

    Raises:
        ValueError: the points differ in their number of coordinates.
    """
    product = 1
    for a, x in zip(left, right, strict=True):
        product = product * (a * x + (1 - a) * (1 - x)) % R
    return product


def eq_table(point: Sequence[int]) -> Vector:
    """Return eq(point, i) for every index i: 2^n entries, whose sum is 1."""
    table = vector([1])
    for coordinate in point:
        table = np.concatenate([table * (1 - coordinate) % R, table * coordinate % R])
    return table


def fold(table: Vector, value: int) -> Vector:
    """Bind bit 0 to a value: half as many entries t_{2i} + value (t_{2i+1} - t_{2i})."""
    even, odd = table[0::2], table[1::2]
    folded: Vector = (even + value * (odd - even)) % R
    return folded


def evaluate(table: Vector, point: Sequence[int]) -> int:
    """Return the extension of a table at a point.

    Raises:
        ValueError: the table has other than 2^n entries for n coordinates.
    """
    if len(table) != 1 << len(point):
        raise ValueError(f"expected {1 << len(point)} entries, found {len(table)}")
    for coordinate in point:
        table = fold(table, coordinate)
    return int(table[0]) % R


def zero_extend(values: Vector, variables: int) -> Vector:
    """Return the values followed by zeros up to 2^variables entries.

    Raises:
        ValueError: there are more values than that.
    """
    if len(values) > 1 << variables:
        raise ValueError(f"expected at most {1 << variables} values, found {len(values)}")
    return np.concatenate([values, vector([0] * ((1 << variables) - len(values)))])


def block_indicator(block: int, point_high: Sequence[int]) -> int:
    """Return eq of a block's number and the high coordinates: the extension of "this row is in the block".

    Args:
        block: row offset divided by the block's size, a power of two.
        point_high: the coordinates above the block's own.
    """
    return eq(index_bits(block, len(point_high)), point_high)


def less_than(bound: int, point: Sequence[int]) -> int:
    """Return the extension of [index < bound], the sum of eq(point, i) over i < bound.

    Bits are walked from the top. Indices that agree with the bound so far have weight `equal`; where the
    bound has a one, those with a zero there are below it whatever follows.

    Args:
        bound: 0 .. 2^n; at 2^n every index is below it.
        point: n coordinates.

    Raises:
        ValueError: the bound is out of range.
    """
    size = 1 << len(point)
    if not 0 <= bound <= size:
        raise ValueError(f"expected a bound in 0..{size}, found {bound}")
    if bound == size:
        return 1
    below, equal = 0, 1
    for bit, coordinate in reversed(list(zip(index_bits(bound, len(point)), point, strict=True))):
        if bit:
            below = (below + equal * (1 - coordinate)) % R
            equal = equal * coordinate % R
        else:
            equal = equal * (1 - coordinate) % R
    return below


def index_value(point: Sequence[int]) -> int:
    """Return the extension of the index itself, u(x) = sum_j 2^j x_j."""
    return sum(coordinate << bit for bit, coordinate in enumerate(point)) % R
