"""Fixed shapes: a circuit has as many cells as it has, so every dimension must be a number."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zkml.errors import ConfigError, DynamicShapeError, NotOnnxError, UnsupportedOperatorError
from zkml.export.checked_model import TensorInfo
from zkml.export.packages import require

if TYPE_CHECKING:
    from onnx import ModelProto, TensorShapeProto, ValueInfoProto

MAX_BATCH = 4_096


def fix_shapes(model: "ModelProto", batch_size: int | None) -> bool:
    """Bind the batch and infer every shape of the graph, in place.

    Args:
        model: a valid model.
        batch_size: number for the first dimension of every input that has none; None binds nothing.
            Range: 1..4096.

    Returns:
        Whether an input or output of the graph was given a number it did not have.

    Raises:
        ConfigError: the batch size is out of range.
        DynamicShapeError: a dimension of an input or output is not a number of at least 1.
        NotOnnxError: the shapes of the graph contradict each other.
    """
    if batch_size is not None and not 1 <= batch_size <= MAX_BATCH:
        raise ConfigError(f"expected a batch size in 1..{MAX_BATCH}, found {batch_size}")
    inputs = graph_inputs(model)
    bound = batch_size is not None and _bind_first_dimensions(inputs, batch_size)
    for value in inputs:
        _check_numbers(value, "input", may_bind=batch_size is None)
    filled = _fill_output_shapes(model, forget=bound)
    for value in model.graph.output:
        _check_numbers(value, "output", may_bind=False)
    return bound or filled


def graph_inputs(model: "ModelProto") -> "list[ValueInfoProto]":
    """Return the inputs that a caller feeds: those of the graph that no initializer fills."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def describe(values: "Iterable[ValueInfoProto]") -> tuple[TensorInfo, ...]:
    """Return names, shapes and element types of checked inputs or outputs."""
    onnx = require("onnx")
    return tuple(
        TensorInfo(
            value.name,
            tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim),
            onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower(),
        )
        for value in values
    )


def check_tensors_of_numbers(model: "ModelProto") -> None:
    """Check that inputs and outputs are tensors of numbers or truth values, and have a recorded shape.

    Raises:
        UnsupportedOperatorError: names the first that is a sequence, a map, an optional or text.
        DynamicShapeError: names the first without a shape.
    """
    onnx = require("onnx")
    refused = {onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128}
    for place, values in (("input", graph_inputs(model)), ("output", model.graph.output)):
        for value in values:
            kind = value.type.WhichOneof("value") or "nothing"
            if kind == "tensor_type" and value.type.tensor_type.elem_type not in refused | {0}:
                _check_recorded(value, place)
                continue
            if kind == "tensor_type":
                kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
            raise UnsupportedOperatorError(
                f"expected tensors of numbers, found {kind} as {place} {value.name!r:.80}",
                hint="move the work on text, sequences and maps out of the model",
                tensor=value.name,
            )


def _bind_first_dimensions(values: "Iterable[ValueInfoProto]", batch_size: int) -> bool:
    bound = False
    for value in values:
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and dimensions[0].dim_value <= 0:
            dimensions[0].dim_value = batch_size
            bound = True
    return bound


def _check_recorded(value: "ValueInfoProto", place: str) -> None:
    if not value.type.tensor_type.HasField("shape"):
        raise DynamicShapeError(
            f"expected a shape, found none for {place} {value.name!r:.80}",
            hint="export with an example input, or record shapes with onnx.shape_inference.infer_shapes",
            tensor=value.name,
        )


def _check_numbers(value: "ValueInfoProto", place: str, *, may_bind: bool) -> None:
    _check_recorded(value, place)
    for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
        if dimension.dim_value >= 1:
            continue
        raise DynamicShapeError(
            f"expected a number as dimension {axis} of {place} {value.name!r:.80}, found {_spell(dimension)}",
            hint=_fix(axis, place, may_bind=may_bind),
            tensor=value.name,
            axis=axis,
        )


def _spell(dimension: "TensorShapeProto.Dimension") -> str:
    if dimension.dim_param:
        return f"the symbol {dimension.dim_param!r:.40}"
    return str(dimension.dim_value) if dimension.HasField("dim_value") else "nothing"


def _fix(axis: int, place: str, *, may_bind: bool) -> str:
    if place == "output":
        return "remove what makes the output's size depend on values, e.g. NonZero or a mask that selects"
    if axis == 0 and may_bind:
        return "bind it with --batch-size 1, or export without dynamic axes"
    return "export without dynamic axes, at the size that will be proved"


def _fill_output_shapes(model: "ModelProto", *, forget: bool) -> bool:
    """Infer all shapes; write those of the outputs where the file has no numbers."""
    onnx = require("onnx")
    dynamic = [value for value in model.graph.output if _is_dynamic(value)]
    if not dynamic and not forget:
        return False
    scratch = onnx.ModelProto()
    scratch.CopyFrom(model)
    # What was inferred for another batch would contradict this one.
    scratch.graph.ClearField("value_info")
    for value in scratch.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(scratch, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError) as error:
        first = (str(error).splitlines() or ["nothing said"])[0][:200].rstrip(".")
        raise NotOnnxError(
            f"expected shapes that fit each other, found {first}", hint="export the model again"
        ) from error
    model.graph.ClearField("value_info")
    for value, known in zip(model.graph.output, inferred.graph.output, strict=True):
        value.type.tensor_type.shape.CopyFrom(known.type.tensor_type.shape)
        if not known.type.tensor_type.HasField("shape"):
            value.type.tensor_type.ClearField("shape")
    return True


def _is_dynamic(value: "ValueInfoProto") -> bool:
    tensor_type = value.type.tensor_type
    return not tensor_type.HasField("shape") or any(d.dim_value < 1 for d in tensor_type.shape.dim)
