"""ONNX operators that move cells: views, and the concatenation and padding that are sums of copies."""

import math
from collections.abc import Callable

import numpy as np

from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.linear_terms import Copy
from circuits.octet.compile.onnx_operation import Const, Entry, Operation
from circuits.octet.compile.views import Expand, Reshape, Slice, Transpose

_TO_THE_END = 1 << 31


def _identity(operation: Operation, _folder: Folder) -> list[Entry]:
    return [operation.value(0)]


def _cast(operation: Operation, _folder: Folder) -> list[Entry]:
    if operation.attributes.get("to") not in {1, 10, 11, 16}:  # float, float16, double, bfloat16
        raise operation.refuse("a Cast to integers")
    return [operation.value(0)]


def _flatten(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    axis = operation.attributes.get("axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    rows = math.prod(value.shape[:axis])
    return [value.then(Reshape((rows, math.prod(value.shape[axis:]))))]


def _reshape(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    wanted = operation.integers(1) if operation.has(1) else tuple(operation.attributes["shape"])
    keep = not operation.attributes.get("allowzero", 0)
    sizes = [value.shape[axis] if size == 0 and keep else size for axis, size in enumerate(wanted)]
    if -1 in sizes:
        known = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = math.prod(value.shape) // max(known, 1)
    if math.prod(sizes) != math.prod(value.shape) or min(sizes, default=1) < 1:
        raise operation.refuse(f"a Reshape of {value.shape} to {tuple(wanted)}")
    return [value.then(Reshape(tuple(sizes)))]


def _axes(operation: Operation, position: int, rank: int) -> tuple[int, ...] | None:
    """Return axes given by input or by attribute, counted from the front, ascending."""
    if operation.has(position):
        given = operation.integers(position)
    elif "axes" in operation.attributes:
        given = tuple(operation.attributes["axes"])
    else:
        return None
    return tuple(sorted(axis + rank if axis < 0 else axis for axis in given))


def _squeeze(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    axes = _axes(operation, 1, len(value.shape))
    if axes is None:
        axes = tuple(axis for axis, size in enumerate(value.shape) if size == 1)
    kept = tuple(size for axis, size in enumerate(value.shape) if axis not in axes)
    return [value.then(Reshape(kept))]


def _unsqueeze(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    given = operation.integers(1) if operation.has(1) else tuple(operation.attributes["axes"])
    rank = len(value.shape) + len(given)
    axes = {axis + rank if axis < 0 else axis for axis in given}
    sizes = iter(value.shape)
    return [value.then(Reshape(tuple(1 if axis in axes else next(sizes) for axis in range(rank))))]


def _transpose(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    order = operation.attributes.get("perm", range(len(value.shape))[::-1])
    return [value.then(Transpose(tuple(order)))]


def _slice(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    if operation.has(1):
        starts, ends = operation.integers(1), operation.integers(2)
        axes = operation.integers(3) if operation.has(3) else tuple(range(len(starts)))
        steps = operation.integers(4) if operation.has(4) else (1,) * len(starts)
    else:
        starts, ends = tuple(operation.attributes["starts"]), tuple(operation.attributes["ends"])
        axes = tuple(operation.attributes.get("axes", range(len(starts))))
        steps = (1,) * len(starts)
    ranges = [range(size) for size in value.shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = value.shape[axis]
        bound = slice(start, None if abs(end) >= _TO_THE_END else end, step)
        ranges[axis] = range(size)[bound]
    if any(len(cells) == 0 for cells in ranges):
        raise operation.refuse("an empty Slice")
    return [_sliced(value, ranges)]


def _sliced(value: Value, ranges: list[range]) -> Value:
    return value.then(
        Slice(
            tuple(cells.start for cells in ranges),
            tuple(len(cells) for cells in ranges),
            tuple(cells.step for cells in ranges),
        )
    )


def _split(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    axis = operation.attributes.get("axis", 0) % len(value.shape)
    size = value.shape[axis]
    if operation.has(1):
        sizes = operation.integers(1)
    elif "split" in operation.attributes:
        sizes = tuple(operation.attributes["split"])
    else:
        each = -(-size // operation.outputs)
        sizes = (*(each,) * (operation.outputs - 1), size - each * (operation.outputs - 1))
    if sum(sizes) != size or min(sizes) < 1:
        raise operation.refuse(f"a Split of {size} into {sizes}")
    made: list[Entry] = []
    for start, count in zip(np.cumsum((0, *sizes[:-1])), sizes, strict=True):
        ranges = [range(length) for length in value.shape]
        ranges[axis] = range(int(start), int(start) + count)
        made.append(_sliced(value, ranges))
    return made


def _gather(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    axis = operation.attributes.get("axis", 0) % len(value.shape)
    indices = operation.const(1).values.astype(np.int64)
    size = value.shape[axis]
    cells = [int(index) + (size if index < 0 else 0) for index in indices.ravel()]
    step = cells[1] - cells[0] if len(cells) > 1 else 1
    regular = step != 0 and cells == [cells[0] + step * place for place in range(len(cells))]
    if not cells or not regular or not all(0 <= cell < size for cell in cells):
        raise operation.refuse("a Gather of cells without a regular step")
    ranges = [range(length) for length in value.shape]
    ranges[axis] = range(cells[0], cells[-1] + (1 if step > 0 else -1), step)
    shape = value.shape[:axis] + indices.shape + value.shape[axis + 1 :]
    return [_sliced(value, ranges).then(Reshape(shape))]


def _expand(operation: Operation, _folder: Folder) -> list[Entry]:
    value = operation.value(0)
    shape = np.broadcast_shapes(value.shape, operation.integers(1))
    aligned = (1,) * (len(shape) - len(value.shape)) + value.shape
    return [value.then(Reshape(aligned), Expand(shape))]


def _tile(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    repeats = operation.integers(1)
    found = value
    for axis, count in enumerate(repeats):
        if count > 1 and found.shape[axis] == 1:
            found = found.then(Expand((*found.shape[:axis], count, *found.shape[axis + 1 :])))
        elif count > 1:
            found = _joined(operation, folder, [found] * count, axis)
    return [found]


def _concat(operation: Operation, folder: Folder) -> list[Entry]:
    parts = [
        entry if isinstance(entry, Value | Const) else operation.value(position)
        for position, entry in enumerate(operation.inputs)
    ]
    return [_joined(operation, folder, parts, operation.attributes.get("axis", 1))]


def _joined(
    operation: Operation, folder: Folder, parts: list[Value] | list[Value | Const], axis: int
) -> Value:
    """Return parts side by side: each is copied to its place, a constant one goes to the bias."""
    shapes = [part.shape if isinstance(part, Value) else part.values.shape for part in parts]
    axis %= len(shapes[0])
    total = sum(shape[axis] for shape in shapes)
    shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    copies = []
    bias = np.zeros(shape)
    start = 0
    for position, (part, size) in enumerate(zip(parts, (held[axis] for held in shapes), strict=True)):
        at = tuple(start if place == axis else 0 for place in range(len(shape)))
        if isinstance(part, Value):
            copies.append(Copy(folder.read(part), 1.0, at))
        else:
            bias[(slice(None),) * axis + (slice(start, start + size),)] = operation.reals(position)
        start += size
    joined = folder.sum_of(operation.label, *copies, shape=shape)
    return folder.add_constant(operation.label, joined, bias) if bias.any() else joined


def _pad(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    if operation.attributes.get("mode", "constant") != "constant":
        raise operation.refuse(f"a Pad of mode {operation.attributes['mode']}")
    rank = len(value.shape)
    given = operation.integers(1) if operation.has(1) else tuple(operation.attributes["pads"])
    if operation.has(2):
        filling = float(operation.reals(2).ravel()[0])
    else:
        filling = float(operation.attributes.get("value", 0.0))
    axes = operation.integers(3) if operation.has(3) else tuple(range(rank))
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = given[place], given[place + len(axes)]
    if min(before + after) < 0:
        raise operation.refuse("a Pad that cuts", "use Slice")
    if not any(before + after):
        return [value]
    shape = tuple(size + low + high for size, low, high in zip(value.shape, before, after, strict=True))
    padded = folder.sum_of(operation.label, Copy(folder.read(value), 1.0, tuple(before)), shape=shape)
    if filling:
        bias = np.full(shape, filling)
        bias[tuple(slice(low, low + size) for low, size in zip(before, value.shape, strict=True))] = 0.0
        padded = folder.add_constant(operation.label, padded, bias)
    return [padded]


KEEPS_CELLS = frozenset(
    ["Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"]
)
"""Operators whose output shows cells of their first input and nothing else."""

RULES: dict[str, Callable[[Operation, Folder], list[Entry]]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Dropout": _identity,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
