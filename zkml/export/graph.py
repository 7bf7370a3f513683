"""Walk an ONNX graph: its constants and nodes, wherever they hide."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from zkml.errors import NotOnnxError
from zkml.export.packages import require

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto


def node_label(node: "NodeProto", index: int) -> str:
    """Return what a person finds the node by: its name, else operator, position and first output."""
    if node.name:
        return repr(node.name)[:120]
    return f"#{index} ({node.op_type} -> {(list(node.output) or ['nothing'])[0]!r:.60})"


def array_of(label: str, tensor: "TensorProto") -> NDArray[Any]:
    """Return a tensor's values.

    Raises:
        NotOnnxError: its bytes do not fill its shape.
    """
    try:
        array: NDArray[Any] = require("onnx.numpy_helper").to_array(tensor)
    except (ValueError, TypeError, KeyError, MemoryError) as error:
        found = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise NotOnnxError(
            f"expected a tensor that fills its shape, found {found} in {label}", hint="export the model again"
        ) from error
    return array


def subgraphs_of(node: "NodeProto") -> "Iterator[GraphProto]":
    """Yield the graphs that a node of control flow carries."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def graphs_of(model: "ModelProto") -> "Iterator[GraphProto]":
    """Yield the model's graph and every graph within it."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            waiting.extend(subgraphs_of(node))


def tensors_of(graph: "GraphProto") -> "Iterator[tuple[str, TensorProto]]":
    """Yield every constant tensor of one graph with a name for messages."""
    for tensor in graph.initializer:
        yield repr(tensor.name)[:120], tensor
    for sparse in graph.sparse_initializer:
        yield repr(sparse.values.name)[:120], sparse.values
        yield repr(sparse.values.name)[:120] + " (indices)", sparse.indices
    for index, node in enumerate(graph.node):
        for attribute in node.attribute:
            label = f"attribute {attribute.name} of node {node_label(node, index)}"
            if attribute.HasField("t"):
                yield label, attribute.t
            for tensor in attribute.tensors:
                yield label, tensor
            if attribute.HasField("sparse_tensor"):
                yield label, attribute.sparse_tensor.values
                yield label, attribute.sparse_tensor.indices
