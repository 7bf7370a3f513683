"""Cut large weights: a product over many source indices becomes several products over ranges of them.

A tensor of the verifying key pads each of its axes to a power of two and lies in one column, so that one
large weight would decide how many rows every column has. A weight may instead be stored with all contracted
indices as ONE kernel axis, padded once, and that axis may be cut: each piece is a product of its own whose
taps walk part of the source. What a tap needs is an output axis to be tied to, and an axis of length 1
serves: there is one output index on it, so that the taps alone move. Targets get as many further axes of
length 1 as that takes, which have no index bits.

Source: octet.md 3.5 (constants, kernels as one axis, choice of nu), 2.5 (gas of a column and of a product).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product as tuples
from math import prod

import numpy as np

from circuits.octet.compile.graph import Integers
from circuits.octet.tensors import padded, padded_size
from circuits.octet.terms import Axis, Contract, WeightAxis

COLUMN_GAS = 7_200
"""What one column of the verifying key costs a verifier on chain."""

PRODUCT_GAS = 3_000
"""What one product costs: a claim in the proof and a functional at its point."""

TAP_GAS = 60
"""What one tap of a kernel costs: an entry of a table that has no closed form."""

MOST_PIECES = 256
"""No weight is cut further."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A weight in pieces.

    Attributes:
        contract: the product to cut.
        dims: true lengths of the weight's axes.
        walked: source axes that the kernel axis runs over, with their lengths, in the source's order.
        steps: for each of them, the length of a piece; the last piece may be shorter.
    """

    contract: Contract
    dims: tuple[int, ...]
    walked: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Positions of the weight's axes that remain: those of the output."""
        return tuple(i for i, axis in enumerate(self.contract.weight_axes) if axis.out is not None)

    @property
    def ranges(self) -> Iterator[tuple[range, ...]]:
        """For each piece, the range of every walked axis."""
        cuts = (
            [range(start, min(start + step, length)) for start in range(0, length, step)]
            for (_, length), step in zip(self.walked, self.steps, strict=True)
        )
        return tuples(*cuts)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """True lengths of the pieces' weights."""
        kept = tuple(self.dims[position] for position in self.kept)
        return [(*kept, prod(len(part) for part in piece)) for piece in self.ranges]

    def spare_axes(self, contract: Contract, target: tuple[int, ...]) -> tuple[int, ...]:
        """Return output axes of length 1 for the walked axes that no output axis moves, in their order.

        Args:
            contract: the product, or the same one of an output whose axes are in another order.
            target: true lengths of the output's axes; further axes than these may be named.
        """
        used = {axis.out for axis in contract.axes} | {axis.out for axis in contract.weight_axes}
        found = [axis for axis, length in enumerate(target) if length == 1 and axis not in used]
        needed = sum(1 for index, _ in self.walked if contract.axes[index].out is None)
        found.extend(range(len(target), len(target) + needed - len(found)))
        return tuple(found[:needed])

    def contracts(
        self, contract: Contract, target: tuple[int, ...], names: Sequence[str]
    ) -> tuple[Contract, ...]:
        """Return the pieces as products with weights of these names; the other arguments as above."""
        named = (*(contract.weight_axes[position] for position in self.kept), WeightAxis(kernel=True))
        found = []
        for name, piece in zip(names, self.ranges, strict=True):
            axes = list(contract.axes)
            free = iter(self.spare_axes(contract, target))
            for (index, _), part in zip(self.walked, piece, strict=True):
                axis = axes[index]
                if axis.out is None:
                    axes[index] = Axis(next(free), 0, 1, taps=len(part), base=part.start)
                else:
                    base = axis.base + axis.dilation * part.start
                    axes[index] = replace(axis, taps=len(part), base=base)
            found.append(Contract(contract.source, tuple(axes), name, named))
        return tuple(found)

    def weights(self, values: Integers) -> list[Integers]:
        """Return the pieces' weights, given the whole of true lengths."""
        lengths = dict(self.walked)
        windows = [i for i, _ in self.walked if self.contract.axes[i].out is not None]
        shape: list[int] = []
        order: list[tuple[int, int]] = []  # outputs first, then the source's order
        for position, (axis, length) in enumerate(zip(self.contract.weight_axes, self.dims, strict=True)):
            if axis.kernel:
                shape.extend(lengths[index] for index in windows)
                order.extend((1, index) for index in windows)
            elif axis.out is not None:
                shape.append(length)
                order.append((0, position))
            elif axis.source in lengths:
                shape.append(length)
                order.append((1, axis.source or 0))
        places = sorted(range(len(order)), key=order.__getitem__)
        whole = values.reshape(shape).transpose(places)
        found = []
        for piece, shape_of_piece in zip(self.ranges, self.shapes, strict=True):
            cells = whole
            for place, part in enumerate(piece, start=len(self.kept)):
                cells = np.take(cells, np.arange(part.start, part.stop), axis=place)
            found.append(cells.reshape(shape_of_piece))
        return found


def plan_cut(contract: Contract, dims: tuple[int, ...], source: tuple[int, ...], nu: int) -> Cut | None:
    """Find the cheapest way to store a product's weight, or None where it is best left whole.

    Args:
        contract: the product.
        dims: true lengths of the weight's axes.
        source: true lengths of the source's axes.
        nu: log2 of a column's rows.
    """
    walked = _walked(contract, source)
    if not walked:
        return None
    kept = prod(
        padded(length)
        for axis, length in zip(contract.weight_axes, dims, strict=True)
        if axis.out is not None
    )
    whole = padded_size(dims)
    best, least = None, _price(whole, 1, 0, nu) if whole <= 1 << nu else None
    for steps in _steps([length for _, length in walked], (1 << nu) // kept):
        cut = Cut(contract, dims, walked, steps)
        if prod(-(-length // step) for (_, length), step in zip(walked, steps, strict=True)) > MOST_PIECES:
            continue
        shapes = cut.shapes
        rows = sum(kept * padded(shape[-1]) for shape in shapes)
        price = _price(rows, len(shapes), sum(shape[-1] for shape in shapes), nu)
        if least is None or price < least:
            best, least = cut, price
    return best


def _walked(contract: Contract, source: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the source axes that a kernel over all contracted indices walks; none where there is none."""
    tied = [(axis.source, axis.out) for axis in contract.weight_axes if axis.source is not None]
    contracted = {index for index, out in tied if out is None}
    groups = {index for index, out in tied if out is not None}
    kernel = any(axis.kernel for axis in contract.weight_axes)
    found = []
    for index, (axis, length) in enumerate(zip(contract.axes, source, strict=True)):
        if index in contracted:
            if length > 1:
                found.append((index, length))
        elif index not in groups and axis.out is not None:
            if axis.taps > 1 and not kernel:
                return ()  # a sum over taps that share a weight: no kernel tells them apart
            if axis.taps > 1:
                found.append((index, axis.taps))
    return tuple(found)


def _steps(lengths: list[int], most: int) -> Iterator[tuple[int, ...]]:
    """Yield lengths of pieces whose product is at most `most`: slow axes are cut before fast ones."""
    if most < 1:
        return
    inner, axis = 1, len(lengths) - 1
    while axis >= 0 and inner * lengths[axis] <= most:
        inner *= lengths[axis]
        axis -= 1
    if axis < 0:
        yield tuple(lengths)
        return
    for step in range(1, most // inner + 1):
        yield (1,) * axis + (step,) + tuple(lengths[axis + 1 :])


def _price(rows: int, products: int, taps: int, nu: int) -> float:
    return rows / (1 << nu) * COLUMN_GAS + products * PRODUCT_GAS + taps * TAP_GAS


def cut_shapes(shapes: Mapping[str, tuple[int, ...]], cuts: Mapping[str, Cut]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all constants, those of cut weights as pieces."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        if name in cuts:
            found |= dict(zip(piece_names(name, cuts[name]), cuts[name].shapes, strict=True))
        else:
            found[name] = shape
    return found


def cut_constants(constants: Mapping[str, Integers], cuts: Mapping[str, Cut]) -> dict[str, Integers]:
    """Return all constants, those of cut weights as pieces."""
    found: dict[str, Integers] = {}
    for name, values in constants.items():
        if name in cuts:
            cut = cuts[name]
            found |= dict(zip(piece_names(name, cut), cut.weights(values), strict=True))
        else:
            found[name] = values
    return found


def piece_names(name: str, cut: Cut) -> list[str]:
    """Return the names of a weight's pieces."""
    return [f"{name}[{number}]" for number in range(len(cut.shapes))]
