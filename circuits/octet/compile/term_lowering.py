"""From a term of the graph to a term of the program: how each linear map reads its source, axis by axis.

A view that moves every axis of its tensor by itself costs nothing. Before a matrix product it may do anything
to the axes that are summed over, because the weights are scattered over the tensor's own axes when they are
stored.
Whatever is left becomes a dense matrix, if it is small; a term that is none of these is refused.

Source: octet.md 3.4 (views inside the reading functional), 3.5 (coverage), 3.0 items 7 and 8.
"""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

import numpy as np

from circuits.octet.compile.axis_walks import Walk, find_walks
from circuits.octet.compile.copy_runs import copy_runs
from circuits.octet.compile.graph import AxesSum, Conv, Copy, Gemm, Integers, Scale, Term, WindowSum
from circuits.octet.compile.source_axes import (
    STILL,
    complete,
    copied,
    final,
    summed_axes,
    sweeps_of,
    window_axes,
    windowed,
)
from circuits.octet.compile.stored_weights import add_columns, full_weights, kernel_in_source_order, scattered
from circuits.octet.compile.terms import apply_term
from circuits.octet.compile.views import cells_read, read, view_shape
from circuits.octet.tensors import padded_size
from circuits.octet.terms import Axis, Contract, Linear, Source, WeightAxis
from circuits.octet.terms import Term as ProgramTerm
from zkml.errors import CompileError, UnsupportedOperatorError

SMALL_DENSE = 1 << 12
"""Entries of a dense matrix that is preferred to many linear terms."""

DENSE_LIMIT = 1 << 18
"""Entries that a dense matrix may have in place of a view that no axis walk describes."""

MAX_WEIGHTS = 1 << 25
"""Entries of all weights together, zeros included: a quarter of a gigabyte as integers."""

CALL_CELLS = 1 << 10
"""Cells that take as long as carrying none."""

MAX_DENSE_WORK = 1 << 30
"""Cells that are carried through views, one cell of the source after the other, for all dense matrices."""


@dataclass(frozen=True, slots=True)
class Readable:
    """How a tensor of the graph is named in the program.

    Attributes:
        kind: of the source.
        name: of the block.
        dims: true lengths of the axes, as in the graph.
        zero: zero point.
    """

    kind: Literal["block", "lut"]
    name: str
    dims: tuple[int, ...]
    zero: int


@dataclass
class TermLowering:
    """Lowers terms and keeps the constants that they need.

    Attributes:
        readable: tensors that terms may read, by their name in the graph.
        constants: values by the name of their tensor in the verifying key.
    """

    readable: dict[str, Readable] = field(default_factory=dict)
    constants: dict[str, Integers] = field(default_factory=dict)
    _weights: int = field(default=0, init=False)
    _dense_work: int = field(default=0, init=False)

    def lower(
        self, node: str, term: Term, shape: tuple[int, ...], *, raw: bool = False
    ) -> tuple[ProgramTerm, ...]:
        """Lower one term, to several where it copies a rearranged tensor.

        Args:
            node: name of the node, for errors and for the names of constants.
            term: a term of the graph.
            shape: true shape of the node's output.
            raw: read bytes, not bytes minus the zero point.

        Raises:
            UnsupportedOperatorError: the reading fits no axis walk, and is too large for a dense matrix.
        """
        found = self._walked(node, term, shape, raw=raw)
        if found is not None:
            return (found,)
        entries = padded_size((*shape, *term.source.base_shape))
        if isinstance(term, Copy) and entries > SMALL_DENSE:
            runs = copy_runs(term.source, term.starts, shape)
            if runs is not None:
                return tuple(
                    Linear(self._source(term, raw=raw), _whole(term.multiplier), axes) for axes in runs
                )
        return (self._dense(node, term, shape, raw=raw),)

    def _walked(self, node: str, term: Term, shape: tuple[int, ...], *, raw: bool) -> ProgramTerm | None:
        """Lower a term whose view moves every axis by itself, or return None."""
        walks = find_walks(term.source)
        found: ProgramTerm | None = None
        if isinstance(term, Gemm):
            found = self._gemm(node, term, walks, shape)
        elif walks is not None and isinstance(term, Conv):
            found = self._depthwise(node, term, walks, shape) or self._conv(node, term, walks, shape)
        elif isinstance(term, WindowSum):
            found = self.window(term, shape, raw=raw)
        elif walks is not None and isinstance(term, AxesSum):
            found = self._axes_sum(term, walks)
        elif walks is not None and isinstance(term, Copy):
            found = self._copy(term, walks, shape, raw=raw)
        elif walks is not None and isinstance(term, Scale) and term.weights.size == 1:
            found = self._copy(
                Copy(term.source, int(term.weights.flat[0]), (0,) * len(shape)), walks, shape, raw=raw
            )
        elif walks is not None and isinstance(term, Scale):
            found = self._scale(node, term, walks)
        return found

    def store(self, name: str, values: Integers) -> str:
        """Keep a constant under a name of its own, and return that name."""
        unique, number = name, 1
        while unique in self.constants:
            number += 1
            unique = f"{name}#{number}"
        self.constants[unique] = np.ascontiguousarray(values, dtype=np.int64)
        return unique

    def _reserve(self, count: int, node: str) -> None:
        """Count weights that are about to be made.

        Raises:
            CompileError: they are too many.
        """
        self._weights += count
        if self._weights > MAX_WEIGHTS:
            raise CompileError(f"expected at most {MAX_WEIGHTS} weights, found {self._weights} at {node!r}")

    def window(self, term: WindowSum, shape: tuple[int, ...], *, raw: bool = False) -> Linear | None:
        """Lower a sum over windows, or return None where no axis walk describes it."""
        axes = window_axes(term, shape)
        return Linear(self._source(term, raw=raw), _whole(term.multiplier), axes) if axes else None

    def _source(self, term: Term, *, raw: bool = False) -> Source:
        readable = self.readable[term.source.tensor]
        return Source(readable.kind, readable.name, 0 if raw else readable.zero)

    def _gemm(
        self, node: str, term: Gemm, walks: tuple[Walk, ...] | None, shape: tuple[int, ...]
    ) -> Contract | None:
        """Scatter the weights over the source's own axes; leading axes must walk by themselves."""
        dims = term.source.base_shape
        last = len(shape) - 1
        outputs = WeightAxis(out=last)
        if prod(shape[:-1]) == 1:
            # One row: the view may do anything, since every one of its cells has a weight of its own.
            self._reserve(shape[last] * prod(dims), node)
            positions = read(term.source, np.arange(prod(dims)).reshape(dims)).reshape(-1)
            weights = np.zeros((shape[last], prod(dims)), dtype=np.int64)
            add_columns(weights, positions, term.weights)
            name = self.store(f"weight:{node}", weights.reshape(shape[last], *dims))
            named = tuple(WeightAxis(source=axis) for axis in range(len(dims)))
            return Contract(self._source(term), (STILL,) * len(dims), name, (outputs, *named))
        if walks is None:
            return None
        summed = [index for index, walk in enumerate(walks) if walk.shown == last]
        axes = [STILL if index in summed else copied(walk, None) for index, walk in enumerate(walks)]
        if not complete(axes):
            return None
        self._reserve(shape[last] * prod(walks[i].length for i in summed), node)
        name = self.store(f"weight:{node}", scattered(term.weights, [walks[i] for i in summed]))
        named = tuple(WeightAxis(source=index) for index in summed)
        return Contract(self._source(term), final(axes), name, (outputs, *named))

    def _conv(
        self, node: str, term: Conv, walks: tuple[Walk, ...], shape: tuple[int, ...]
    ) -> Contract | None:
        """Lower a convolution; a grouped one has weight 0 between its groups."""
        axes = windowed(walks, term.source.base_shape, sweeps_of(term, shape), view_shape(term.source))
        if axes is None:
            return None
        channels = [index for index, walk in enumerate(walks) if walk.shown == 1]
        outputs, per_group, *window = term.weights.shape
        shown = per_group * term.groups
        self._reserve(outputs * prod(window) * max(shown, prod(walks[i].length for i in channels)), node)
        weights = scattered(full_weights(term, axes), [walks[index] for index in channels])
        name = self.store(f"weight:{node}", weights)
        named = tuple(WeightAxis(source=index) for index in channels)
        for index in channels:
            axes[index] = STILL
        return Contract(
            self._source(term), tuple(axes), name, (WeightAxis(out=1), *named, WeightAxis(kernel=True))
        )

    def _depthwise(
        self, node: str, term: Conv, walks: tuple[Walk, ...], shape: tuple[int, ...]
    ) -> Contract | None:
        """Lower a convolution of each channel by itself."""
        out_channels, per_group, *_ = term.weights.shape
        channels = [index for index, walk in enumerate(walks) if walk.shown == 1]
        if (
            per_group != 1
            or term.groups != out_channels
            or len(channels) != 1
            or not walks[channels[0]].whole
        ):
            return None
        axes = windowed(walks, term.source.base_shape, sweeps_of(term, shape), view_shape(term.source))
        if axes is None:
            return None
        axes[channels[0]] = Axis(1, 0, out_channels)
        weights = kernel_in_source_order(term.weights, axes).reshape(out_channels, -1)
        name = self.store(f"weight:{node}", weights)
        return Contract(
            self._source(term),
            tuple(axes),
            name,
            (WeightAxis(out=1, source=channels[0]), WeightAxis(kernel=True)),
        )

    def _axes_sum(self, term: AxesSum, walks: tuple[Walk, ...]) -> Linear | None:
        """Lower a sum over whole axes: each tap is an index of the axis summed over."""
        factor = _whole(term.multiplier)
        axes: list[Axis | None] = [copied(walk, None) for walk in walks]
        for axis, length in enumerate(view_shape(term.source)):
            moving = [index for index, walk in enumerate(walks) if walk.shown == axis]
            if axis not in term.axes:
                if len(moving) > 1:
                    return None
                continue
            if not moving:
                factor *= length
            for index, summed in zip(moving, summed_axes([walks[index] for index in moving]), strict=True):
                axes[index] = summed
        return Linear(self._source(term), factor, final(axes)) if complete(axes) else None

    def _copy(
        self, term: Copy, walks: tuple[Walk, ...], shape: tuple[int, ...], *, raw: bool
    ) -> Linear | None:
        """Lower a copy into a box of the output."""
        shown = view_shape(term.source)
        axes: list[Axis | None] = [copied(walk, term.starts) for walk in walks]
        named = [axis.out for axis in axes if axis is not None and axis.out is not None]
        if not complete(axes) or len(named) != len(set(named)):
            return None
        for axis, (count, length, start) in enumerate(zip(shown, shape, term.starts, strict=True)):
            if axis in named or count == length:
                continue
            # Nothing moves along this axis, yet only part of the output is meant: a still axis must say so.
            free = next((i for i, item in enumerate(axes) if item is not None and item.out is None), None)
            if count > 1 or free is None:
                return None
            axes[free] = Axis(axis, start, 1, base=walks[free].base)
        return Linear(self._source(term, raw=raw), _whole(term.multiplier), final(axes))

    def _scale(self, node: str, term: Scale, walks: tuple[Walk, ...]) -> Contract | None:
        """Lower a product with constants: an axis along which they vary is a group of its own."""
        varying = [axis for axis, length in enumerate(term.weights.shape) if length > 1]
        tied: dict[int, int] = {}
        axes: list[Axis | None] = []
        for index, walk in enumerate(walks):
            if walk.shown is not None:
                if walk.shown in tied or (walk.shown in varying and not walk.whole):
                    return None
                tied[walk.shown] = index
            axes.append(copied(walk, None))
        if not varying or not complete(axes):
            return None
        weights = term.weights.reshape([term.weights.shape[axis] for axis in varying])
        name = self.store(f"weight:{node}", weights)
        named = tuple(WeightAxis(out=axis, source=tied.get(axis)) for axis in varying)
        return Contract(self._source(term), final(axes), name, named)

    def _dense(self, node: str, term: Term, shape: tuple[int, ...], *, raw: bool) -> Contract:
        """Write the term as a matrix from every cell of its source to every cell of its output."""
        dims = term.source.base_shape
        size = padded_size((*shape, *dims))
        # A view may show far more cells in between than it has on both sides.
        self._dense_work += prod(dims) * (CALL_CELLS + cells_read(term.source))
        if size > DENSE_LIMIT or self._dense_work > MAX_DENSE_WORK:
            raise UnsupportedOperatorError(
                f"expected {type(term).__name__} to read its source axis by axis, found a view of "
                f"{term.source.tensor!r} that would need {size} weights at {node!r}"
            )
        weights = np.zeros((*shape, prod(dims)), dtype=np.int64)
        for cell in range(prod(dims)):
            one = np.zeros(prod(dims), dtype=np.int64)
            one[cell] = 1
            weights[..., cell] = apply_term(term, read(term.source, one.reshape(dims)), shape)
        name = self.store(f"weight:{node}", weights.reshape(*shape, *dims))
        outs = tuple(WeightAxis(out=axis) for axis in range(len(shape)))
        named = tuple(WeightAxis(source=axis) for axis in range(len(dims)))
        return Contract(self._source(term, raw=raw), (STILL,) * len(dims), name, (*outs, *named))


def reordered(term: ProgramTerm, order: tuple[int, ...]) -> ProgramTerm:
    """Return the term of an output whose axes are given in another order.

    Args:
        term: of the output's own axes.
        order: position i of the new output is axis order[i] of the old one.
    """
    place = {axis: index for index, axis in enumerate(order)}
    axes = tuple(axis if axis.out is None else replace(axis, out=place[axis.out]) for axis in term.axes)
    if isinstance(term, Linear):
        return replace(term, axes=axes)
    named = tuple(
        axis if axis.out is None else replace(axis, out=place[axis.out]) for axis in term.weight_axes
    )
    return replace(term, axes=axes, weight_axes=named)


def _whole(multiplier: float) -> int:
    """Return a multiplier as the integer that it must be in an integer graph."""
    if multiplier != int(multiplier):
        raise CompileError(f"expected an integer multiplier, found {multiplier}")
    return int(multiplier)
