"""One node with what a rule may ask about it: attributes, constants, shapes and types."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkml.export.graph import array_of, node_label
from zkml.export.packages import require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node and its surroundings in the graph.

    Attributes:
        operator: e.g. `Conv`.
        label: what a person finds the node by.
        attributes: values by name; text as str.
        constants: the constant that fills an input, by position; inputs that are computed are absent.
        ranks: number of dimensions of an input, by position, where it is known.
        types: ONNX's name of an input's element type, by position, where it is known.
        producers: operator that computes an input, by position.
    """

    operator: str
    label: str
    attributes: dict[str, Any]
    constants: dict[int, NDArray[Any]]
    ranks: dict[int, int]
    types: dict[int, str]
    producers: dict[int, str]


def views_of(model: "ModelProto") -> list[NodeView]:
    """Return a view of every node of the main graph, in order."""
    surroundings = _Surroundings(model)
    return [surroundings.view(node, index) for index, node in enumerate(model.graph.node)]


class _Surroundings:
    """Constants, producers, ranks and types of every tensor of a graph."""

    def __init__(self, model: "ModelProto") -> None:
        self._onnx = require("onnx")
        self._constants = {tensor.name: array_of(tensor.name, tensor) for tensor in model.graph.initializer}
        self._producers = {output: node.op_type for node in model.graph.node for output in node.output}
        for node in model.graph.node:
            if node.op_type == "Constant" and len(node.attribute) == 1:
                value = self._value(node.attribute[0])
                is_tensor = node.attribute[0].HasField("t")
                self._constants[node.output[0]] = (
                    array_of(node.name, value) if is_tensor else np.asarray(value)
                )
        self._ranks: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._learn_types(model)

    def _learn_types(self, model: "ModelProto") -> None:
        try:
            graph = self._onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except (self._onnx.shape_inference.InferenceError, ValueError, RuntimeError):
            graph = model.graph  # the shape check will say what is wrong
        name_of = self._onnx.TensorProto.DataType.Name
        for value in [*graph.input, *graph.output, *graph.value_info]:
            tensor_type = value.type.tensor_type
            self._types[value.name] = name_of(tensor_type.elem_type).lower()
            if tensor_type.HasField("shape"):
                self._ranks[value.name] = len(tensor_type.shape.dim)
        for tensor in graph.initializer:
            self._types[tensor.name] = name_of(tensor.data_type).lower()
            self._ranks[tensor.name] = len(tensor.dims)

    def view(self, node: "NodeProto", index: int) -> NodeView:
        return NodeView(
            operator=node.op_type,
            label=node_label(node, index),
            attributes={attribute.name: self._value(attribute) for attribute in node.attribute},
            constants=self._by_position(node, self._constants),
            ranks=self._by_position(node, self._ranks),
            types=self._by_position(node, self._types),
            producers=self._by_position(node, self._producers),
        )

    def _value(self, attribute: Any) -> Any:
        value = self._onnx.helper.get_attribute_value(attribute)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    @staticmethod
    def _by_position(node: "NodeProto", known: dict[str, Any]) -> dict[int, Any]:
        return {position: known[name] for position, name in enumerate(node.input) if name in known}
