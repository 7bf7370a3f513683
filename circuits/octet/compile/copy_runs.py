"""Copies of a rearranged tensor as runs of cells, each of which one axis walk describes.

A flattened image has one axis where the tensor has three, so that no single walk copies it. Line by line it
can be copied: along one output axis, as long as one source axis alone moves by equal steps. Every run is a
linear term of its own and costs no constant.

Source: octet.md 3.4 (views as index maps).
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.views import View, index_map, view_shape
from circuits.octet.terms import Axis

MAX_RUNS = 1024
"""Linear terms that one copy may become."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Cells along one output axis: at `first` the source's cell is `start`, then `moving` moves by `step`."""

    out: tuple[int, ...]
    start: tuple[int, ...]
    count: int
    moving: int
    step: int


def copy_runs(view: View, starts: tuple[int, ...], shape: tuple[int, ...]) -> list[tuple[Axis, ...]] | None:
    """Return the axes of linear terms that copy what a view shows into a box of an output.

    Args:
        view: what is copied, of the output's rank.
        starts: where its first cell lands.
        shape: true lengths of the output's axes.

    Returns:
        One tuple of axes, one axis per source axis, for each run; None where runs are too many, or the source
        has too few axes to say where in the output a run lies.
    """
    shown = view_shape(view)
    cells = np.stack(np.unravel_index(index_map(view), view.base_shape), axis=-1)
    best: list[tuple[Axis, ...]] | None = None
    for axis in range(len(shown)):
        if shown[axis] == 1 and max(shown) > 1:
            continue
        found: list[tuple[Axis, ...]] = []
        for run in _runs(np.moveaxis(cells, axis, -2), axis, starts):
            axes = _axes(run, axis, shape, len(view.base_shape))
            if axes is None or len(found) == MAX_RUNS:
                break
            found.append(axes)
        else:
            if best is None or len(found) < len(best):
                best = found
    return best


def _runs(lines: NDArray[np.int64], axis: int, starts: tuple[int, ...]) -> Iterator[_Run]:
    """Yield maximal runs. Shape of lines: (*other axes, cells of a line, source axes)."""
    for place in np.ndindex(lines.shape[:-2]):
        line = lines[place]
        steps = np.diff(line, axis=0)
        turns = [*(np.flatnonzero((steps[1:] != steps[:-1]).any(axis=1)) + 1), len(steps)]
        at = 0
        while at < len(line):
            moving = np.flatnonzero(steps[at]) if at < len(steps) else np.zeros(0, dtype=np.int64)
            count, mover, step = 1, 0, 1
            if len(moving) == 1 and steps[at, moving[0]] > 0:
                mover, step = int(moving[0]), int(steps[at, moving[0]])
                count += int(turns[bisect_right(turns, at)]) - at
            shown = (*place[:axis], at, *place[axis:])
            out = tuple(index + start for index, start in zip(shown, starts, strict=True))
            yield _Run(out, tuple(int(index) for index in line[at]), count, mover, step)
            at += count


def _axes(run: _Run, axis: int, shape: tuple[int, ...], rank: int) -> tuple[Axis, ...] | None:
    """Tie the moving source axis to the output axis, and the others to the places that must be named."""
    pinned = [out for out, length in enumerate(shape) if out != axis and length > 1]
    carriers = [index for index in range(rank) if index != run.moving]
    if len(pinned) > len(carriers):
        return None
    axes = [Axis(None, 0, 1, base=index) for index in run.start]
    axes[run.moving] = Axis(axis, run.out[axis], run.count, run.step, base=run.start[run.moving])
    for out, carrier in zip(pinned, carriers, strict=False):
        axes[carrier] = Axis(out, run.out[out], 1, base=run.start[carrier])
    return tuple(axes)
