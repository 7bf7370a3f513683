"""Check an ONNX model: is it one, has it fixed shapes, and will its proof be about it?"""

from pathlib import Path
from typing import TYPE_CHECKING

from zkml.core.digests import digest_of
from zkml.export.checked_model import CheckedModel, TensorInfo
from zkml.export.constants import check_constants
from zkml.export.operators import check_operators
from zkml.export.reading import check_graph, read_model
from zkml.export.shapes import check_tensors_of_numbers, describe, fix_shapes, graph_inputs

if TYPE_CHECKING:
    from onnx import ModelProto

MEASURED_OPSETS = range(7, 26)


def check_onnx(source: Path | bytes, *, batch_size: int | None = None) -> CheckedModel:
    """Check an ONNX model in five steps, each with its own error.

    Args:
        source: path of an ONNX file, or its bytes.
        batch_size: binds the first dimension of every input that has no number. Range: 1..4096.

    Returns:
        The model as one file with fixed shapes, and what is in it.

    Raises:
        ArtifactNotFoundError: no such file.
        ConfigError: the batch size is out of range.
        NotOnnxError: not a valid ONNX model in one piece, or too large.
        UnsupportedOperatorError: a node has no circuit, or one that proves another function.
        DynamicShapeError: a dimension of an input or output is not a number.
        NonFiniteWeightError: a constant is NaN, infinite or beyond float32.
        OversizedConstantError: an integer beyond 2^24 is computed with.
        ToolchainError: the package onnx is missing.
    """
    model, data = read_model(source)  # 1 it is ONNX
    check_tensors_of_numbers(model)
    check_graph(model)
    operators = check_operators(model)  # 2 its operators have circuits
    if fix_shapes(model, batch_size):  # 3 its shapes are numbers
        data = model.SerializeToString(deterministic=True)
    parameters = check_constants(model)  # 4 its constants are what a circuit holds
    inputs, outputs = describe(graph_inputs(model)), describe(model.graph.output)
    return CheckedModel(  # 5 what else a publisher should know
        data=data,
        digest=digest_of(data),
        inputs=inputs,
        outputs=outputs,
        operators=operators,
        parameters=parameters,
        opset=_opset(model),
        warnings=tuple(_warnings(model, inputs, outputs)),
    )


def _opset(model: "ModelProto") -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _warnings(
    model: "ModelProto", inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...]
) -> list[str]:
    opset = _opset(model)
    found = []
    if opset not in MEASURED_OPSETS:
        found.append(
            f"opset {opset} was not measured with the proving engine "
            f"({MEASURED_OPSETS.start} to {MEASURED_OPSETS.stop - 1} were)"
        )
    found.extend(
        f"{place} {tensor.name!r} is {tensor.element_type}; circuits of this version take one float32"
        for place, tensors in (("input", inputs), ("output", outputs))
        for tensor in tensors
        if tensor.element_type != "float"
    )
    found.extend(
        f"{len(tensors)} {place}s; circuits of this version have one"
        for place, tensors in (("input", inputs), ("output", outputs))
        if len(tensors) != 1
    )
    return found
