"""Read an ONNX model as a real graph, or refuse it with the name of the node that has no relation.

Names of the ONNX graph stand for constants, values, or the integer codes of a QDQ model. Nodes of
constants alone are computed here; every other node has one rule in the modules `onnx_*`.
"""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.folding import Folder, Sum, Value
from circuits.octet.compile.onnx_operation import Codes, Const, Entry, Index, Operation
from circuits.octet.compile.onnx_rules import rule_for
from circuits.octet.compile.real_graph import Pin, RealGraph, RealInput, RealOutput
from circuits.octet.compile.views import View
from zkml.core.extras import install_hint
from zkml.errors import (
    DynamicShapeError,
    NotOnnxError,
    ToolchainError,
    UnsupportedOperatorError,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MAX_CELLS = 1 << 26
"""No constant that a model computes is larger: the shape of a fill is the model's word alone."""

_COMPUTED = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "Cast",
        "Ceil",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Div",
        "Equal",
        "Erf",
        "Exp",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Greater",
        "Identity",
        "Less",
        "Log",
        "MatMul",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Shape",
        "Sigmoid",
        "Sign",
        "Size",
        "Slice",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    ]
)
_LAYOUT = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_STUMBLES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)
_BYTE_TYPES = {2: 0, 3: 128}  # TensorProto.UINT8, INT8: what is added to a code to make it a byte


def import_onnx(data: bytes) -> RealGraph:
    """Return the real graph of an ONNX model with fixed shapes.

    Args:
        data: the model in one file.

    Raises:
        NotOnnxError: the bytes are not a valid ONNX model.
        DynamicShapeError: an input has a dimension without a number.
        UnsupportedOperatorError: names the first node that has no relation.
        NonFiniteWeightError: a weight is NaN or infinite.
        ToolchainError: the package onnx is missing.
    """
    return _Import(_parse(data)).run()


class _Import:
    """One model on its way."""

    def __init__(self, model: "ModelProto") -> None:
        import onnx  # noqa: PLC0415 an extra

        self._onnx = onnx
        self._model = model
        self._folder = Folder()
        self._entries: dict[str, Entry] = {}
        self._input_pins: dict[str, Pin] = {}
        versions = [entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}]
        self._opset = max(versions, default=0)

    def run(self) -> RealGraph:
        graph = self._model.graph
        for tensor in graph.initializer:
            self._entries[tensor.name] = Const(self._onnx.numpy_helper.to_array(tensor))
        inputs = [value for value in graph.input if value.name not in self._entries]
        for value in inputs:
            self._entries[value.name] = self._input(value)
        uses = Counter(name for node in graph.node for name in node.input)
        uses.update(value.name for value in graph.output)
        for index, node in enumerate(graph.node):
            made = self._made_or_refused(node, index)
            for name, entry in zip(node.output, made, strict=False):
                self._entries[name] = self._shared(entry) if uses[name] > 1 else entry
        outputs = tuple(self._output(value) for value in graph.output)
        return RealGraph(tuple(map(self._real_input, inputs)), tuple(self._folder.nodes), outputs)

    def _real_input(self, value: Any) -> RealInput:
        offset = _BYTE_TYPES.get(value.type.tensor_type.elem_type)
        # Codes that no node dequantizes stand for themselves.
        plain = None if offset is None else Pin(1.0, offset)
        pin = self._input_pins.get(value.name, plain)
        return RealInput(value.name, _shape_of(value), pin, offset)

    def _input(self, value: Any) -> Entry:
        tensor = Value(None, View(value.name, _shape_of(value)))
        kind = value.type.tensor_type.elem_type
        if kind in _BYTE_TYPES:
            return Codes(tensor, None)
        if kind != self._onnx.TensorProto.FLOAT:
            name = self._onnx.TensorProto.DataType.Name(kind).lower()
            raise UnsupportedOperatorError(
                f"expected a float, uint8 or int8 input, found {name} in {value.name!r}",
                hint="cast the input outside of the model",
                operator="input",
            )
        return tensor

    def _shared(self, entry: Entry) -> Entry:
        """Return an entry that several nodes may read without repeating its sum."""
        if isinstance(entry, Value) and isinstance(entry.form, Sum) and not self._folder.is_scaling(entry):
            return self._folder.tensor(entry)
        return entry

    def _made_or_refused(self, node: "NodeProto", index: int) -> list[Entry]:
        """Apply a rule; what a model's attributes and shapes make it stumble over is a refusal too."""
        try:
            return self._made(node, index)
        except _STUMBLES as error:
            label = _label(node, index)
            raise UnsupportedOperatorError(
                f"expected {node.op_type} as ONNX defines it, found {' '.join(str(error).split()):.120} "
                f"({type(error).__name__}) at node {label}",
                hint="`zkml model check` says what is wrong",
                operator=node.op_type,
                node=label,
            ) from error

    def _made(self, node: "NodeProto", index: int) -> list[Entry]:
        operation = self._operation(node, index)
        if node.domain not in {"", "ai.onnx"}:
            raise operation.refuse(f"{node.domain}.{node.op_type}", "export without custom operators")
        if operation.operator == "Shape" and isinstance(operation.inputs[0], Value):
            return [Const(np.array(operation.inputs[0].shape, dtype=np.int64))]
        if operation.operator in _COMPUTED and all(
            entry is None or isinstance(entry, Const) for entry in operation.inputs
        ):
            return self._computed(node, operation)
        made = rule_for(operation)(operation, self._folder, self._input_pins)
        for entry in made:
            if isinstance(entry, Value) and math.prod(entry.shape) > MAX_CELLS:
                raise operation.refuse(f"a tensor of shape {entry.shape}", "make the tensor smaller")
        return made

    def _operation(self, node: "NodeProto", index: int) -> Operation:
        label = _label(node, index)
        attributes = {}
        for attribute in node.attribute:
            value = self._onnx.helper.get_attribute_value(attribute)
            attributes[attribute.name] = value.decode(errors="replace") if isinstance(value, bytes) else value
        missing = [name for name in node.input if name and name not in self._entries]
        if missing:
            raise NotOnnxError(f"expected a graph in order, found {missing[0]!r:.60} unmade at node {label}")
        entries = tuple(self._entries[name] if name else None for name in node.input)
        return Operation(node.op_type, label, entries, attributes, self._opset, len(node.output))

    def _computed(self, node: "NodeProto", operation: Operation) -> list[Entry]:
        """Return what a node of constants computes, by ONNX's own reference implementation."""
        consts = [entry for entry in operation.inputs if isinstance(entry, Const)]
        if operation.operator in {"ConstantOfShape", "Expand", "Tile"}:
            sizes = consts[-1].values.astype(np.float64)
            cells = float(np.prod(sizes)) * (consts[0].values.size if operation.operator == "Tile" else 1)
            if cells > MAX_CELLS:
                raise operation.refuse(f"a constant of {cells:.0f} cells")
        values = self._evaluated(node, [const.values for const in consts])
        steps: list[NDArray[Any] | None] = [None] * len(values)
        if operation.operator in _LAYOUT and consts[0].steps is not None:
            steps = list(self._evaluated(node, [consts[0].steps, *(const.values for const in consts[1:])]))
        return [Const(value, step) for value, step in zip(values, steps, strict=True)]

    def _evaluated(self, node: "NodeProto", arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 an extra

        helper = self._onnx.helper
        names = [name for name in node.input if name]
        graph = helper.make_graph(
            [node],
            "constant",
            [helper.make_tensor_value_info(name, 0, None) for name in dict.fromkeys(names)],
            [helper.make_tensor_value_info(name, 0, None) for name in node.output],
        )
        model = helper.make_model(graph, opset_imports=self._model.opset_import)
        found = ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
        return [np.asarray(value) for value in found]

    def _output(self, output: Any) -> RealOutput:
        name = output.name
        entry = self._entries[name]
        if isinstance(entry, Const):
            raise UnsupportedOperatorError(
                f"expected outputs that depend on an input, found the constant {name!r:.80}",
                hint="leave this output out",
                operator="output",
            )
        if isinstance(entry, Index):
            return RealOutput(name, self._folder.publish(entry.value), entry.shape, argmax=True)
        if isinstance(entry, Codes):
            offset = _BYTE_TYPES.get(output.type.tensor_type.elem_type, 0)
            return RealOutput(name, self._folder.publish(entry.value), entry.value.shape, code_offset=offset)
        return RealOutput(name, self._folder.publish(entry), entry.shape)


def _label(node: "NodeProto", index: int) -> str:
    """Return what a person finds a node by."""
    return repr(node.name)[:120] if node.name else f"#{index} ({node.op_type} -> {node.output[0]!r:.60})"


def _parse(data: bytes) -> "ModelProto":
    try:
        import onnx  # noqa: PLC0415 an extra
    except ImportError as error:
        raise ToolchainError("expected the package onnx, found none", hint=install_hint("onnx")) from error
    try:
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and the checker's classes have no common parent but Exception
        raise NotOnnxError(
            f"expected a valid ONNX model, found this fault: {' '.join(str(error).split()):.200}",
            hint="`zkml model check` says what is wrong",
        ) from error
    if model.functions:
        raise UnsupportedOperatorError(
            f"expected a flat graph, found the local function {model.functions[0].name!r:.80}",
            hint="inline it: onnx.inliner.inline_local_functions",
            operator=model.functions[0].name,
        )
    return model


def _shape_of(value: Any) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    if not all(dim.dim_value > 0 for dim in dims):
        raise DynamicShapeError(
            f"expected numbers as dimensions, found {[dim.dim_value or dim.dim_param for dim in dims]} "
            f"in the input {value.name!r:.80}",
            hint="bind the batch: `zkml model check --batch-size 1`",
        )
    shape = tuple(dim.dim_value for dim in dims)
    if math.prod(shape) > MAX_CELLS:
        raise DynamicShapeError(f"expected at most {MAX_CELLS} cells, found {shape} in {value.name!r:.80}")
    return shape
