"""ONNX's quantized models: QuantizeLinear, DequantizeLinear and the QLinear operators (octet.md 3.3).

Scales and zero points are taken as the model gives them. An int8 code c is the byte c + 128. Weights that
are dequantized constants keep their step, so that M * W_int8 is what enters the relation.
"""

from collections.abc import Callable

import numpy as np

from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.onnx_linear import convolution, product
from circuits.octet.compile.onnx_operation import Codes, Const, Entry, Operation
from circuits.octet.compile.real_graph import Pin

_OFFSETS = {"uint8": 0, "int8": 128}


def _pin(operation: Operation, scale: int, zero: int) -> Pin:
    """Return the pin that the inputs at two positions prescribe."""
    scales = operation.reals(scale)
    zeros = operation.const(zero).values if operation.has(zero) else np.zeros(1, dtype=np.uint8)
    if scales.size != 1 or zeros.size != 1:
        raise operation.refuse(f"{operation.operator} of activations with one scale per channel")
    if zeros.dtype.name not in _OFFSETS:
        raise operation.refuse(f"{operation.operator} to {zeros.dtype.name}", "quantize to uint8 or int8")
    step = float(scales.ravel()[0])
    if step <= 0:
        raise operation.refuse(f"{operation.operator} with a scale of {step}")
    return Pin(step, int(zeros.ravel()[0]) + _OFFSETS[zeros.dtype.name])


def _quantize(operation: Operation, folder: Folder, pins: dict[str, Pin]) -> list[Entry]:
    if isinstance(operation.inputs[0], Const):
        raise operation.refuse("a QuantizeLinear of a constant", "store the weights quantized")
    value, pin = operation.value(0), _pin(operation, 1, 2)
    if value.form is None:
        held = _pin_of(folder, pins, value.view.tensor)
        is_input = not any(node.name == value.view.tensor for node in folder.nodes)
        if held is None and is_input:
            pins[value.view.tensor] = pin
            return [Codes(value, pin)]
        if held == pin:
            return [Codes(value, pin)]
    return [Codes(folder.pin(operation.label, value, pin), pin)]


def _pin_of(folder: Folder, pins: dict[str, Pin], tensor: str) -> Pin | None:
    """Return the pin of a tensor; a maximum has its source's."""
    for node in folder.nodes:
        if node.name == tensor:
            if hasattr(node, "pin"):
                return node.pin
            return _pin_of(folder, pins, node.source.tensor)
    return pins.get(tensor)


def _dequantize(operation: Operation, _folder: Folder, pins: dict[str, Pin]) -> list[Entry]:
    entry = operation.inputs[0]
    if isinstance(entry, Const):
        return [_dequantized(operation, entry, 1, 2, operation.attributes.get("axis", 1))]
    return [_real(operation, pins, 0, 1, 2)]


def _real(operation: Operation, pins: dict[str, Pin], position: int, scale: int, zero: int) -> Value:
    """Return the real value of integer codes."""
    codes, pin = operation.inputs[position], _pin(operation, scale, zero)
    if not isinstance(codes, Codes):
        raise operation.refuse(f"{operation.operator} of what was not quantized")
    held = codes.pin or pins.setdefault(codes.value.view.tensor, pin)
    if held != pin:
        raise operation.refuse(f"{operation.operator} with another scale than the tensor was quantized with")
    return codes.value


def _dequantized(operation: Operation, const: Const, scale: int, zero: int, axis: int) -> Const:
    """Return scale * (code - zero), with the steps."""
    if operation.attributes.get("block_size"):
        raise operation.refuse("a DequantizeLinear in blocks")
    codes = const.values.astype(np.int64)
    steps = operation.reals(scale)
    zeros = operation.const(zero).values.astype(np.int64) if operation.has(zero) else np.zeros(1, np.int64)
    if steps.size > 1:
        aligned = [1] * codes.ndim
        aligned[axis % codes.ndim] = -1
        steps = steps.reshape(aligned)
        zeros = zeros.reshape(aligned) if zeros.size > 1 else zeros.reshape([1] * codes.ndim)
    else:
        steps, zeros = steps.reshape(()), zeros.reshape(())
    every = np.array(np.broadcast_to(steps, codes.shape))
    return Const(every * (codes - zeros), every)


def _qlinear_conv(operation: Operation, folder: Folder, pins: dict[str, Pin]) -> list[Entry]:
    value = _real(operation, pins, 0, 1, 2)
    weights = _dequantized(operation, operation.const(3), 4, 5, 0)
    assert weights.steps is not None
    steps = weights.steps.reshape(weights.steps.shape[0], -1)[:, 0].copy()
    made = convolution(operation, folder, value, np.asarray(weights.values), steps)
    if operation.has(8):
        bias = operation.reals(8) * float(operation.reals(1).ravel()[0]) * steps
        made = folder.add_constant(
            operation.label, made, bias.reshape((1, -1) + (1,) * (len(made.shape) - 2))
        )
    pin = _pin(operation, 6, 7)
    return [Codes(folder.pin(operation.label, made, pin), pin)]


def _qlinear_matmul(operation: Operation, folder: Folder, pins: dict[str, Pin]) -> list[Entry]:
    value = _real(operation, pins, 0, 1, 2)
    weights = _dequantized(operation, operation.const(3), 4, 5, 1)
    if weights.values.ndim != 2:
        raise operation.refuse("a QLinearMatMul with more than a matrix of weights")
    assert weights.steps is not None
    made = product(operation, folder, value, np.asarray(weights.values).T, weights.steps[0].copy())
    pin = _pin(operation, 6, 7)
    return [Codes(folder.pin(operation.label, made, pin), pin)]


RULES: dict[str, Callable[[Operation, Folder, dict[str, Pin]], list[Entry]]] = {
    "DequantizeLinear": _dequantize,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "QuantizeLinear": _quantize,
}
