"""Terms: what a relation adds up, each linear in one tensor (octet.md 3.4).

The same records serve two graphs. In the real graph the weights and multipliers are float64 and a term
reads real numbers; in the integer graph they are integers and a term reads X - zero_point.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.views import View

Numbers: TypeAlias = NDArray[Any]
"""float64 in the real graph, int64 in the integer graph."""


@dataclass(frozen=True, slots=True, eq=False)
class Gemm:
    """out[..., n] = sum_k weights[n, k] * x[..., k].

    Attributes:
        source: x, shape (..., K).
        weights: shape (N, K).
    """

    source: View
    weights: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """out[0, o, y, x] = sum of weights[o, c, i, j] * x[0, g C_g + c, s_y y + i - top, s_x x + j - left].

    C_g = C / groups and g = o // (O / groups). Cells outside the source count as zero.

    Attributes:
        source: shape (1, C, H, W).
        weights: shape (O, C / groups, kh, kw); a dilated kernel is stored with its zeros.
        strides: (s_y, s_x).
        pads: (top, left, bottom, right), in cells.
        groups: C for a depthwise convolution.
    """

    source: View
    weights: Numbers
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    groups: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowSum:
    """out[0, c, y, x] = multiplier * sum over the window of x[0, c, s_y y + i - top, s_x x + j - left].

    The average pool: every window has the same divisor, which is part of the multiplier.

    Attributes:
        source: shape (1, C, H, W).
        kernel: (kh, kw).
        strides: (s_y, s_x).
        pads: (top, left, bottom, right), in cells that count as zero.
        multiplier: a number.
    """

    source: View
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    multiplier: float


@dataclass(frozen=True, slots=True, eq=False)
class AxesSum:
    """out = multiplier * sum of x over some axes, each kept with size 1.

    Attributes:
        source: any shape.
        axes: positions summed over, ascending.
        multiplier: a number.
    """

    source: View
    axes: tuple[int, ...]
    multiplier: float


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """out[starts + i] += multiplier * x[i]: residual addition, subtraction, concatenation, zero padding.

    Attributes:
        source: any shape of the output's rank.
        multiplier: a number, may be negative.
        starts: where x[0, 0, ..] lands in the output; zeros except for a concatenation or a padding.
    """

    source: View
    multiplier: float
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """out[i] = weights[i] * x[i]: multiplication by a constant that varies from cell to cell.

    Attributes:
        source: the output's shape.
        weights: of the output's rank; each dimension is 1 or the output's.
    """

    source: View
    weights: Numbers


Term: TypeAlias = Gemm | Conv | WindowSum | AxesSum | Copy | Scale


def add_term(total: Numbers, term: Term, cells: Numbers) -> None:
    """Add a term to a sum in place, in the arithmetic of the arrays: exact for int64.

    Args:
        total: of the output's shape.
        term: what to add.
        cells: what the term's source shows, zero point subtracted.
    """
    if isinstance(term, Gemm):
        total += cells @ term.weights.T
    elif isinstance(term, Conv):
        total += _convolved(cells, term)
    elif isinstance(term, WindowSum):
        total += term.multiplier * windows(cells, term.kernel, term.strides, term.pads).sum(axis=(-2, -1))
    elif isinstance(term, AxesSum):
        total += term.multiplier * cells.sum(axis=term.axes, keepdims=True)
    elif isinstance(term, Scale):
        total += term.weights * cells
    else:
        box = tuple(slice(start, start + size) for start, size in zip(term.starts, cells.shape, strict=True))
        total[box] += term.multiplier * cells


def windows(
    cells: Numbers, kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int]
) -> Numbers:
    """Return every window of the cells framed by zeros. Shape: (1, C, H', W', kh, kw)."""
    top, left, bottom, right = pads
    framed = np.pad(cells, [(0, 0), (0, 0), (top, bottom), (left, right)])
    every = np.lib.stride_tricks.sliding_window_view(framed, kernel, axis=(2, 3))
    return every[:, :, :: strides[0], :: strides[1]]


def _convolved(cells: Numbers, term: Conv) -> Numbers:
    out_channels, per_group, height, width = term.weights.shape
    seen = windows(cells, (height, width), term.strides, term.pads)[0]
    rows, columns = seen.shape[1:3]
    grouped = seen.reshape(term.groups, per_group, rows, columns, height, width)
    # (g, c i j, y x): one matrix product per group, in int64 or float64 alike.
    patches = grouped.transpose(0, 1, 4, 5, 2, 3).reshape(term.groups, -1, rows * columns)
    weights = term.weights.reshape(term.groups, out_channels // term.groups, -1)
    found: Numbers = (weights @ patches).reshape(1, out_channels, rows, columns)
    return found
