"""Constants: numbers that a circuit can hold, and hold as they are written.

EZKL reads every constant as float32. NaN and infinity have no fixed-point form. An integer beyond 2^24
may become its neighbour, and the proof is then about another model: zkonduit/ezkl#1033.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkml.errors import NonFiniteWeightError, OversizedConstantError
from zkml.export.graph import array_of, node_label, tensors_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

MAX_INTEGER = 1 << 24
"""Every integer up to here has a float32 of its own; 2^24 + 1 has not."""

_FLOAT32_MAX = float(np.finfo(np.float32).max)

# Inputs that say where or how large, never how much: EZKL takes them as exact integers when it reads the
# graph. Slice's "to the end" is 2^63 - 1, and legal. A test proves with each that the value survives.
_STRUCTURAL_INPUTS: dict[str, frozenset[int]] = {
    "ConstantOfShape": frozenset({0}),
    "Expand": frozenset({1}),
    "Gather": frozenset({1}),
    "GatherElements": frozenset({1}),
    "GatherND": frozenset({1}),
    "Pad": frozenset({1, 3}),
    "Reshape": frozenset({1}),
    "Resize": frozenset({3}),
    "ScatterElements": frozenset({1}),
    "ScatterND": frozenset({1}),
    "Slice": frozenset({1, 2, 3, 4}),
    "Split": frozenset({1}),
    "Squeeze": frozenset({1}),
    "Tile": frozenset({1}),
    "TopK": frozenset({1}),
    "Trilu": frozenset({1}),
    "Unsqueeze": frozenset({1}),
    "CumSum": frozenset({1}),
    **{
        f"Reduce{kind}": frozenset({1})
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
}

# Operators that hand numbers on unchanged: what counts is who reads their output.
_CARRIERS = frozenset(
    {
        "Cast",
        "Concat",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)


def check_finite_constants(model: "ModelProto") -> int:
    """Check every floating-point constant of the graph, whatever system is to prove it.

    Returns:
        The number of floating-point elements: the model's parameters.

    Raises:
        NonFiniteWeightError: names the first tensor with NaN, an infinity, or more than float32 holds.
        NotOnnxError: a tensor's bytes do not fill its shape.
    """
    parameters = 0
    for label, array in _float_tensors(model.graph):
        _check_finite(label, array)
        parameters += array.size
    for label, array in _float_attributes(model.graph):
        _check_finite(label, array)
    return parameters


def check_integer_constants(model: "ModelProto") -> None:
    """Check every integer constant that EZKL would compute with as a float32.

    Raises:
        OversizedConstantError: names the first integer constant beyond 2^24 that is computed with.
        NotOnnxError: a tensor's bytes do not fill its shape.
    """
    for name, label, array in _integer_constants(model.graph):
        index = _first(np.abs(array.astype(np.float64)) > MAX_INTEGER)
        if index is None:
            continue
        consumer = _arithmetic_consumer(model.graph, name)
        if consumer is not None:
            value = array.ravel()[index]
            raise OversizedConstantError(
                f"expected integer constants within 2^24, found {value} at index {index} of {label}, "
                f"read by {consumer}",
                hint="scale the constant down, or store it as float32 if a rounded value will do",
                tensor=name,
                value=int(value),
            )


def _check_finite(label: str, array: NDArray[Any]) -> None:
    wide = array.astype(np.float64)
    # Not <=: a NaN compares false, and so counts as too large.
    index = _first(~(np.abs(wide) <= _FLOAT32_MAX))
    if index is not None:
        raise NonFiniteWeightError(
            f"expected finite numbers of float32's range, found {wide.ravel()[index]} "
            f"at index {index} of {label}",
            hint="train again with a smaller step, or clip; a mask of -inf can be -10000",
            tensor=label,
            index=index,
        )


def _first(mask: "NDArray[np.bool_]") -> int | None:
    found = np.flatnonzero(mask)
    return int(found[0]) if found.size else None


def _float_tensors(graph: "GraphProto") -> "Iterator[tuple[str, NDArray[Any]]]":
    for label, tensor in tensors_of(graph):
        array = array_of(label, tensor)
        if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
            yield label, array


def _float_attributes(graph: "GraphProto") -> "Iterator[tuple[str, NDArray[Any]]]":
    for index, node in enumerate(graph.node):
        for attribute in node.attribute:
            numbers = [attribute.f] if attribute.HasField("f") else list(attribute.floats)
            if numbers:
                label = f"attribute {attribute.name} of node {node_label(node, index)}"
                yield label, np.asarray(numbers)


def _integer_constants(graph: "GraphProto") -> "Iterator[tuple[str, str, NDArray[Any]]]":
    """Yield (tensor name in the graph, label, values) of each integer constant."""
    for tensor in graph.initializer:
        array = array_of(repr(tensor.name), tensor)
        if array.dtype.kind in "iu":
            yield tensor.name, f"initializer {tensor.name!r:.120}", array
    for index, node in enumerate(graph.node):
        if node.op_type in ("Constant", "ConstantOfShape"):
            label = f"constant {node_label(node, index)}"
            for values in _constant_values(node, label):
                if values.dtype.kind in "iu":
                    yield node.output[0], label, values


def _constant_values(node: "NodeProto", label: str) -> "Iterator[NDArray[Any]]":
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.HasField("t"):
            yield array_of(label, attribute.t)
        elif attribute.name == "value_int":
            yield np.asarray([attribute.i], dtype=np.int64)
        elif attribute.name == "value_ints":
            yield np.asarray(list(attribute.ints), dtype=np.int64)


def _arithmetic_consumer(graph: "GraphProto", name: str) -> str | None:
    """Return the first reader of a tensor that computes with its values, or None."""
    waiting, seen = [name], {name}
    outputs = {value.name for value in graph.output}
    while waiting:
        tensor = waiting.pop()
        if tensor in outputs:
            return f"the output {tensor!r:.80}"
        for index, node in enumerate(graph.node):
            for position, read in enumerate(node.input):
                if read != tensor or position in _STRUCTURAL_INPUTS.get(node.op_type, frozenset()):
                    continue
                if node.op_type not in _CARRIERS:
                    return f"node {node_label(node, index)}"
                waiting.extend(output for output in node.output if output not in seen)
                seen.update(node.output)
    return None
