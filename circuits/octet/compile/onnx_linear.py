"""ONNX operators that are sums of products with constants, or sums of tensors."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.linear_terms import AxesSum, Conv, Gemm
from circuits.octet.compile.onnx_operation import Const, Entry, Operation
from circuits.octet.compile.spatial import as_image, from_image, padding_of
from circuits.octet.compile.views import Reshape, Transpose


def _conv(operation: Operation, folder: Folder) -> list[Entry]:
    value, weights = operation.value(0), operation.reals(1)
    made = convolution(operation, folder, value, weights, _channel_steps(operation.const(1), 0))
    return [_plus(operation, folder, made, 2, channel_axis=1)]


def convolution(
    operation: Operation,
    folder: Folder,
    value: Value,
    weights: NDArray[np.float64],
    steps: NDArray[np.float64] | None,
) -> Value:
    """Return a convolution without bias, in one or two spatial dimensions."""
    spatial = weights.ndim - 2
    image = as_image(operation, value, spatial)
    kernel = (1,) * (2 - spatial) + weights.shape[2:]
    if tuple(operation.attributes.get("kernel_shape", weights.shape[2:])) != weights.shape[2:]:
        raise operation.refuse("a Conv whose kernel_shape is not that of its weights")
    groups = operation.attributes.get("group", 1)
    channels = image.shape[1]
    if channels != weights.shape[1] * groups or weights.shape[0] % groups:
        raise operation.refuse(f"a Conv of {channels} channels with weights of shape {weights.shape}")
    strides, dilations = (_pair(operation, name, spatial) for name in ("strides", "dilations"))
    # A dilated kernel is one with zeros between: the relation needs no rule for it.
    spread = tuple((size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True))
    full = np.zeros((*weights.shape[:2], *spread))
    full[:, :, :: dilations[0], :: dilations[1]] = weights.reshape(*weights.shape[:2], *kernel)
    pads = padding_of(operation, image.shape[2:], (spread[0], spread[1]), strides, spatial)
    rows, columns = (
        (size + pads[axis] + pads[axis + 2] - spread[axis]) // strides[axis] + 1
        for axis, size in enumerate(image.shape[2:])
    )
    if min(rows, columns) < 1:
        raise operation.refuse("a Conv with an empty output")
    term = Conv(folder.read(image), full, strides, pads, groups)
    shape = (1, weights.shape[0], rows, columns)
    return from_image(folder.sum_of(operation.label, term, shape=shape, grid=steps), spatial)


def _gemm(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    if operation.attributes.get("transA", 0):
        value = value.then(Transpose((1, 0)))
    weights, const = operation.reals(1), operation.const(1)
    steps = const.steps
    if not operation.attributes.get("transB", 0):
        weights, steps = weights.T, None if steps is None else steps.T
    made = product(operation, folder, value, weights, _channel_steps(Const(weights, steps), 0))
    made = folder.times_constant(operation.label, made, np.array(operation.attributes.get("alpha", 1.0)))
    return [_plus(operation, folder, made, 2, scale=operation.attributes.get("beta", 1.0))]


def product(
    operation: Operation,
    folder: Folder,
    value: Value,
    weights: NDArray[np.float64],
    steps: NDArray[np.float64] | None,
) -> Value:
    """Return x times the transpose of weights (N, K), over the last axis of x."""
    if value.shape[-1] != weights.shape[1]:
        raise operation.refuse(f"a product of {value.shape} with {weights.shape[::-1]}")
    shape = (*value.shape[:-1], weights.shape[0])
    return folder.sum_of(operation.label, Gemm(folder.read(value), weights), shape=shape, grid=steps)


def _matmul(operation: Operation, folder: Folder) -> list[Entry]:
    if all(isinstance(entry, Value) for entry in operation.inputs):
        raise operation.refuse("a MatMul of two computed tensors", "compile this model with EZKL")
    if isinstance(operation.inputs[0], Const):
        return [_from_the_left(operation, folder)]
    value, weights = operation.value(0), operation.reals(1)
    steps = operation.const(1).steps
    while weights.ndim > 2 and weights.shape[0] == 1:
        weights, steps = weights[0], None if steps is None else steps[0]
    if weights.ndim == 1:
        made = product(operation, folder, value, weights[None, :], None)
        return [made.then(Reshape(made.shape[:-1]))]
    if weights.ndim != 2:
        raise operation.refuse(f"a MatMul with a stack of {weights.ndim - 2} dimensions of matrices")
    transposed = Const(weights.T, None if steps is None else steps.T)
    return [product(operation, folder, value, weights.T, _channel_steps(transposed, 0))]


def _from_the_left(operation: Operation, folder: Folder) -> Value:
    """W x = (x^T W^T)^T over the last two axes."""
    weights, value = operation.reals(0), operation.value(1)
    rank = len(value.shape)
    if weights.ndim != 2 or rank < 2:
        raise operation.refuse(f"a MatMul of a constant of {weights.ndim} with a tensor of {rank} dimensions")
    order = (*range(rank - 2), rank - 1, rank - 2)
    made = product(operation, folder, value.then(Transpose(order)), weights, None)
    return made.then(Transpose(order))


def _batch_normalization(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    scale, shift, mean, variance = (operation.reals(position) for position in (1, 2, 3, 4))
    spread = variance + operation.attributes.get("epsilon", 1e-5)
    if spread.min() <= 0:
        raise operation.refuse(f"a variance of {float(variance.min()):g}")
    factor = scale / np.sqrt(spread)
    aligned = (1, -1) + (1,) * (len(value.shape) - 2)
    made = folder.times_constant(operation.label, value, factor.reshape(aligned))
    return [folder.add_constant(operation.label, made, (shift - mean * factor).reshape(aligned))]


def _add(operation: Operation, folder: Folder) -> list[Entry]:
    return [_added(operation, folder, operation.inputs[0], operation.inputs[1], 1.0)]


def _subtract(operation: Operation, folder: Folder) -> list[Entry]:
    return [_added(operation, folder, operation.inputs[0], operation.inputs[1], -1.0)]


def _added(operation: Operation, folder: Folder, one: Any, other: Any, sign: float) -> Value:
    label = operation.label
    if isinstance(one, Value) and isinstance(other, Value):
        return folder.add(label, one, other, sign)
    if isinstance(one, Const):
        scaled = folder.times_constant(label, operation.value(1), np.array(sign))
        return folder.add_constant(label, scaled, operation.reals(0))
    return folder.add_constant(label, operation.value(0), sign * operation.reals(1))


def _sum(operation: Operation, folder: Folder) -> list[Entry]:
    total = operation.inputs[0]
    for position in range(1, len(operation.inputs)):
        pair = replace(operation, inputs=(total, operation.inputs[position]))
        total = _added(pair, folder, total, operation.inputs[position], 1.0)
    return [total] if isinstance(total, Value) else [operation.value(0)]


def _plus(
    operation: Operation,
    folder: Folder,
    value: Value,
    position: int,
    *,
    channel_axis: int | None = None,
    scale: float = 1.0,
) -> Value:
    """Return the value plus an optional bias input."""
    if not operation.has(position) or scale == 0:
        return value
    if isinstance(operation.inputs[position], Value):
        other = folder.times_constant(operation.label, operation.value(position), np.array(scale))
        return folder.add(operation.label, value, other, 1.0)
    bias = scale * operation.reals(position)
    if channel_axis is None:
        return folder.add_constant(operation.label, value, bias)
    # The bias goes in before the view that turns an image into a line, so that the sum stays one.
    rank = 4 if value.view.steps else len(value.shape)
    aligned = bias.reshape((1, -1) + (1,) * (rank - 2))
    inner = folder.add_constant(operation.label, Value(value.form, _unseen(value)), aligned)
    return inner.then(*value.view.steps)


def _unseen(value: Value) -> Any:
    view = value.view
    return type(view)(view.tensor, view.base_shape)


def _channel_steps(const: Const, axis: int) -> NDArray[np.float64] | None:
    """Return the step of each output channel if the weights are multiples of one per channel."""
    if const.steps is None:
        return None
    lines = np.moveaxis(const.steps, axis, 0).reshape(const.values.shape[axis], -1)
    return lines[:, 0].copy() if (lines == lines[:, :1]).all() else None


def _pair(operation: Operation, name: str, spatial: int) -> tuple[int, int]:
    given = tuple(operation.attributes.get(name, (1,) * spatial))
    first, second = (1,) * (2 - spatial) + given
    return int(first), int(second)


def _reduction(mean: bool) -> Callable[[Operation, Folder], list[Entry]]:  # noqa: FBT001 two operators
    def rule(operation: Operation, folder: Folder) -> list[Entry]:
        value = operation.value(0)
        rank = len(value.shape)
        given = operation.integers(1) if operation.has(1) else tuple(operation.attributes.get("axes", ()))
        if not given and operation.attributes.get("noop_with_empty_axes", 0):
            return [value]
        axes = tuple(sorted(axis % rank for axis in given)) or tuple(range(rank))
        made = _over_axes(operation, folder, value, axes, mean=mean)
        if operation.attributes.get("keepdims", 1):
            return [made]
        return [made.then(Reshape(tuple(size for axis, size in enumerate(value.shape) if axis not in axes)))]

    return rule


def _over_axes(
    operation: Operation, folder: Folder, value: Value, axes: tuple[int, ...], *, mean: bool
) -> Value:
    count = int(np.prod([value.shape[axis] for axis in axes]))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    term = AxesSum(folder.read(value), axes, 1.0 / count if mean else 1.0)
    return folder.sum_of(operation.label, term, shape=kept)


def _global_average(operation: Operation, folder: Folder) -> list[Entry]:
    value = operation.value(0)
    return [_over_axes(operation, folder, value, tuple(range(2, len(value.shape))), mean=True)]


RULES: dict[str, Callable[[Operation, Folder], list[Entry]]] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "MatMul": _matmul,
    "ReduceMean": _reduction(mean=True),
    "ReduceSum": _reduction(mean=False),
    "Sub": _subtract,
    "Sum": _sum,
}
