"""Many multiples of the generator of G1 at once, in the form in which an SRS file holds them.

A factor's bytes name one multiple each in a table of d * 2^(8 w) * G, and these are added up, one window of
all points at a time, so that a step inverts once for all of them (Montgomery's trick). The kernels do it
where they run, a microsecond a point; the same is here in plain Python.
"""

import os
from collections.abc import Sequence

from circuits.octet.native.kernels import Native
from circuits.octet.native.words import to_words
from circuits.srs_points import GENERATOR, P, Point, add, encode_point

_WINDOW_BITS = 8
_WINDOWS = 32
_AT_ONCE = 1 << 18
"""Factors of one call of the kernels, which hold 128 bytes for each."""


def montgomery_multiples(factors: Sequence[int], native: Native | None) -> bytes:
    """Return factor * G for each factor, x and y in Montgomery form.

    Args:
        factors: below r, none of them 0.
        native: the kernels; in plain Python when None.

    Returns:
        64 bytes for each factor.
    """
    if native is None:
        return b"".join(map(encode_point, _plain_multiples(factors)))
    threads = os.cpu_count() or 1
    parts = (factors[start : start + _AT_ONCE] for start in range(0, len(factors), _AT_ONCE))
    return b"".join(native.generator_multiples(to_words(part), threads) for part in parts)


def _plain_multiples(factors: Sequence[int]) -> list[Point]:
    sums: list[Point | None] = [None] * len(factors)
    for window, table in enumerate(_tables()):
        chosen = [table[factor >> (_WINDOW_BITS * window) & 255] for factor in factors]
        sums = _added(sums, chosen)
    return [point for point in sums if point is not None]


def _tables() -> list[list[Point | None]]:
    """Return d * 2^(8 w) * G at [w][d]; None is infinity."""
    rows: list[list[Point | None]] = []
    base: Point | None = GENERATOR
    for _ in range(_WINDOWS):
        row: list[Point | None] = [None]
        for _ in range(1, 1 << _WINDOW_BITS):
            row.append(add(row[-1], base))
        rows.append(row)
        base = add(row[-1], base)
    return rows


def _added(left: Sequence[Point | None], right: Sequence[Point | None]) -> list[Point | None]:
    """Return left + right, one by one.

    Equal or opposite points do not meet: what the lower windows add up to is less than 2^(8 w) times G.
    """
    found = [a or b for a, b in zip(left, right, strict=True)]
    pairs = [(i, a, b) for i, (a, b) in enumerate(zip(left, right, strict=True)) if a and b]
    inverses = _inverses([b[0] - a[0] for _, a, b in pairs])
    for (i, (x1, y1), (x2, y2)), inverse in zip(pairs, inverses, strict=True):
        slope = (y2 - y1) * inverse % P
        x = (slope * slope - x1 - x2) % P
        found[i] = x, (slope * (x1 - x) - y1) % P
    return found


def _inverses(values: Sequence[int]) -> list[int]:
    """Return 1 / value of each, none of them 0: one inversion and three products a value."""
    before, product = [], 1
    for value in values:
        before.append(product)
        product = product * value % P
    inverse = pow(product, -1, P)
    found = []
    for value, lower in zip(reversed(values), reversed(before), strict=True):
        found.append(inverse * lower % P)
        inverse = inverse * value % P
    return found[::-1]
