"""ONNX operators over windows that need no weights, and ArgMax."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.linear_terms import WindowSum, windows
from circuits.octet.compile.onnx_operation import Entry, Index, Operation
from circuits.octet.compile.real_graph import RealMaxPool
from circuits.octet.compile.spatial import as_image, from_image, padding_of
from circuits.octet.compile.views import Reshape, Slice, Transpose

MAX_WINDOW = 4
"""Cells of one maximum: their differences are factors of one product (octet.md 3.4)."""


class _Window:
    """Kernel, strides, pads and output size of a pool."""

    def __init__(self, operation: Operation, image: Value, spatial: int) -> None:
        kernel = (1,) * (2 - spatial) + tuple(operation.attributes["kernel_shape"])
        strides = (1,) * (2 - spatial) + tuple(operation.attributes.get("strides", (1,) * spatial))
        self.kernel, self.strides = (kernel[0], kernel[1]), (strides[0], strides[1])
        if any(step != 1 for step in operation.attributes.get("dilations", ())):
            raise operation.refuse(f"a dilated {operation.operator}")
        self.pads = padding_of(operation, image.shape[2:], self.kernel, self.strides, spatial)
        if any(pad >= size for pad, size in zip(self.pads, self.kernel * 2, strict=True)):
            raise operation.refuse(f"a {operation.operator} with pads {self.pads} of a window {self.kernel}")
        rest = [
            size + self.pads[axis] + self.pads[axis + 2] - self.kernel[axis]
            for axis, size in enumerate(image.shape[2:])
        ]
        if min(rest) < 0:
            raise operation.refuse(f"a {operation.operator} with an empty output")
        if operation.attributes.get("ceil_mode", 0):
            rest = self._extended(operation, rest, image.shape[2:])
        sizes = [left // step + 1 for left, step in zip(rest, self.strides, strict=True)]
        self.sizes = (sizes[0], sizes[1])

    def _extended(self, operation: Operation, rest: list[int], sizes: tuple[int, ...]) -> list[int]:
        """Pad behind the image for a last window that begins inside of it and ends beyond (ceil_mode)."""
        pads = list(self.pads)
        for axis, (left, size) in enumerate(zip(rest, sizes, strict=True)):
            step = self.strides[axis]
            begin = (left // step + 1) * step
            if left % step and begin < size + self.pads[axis]:
                pads[axis + 2] += begin - left
        if pads != list(self.pads):
            counted = operation.operator == "AveragePool" and operation.attributes.get("count_include_pad", 0)
            if counted or any(pad >= reach for pad, reach in zip(pads, self.kernel * 2, strict=True)):
                raise operation.refuse(
                    f"a {operation.operator} with ceil_mode that cuts a window", "pad before it"
                )
        grown = [
            left + after - before for left, after, before in zip(rest, pads[2:], self.pads[2:], strict=True)
        ]
        self.pads = (pads[0], pads[1], pads[2], pads[3])
        return grown


@dataclass(frozen=True, slots=True)
class _Stage:
    """One maximum of a chain; the fields are those of `RealMaxPool`."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


def _average_pool(operation: Operation, folder: Folder) -> list[Entry]:
    spatial = len(operation.attributes["kernel_shape"])
    image = as_image(operation, operation.value(0), spatial)
    window = _Window(operation, image, spatial)
    multiplier = 1.0 / (window.kernel[0] * window.kernel[1])
    term = WindowSum(folder.read(image), window.kernel, window.strides, window.pads, multiplier)
    shape = (1, image.shape[1], *window.sizes)
    made = folder.sum_of(operation.label, term, shape=shape)
    if any(window.pads) and not operation.attributes.get("count_include_pad", 0):
        ones = np.ones((1, 1, *image.shape[2:]))
        covered = windows(ones, window.kernel, window.strides, window.pads).sum(axis=(-2, -1))
        factors = window.kernel[0] * window.kernel[1] / covered
        made = folder.times_constant(operation.label, made, factors)
    return [from_image(made, spatial)]


def _max_pool(operation: Operation, folder: Folder) -> list[Entry]:
    if operation.outputs > 1:
        raise operation.refuse("a MaxPool that also returns indices")
    spatial = len(operation.attributes["kernel_shape"])
    image = as_image(operation, operation.value(0), spatial)
    window = _Window(operation, image, spatial)
    return [from_image(_greatest(operation.label, folder, image, window), spatial)]


def _global_max_pool(operation: Operation, folder: Folder) -> list[Entry]:
    spatial = len(operation.value(0).shape) - 2
    image = as_image(operation, operation.value(0), spatial)
    whole = replace(operation, attributes={"kernel_shape": image.shape[4 - spatial :]})
    return [from_image(_greatest(operation.label, folder, image, _Window(whole, image, spatial)), spatial)]


def _greatest(label: str, folder: Folder, image: Value, window: _Window) -> Value:
    """Return a maximum over any window, as a chain of maxima over at most four cells.

    A maximum over k cells in a line is one over k - w + 1 maxima of w neighbours each. The padding of an
    axis goes to the first of the chain that works along it and the stride to the last.
    """
    if window.kernel == (1, 1):
        return _strided(image, window)
    if window.kernel[0] * window.kernel[1] <= MAX_WINDOW:
        stages = [_Stage(window.kernel, window.strides, window.pads)]
    else:
        stages = [*_line(1, window), *_line(0, window)]
    for stage in stages:
        rows, columns = (
            (image.shape[2 + axis] + stage.pads[axis] + stage.pads[axis + 2] - stage.kernel[axis])
            // stage.strides[axis]
            + 1
            for axis in (0, 1)
        )
        shape = (1, image.shape[1], rows, columns)
        source = folder.read(image)
        node = RealMaxPool(folder.name(label), label, shape, source, stage.kernel, stage.strides, stage.pads)
        image = folder.max_pool(node)
    return image if len(stages) == 1 else _strided(image, window)


def _line(axis: int, window: _Window) -> Iterator[_Stage]:
    """Yield the maxima along one axis: 0 for the rows, 1 for the columns."""
    size, padded = window.kernel[axis], False
    while size > 1:
        reach = min(size, MAX_WINDOW)
        size -= reach - 1
        step = window.strides[axis] if size == 1 else 1
        before, after = (0, 0) if padded else (window.pads[axis], window.pads[axis + 2])
        padded = True
        if axis == 1:
            yield _Stage((1, reach), (1, step), (0, before, 0, after))
        else:
            yield _Stage((reach, 1), (step, 1), (before, 0, after, 0))


def _strided(image: Value, window: _Window) -> Value:
    """Return every stride-th line of an axis in which the window is one cell wide: no maximum is needed."""
    rows, columns = (
        step if size == 1 else 1 for size, step in zip(window.kernel, window.strides, strict=True)
    )
    return image.then(Slice((0, 0, 0, 0), (1, image.shape[1], *window.sizes), (1, 1, rows, columns)))


def _argmax(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    axis = operation.attributes.get("axis", 0) % len(value.shape)
    if operation.attributes.get("select_last_index", 0):
        raise operation.refuse("an ArgMax that takes the last of equal cells")
    rest = tuple(place for place in range(len(value.shape)) if place != axis)
    lengths = tuple(value.shape[place] for place in rest)
    kept = tuple(1 if place == axis else size for place, size in enumerate(value.shape))
    del folder
    # One row of cells for each index, in the order in which ONNX lists the indices.
    rows = value.then(Transpose((*rest, axis))).then(Reshape((prod(lengths), value.shape[axis])))
    return [Index(rows, kept if operation.attributes.get("keepdims", 1) else lengths)]


RULES: dict[str, Callable[[Operation, Folder], list[Entry]]] = {
    "ArgMax": _argmax,
    "AveragePool": _average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
}
