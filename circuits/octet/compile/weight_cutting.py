"""Cut large weights: a product over many source indices becomes several products over ranges of them.

A tensor of the verifying key pads each of its axes to a power of two and lies in one column, so that one
large weight would decide how many rows every column has. A weight may instead be stored with contracted
indices as ONE kernel axis, and that axis may be cut: each piece is a product of its own whose taps walk part
of the source. What a tap needs is an output axis to be tied to, and an axis of length 1 serves: there is one
output index on it, so that the taps alone move. Targets get as many further axes of length 1 as that takes,
which have no index bits.

Either all contracted indices join the kernel, which pads them once, or the slowest of them alone, which
leaves each axis bits of its own: more rows, and less for a verifier to walk.

Source: octet.md 3.5 (constants, kernels as one axis, choice of nu).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product as tuples
from math import prod

import numpy as np

from circuits.octet.compile.graph import Integers
from circuits.octet.compile.prices import COLUMN_GAS, PRODUCT_GAS, TAP_GAS
from circuits.octet.tensors import padded, padded_size
from circuits.octet.terms import Axis, Contract, WeightAxis

MOST_PIECES = 256
"""No weight is cut further."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A weight in pieces.

    Attributes:
        contract: the product to cut.
        dims: true lengths of the weight's axes.
        walked: source axes that the kernel axis runs over, with their lengths, in the source's order; the
            weight keeps its axes for the others.
        steps: for each of them, the length of a piece; the last piece may be shorter.
    """

    contract: Contract
    dims: tuple[int, ...]
    walked: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Positions of the weight's axes that remain: those of the output, and of what is not walked."""
        return _kept(self.contract, self.walked)

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

    @property
    def walked_taps(self) -> int:
        """Taps of all pieces that a verifier walks one by one, in tables of its own.

        An axis before others of exactly a power of two indices has bits of its own in the kernel's index.
        Alone on its bits it takes no table if its range starts at a multiple of its padded length.
        """
        return sum(self._walked_by(piece) for piece in self.ranges)

    def _walked_by(self, piece: tuple[range, ...]) -> int:
        total, taps, axes = 0, 1, 0
        for place in reversed(range(len(piece))):
            taps, axes = taps * len(piece[place]), axes + 1
            if place == 0 or taps == padded(taps):
                index, _ = self.walked[place]
                alone = axes == 1 and self.contract.axes[index].out is None
                total += 0 if alone and piece[place].start % padded(taps) == 0 else taps
                taps, axes = 1, 0
        return total

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
            elif position in self.kept:
                shape.append(length)
                order.append((0, position))
            else:
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
    whole = padded_size(dims)
    best, least = None, _price(whole, 1, 0, nu) if whole <= 1 << nu else None
    for walked in _choices(contract, source):
        kept = prod(padded(dims[position]) for position in _kept(contract, walked))
        for steps in _steps([length for _, length in walked], (1 << nu) // kept):
            cut = Cut(contract, dims, walked, steps)
            pieces = (-(-length // step) for (_, length), step in zip(walked, steps, strict=True))
            if prod(pieces) > MOST_PIECES:
                continue
            shapes = cut.shapes
            rows = sum(kept * padded(shape[-1]) for shape in shapes)
            price = _price(rows, len(shapes), cut.walked_taps, nu)
            if least is None or price < least:
                best, least = cut, price
    return best


def _kept(contract: Contract, walked: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """Return the positions of the weight's axes that are no part of a kernel over the walked source axes."""
    lost = {index for index, _ in walked if contract.axes[index].out is None}
    return tuple(
        place
        for place, axis in enumerate(contract.weight_axes)
        if not axis.kernel and (axis.out is not None or axis.source not in lost)
    )


def _choices(contract: Contract, source: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield the source axes that a kernel may walk: all of them, or of those contracted the slowest alone."""
    every = _walked(contract, source)
    if not every:
        return
    yield every
    contracted = [entry for entry in every if contract.axes[entry[0]].out is None]
    if len(contracted) > 1:
        yield tuple(entry for entry in every if entry not in contracted[1:])


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
