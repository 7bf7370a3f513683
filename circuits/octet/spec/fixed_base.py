"""Multiples of the generator of G1 from a table of its multiples by d * 2^(8 w).

Source: docs/octet.md appendix A9 (tables by windows of 8 bits).
"""

from functools import cache

from circuits.octet.spec.curve import GENERATOR, INFINITY, Point, add, sum_points
from zkml.core.field import R

_WINDOW_BITS = 8
_WINDOWS = 32


@cache
def _table() -> tuple[tuple[Point, ...], ...]:
    """Return d * 2^(8 w) * G at [w][d], for d in 0..255 and w in 0..31."""
    rows: list[tuple[Point, ...]] = []
    base: Point = GENERATOR
    for _ in range(_WINDOWS):
        row: list[Point] = [INFINITY]
        for _ in range(1, 1 << _WINDOW_BITS):
            row.append(add(row[-1], base))
        rows.append(tuple(row))
        base = add(row[-1], base)
    return tuple(rows)


def multiply_generator(factor: int) -> Point:
    """Return factor * G, the factor taken modulo R: at most 32 additions."""
    digits = (factor % R).to_bytes(_WINDOWS, "little")
    return sum_points(row[digit] for row, digit in zip(_table(), digits, strict=True))
