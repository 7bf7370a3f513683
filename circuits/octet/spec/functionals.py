"""Linear functionals on committed columns, as sums of outer products of short vectors.

Every claim about a column is <L, column> = sum_x L(x) column(x) for such an L. The prover spreads L over the
rows; the verifier needs L~ at one point and gets it from the short vectors alone, one per axis of a tensor.

Source: octet.md 3.1 (functional), 3.4 and 3.5 (what they look like), 3.8 (stage C).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from circuits.octet.spec.field import Vector, inner_product, vector
from circuits.octet.spec.multilinear import block_indicator, eq_table, index_bits
from circuits.octet.tensors import padded
from zkml.core.field import R


@dataclass(frozen=True)
class Piece:
    """scale * (axes_0 x axes_1 x ..) on the rows from `offset`, 0 elsewhere.

    Attributes:
        offset: first row, a multiple of the number of rows covered.
        axes: vectors whose lengths are powers of two, the slowest axis first.
        scale: a field element.
    """

    offset: int
    axes: tuple[Vector, ...]
    scale: int = 1

    @property
    def size(self) -> int:
        """Rows covered."""
        return prod(len(axis) for axis in self.axes)

    def spread(self) -> Vector:
        """Return the entries on the rows covered."""
        table = vector([self.scale])
        for axis in self.axes:
            table = np.multiply.outer(table, axis).reshape(-1) % R
        return table

    def at(self, point: Sequence[int]) -> int:
        """Return the multilinear extension at a point of all the column's coordinates."""
        variables = self.size.bit_length() - 1
        value = self.scale * block_indicator(self.offset // self.size, point[variables:])
        for axis, part in zip(self.axes, split_point(point, [len(axis) for axis in self.axes]), strict=True):
            value = value * inner_product(axis, eq_table(part)) % R
        return value

    def times(self, factor: int) -> "Piece":
        """Return factor * this piece."""
        return Piece(self.offset, self.axes, self.scale * factor % R)


_SHORT = 6
"""Coordinates of one axis of `eq_piece`: tables of 64 entries."""

Functional = tuple[Piece, ...]
"""The sum of its pieces."""


def eq_piece(offset: int, point: Sequence[int]) -> Piece:
    """Return eq(point, .) on the 2^n rows from `offset`, for a point of n coordinates.

    It is cut into short axes, so that a verifier's work grows with n and not with the rows.
    """
    parts = [point[start : start + _SHORT] for start in range(0, len(point), _SHORT)]
    return Piece(offset, tuple(eq_table(part) for part in reversed(parts)))


def lane_piece(offset: int, point: Sequence[int], weights: Sequence[int]) -> Piece:
    """Return eq(point, word) * weights[lane] on the rows from `offset`, a word's lanes being the lowest bits.

    Args:
        offset: first row.
        point: one coordinate per bit of a word's index.
        weights: of the lanes, a power of two of them.
    """
    words = eq_piece(offset, point)
    return Piece(offset, (*words.axes, vector(weights)))


def spread(functional: Iterable[Piece], rows: int) -> Vector:
    """Return L(x) for every row x."""
    table = vector([0] * rows)
    for piece in functional:
        covered = slice(piece.offset, piece.offset + piece.size)
        table[covered] = (table[covered] + piece.spread()) % R
    return table


def at(functional: Iterable[Piece], point: Sequence[int]) -> int:
    """Return L~ at a point."""
    return sum(piece.at(point) for piece in functional) % R


def total(functional: Iterable[Piece]) -> int:
    """Return the sum of L over all rows."""
    return sum(piece.scale * prod(int(axis.sum()) % R for axis in piece.axes) for piece in functional) % R


def split_point(point: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Give each axis of a tensor its coordinates: the last axis owns the lowest bits (3.5).

    Args:
        point: at least as many coordinates as the tensor has index bits; further ones are left out.
        lengths: padded lengths of the axes, the slowest first.
    """
    parts: list[list[int]] = []
    start = 0
    for length in reversed(lengths):
        stop = start + length.bit_length() - 1
        parts.append(list(point[start:stop]))
        start = stop
    return parts[::-1]


def masked(table: Vector, length: int) -> Vector:
    """Return a table that is 0 from index `length` on: no sum leaves the true box (3.0 item 7)."""
    result = table.copy()
    result[length:] = 0
    return result


def true_axis(length: int) -> Vector:
    """Return 1 on the true indices of an axis and 0 on its padding."""
    return masked(vector([1] * padded(length)), length)


def corner(index: Sequence[int], lengths: Sequence[int]) -> list[int]:
    """Return the point whose eq-table picks one element of a tensor with these padded lengths."""
    pairs = zip(index, lengths, strict=True)
    bits = [index_bits(int(position), length.bit_length() - 1) for position, length in pairs]
    return [bit for axis in reversed(bits) for bit in axis]
