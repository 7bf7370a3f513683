"""Check an ONNX model: is it one, has it fixed shapes, and will its proof be about it?

Which operators have circuits depends on the proof system. EZKL proves some as another function without a
word, so that what it may be given is a measured list. OCTET's own compiler refuses by name what it has no
relation for, and counts in integers of its own, so that the checks of this page that remain are the general
ones.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zkml.core.digests import digest_of
from zkml.export.checked_model import CheckedModel, TensorInfo
from zkml.export.constants import check_finite_constants, check_integer_constants
from zkml.export.operators import check_flat, check_operators, count_operators
from zkml.export.reading import check_graph, read_model
from zkml.export.shapes import check_tensors_of_numbers, describe, fix_shapes, graph_inputs

if TYPE_CHECKING:
    from onnx import ModelProto

MEASURED_OPSETS = range(7, 26)
"""Opsets whose operators were tried; what an older one means by a name may be another thing."""

CheckedFor = Literal["ezkl", "octet"]
"""The proof system that is to prove a model."""


def check_onnx(
    source: Path | bytes, *, batch_size: int | None = None, system: CheckedFor = "ezkl"
) -> CheckedModel:
    """Check an ONNX model in five steps, each with its own error.

    Args:
        source: path of an ONNX file, or its bytes.
        batch_size: binds the first dimension of every input that has no number. Range: 1..4096.
        system: what is to prove it. For `octet` steps 2 and 4 leave operators and integers to its compiler.

    Returns:
        The model as one file with fixed shapes, and what is in it.

    Raises:
        ArtifactNotFoundError: no such file.
        ConfigError: the batch size is out of range.
        NotOnnxError: not a valid ONNX model in one piece, or too large.
        UnsupportedOperatorError: a tensor holds no numbers; for `ezkl` a node has no circuit, or one that
            proves another function.
        DynamicShapeError: a dimension of an input or output is not a number.
        NonFiniteWeightError: a constant is NaN, infinite or beyond float32.
        OversizedConstantError: for `ezkl`, an integer beyond 2^24 is computed with.
        ToolchainError: the package onnx is missing.
    """
    model, data = read_model(source)  # 1 it is ONNX
    check_tensors_of_numbers(model)
    check_graph(model)
    check_flat(model)  # 2 its operators have circuits
    if system == "ezkl":
        check_operators(model)
    if fix_shapes(model, batch_size):  # 3 its shapes are numbers
        data = model.SerializeToString(deterministic=True)
    parameters = check_finite_constants(model)  # 4 its constants are what a circuit holds
    if system == "ezkl":
        check_integer_constants(model)
    inputs, outputs = describe(graph_inputs(model)), describe(model.graph.output)
    return CheckedModel(  # 5 what else a publisher should know
        data=data,
        digest=digest_of(data),
        inputs=inputs,
        outputs=outputs,
        operators=count_operators(model),
        parameters=parameters,
        opset=_opset(model),
        warnings=tuple(_warnings(model, inputs, outputs, system)),
    )


def _opset(model: "ModelProto") -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _warnings(
    model: "ModelProto", inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...], system: CheckedFor
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
        if tensor.element_type != "float" and not _is_index(place, tensor, system)
    )
    found.extend(
        f"{len(tensors)} {place}s; circuits of this version have one"
        for place, tensors in (("input", inputs), ("output", outputs))
        if len(tensors) != 1
    )
    return found


def _is_index(place: str, tensor: TensorInfo, system: CheckedFor) -> bool:
    """OCTET publishes the index of a greatest value as what it is."""
    return system == "octet" and place == "output" and tensor.element_type == "int64"
