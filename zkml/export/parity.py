"""Parity: the ONNX model must compute what the model it came from computes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zkml.errors import ModelError, ParityError
from zkml.export.checked_model import CheckedModel
from zkml.export.packages import require

TOLERANCE = 1e-4
"""Greatest |y - y'| / max(1, |y|). Two float32 runtimes sum in another order; 1e-4 is far above that."""


def check_parity(
    reference: Callable[[Any], Any],
    model: CheckedModel,
    samples: Sequence[ArrayLike] | NDArray[Any],
    tolerance: float = TOLERANCE,
) -> float:
    """Compare a model with its ONNX form, sample by sample.

    Args:
        reference: a torch module, or a function from a float32 array to an array.
        model: the checked ONNX model; one input, one output.
        samples: inputs of the model's input shape, with or without its batch dimension of 1. At least one.
        tolerance: greatest error allowed, relative to max(1, |y|).

    Returns:
        The greatest error over all samples, relative to max(1, |y|).

    Raises:
        ParityError: carries max_abs_error, tolerance and the sample's index.
        ModelError: onnxruntime cannot run the model, or it has more than one input or output.
        ToolchainError: a package is missing.
    """
    if len(samples) == 0:
        raise ValueError("parity needs at least one sample")
    run = onnx_function(model)
    expect = _as_function(reference)
    shape = model.inputs[0].shape
    worst = 0.0
    for index, sample in enumerate(samples):
        fed = np.ascontiguousarray(np.asarray(sample, dtype=np.float32).reshape(shape))
        worst = max(worst, _compare(expect(fed), run(fed), tolerance, index))
    return worst


def onnx_function(model: CheckedModel) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Return the model as a function that onnxruntime computes on one thread.

    Raises:
        ModelError: onnxruntime cannot load the model, or it has more than one input or output.
        ToolchainError: the package onnxruntime is missing.
    """
    runtime = require("onnxruntime")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"expected one input and one output, found {len(model.inputs)} and {len(model.outputs)}"
        )
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # fatal: its remarks are no business of our stderr
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    failures = _runtime_errors(runtime)
    try:
        session = runtime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    except failures as error:
        raise _cannot_run(error) from error
    name = model.inputs[0].name

    def run(fed: NDArray[np.float32]) -> NDArray[Any]:
        try:
            return np.asarray(session.run(None, {name: fed})[0])
        except failures as error:
            raise _cannot_run(error) from error

    return run


def _runtime_errors(runtime: Any) -> tuple[type[Exception], ...]:
    state = runtime.capi.onnxruntime_pybind11_state
    found = {value for value in vars(state).values() if isinstance(value, type)}
    return (RuntimeError, ValueError, *(kind for kind in found if issubclass(kind, Exception)))


def _cannot_run(error: Exception) -> ModelError:
    first = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
    return ModelError(f"expected a model that onnxruntime runs, found {first}")


def _as_function(reference: Callable[[Any], Any]) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    if not hasattr(reference, "named_parameters"):
        return lambda fed: np.asarray(reference(fed))
    torch = require("torch")

    def run(fed: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(reference(torch.from_numpy(fed.copy())).numpy())

    return run


def _compare(expected: NDArray[Any], found: NDArray[Any], tolerance: float, index: int) -> float:
    if expected.shape != found.shape:
        raise ParityError(
            f"expected an output of shape {expected.shape}, found {found.shape} for sample {index}",
            sample=index,
        )
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    relative = difference / np.maximum(1.0, np.abs(expected.astype(np.float64)))
    worst = float(np.max(relative, initial=0.0))
    if not worst <= tolerance:  # NaN is never within a tolerance
        raise ParityError(
            f"expected outputs within {tolerance:g}, found an error of {worst:g} for sample {index}",
            hint="the exporter changed the model: try a simpler layer, or report the operator",
            max_abs_error=float(np.max(difference, initial=0.0)),
            tolerance=tolerance,
            sample=index,
        )
    return worst
