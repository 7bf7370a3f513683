"""Chains of linear maps become one map: no bytes, and no rounding, between two layers without an activation.

A product that reads nothing but a sum without bounds is a product over that sum's own sources. Its matrix is
worked out here in float64, once, where it is not much larger than the two: a pool before a convolution, dense
layers in a row. What the network computes in reals stays the same; what it loses is the rounding to bytes in
between, and the rows that these bytes would take. Sums are added up in one order, term after term: a BLAS
adds as its machine likes, and a key must come out the same on every machine.

Source: octet.md 3.3 (constants folded into weights).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from circuits.octet.compile.axis_walks import kept_order
from circuits.octet.compile.linear_terms import Conv, Copy, Gemm, Numbers, Term, WindowSum, add_term, windows
from circuits.octet.compile.real_graph import RealAffine, RealGraph, RealNode, RealTable
from circuits.octet.compile.views import Reshape, read, view_shape
from circuits.octet.tensors import padded_size

WEIGHTS_PER_ROW = 16
"""Weights that a row of the witness, about twenty limbs and helpers, is worth."""

MAX_CELLS = 2048
"""Cells of a source whose map is worked out cell by cell."""


def merge_chains(graph: RealGraph) -> RealGraph:
    """Return the network with every chain of linear maps merged that is cheaper as one.

    From the outputs back, so that a wide layer between two narrow ones goes first.
    """
    nodes = {node.name: node for node in graph.nodes}
    for name in reversed(list(nodes)):
        while (node := nodes.get(name)) is not None and isinstance(node, RealAffine):
            merged = _merged(
                node, nodes, _uses(RealGraph(graph.inputs, tuple(nodes.values()), graph.outputs))
            )
            if merged is None:
                break
            nodes[name], gone = merged
            del nodes[gone]
    return RealGraph(graph.inputs, tuple(nodes.values()), graph.outputs)


def _uses(graph: RealGraph) -> Counter[str]:
    """Count how often each tensor is read."""
    found = Counter(out.source.tensor for out in graph.outputs)
    for node in graph.nodes:
        if isinstance(node, RealAffine):
            found.update(term.source.tensor for term in node.terms)
        else:
            found[node.source if isinstance(node, RealTable) else node.source.tensor] += 1
    return found


def _merged(
    node: RealAffine, nodes: Mapping[str, RealNode], uses: Counter[str]
) -> tuple[RealAffine, str] | None:
    """Return the node with one of its terms read through, and the tensor that is read no more."""
    for place, (term, grid) in enumerate(zip(node.terms, node.grids, strict=True)):
        inner = nodes.get(term.source.tensor)
        if grid is not None or not isinstance(inner, RealAffine) or uses[inner.name] != 1:
            continue
        bounded = np.isfinite(inner.low) or np.isfinite(inner.high)
        if bounded or inner.pin is not None or any(held is not None for held in inner.grids):
            continue
        through = [_composed(term, part, inner.shape) for part in inner.terms]
        found = [made for made in through if made is not None]
        if len(found) < len(through) or not _is_worth_it(term, inner, found):
            continue
        shift = _shifted(term, read(term.source, np.broadcast_to(inner.bias, inner.shape)), node.shape)
        terms = (*node.terms[:place], *found, *node.terms[place + 1 :])
        grids = (*node.grids[:place], *(None for _ in found), *node.grids[place + 1 :])
        bias = _narrowed(node.bias + shift)
        return replace(node, terms=terms, grids=grids, bias=bias), inner.name
    return None


def _composed(outer: Term, inner: Term, shape: tuple[int, ...]) -> Term | None:
    """Return outer after inner as one term, or None where no term says it.

    Args:
        outer: reads the inner sum.
        inner: a term of that sum.
        shape: of the inner sum.
    """
    if isinstance(outer, Gemm):
        return _rows(outer, inner, shape) or _one_row(outer, inner, shape)
    if isinstance(outer, Conv) and not outer.source.steps:
        return _pooled(outer, inner) if isinstance(inner, WindowSum) else _joined(outer, inner, shape)
    return None


def _rows(outer: Gemm, inner: Term, shape: tuple[int, ...]) -> Gemm | None:
    """Compose along the last axis, row by row."""
    shown = view_shape(outer.source)
    plain = kept_order(outer.source) == tuple(range(len(shape))) and shown[-1] == shape[-1]
    if not plain:
        return None
    if isinstance(inner, Gemm):
        weights = _product(outer.weights, inner.weights)
    elif isinstance(inner, Copy) and view_shape(inner.source) == shape:
        weights = outer.weights * inner.multiplier
    else:
        return None
    return Gemm(inner.source.then(Reshape((*shown[:-1], weights.shape[1]))), weights)


def _one_row(outer: Gemm, inner: Term, shape: tuple[int, ...]) -> Gemm | None:
    """Compose with any linear map, where the outer product has one row: each cell has its weights."""
    lead = view_shape(outer.source)[:-1]
    seen = view_shape(inner.source)
    cells = prod(seen)
    if prod(lead) != 1:
        return None
    if isinstance(inner, Copy):
        box = tuple(slice(start, start + size) for start, size in zip(inner.starts, seen, strict=True))
        cells_of = read(outer.source, np.arange(prod(shape)).reshape(shape)).reshape(-1)
        places = np.zeros((prod(shape), len(outer.weights)))
        np.add.at(places, cells_of, outer.weights.T)
        picked = places.reshape(*shape, -1)[box].reshape(cells, -1)
        return Gemm(inner.source.then(Reshape((*lead, cells))), picked.T * inner.multiplier)
    if cells > MAX_CELLS:
        return None
    columns = np.zeros((cells, outer.weights.shape[1]))
    for cell in range(cells):
        one = np.zeros(cells)
        one[cell] = 1.0
        made = np.zeros(shape)
        add_term(made, inner, one.reshape(seen))
        columns[cell] = read(outer.source, made).reshape(-1)
    return Gemm(inner.source.then(Reshape((*lead, cells))), _product(outer.weights, columns.T))


def _pooled(outer: Conv, inner: WindowSum) -> Conv | None:
    """Compose a convolution without padding with the sum over windows before it."""
    if any(outer.pads):
        return None  # what lies outside of the pool is zero, but windows there would reach inside
    outputs, channels, height, width = outer.weights.shape
    steps, reach = inner.strides, inner.kernel
    spread = [
        (size - 1) * step + window for size, step, window in zip((height, width), steps, reach, strict=True)
    ]
    weights = np.zeros((outputs, channels, *spread))
    for i in range(height):
        for j in range(width):
            top, left = i * steps[0], j * steps[1]
            part = outer.weights[:, :, i, j] * inner.multiplier
            weights[:, :, top : top + reach[0], left : left + reach[1]] += part[:, :, None, None]
    strides = (outer.strides[0] * steps[0], outer.strides[1] * steps[1])
    return Conv(inner.source, weights, strides, inner.pads, outer.groups)


def _joined(outer: Conv, inner: Term, shape: tuple[int, ...]) -> Conv | None:
    """Compose a convolution with a concatenation of channels before it: each part has its own weights."""
    if outer.groups != 1 or not isinstance(inner, Copy):
        return None
    seen, start = view_shape(inner.source), inner.starts[1]
    if (seen[0], *seen[2:]) != (shape[0], *shape[2:]):
        return None
    weights = outer.weights[:, start : start + seen[1]] * inner.multiplier
    return replace(outer, source=inner.source, weights=weights)


def _product(left: Numbers, right: Numbers) -> Numbers:
    """Return left @ right, added up in the order of their shared axis."""
    total = np.zeros((left.shape[0], right.shape[1]))
    for column, row in zip(left.T, right, strict=True):
        total += column[:, None] * row[None, :]
    return total


def _shifted(term: Term, cells: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Return what a product makes of its source's bias, in the order of its weights."""
    if isinstance(term, Gemm):
        return _product(cells.reshape(-1, cells.shape[-1]), term.weights.T).reshape(shape)
    total = np.zeros(shape)
    if not cells.any():
        return total
    assert isinstance(term, Conv)
    outputs, channels, height, width = term.weights.shape
    for channel in range(channels):
        # One channel of every group at a time, and one position of the kernel.
        seen = windows(cells[:, channel::channels], (height, width), term.strides, term.pads)[0]
        per_output = np.repeat(seen, outputs // term.groups, axis=0)
        for i, j in np.ndindex(height, width):
            total[0] += term.weights[:, channel, i, j, None, None] * per_output[..., i, j]
    return total


def _is_worth_it(outer: Term, inner: RealAffine, found: list[Term]) -> bool:
    """Compare the weights that are added with the rows that are saved."""
    saved = WEIGHTS_PER_ROW * padded_size(inner.shape)
    before = sum(map(_weights, (outer, *inner.terms)))
    return sum(map(_weights, found)) <= before + saved


def _weights(term: Term) -> int:
    return term.weights.size if isinstance(term, Gemm | Conv) else 0


def _narrowed(values: Numbers) -> Numbers:
    """Keep one of equal entries along each axis on which nothing varies."""
    for axis in range(values.ndim):
        first = np.take(values, [0], axis=axis)
        if (values == first).all():
            values = first
    return values
