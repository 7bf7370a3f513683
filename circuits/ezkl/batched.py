"""The same model for several inputs at once, written by rule from the model for one.

The rule is fixed, so a batch circuit names the ONNX file of its model and nobody has to trust a second one.
"""

from pathlib import Path
from typing import Any

import numpy as np

from circuits.ezkl.onnx_file import load_model, save_model
from zkml.errors import UnsuitableCircuitError


def write_batched(model: Path, target: Path, inputs: int) -> None:
    """Write an ONNX model whose first axis, of size 1, has become `inputs`.

    Constant shapes that begin with 1 (of Reshape) begin with `inputs` then; all else stays.

    Args:
        model: ONNX file of one input and one output, both with a first axis of size 1.
        target: file to write.
        inputs: the new size.

    Raises:
        CompileError: not an ONNX model.
        UnsuitableCircuitError: the first axis is of another size.
        ToolchainError: the package onnx is not installed.
    """
    loaded = load_model(model)
    graph = loaded.graph
    for value in (*graph.input, *graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if not dimensions or dimensions[0].dim_value != 1:
            raise UnsuitableCircuitError(
                f"expected a first axis of size 1, found another in {value.name}",
                hint="export the model with a batch axis of size 1",
            )
        dimensions[0].dim_value = inputs
    # The shapes in between are of the old size, and are inferred anew.
    del graph.value_info[:]
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            _widen(tensor, inputs)
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    _widen(attribute.t, inputs)
    save_model(loaded, target)


def _widen(tensor: Any, inputs: int) -> None:
    from onnx import numpy_helper  # noqa: PLC0415 an extra, which loading the model has asked for

    shape = numpy_helper.to_array(tensor).copy()
    if shape.ndim == 1 and shape.size > 1 and shape[0] == 1:
        shape[0] = inputs
        tensor.CopyFrom(numpy_helper.from_array(shape.astype(np.int64), name=tensor.name))
