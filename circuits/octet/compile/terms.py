"""The linear maps of the integer graph, applied to any numbers: interval bounds and dense matrices need them.

`ref_exec` defines what a network computes and is not used here; that both agree is a test. A term is taken
apart from its view: the cells given are those that the view shows, with the zero point already subtracted.

Source of the formulas: the docstrings of `compile.graph`, octet.md 3.2.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.graph import AxesSum, Conv, Copy, Gemm, MaxPool, Scale, Term, WindowSum

Cells = NDArray[Any]


def apply_term(term: Term, cells: Cells, shape: tuple[int, ...]) -> Cells:
    """Return what a term adds to every cell of an output.

    Args:
        term: the linear map.
        cells: X - z as the term's view shows them, of any numeric type. Shape: the view's.
        shape: the output's true shape.
    """
    total = np.zeros(shape, dtype=cells.dtype)
    if isinstance(term, Gemm):
        total += cells @ term.weights.astype(cells.dtype).T
    elif isinstance(term, Conv):
        _add_convolution(total, term, cells)
    elif isinstance(term, WindowSum):
        for tap in window_taps(cells, term.kernel, term.strides, term.pads, shape[2:]):
            total += tap * cells.dtype.type(term.multiplier)
    elif isinstance(term, AxesSum):
        total += cells.sum(axis=term.axes, keepdims=True) * cells.dtype.type(term.multiplier)
    elif isinstance(term, Copy):
        box = tuple(slice(start, start + size) for start, size in zip(term.starts, cells.shape, strict=True))
        total[box] += cells * cells.dtype.type(term.multiplier)
    else:
        total += cells * term.weights.astype(cells.dtype)
    return total


def positive_part(term: Term) -> Term:
    """Return the term with its negative coefficients set to 0."""
    if isinstance(term, Gemm | Conv | Scale):
        return replace(term, weights=np.maximum(term.weights, 0))
    return replace(term, multiplier=max(term.multiplier, 0))


def negative_part(term: Term) -> Term:
    """Return the term with its positive coefficients set to 0."""
    if isinstance(term, Gemm | Conv | Scale):
        return replace(term, weights=np.minimum(term.weights, 0))
    return replace(term, multiplier=min(term.multiplier, 0))


def greatest(node: MaxPool, cells: Cells) -> Cells:
    """Return the maximum of every window; cells in the padding count as the byte 0."""
    height, width = node.output.shape[2:]
    taps = window_taps(cells, node.kernel, node.strides, node.pads, (height, width))
    found: Cells = np.max(np.stack(taps), axis=0)
    return found


def window_taps(
    cells: Cells,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    size: tuple[int, ...],
) -> list[Cells]:
    """Return, for every position of a window in row-major order, the cell that each window has there.

    Args:
        cells: shape (1, C, H, W).
        kernel: (kh, kw).
        strides: (s_y, s_x).
        pads: (top, left, bottom, right).
        size: the output's height and width.

    Returns:
        kh * kw arrays of shape (1, C, *size).
    """
    top, left, bottom, right = pads
    framed = np.pad(cells, [(0, 0), (0, 0), (top, bottom), (left, right)])
    rows, columns = (range(0, step * count, step) for step, count in zip(strides, size, strict=True))
    return [
        framed[:, :, np.asarray(rows)[:, None] + i, np.asarray(columns)[None, :] + j]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def _add_convolution(total: Cells, term: Conv, cells: Cells) -> None:
    """Add a convolution tap by tap: one matrix product per kernel position and group."""
    out_channels, per_group, height, width = term.weights.shape
    outputs = out_channels // term.groups
    weights = term.weights.astype(cells.dtype).reshape(out_channels, per_group, height * width)
    size = total.shape[2:]
    taps = window_taps(cells, (height, width), term.strides, term.pads, size)
    for k, tap in enumerate(taps):
        for group in range(term.groups):
            read = tap[0, group * per_group : (group + 1) * per_group].reshape(per_group, -1)
            made = slice(group * outputs, (group + 1) * outputs)
            total[0, made] += (weights[made, :, k] @ read).reshape(outputs, *size)
