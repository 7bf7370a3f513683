"""From walks of a view to the axes of a program's term: copies, windows and their padding.

What a view cuts off counts as 0 in a window that reaches beyond it, but a program knows the end of the tensor
alone. A window over a cropped tensor is therefore described here only if it stays within the crop.

Source: octet.md 3.4, A2; 3.0 item 7 (padding).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from circuits.octet.compile.axis_walks import Walk, find_walks
from circuits.octet.compile.graph import Conv, WindowSum
from circuits.octet.compile.views import View, view_shape
from circuits.octet.terms import Axis

STILL = Axis(None, 0, 1)
"""An axis of length 1 that nothing moves, or one that a weight axis names."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A window along one axis: `count` steps of `stride` over `taps` cells, `pad` cells before the first."""

    axis: int
    count: int
    stride: int
    taps: int
    pad: int


def sweeps_of(term: Conv | WindowSum, shape: tuple[int, ...]) -> tuple[Sweep, Sweep]:
    """Return the windows of a term along height and width.

    Args:
        term: a convolution or a sum over windows.
        shape: of the output, (1, C, H, W).
    """
    kernel = term.kernel if isinstance(term, WindowSum) else term.weights.shape[2:]
    top, left, *_ = term.pads
    return (
        Sweep(2, shape[2], term.strides[0], kernel[0], top),
        Sweep(3, shape[3], term.strides[1], kernel[1], left),
    )


def windowed(
    walks: tuple[Walk, ...], dims: tuple[int, ...], sweeps: tuple[Sweep, Sweep], shown: tuple[int, ...]
) -> list[Axis] | None:
    """Return the axes of a source under windows; channel and still axes stand still here."""
    axes = [Axis(None, 0, 1, base=walk.base if walk.shown is None else 0) for walk in walks]
    taken: set[int] = set()
    for sweep in sweeps:
        moving = [index for index, walk in enumerate(walks) if walk.shown == sweep.axis]
        if len(moving) > 1:
            return None
        if not moving:
            if (sweep.count, sweep.taps, sweep.pad) == (1, 1, 0):
                continue
            # Height or width 1: any other still axis of length 1 can carry the window and its padding.
            free = [
                i for i, walk in enumerate(walks) if walk.shown is None and dims[i] == 1 and i not in taken
            ]
            if shown[sweep.axis] != 1 or not free:
                return None
            # The kernel's order follows the source's axes, so take the one that lies where the graph has it.
            index = sweep.axis if sweep.axis in free else free[-1]
            taken.add(index)
            axes[index] = Axis(sweep.axis, 0, sweep.count, sweep.stride, sweep.taps, 1, -sweep.pad)
            continue
        walk = walks[moving[0]]
        stride = walk.stride
        last = (sweep.count - 1) * sweep.stride + sweep.taps - 1 - sweep.pad
        outside = sweep.pad > 0 or last >= shown[sweep.axis]
        # What the view cuts off must count as 0; only the tensor's own end is known to the program.
        if stride is None or (outside and not walk.whole):
            return None
        base = walk.base - stride * sweep.pad
        axes[moving[0]] = Axis(sweep.axis, 0, sweep.count, stride * sweep.stride, sweep.taps, stride, base)
    return axes


def pool_tap(
    source: View, strides: tuple[int, int], pads: tuple[int, int, int, int], row: int, column: int
) -> WindowSum:
    """Return what a maximum reads at one position of its windows, as a sum over windows of one cell."""
    top, left, bottom, right = pads
    return WindowSum(source, (1, 1), strides, (top - row, left - column, bottom + row, right + column), 1)


def window_axes(term: WindowSum, shape: tuple[int, ...]) -> tuple[Axis, ...] | None:
    """Return the axes of a sum over windows of each channel, or None where no axis walk describes it.

    Args:
        term: with any multiplier.
        shape: of the output, (1, C, H, W).
    """
    walks = find_walks(term.source)
    if walks is None:
        return None
    axes = windowed(walks, term.source.base_shape, sweeps_of(term, shape), view_shape(term.source))
    if axes is None:
        return None
    for index, walk in enumerate(walks):
        if walk.shown == 1:
            if walk.stride is None:
                return None
            axes[index] = Axis(1, 0, shape[1], stride=walk.stride, base=walk.base)
    named = [axis.out for axis in axes if axis.out is not None]
    return tuple(axes) if len(named) == len(set(named)) else None


def copied(walk: Walk, starts: tuple[int, ...] | None) -> Axis | None:
    """Return the axis that copies a walk into the output, or None when its steps are uneven."""
    if walk.shown is None:
        return Axis(None, 0, 1, base=walk.base)
    if walk.stride is None:
        return None
    first = starts[walk.shown] if starts else 0
    return Axis(walk.shown, first, len(walk.positions), stride=walk.stride, base=walk.base)


def complete(axes: list[Axis | None]) -> bool:
    """Tell whether every axis was found."""
    return all(axis is not None for axis in axes)


def final(axes: list[Axis | None]) -> tuple[Axis, ...]:
    """Return the axes of a complete list."""
    return tuple(axis for axis in axes if axis is not None)


def summed_axes(walks: Sequence[Walk]) -> list[Axis | None]:
    """Return the axes of all source axes that ONE shown axis moves and that are summed over along it.

    None stands for an axis that cannot be described: uneven steps, or not every combination exactly once.
    """
    if len(walks) == 1 and walks[0].stride is not None:
        (walk,) = walks
        return [Axis(None, 0, 1, taps=len(walk.positions), dilation=walk.stride or 1, base=walk.base)]
    lengths = [walk.length for walk in walks]
    positions = np.ravel_multi_index([walk.positions for walk in walks], lengths) if walks else np.zeros(0)
    if len(positions) == prod(lengths) == len(np.unique(positions)):
        return [Axis(None, 0, 1, taps=walk.length) for walk in walks]
    return [None] * len(walks)
