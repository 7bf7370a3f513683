"""A model without its weights: enough to rebuild the key of a circuit whose weights are committed.

The key then depends on the architecture alone, so the owner of a closed model can publish this file and
anybody can rebuild the key that the chain pins. Every array of floats gets values that say nothing. Left as
they are: single numbers, which may be an operator's parameter, such as a bound, and decide the layout; and
arrays of zeros, which EZKL leaves out. That a key does not change is checked when a circuit is compiled.
"""

from pathlib import Path
from typing import Any

import numpy as np

from circuits.ezkl.onnx_file import load_model, save_model
from zkml.errors import UnsuitableCircuitError

_STEP = 2_654_435_761
"""2^32 over the golden ratio: multiples of it, modulo 2^32, spread evenly. No random generator is needed."""


def write_weightless(model: Path, target: Path) -> None:
    """Write an ONNX model with all its weights replaced; the same file for all weights of an architecture.

    Args:
        model: ONNX file.
        target: file to write.

    Raises:
        CompileError: not an ONNX model.
        UnsuitableCircuitError: weights are kept where they are not looked for.
        ToolchainError: the package onnx is not installed.
    """
    loaded = load_model(model)
    graph = loaded.graph
    has_subgraphs = any(
        attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute
    )
    if graph.sparse_initializer or has_subgraphs or loaded.functions:
        raise UnsuitableCircuitError(
            "expected plain weights, found sparse ones, subgraphs or functions in the model",
            hint="compile with fixed weights, or export the model anew",
        )
    for tensor in graph.initializer:
        _blank(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _blank(attribute.t)
    loaded.doc_string = ""
    del loaded.metadata_props[:]
    save_model(loaded, target)


def _blank(tensor: Any) -> None:
    from onnx import numpy_helper  # noqa: PLC0415 an extra, which loading the model has asked for

    values = numpy_helper.to_array(tensor)
    if not np.issubdtype(values.dtype, np.floating) or values.size <= 1 or not values.any():
        return
    spread = (np.arange(1, values.size + 1, dtype=np.uint64) * np.uint64(_STEP)) % np.uint64(1 << 32)
    signs = np.where(spread % 2 == 0, 1.0, -1.0)
    blank = signs * (0.25 + spread / (1 << 33))
    tensor.CopyFrom(
        numpy_helper.from_array(blank.reshape(values.shape).astype(values.dtype), name=tensor.name)
    )
