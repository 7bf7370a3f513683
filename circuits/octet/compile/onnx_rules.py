"""The table of rules: which ONNX operator becomes what."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from circuits.octet.compile import onnx_layout, onnx_linear, onnx_pointwise, onnx_pools, onnx_quantized
from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.onnx_operation import Codes, Entry, Operation
from circuits.octet.compile.real_graph import Pin

Rule: TypeAlias = Callable[[Operation, Folder, dict[str, Pin]], list[Entry]]

_HINTS = {
    "Softmax": "leave it out: the scores before it have the same order; ArgMax gives the index",
    "LogSoftmax": "leave it out: the scores before it have the same order; ArgMax gives the index",
}

_RULES: dict[str, Callable[[Operation, Folder], list[Entry]]] = {
    **onnx_layout.RULES,
    **onnx_linear.RULES,
    **onnx_pointwise.RULES,
    **onnx_pools.RULES,
}


def rule_for(operation: Operation) -> Rule:
    """Return the rule of an operator.

    Raises:
        UnsupportedOperatorError: there is none; names the node.
    """
    if operation.operator in onnx_quantized.RULES:
        return onnx_quantized.RULES[operation.operator]
    if operation.operator not in _RULES:
        hint = _HINTS.get(operation.operator, "move this step out of the model, or compile it with EZKL")
        raise operation.refuse(operation.operator, hint)
    rule = _RULES[operation.operator]
    if operation.inputs and isinstance(operation.inputs[0], Codes):
        return lambda held, folder, _: _through_codes(rule, held, folder)
    return lambda held, folder, _: rule(held, folder)


def _through_codes(
    rule: Callable[[Operation, Folder], list[Entry]], operation: Operation, folder: Folder
) -> list[Entry]:
    """Apply a rule that moves or compares cells to integer codes, whose order is that of the reals."""
    codes = operation.inputs[0]
    assert isinstance(codes, Codes)
    moves = operation.operator in onnx_layout.KEEPS_CELLS or operation.operator == "MaxPool"
    if not moves or len([entry for entry in operation.inputs if isinstance(entry, Codes)]) > 1:
        raise operation.refuse(f"{operation.operator} of integer codes", "dequantize before it")
    inner = replace(operation, inputs=(codes.value, *operation.inputs[1:]))
    return [Codes(made, codes.pin) for made in rule(inner, folder) if isinstance(made, Value)]
