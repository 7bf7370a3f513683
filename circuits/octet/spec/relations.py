"""What a relation says at a random point of its output: functionals, products and constants.

A relation is `left side = valid * (sum of terms + kappa)` on every row of its target. It is tested at a
combination of points t of the output's index space: one random point, or, for arg-max, the random point and
the corner of the claimed index. Everything a term reads is thereby weighted by tables over output axes, and
each such table is 0 beyond the true length: that is the factor valid of every term.

Source: octet.md 3.4, 3.6 (4), 3.8; 3.0 items 5, 7, 8, 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as tuples
from math import prod

import numpy as np

from circuits.octet.program import Program
from circuits.octet.spec.field import Vector, vector
from circuits.octet.spec.functionals import (
    Functional,
    Piece,
    corner,
    masked,
    split_point,
    total,
)
from circuits.octet.spec.multilinear import eq_table
from circuits.octet.tensors import VkTensor, padded
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.core.field import R


@dataclass(frozen=True)
class Weighting:
    """One point of the output's index space and its coefficient.

    Attributes:
        coefficient: a field element.
        axes: per output axis the table eq(t_axis, .), 0 from the true length on.
    """

    coefficient: int
    axes: tuple[Vector, ...]

    @property
    def valid(self) -> int:
        """The extension of the true box at the point."""
        return prod(int(axis.sum()) % R for axis in self.axes) % R


def weighting(dims: Sequence[int], point: Sequence[int], coefficient: int = 1) -> Weighting:
    """Weigh the output's elements by eq(point, .) within the true box.

    Args:
        dims: true lengths of the output's axes.
        point: coordinates, the last axis' first; those beyond the tensor's are left out.
        coefficient: factor of the whole.
    """
    parts = split_point(point, [padded(length) for length in dims])
    return Weighting(
        coefficient, tuple(masked(eq_table(part), n) for part, n in zip(parts, dims, strict=True))
    )


Tap = dict[int, int]
"""Weights by source index, of the few indices that one tap reads."""


@dataclass(frozen=True)
class Product:
    """sum_i (X(i) - z valid(i)) K(i) over the indices i of a source, K linear in a weight tensor.

    Attributes:
        source: X.
        dims: true lengths of X's axes.
        term: how the indices are tied.
        weight: where W lies.
        weightings: points of the output.
    """

    source: Source
    dims: tuple[int, ...]
    term: Contract
    weight: VkTensor
    weightings: tuple[Weighting, ...]

    @property
    def variables(self) -> int:
        """Rounds on which the product lives: log2 of the source's padded size."""
        return sum(padded(length).bit_length() - 1 for length in self.dims)

    def table(self, column: Vector) -> Vector:
        """Return K(i) on all padded indices of X, given the weight's column of the verifying key."""
        weight = self.weight
        values = column[weight.offset : weight.offset + weight.size].reshape(weight.padded)
        values = values[tuple(slice(length) for length in weight.dims)]
        table = np.zeros([padded(length) for length in self.dims], dtype=object)
        for point in self.weightings:
            table = (table + self._table_at(values, point)) % R
        return table.reshape(-1)

    def functional(self, rho: Sequence[int]) -> Functional:
        """Return the functional on the weight's column whose value is K~(rho_low)."""
        parts = split_point(rho, [padded(length) for length in self.dims])
        at_rho = [masked(eq_table(part), n) for part, n in zip(parts, self.dims, strict=True)]
        return tuple(self._piece_at(at_rho, point) for point in self.weightings)

    def _named(self) -> set[int]:
        return {axis.source for axis in self.term.weight_axes if axis.source is not None}

    def _taps(self, point: Weighting) -> list[list[Tap]]:
        """Per source axis and tap: the source indices that are read, with their weights.

        One entry stands for all taps where no kernel axis tells them apart; axes that a weight axis names
        carry their weight there instead.
        """
        kernel = any(axis.kernel for axis in self.term.weight_axes)
        named = self._named()
        result = []
        for position, (axis, length) in enumerate(zip(self.term.axes, self.dims, strict=True)):
            if position in named:
                result.append([dict.fromkeys(range(length), 1)])
            elif kernel and axis.out is not None:
                result.append([tap_weights(axis, length, point, [tap]) for tap in range(axis.taps)])
            else:
                result.append([tap_weights(axis, length, point, range(axis.taps))])
        return result

    def _broadcast(self, point: Weighting) -> int:
        used = {axis.out for axis in self.term.axes} | {axis.out for axis in self.term.weight_axes}
        return point.coefficient * _unused(point, used) % R

    def _table_at(self, values: Vector, point: Weighting) -> Vector:
        # Weight axes are consumed from the last, so that positions of the earlier ones stay.
        kept: list[int | None] = []
        for position in reversed(range(len(self.term.weight_axes))):
            axis: WeightAxis = self.term.weight_axes[position]
            length = self.weight.dims[position]
            if axis.kernel:
                kept.insert(0, None)
                continue
            if axis.source is not None:
                kept.insert(0, axis.source)
                if axis.out is not None:
                    along = [-1 if other == position else 1 for other in range(values.ndim)]
                    values = values * point.axes[axis.out][:length].reshape(along) % R
            elif axis.out is not None:
                values = np.tensordot(values, point.axes[axis.out][:length], axes=([position], [0])) % R
        if None in kept:
            where = kept.index(None)
            values = np.moveaxis(values, where, 0)
            kept.remove(None)
        else:
            values = np.asarray(values, dtype=object)[np.newaxis]
        order = sorted(range(len(kept)), key=lambda index: kept[index] or 0)
        values = values.transpose(0, *(1 + index for index in order))
        shape = [n if index in self._named() else 1 for index, n in enumerate(self.dims)]
        table = np.zeros([padded(length) for length in self.dims], dtype=object)
        for tap, chosen in enumerate(tuples(*self._taps(point))):
            # A tap reads few of the indices: only they are walked.
            places = [np.array(list(weights), dtype=np.intp) for weights in chosen]
            part = np.asarray(values[tap], dtype=object).reshape(shape)
            for index, weights in enumerate(chosen):
                if shape[index] > 1:
                    part = part.take(places[index], axis=index)
                along = [-1 if other == index else 1 for other in range(len(chosen))]
                part = part * vector(weights.values()).reshape(along) % R
            rows = np.ix_(*places)
            table[rows] = (table[rows] + part) % R
        return table * self._broadcast(point) % R

    def _piece_at(self, at_rho: list[Vector], point: Weighting) -> Piece:
        scale = self._broadcast(point)
        named = self._named()
        taps: list[list[int]] = []
        for index, read in enumerate(self._taps(point)):
            if index not in named:
                taps.append([_weighted_sum(weights, at_rho[index]) for weights in read])
        kernel = [prod(chosen) % R for chosen in tuples(*taps)]
        axes = []
        for axis, length in zip(self.term.weight_axes, self.weight.dims, strict=True):
            table = vector(kernel if axis.kernel else [1] * length)
            if axis.out is not None:
                table = table * point.axes[axis.out][:length] % R
            if axis.source is not None:
                table = table * at_rho[axis.source][:length] % R
            axes.append(np.concatenate([table, vector([0] * (padded(length) - length))]))
        if not any(axis.kernel for axis in self.term.weight_axes):
            scale = scale * kernel[0] % R
        return Piece(self.weight.offset, tuple(axes), scale)


def _weighted_sum(weights: Tap, values: Vector) -> int:
    """Return the sum of the values that a tap reads, weighted: never more steps than it reads indices."""
    return sum(weight * int(values[index]) for index, weight in weights.items()) % R


def tap_weights(axis: Axis, length: int, point: Weighting, taps: Sequence[int]) -> Tap:
    """Return the indices of a source axis that are read through these taps, with their weights.

    An index weighs as much as the output indices that read it, together.
    Positions outside [0, length) contribute nothing and never wrap (3.0 item 7).
    """
    weights: Tap = {}
    outputs = range(axis.first, axis.first + axis.count) if axis.out is not None else range(1)
    for output in outputs:
        weight = 1 if axis.out is None else point.axes[axis.out][output]
        step = 0 if axis.out is None else output - axis.first
        for tap in taps:
            index = axis.base + axis.stride * step + axis.dilation * tap
            if 0 <= index < length:
                weights[index] = (weights.get(index, 0) + weight) % R
    return weights


def walk(axis: Axis, length: int, point: Weighting) -> Vector:
    """Return `tap_weights` of all taps on every padded index of a source axis."""
    table = vector([0] * padded(length))
    for index, weight in tap_weights(axis, length, point, range(axis.taps)).items():
        table[index] = weight
    return table


def linear_functional(program: Program, term: Linear, weightings: Sequence[Weighting]) -> Functional:
    """Return the functional of a linear term on its source."""
    tensor = program.tensor(term.source)
    pieces = []
    for point in weightings:
        axes = tuple(walk(axis, n, point) for axis, n in zip(term.axes, tensor.dims, strict=True))
        scale = term.scale * point.coefficient * _unused(point, {axis.out for axis in term.axes}) % R
        pieces.append(Piece(tensor.offset, axes, scale))
    return tuple(pieces)


def linear_constant(term: Linear, functional: Functional) -> int:
    """Return what a linear term contributes without any committed value: its zero point."""
    return -term.source.zero * total(functional) % R


def left_side(program: Program, relation: Relation) -> list[tuple[str, int]]:
    """Return the columns of a relation's left side with their coefficients (3.6 (4), 3.4)."""
    radix = 1 << program.shift
    limbs = [(f"R{i}", 256**i) for i in range(program.shift // 8)]
    if relation.kind == "requant":
        over = [(f"P{i}", radix * 256**i) for i in range(program.saturation)]
        under = [(f"N{i}", -radix * 256**i) for i in range(program.saturation)]
        return [("Y", radix), *over, *under, *limbs]
    if relation.kind == "max":
        return [("Y", 1), (f"D{relation.slot}", -1)]
    if relation.kind == "argmax":
        return [("Y", radix), *limbs]
    return []


def argmax_weightings(dims: Sequence[int], point: Sequence[int], index: int) -> tuple[Weighting, ...]:
    """Weigh the scores so that the sum is value[index] - value[j] on every true j (3.0 item 5)."""
    here = weighting(dims, point, -1)
    place = corner(np.unravel_index(index, dims), [padded(length) for length in dims])  # type: ignore[arg-type]
    return weighting(dims, place, here.valid), here


def earlier_indices(dims: Sequence[int], point: Weighting, index: int) -> int:
    """Return sum_j eq(t, j) [j < index] over true j: ties go to the first (3.0 item 5)."""
    table = vector([1])
    for axis, length in zip(point.axes, dims, strict=True):
        table = np.multiply.outer(table, axis[:length]).reshape(-1) % R
    return int(table[:index].sum()) % R


def _unused(point: Weighting, used: set[int | None]) -> int:
    """Return the factor of output axes that no index is tied to: the term is the same along them."""
    sums = [int(axis.sum()) % R for index, axis in enumerate(point.axes) if index not in used]
    return prod(sums) % R
