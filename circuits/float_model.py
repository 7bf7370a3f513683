"""The float model's outputs, which a circuit's are compared with."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.core.extras import install_hint
from zkml.errors import CompileError, LayoutError, ToolchainError

_TYPES: dict[str, Any] = {"tensor(int64)": np.int64, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}


def float_outputs(onnx: Path | bytes, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Run an ONNX model of one input and one output on every sample.

    Args:
        onnx: the model, or its bytes.
        inputs: Shape: (samples, ...), with as many elements a sample as the model's input.

    Returns:
        Shape: (samples, output elements).

    Raises:
        ToolchainError: onnxruntime is not installed.
        CompileError: onnxruntime does not take the model.
        LayoutError: a sample has another number of elements than the model's input.
    """
    try:
        import onnxruntime  # noqa: PLC0415 only publishers have it
    except ImportError as error:
        raise ToolchainError("expected onnxruntime, found none", hint=install_hint("onnxruntime")) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            onnx if isinstance(onnx, bytes) else str(onnx),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # onnxruntime's classes have no common parent but Exception
        raise CompileError(
            f"expected an ONNX model that runs, found {' '.join(str(error).split()):.200}",
            hint="`zkml model check` says what is wrong",
        ) from error
    shapes = [entry.shape for entry in session.get_inputs()]
    if len(shapes) != 1 or not all(isinstance(size, int) for size in shapes[0]):
        raise CompileError(
            f"expected one input of fixed shape, found inputs of shapes {shapes}",
            hint="export the model anew with a fixed batch size of 1",
        )
    (entry,), (shape,) = session.get_inputs(), shapes
    if inputs[0].size != np.prod(shape):
        raise LayoutError(
            f"expected samples of shape {shape}, found {inputs[0].size} elements in the calibration data"
        )
    dtype = _TYPES.get(entry.type, np.float32)
    try:
        rows = [
            np.asarray(session.run(None, {entry.name: sample.reshape(shape).astype(dtype)})[0]).ravel()
            for sample in inputs
        ]
    except Exception as error:  # as above
        raise CompileError(
            f"expected an ONNX model that runs, found {' '.join(str(error).split()):.200}"
        ) from error
    return np.stack(rows).astype(np.float64)
