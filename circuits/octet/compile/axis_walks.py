"""What a view is, axis by axis: which axis of what is shown moves which axis of the tensor, and how.

A term of a program walks each axis of its source by itself. A view of the graph fits when every source axis
moves with at most one shown axis; the view's index map tells, whatever steps made the view.

Source: octet.md 3.4 (views are index maps of the reading functional).
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.views import View, index_map, view_shape


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """How one axis of a tensor moves in a view.

    Attributes:
        shown: axis of the view it moves with, or None when it stands still.
        positions: its index for every index of that axis; one entry when it stands still.
        length: the axis's true length in the tensor.
    """

    shown: int | None
    positions: NDArray[np.int64]
    length: int

    @property
    def base(self) -> int:
        """The index at the start."""
        return int(self.positions[0])

    @property
    def stride(self) -> int | None:
        """The constant step forward, or None when the steps differ or go backward."""
        if self.shown is None:
            return 1
        steps = np.diff(self.positions)
        return int(steps[0]) if (steps == steps[0]).all() and steps[0] > 0 else None

    @property
    def whole(self) -> bool:
        """Whether the view shows this axis as it is."""
        return bool(np.array_equal(self.positions, np.arange(self.length)))


def find_walks(view: View) -> tuple[Walk, ...] | None:
    """Return one walk per axis of the tensor, or None when some axis moves with two shown axes."""
    shape = view_shape(view)
    found = []
    for length, indices in zip(
        view.base_shape, np.unravel_index(index_map(view), view.base_shape), strict=True
    ):
        moving = [axis for axis in range(len(shape)) if not _still(indices, axis)]
        if len(moving) > 1:
            return None
        if not moving:
            found.append(Walk(None, np.asarray(indices).reshape(-1)[:1], length))
            continue
        line = np.moveaxis(indices, moving[0], 0).reshape(shape[moving[0]], -1)[:, 0]
        found.append(Walk(moving[0], line, length))
    return tuple(found)


def kept_order(view: View) -> tuple[int, ...] | None:
    """Return the order of a tensor's axes in which the view shows all its cells, row-major.

    Returns:
        Ascending axes where the view keeps the order of cells; None where the view is more than a permutation
        of axes: it leaves out or repeats cells, or mixes axes.
    """
    shown, size = index_map(view).reshape(-1), prod(view.base_shape)
    rank = len(view.base_shape)
    if len(shown) != size:
        return None
    cells = np.arange(size)
    if np.array_equal(shown, cells):
        return tuple(range(rank))
    walks = find_walks(view)
    if walks is None:
        return None
    moved = [-1 if walk.shown is None else walk.shown for walk in walks]
    order = sorted(range(rank), key=moved.__getitem__)
    if not np.array_equal(cells.reshape(view.base_shape).transpose(order).ravel(), shown):
        return None
    return tuple(order)


def _still(indices: NDArray[np.int64], axis: int) -> bool:
    return bool((indices == np.take(indices, [0], axis=axis)).all())
