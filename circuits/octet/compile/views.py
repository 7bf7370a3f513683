"""Views: which cell of a tensor a reading sees, without moving anything.

A view is the tensor's name, its true shape and a list of steps, each as ONNX and numpy define it. A view
costs the proof nothing but the index map inside the reading functional (octet.md 3.4).
"""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same cells in row-major order under another shape."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Transpose:
    """Dimension i of the result is dimension order[i] of the source."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Cells starts[i] + j * steps[i] for j < sizes[i] of every dimension i; steps may be negative."""

    starts: tuple[int, ...]
    sizes: Shape
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Expand:
    """Dimensions of size 1 are repeated to the given shape of the same rank."""

    shape: Shape


Step: TypeAlias = Reshape | Transpose | Slice | Expand


@dataclass(frozen=True, slots=True)
class View:
    """A tensor read through steps.

    Attributes:
        tensor: name of the tensor.
        base_shape: the tensor's true shape.
        steps: applied in order; none reads the tensor as it is.
    """

    tensor: str
    base_shape: Shape
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> "View":
        """Return the view with one more step; steps that change nothing are dropped."""
        if step_shape(view_shape(self), step) == view_shape(self) and _changes_nothing(step):
            return self
        steps = self.steps
        if isinstance(step, Reshape):
            if steps and isinstance(steps[-1], Reshape):
                steps = steps[:-1]
            if step.shape == view_shape(View(self.tensor, self.base_shape, steps)):
                return View(self.tensor, self.base_shape, steps)
        return View(self.tensor, self.base_shape, (*steps, step))


def cells_read(view: View) -> int:
    """Return how many cells a view shows, after each of its steps."""
    shape, count = view.base_shape, math.prod(view.base_shape)
    for step in view.steps:
        shape = step_shape(shape, step)
        count += math.prod(shape)
    return count


def view_shape(view: View) -> Shape:
    """Return the shape of what a view shows."""
    shape = view.base_shape
    for step in view.steps:
        shape = step_shape(shape, step)
    return shape


def step_shape(shape: Shape, step: Step) -> Shape:
    """Return the shape after one step.

    Raises:
        ValueError: the step does not fit the shape: a fault of the program, since import checks models.
    """
    if isinstance(step, Reshape):
        if math.prod(step.shape) != math.prod(shape):
            raise ValueError(f"expected {math.prod(shape)} cells, found the shape {step.shape}")
        return step.shape
    if isinstance(step, Transpose):
        if sorted(step.order) != list(range(len(shape))):
            raise ValueError(f"expected an order of {len(shape)} dimensions, found {step.order}")
        return tuple(shape[axis] for axis in step.order)
    if isinstance(step, Expand):
        if len(step.shape) != len(shape) or any(
            old not in (1, new) for old, new in zip(shape, step.shape, strict=True)
        ):
            raise ValueError(f"expected a shape that {shape} expands to, found {step.shape}")
        return step.shape
    if not len(shape) == len(step.starts) == len(step.sizes) == len(step.steps):
        raise ValueError(f"expected a slice of {len(shape)} dimensions, found {step}")
    for size, start, count, stride in zip(shape, step.starts, step.sizes, step.steps, strict=True):
        if count < 1 or not 0 <= start < size or not 0 <= start + (count - 1) * stride < size:
            raise ValueError(f"expected a slice within {shape}, found {step}")
    return step.sizes


def apply_step(array: NDArray[Any], step: Step) -> NDArray[Any]:
    """Return what a step shows of an array."""
    if isinstance(step, Reshape):
        return array.reshape(step.shape)
    if isinstance(step, Transpose):
        return array.transpose(step.order)
    if isinstance(step, Expand):
        return np.broadcast_to(array, step.shape)
    index = tuple(
        start + stride * np.arange(count)
        for start, count, stride in zip(step.starts, step.sizes, step.steps, strict=True)
    )
    return array[np.ix_(*index)] if index else array


def read(view: View, array: NDArray[Any]) -> NDArray[Any]:
    """Return what a view shows of its tensor's values. Shape: (*leading, *base_shape) is not supported."""
    for step in view.steps:
        array = apply_step(array, step)
    return array


def index_map(view: View) -> NDArray[np.int64]:
    """Return, for every cell shown, its row-major position in the tensor. Shape: the view's."""
    size = math.prod(view.base_shape)
    return np.ascontiguousarray(read(view, np.arange(size, dtype=np.int64).reshape(view.base_shape)))


def as_json(view: View) -> dict[str, Any]:
    """Return a view as plain values."""
    steps = [
        {"step": type(step).__name__, **{name: list(getattr(step, name)) for name in type(step).__slots__}}
        for step in view.steps
    ]
    return {"tensor": view.tensor, "base_shape": list(view.base_shape), "steps": steps}


def _changes_nothing(step: Step) -> bool:
    if isinstance(step, Transpose):
        return step.order == tuple(range(len(step.order)))
    if isinstance(step, Slice):
        return all(start == 0 for start in step.starts) and all(stride == 1 for stride in step.steps)
    return True
