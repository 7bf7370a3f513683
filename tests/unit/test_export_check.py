"""Checking ONNX: every kind of bad model is refused, with the node or tensor and the fix."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkml.core.digests import digest_of
from zkml.errors import (
    ArtifactNotFoundError,
    ConfigError,
    DynamicShapeError,
    NonFiniteWeightError,
    NotOnnxError,
    OversizedConstantError,
    ToolchainError,
    UnsupportedOperatorError,
)
from zkml.export import reading
from zkml.export.check import check_onnx
from zkml.export.operators import operator_table

BIG = 2**24 + 1
TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}


def model_of(nodes, *, inputs=None, constants=None, outputs=None, opset=18, functions=()):
    """Build a model; input and output shapes by name, constants as arrays."""
    inputs = {"x": [1, 4]} if inputs is None else inputs
    outputs = {"y": None} if outputs is None else outputs
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, functions=list(functions)
    )
    if outputs == {"y": None}:
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        if not model.graph.output[0].type.tensor_type.HasField("shape"):
            model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=1)
    return model


def node(operator, *inputs, name="the_node", **attributes):
    """Build a node that gives y."""
    return helper.make_node(operator, list(inputs) or ["x"], ["y"], name=name, **attributes)


def check(model, **options):
    """Check a model through its bytes."""
    return check_onnx(model.SerializeToString(), **options)


def linear():
    """Build a model of one Gemm, x W + b."""
    return model_of(
        [node("Gemm", "x", "W", "b")],
        constants={"W": np.ones((4, 3), np.float32), "b": np.zeros(3, np.float32)},
        outputs={"y": [1, 3]},
    )


# --- what is well ------------------------------------------------------------------------------


def test_check__good_model__is_described_and_unchanged(tmp_path):
    """A good file passes: its bytes, digest, shapes, operators and parameters are reported."""
    path = tmp_path / "m.onnx"
    path.write_bytes(linear().SerializeToString())
    checked = check_onnx(path)
    assert checked.data == path.read_bytes()
    assert checked.digest == digest_of(path.read_bytes())
    assert [(t.name, t.shape, t.element_type) for t in checked.inputs] == [("x", (1, 4), "float")]
    assert [(t.name, t.shape) for t in checked.outputs] == [("y", (1, 3))]
    assert (checked.operators, checked.parameters, checked.opset) == ((("Gemm", 1),), 15, 18)
    assert checked.warnings == ()
    assert check_onnx(path.read_bytes()) == checked


def test_check__does_not_import_torch(tmp_path):
    """Checking a file needs neither torch nor onnxruntime."""
    path = tmp_path / "m.onnx"
    path.write_bytes(linear().SerializeToString())
    code = (
        "import sys; from pathlib import Path; from zkml.export.check import check_onnx;"
        f"check_onnx(Path({str(path)!r}));"
        "print(sorted({'torch', 'onnxruntime', 'ezkl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_check__onnx_not_installed__says_how_to_install(monkeypatch):
    """Without the package onnx the error says what to install."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolchainError, match="package onnx") as caught:
        check_onnx(b"x")
    assert caught.value.hint == "in the checkout: make setup, or pip install '.[ezkl]'"


def test_check__two_inputs_and_a_strange_opset__are_warned_about():
    """What a circuit of this version will not take is said before it is compiled."""
    model = model_of(
        [node("Add", "x", "z")], inputs={"x": [1, 4], "z": [1, 4]}, outputs={"y": [1, 4]}, opset=6
    )
    warnings = check(model).warnings
    assert any("opset 6" in warning for warning in warnings)
    assert any("2 inputs" in warning for warning in warnings)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 64,
        b"hello, I am not a model",
        b"PK\x03\x04" + b"\0" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        onnx.ModelProto(ir_version=8).SerializeToString(),
        numpy_helper.from_array(np.ones(9, np.float32), "t").SerializeToString(),
        linear().graph.SerializeToString(),
    ],
    ids=["empty", "zeros", "text", "zip", "png", "hollow", "tensor", "bare graph"],
)
def test_read__something_else__is_not_onnx(data):
    """Garbage, other formats and other protobufs are no ONNX model."""
    with pytest.raises(NotOnnxError, match="expected") as caught:
        check_onnx(data)
    assert "\n" not in caught.value.message


def test_read__cut_short__is_refused_at_every_length():
    """No prefix of a model passes for a model."""
    data = linear().SerializeToString()
    for length in range(len(data)):
        with pytest.raises((NotOnnxError, DynamicShapeError)):
            check_onnx(data[:length])


def test_read__invalid_graph__names_the_fault():
    """A graph that reads a tensor nobody writes is refused with the checker's words, on one line."""
    with pytest.raises(NotOnnxError, match="nobody") as caught:
        check(model_of([node("Relu", "nobody")], outputs={"y": [1, 4]}))
    assert "\n" not in caught.value.message


def test_read__missing_file_and_folder__are_told_apart(tmp_path):
    """Nothing at a path is another error than a folder there."""
    with pytest.raises(ArtifactNotFoundError, match="found nothing"):
        check_onnx(tmp_path / "none.onnx")
    with pytest.raises(NotOnnxError, match="folder"):
        check_onnx(tmp_path)


def test_read__too_large__is_refused_before_it_is_read(tmp_path, monkeypatch):
    """A file over the limit is refused by its size."""
    path = tmp_path / "m.onnx"
    path.write_bytes(linear().SerializeToString())
    monkeypatch.setattr(reading, "MAX_MODEL_BYTES", path.stat().st_size - 1)
    with pytest.raises(NotOnnxError, match="at most"):
        check_onnx(path)
    with pytest.raises(NotOnnxError, match="at most"):
        check_onnx(path.read_bytes())


def external(tmp_path, location="w.bin", **entries):
    """Write a model whose W lies in another file, and return its path."""
    model = linear()
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path, data


def test_external_data__beside_the_model__is_read_in(tmp_path):
    """Data beside the model become part of it: the checked bytes are one file that equals the original."""
    path, data = external(tmp_path, offset=2, length=48)
    (tmp_path / "w.bin").write_bytes(b"__" + data + b"__")
    checked = check_onnx(path)
    assert checked.parameters == 15
    assert check_onnx(checked.data) == checked
    values = numpy_helper.to_array(onnx.load_from_string(checked.data).graph.initializer[0])
    assert np.array_equal(values, np.ones((4, 3), np.float32))


def test_external_data__missing__names_tensor_and_file(tmp_path):
    """Without its data file a model is refused."""
    path, _ = external(tmp_path)
    with pytest.raises(NotOnnxError, match=r"tensor 'W' in 'w\.bin'"):
        check_onnx(path)


def test_external_data__of_bytes__is_refused(tmp_path):
    """Bytes without a folder have no external data."""
    path, data = external(tmp_path)
    (tmp_path / "w.bin").write_bytes(data)
    with pytest.raises(NotOnnxError, match="in one piece"):
        check_onnx(path.read_bytes())


@pytest.mark.parametrize(
    "entries", [{"offset": 9}, {"length": 49}, {"offset": -1}, {"length": -1}, {"offset": "x"}]
)
def test_external_data__outside_its_file__is_refused(tmp_path, entries):
    """An offset or length beyond the data file is refused."""
    path, data = external(tmp_path, **{"length": 48, **entries})
    (tmp_path / "w.bin").write_bytes(data)
    with pytest.raises(NotOnnxError, match="W"):
        check_onnx(path)


def test_external_data__elsewhere__is_never_opened(tmp_path):
    """Parent folders, absolute paths and links that lead out of the folder are refused."""
    folder = tmp_path / "model"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(48))
    (folder / "link").symlink_to(secret)
    for location in ("../secret", str(secret), "link", "a/../../secret", "", "\0"):
        path, _ = external(folder, location)
        with pytest.raises(NotOnnxError, match="W"):
            check_onnx(path)


def test_tensor__bytes_do_not_fill_the_shape__is_refused():
    """A tensor of too few bytes is refused by name, and never padded."""
    model = linear()
    model.graph.initializer[0].raw_data = bytes(44)
    with pytest.raises(NotOnnxError, match="W"):
        check(model)


# --- shapes ------------------------------------------------------------------------------------


def test_shape__symbolic_batch__names_tensor_dimension_and_fix():
    """A symbol instead of a number is refused; the hint says how to bind the batch."""
    with pytest.raises(
        DynamicShapeError, match="dimension 0 of input 'x', found the symbol 'batch'"
    ) as caught:
        check(model_of([node("Relu")], inputs={"x": ["batch", 4]}))
    assert "--batch-size 1" in caught.value.hint


@pytest.mark.parametrize(("shape", "axis"), [([1, "width"], 1), ([1, None], 1), ([1, 0], 1), ([None, 4], 0)])
def test_shape__no_number__is_refused(shape, axis):
    """A symbol, nothing and zero are no dimensions."""
    with pytest.raises(DynamicShapeError, match=f"dimension {axis} of input 'x'"):
        check(model_of([node("Relu")], inputs={"x": shape}))


def test_shape__no_shape_at_all__is_refused():
    """An input or output without a recorded shape is refused."""
    for tensor in ("x", "y"):
        shapes = {"x": [1, 4], "y": [1, 4], tensor: None}
        model = model_of([node("Relu")], inputs={"x": shapes["x"]}, outputs={"y": shapes["y"]})
        model.graph.ClearField("value_info")
        if tensor == "y":
            model.graph.output[0].type.tensor_type.ClearField("shape")
        with pytest.raises(DynamicShapeError, match=f"found none for .*put '{tensor}'"):
            check(model)


def test_shape__bound_batch__becomes_part_of_the_model():
    """Binding gives every input and output its number, in the bytes that will be compiled."""
    model = model_of(
        [node("Gemm", "x", "W")],
        inputs={"x": ["batch", 4]},
        outputs={"y": ["batch", 3]},
        constants={"W": np.ones((4, 3), np.float32)},
    )
    checked = check(model, batch_size=2)
    assert checked.inputs[0].shape == (2, 4)
    assert checked.outputs[0].shape == (2, 3)
    assert check_onnx(checked.data) == checked
    assert check(model, batch_size=2) == checked
    assert checked.digest != digest_of(model.SerializeToString())


def test_shape__only_the_batch_is_bound():
    """Binding the batch leaves another dynamic dimension refused."""
    with pytest.raises(DynamicShapeError, match="dimension 1"):
        check(model_of([node("Relu")], inputs={"x": ["b", "w"]}), batch_size=1)


def test_shape__contradiction_after_binding__is_refused():
    """A batch that the graph cannot have is refused."""
    model = model_of(
        [node("Add", "x", "c")],
        inputs={"x": ["b", 4]},
        constants={"c": np.ones((3, 4), np.float32)},
        outputs={"y": ["b", 4]},
    )
    assert check(model, batch_size=3).outputs[0].shape == (3, 4)
    with pytest.raises(NotOnnxError, match="shapes that fit"):
        check(model, batch_size=2)


@pytest.mark.parametrize("batch", [0, -1, 4097])
def test_shape__impossible_batch__is_refused(batch):
    """A batch outside 1..4096 is refused as a wrong setting."""
    with pytest.raises(ConfigError, match=r"batch size in 1\.\.4096"):
        check(linear(), batch_size=batch)


# --- operators ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "nearest", "outputs", "inputs", "attributes"),
    [
        ("Mish", "Tanh", 1, ["x"], {}),
        ("TopK", "ReduceMax", 2, ["x", "k"], {}),
        ("Tile", "Concat", 1, ["x", "k"], {}),
        ("RandomNormalLike", "without chance", 1, ["x"], {}),
        ("Bernoulli", "without chance", 1, ["x"], {}),
        ("NonZero", "move this step out", 1, ["x"], {}),
        ("IsNaN", "move this step out", 1, ["x"], {}),
    ],
)
def test_operator__without_a_circuit__names_node_and_nearest(operator, nearest, outputs, inputs, attributes):
    """An operator that EZKL does not prove is refused with its node, and the hint names what is nearest."""
    names = ["y", "y2"][:outputs]
    built = helper.make_node(operator, inputs, names, name="the_node", **attributes)
    model = model_of([built], constants={"k": np.array([1, 1])})
    with pytest.raises(UnsupportedOperatorError, match=f"found {operator} at node 'the_node'") as caught:
        check(model)
    assert nearest in caught.value.hint
    assert caught.value.context["operator"] == operator


def branch(value):
    """Build a graph without inputs that gives one constant."""
    constant = helper.make_node("Constant", [], ["v"], value_float=value)
    return helper.make_graph([constant], "b", [], [helper.make_tensor_value_info("v", TensorProto.FLOAT, [])])


def test_operator__control_flow__is_refused():
    """A branch is refused: a circuit has one path."""
    built = node("If", "c", then_branch=branch(1.0), else_branch=branch(2.0))
    with pytest.raises(UnsupportedOperatorError, match="found If") as caught:
        check(model_of([built], constants={"c": np.array(True)}))
    assert "Where" in caught.value.hint


def test_operator__custom_domain__is_refused():
    """An operator of another domain is refused by its full name."""
    model = model_of([helper.make_node("Magic", ["x"], ["y"], domain="com.example")], outputs={"y": [1]})
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(UnsupportedOperatorError, match=r"com\.example\.Magic"):
        check(model)


def test_operator__local_function__is_refused():
    """A function hides nodes from the checks, so it must be inlined."""
    function = helper.make_function(
        "local", "F", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    call = helper.make_node("F", ["x"], ["y"], domain="local")
    model = model_of([call], outputs={"y": [1, 4]}, functions=[function])
    model.opset_import.append(helper.make_opsetid("local", 1))
    with pytest.raises(UnsupportedOperatorError, match="local function 'F'"):
        check(model)


@pytest.mark.parametrize(
    "kind",
    [
        helper.make_tensor_type_proto(TensorProto.STRING, [1]),
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1])),
    ],
)
def test_operator__text_or_sequence_as_input__is_refused(kind):
    """Text and sequences are no tensors of numbers."""
    model = model_of([node("Identity")])
    model.graph.input[0].type.CopyFrom(kind)
    model.graph.output[0].type.CopyFrom(kind)
    with pytest.raises(UnsupportedOperatorError, match=r"expected tensors of numbers, found .* as input 'x'"):
        check(model)


IMAGE = {"x": [1, 2, 6, 6]}
KERNEL = {"w": np.ones((2, 2, 3, 3), np.float32)}
CASES = {
    "Conv without strides": (node("Conv", "x", "w"), KERNEL),
    "Conv with dilations": (node("Conv", "x", "w", strides=[1, 1], dilations=[2, 2]), KERNEL),
    "ConvTranspose with groups": (
        node("ConvTranspose", "x", "w", strides=[1, 1], group=2),
        {"w": np.ones((2, 1, 3, 3), np.float32)},
    ),
    "AveragePool with ceil_mode": (
        node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        {},
    ),
    "AveragePool over padding": (
        node("AveragePool", "x", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
        {},
    ),
    "MaxPool over padding": (
        node("MaxPool", "x", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
        {},
    ),
    "MaxPool with dilations": (
        node("MaxPool", "x", kernel_shape=[2, 2], strides=[1, 1], dilations=[2, 2]),
        {},
    ),
    "Pad with reflection": (node("Pad", "x", "p", mode="reflect"), {"p": np.array([0, 0, 0, 1, 0, 0, 0, 1])}),
    "Pad with a value": (
        node("Pad", "x", "p", "v"),
        {"p": np.array([0, 0, 0, 1, 0, 0, 0, 1]), "v": np.float32(0.5)},
    ),
    "Pow of a negative exponent": (node("Pow", "x", "e"), {"e": np.float32(-1)}),
    "Pow of a computed exponent": (node("Pow", "x", "x"), {}),
    "CumSum exclusive": (node("CumSum", "x", "a", exclusive=1), {"a": np.int64(1)}),
    "Resize linear": (node("Resize", "x", "", "s", mode="linear"), {"s": np.array([1, 1, 2, 2], np.float32)}),
    "Resize by a fraction": (node("Resize", "x", "", "s"), {"s": np.array([1, 1, 1.5, 1.5], np.float32)}),
    "Gather from the end": (node("Gather", "x", "i", axis=2), {"i": np.array([0, -2])}),
    "GatherElements from the end": (node("GatherElements", "x", "i"), {"i": np.full((1, 2, 6, 6), -1)}),
    "ScatterElements adding": (
        node("ScatterElements", "x", "i", "u", reduction="add"),
        {"i": np.zeros((1, 1, 1, 1), np.int64), "u": np.ones((1, 1, 1, 1), np.float32)},
    ),
    "Expand to more dimensions": (node("Expand", "x", "s"), {"s": np.array([2, 1, 2, 6, 6])}),
    "Einsum of a diagonal": (node("Einsum", "x", equation="abii->abi"), {}),
    "Celu of another alpha": (node("Celu", "x", alpha=2.0), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_operator__case_that_proves_something_else__is_refused(case):
    """Cases of good operators that EZKL refuses or computes otherwise are refused, with node and fix."""
    built, constants = CASES[case]
    with pytest.raises(UnsupportedOperatorError, match="at node 'the_node'") as caught:
        check(model_of([built], inputs=IMAGE, constants=constants))
    assert caught.value.hint


def typed(element_type, to):
    """Build a model that casts a tensor of one element type to another."""
    model = model_of([node("Cast", "x", to=to)], outputs={"y": [1, 4]})
    model.graph.input[0].type.tensor_type.elem_type = element_type
    model.graph.output[0].type.tensor_type.elem_type = to
    return model


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (TensorProto.FLOAT, TensorProto.INT64),
        (TensorProto.FLOAT, TensorProto.BOOL),
        (TensorProto.INT64, TensorProto.BOOL),
    ],
)
def test_operator__cast_that_cuts__is_refused(source, target):
    """EZKL ignores a cast, so one that would change the number is refused."""
    with pytest.raises(UnsupportedOperatorError, match="a cast to"):
        check(typed(source, target))


@pytest.mark.parametrize(
    ("source", "target"), [(TensorProto.INT64, TensorProto.FLOAT), (TensorProto.INT32, TensorProto.INT64)]
)
def test_operator__cast_that_keeps_the_number__passes(source, target):
    """A cast that changes no number passes."""
    check(typed(source, target))


GOOD_CASES = {
    "Conv": (node("Conv", "x", "w", strides=[1, 1]), KERNEL),
    "AveragePool counting its padding": (
        node("AveragePool", "x", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1], count_include_pad=1),
        {},
    ),
    "Pad with zeros": (node("Pad", "x", "p"), {"p": np.array([0, 0, 0, 1, 0, 0, 0, 1])}),
    "Pow": (node("Pow", "x", "e"), {"e": np.float32(2)}),
    "Resize": (node("Resize", "x", "", "s"), {"s": np.array([1, 1, 2, 2], np.float32)}),
    "Gather the last": (node("Gather", "x", "i", axis=2), {"i": np.array([-1])}),
    "Expand": (node("Expand", "x", "s"), {"s": np.array([3, 2, 6, 6])}),
    "Einsum": (node("Einsum", "x", equation="abij->abji"), {}),
    "Celu": (node("Celu", "x"), {}),
}


@pytest.mark.parametrize("case", GOOD_CASES)
def test_operator__the_twin_that_is_proved_right__passes(case):
    """Beside each refused case, the one that EZKL proves as ONNX defines it passes."""
    built, constants = GOOD_CASES[case]
    check(model_of([built], inputs=IMAGE, constants=constants))


def test_operator__maximum_over_padding_after_relu__passes():
    """Where no number is negative, a padding of zeros is as good as one of minus infinity."""
    relu = helper.make_node("Relu", ["x"], ["r"])
    pool = node("MaxPool", "r", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    check(model_of([relu, pool], inputs=IMAGE))


def test_table__names_only_operators_of_onnx():
    """Every operator of the table exists, and none is both supported and given a substitute."""
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    table = operator_table()
    assert set(table["supported"]) <= known
    assert set(table["nearest"]) <= known
    assert not set(table["supported"]) & set(table["nearest"])
    assert table["supported"] == sorted(table["supported"])
    assert table["engine"] == "ezkl 23.0.5"


# --- constants ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weight__not_finite__names_initializer_and_index(value):
    """NaN and infinities in a weight are refused by name and index."""
    model = linear()
    weights = np.ones((4, 3), np.float32)
    weights[1, 2] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "W"))
    with pytest.raises(NonFiniteWeightError, match="at index 5 of 'W'"):
        check(model)


def test_weight__double_beyond_float32__is_refused():
    """A double that becomes infinity as float32 is refused, too."""
    model = model_of([node("Add", "x", "c")], constants={"c": np.array([1e39])}, inputs={"x": [1]})
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(NonFiniteWeightError, match="'c'"):
        check(model)


def test_weight__not_finite_in_an_attribute__is_refused():
    """A NaN hidden in an attribute is refused with its node."""
    with pytest.raises(NonFiniteWeightError, match="attribute alpha of node 'the_node'"):
        check(model_of([node("LeakyRelu", "x", alpha=float("nan"))]))


def integer_model(value, nodes, **kwargs):
    """Build a model on int64 tensors with one constant."""
    model = model_of(nodes, constants={"c": np.asarray(value)}, **kwargs)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.elem_type = TensorProto.INT64
    return model


@pytest.mark.parametrize("value", [BIG, -BIG, 2**63 - 1, -(2**63)])
def test_constant__beyond_2_24_added__is_refused(value):
    """An integer that float32 may not hold is refused where it is computed with."""
    with pytest.raises(
        OversizedConstantError, match=f"found {value} at index 1 of initializer 'c'"
    ) as caught:
        check(integer_model([1, value, 1, 1], [node("Add", "x", "c")]))
    assert "the_node" in caught.value.message


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.uint64])
def test_constant__of_other_integer_types__is_refused(dtype):
    """int32 and unsigned constants go through float32 as well."""
    model = integer_model(np.array([BIG], dtype), [node("Add", "x", "c")])
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.elem_type = element
    with pytest.raises(OversizedConstantError, match=str(BIG)):
        check(model)


@pytest.mark.parametrize("value", [2**24, -(2**24), 0])
def test_constant__within_2_24__passes(value):
    """Up to 2^24 every integer is exact as float32."""
    check(integer_model([value], [node("Add", "x", "c")]))


@pytest.mark.parametrize("attribute", ["value", "value_int", "value_ints"])
def test_constant__of_a_node__is_refused(attribute):
    """A Constant node is no hiding place, in any of its spellings."""
    value = {"value": numpy_helper.from_array(np.array([BIG])), "value_int": BIG, "value_ints": [BIG]}[
        attribute
    ]
    constant = helper.make_node("Constant", [], ["k"], name="hidden", **{attribute: value})
    with pytest.raises(OversizedConstantError, match="constant 'hidden'"):
        check(integer_model([1], [constant, node("Mul", "x", "k")]))


def test_constant__through_reshaping_to_arithmetic__is_refused():
    """A constant that is only moved about before it is added is refused all the same."""
    moves = [
        helper.make_node("Unsqueeze", ["c", "zero"], ["u"]),
        helper.make_node("Identity", ["u"], ["v"]),
        node("Add", "x", "v"),
    ]
    model = integer_model([1, BIG, 1, 1], moves)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    with pytest.raises(OversizedConstantError, match="the_node"):
        check(model)


def test_constant__handed_to_the_output__is_refused():
    """A constant that is an output is proved, and so must be exact."""
    model = integer_model([BIG], [node("Identity", "c")])
    with pytest.raises(OversizedConstantError, match="the output 'y'"):
        check(model)


def test_constant__as_the_data_of_gather__is_refused():
    """A table that is gathered from is data, although the indices are not."""
    gather = helper.make_node("Gather", ["c", "i"], ["t"])
    model = integer_model([BIG, 1], [gather, node("Add", "x", "t")])
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "i"))
    with pytest.raises(OversizedConstantError, match="initializer 'c'"):
        check(model)


def test_constant__end_of_a_slice__passes():
    """Slice's "to the end", 2^63 - 1, says where and not how much: it passes."""
    constants = {"s": np.array([1]), "e": np.array([2**63 - 1]), "a": np.array([1])}
    checked = check(model_of([node("Slice", "x", "s", "e", "a")], constants=constants))
    assert checked.outputs[0].shape == (1, 3)


def test_constant__shape_of_a_reshape__passes_also_when_joined():
    """A shape passes, also when Concat put it together."""
    joined = [helper.make_node("Concat", ["a", "b"], ["s"], axis=0), node("Reshape", "x", "s")]
    check(model_of(joined, constants={"a": np.array([2]), "b": np.array([-1])}))


def test_constant__both_shape_and_summand__is_refused():
    """One harmless reader does not excuse another that computes."""
    nodes = [
        helper.make_node("Slice", ["x", "s", "c", "s"], ["t"]),
        node("Add", "x", "c"),
    ]
    model = integer_model([2**63 - 1], nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "s"))
    with pytest.raises(OversizedConstantError, match="the_node"):
        check(model)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_read__file_without_permission__is_an_error_of_ours(tmp_path):
    """A file that may not be read is an error with its path, not a traceback."""
    path = tmp_path / "m.onnx"
    path.write_bytes(linear().SerializeToString())
    path.chmod(0)
    with pytest.raises(ArtifactNotFoundError, match="readable"):
        check_onnx(path)


def test_octet__operator_outside_ezkls_list__is_left_to_its_compiler():
    """What EZKL is not given, OCTET's compiler judges itself: the general check lets it pass."""
    model = model_of([node("Mish")])
    with pytest.raises(UnsupportedOperatorError):
        check(model)
    checked = check(model, system="octet")
    assert checked.operators == (("Mish", 1),)
    assert checked.warnings == ()


def test_octet__integer_beyond_2_24__passes():
    """The limit is float32's, in which EZKL reads integers; OCTET's biases are integers."""
    model = model_of([node("Add", "x", "c")], constants={"c": np.array([BIG], np.float32)})
    model.graph.initializer.add().CopyFrom(numpy_helper.from_array(np.array([BIG], np.int64), "i"))
    model.graph.node.insert(0, helper.make_node("Cast", ["j"], ["c2"], name="cast", to=TensorProto.FLOAT))
    model.graph.node.insert(0, helper.make_node("Add", ["i", "i"], ["j"], name="sum"))
    with pytest.raises(OversizedConstantError):
        check(model)
    assert check(model, system="octet").parameters == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_octet__weight_not_finite__is_refused(value):
    """The general checks stand before every system."""
    model = model_of([node("Add", "x", "c")], constants={"c": np.array([value], np.float32)})
    with pytest.raises(NonFiniteWeightError):
        check(model, system="octet")


def test_octet__dimension_without_a_number__is_refused_or_bound():
    """A circuit has one size, whatever the system."""
    model = model_of([node("Relu")], inputs={"x": ["n", 4]}, outputs={"y": ["n", 4]})
    with pytest.raises(DynamicShapeError):
        check(model, system="octet")
    assert check(model, system="octet", batch_size=2).inputs[0].shape == (2, 4)


def test_octet__function_of_the_model__is_refused():
    """A graph that calls functions of its own is flat for neither system."""
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 18)]
    )
    model = model_of([node("Relu")], functions=[function])
    with pytest.raises(UnsupportedOperatorError, match="flat graph"):
        check(model, system="octet")


def test_octet__index_as_output__is_no_surprise():
    """An arg-max is an int64 output, which OCTET publishes as it is and EZKL's circuits warn of."""
    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["x"], ["y"], name="n", axis=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert check(model, system="octet").warnings == ()
    assert any("int64" in warning for warning in check(model).warnings)
