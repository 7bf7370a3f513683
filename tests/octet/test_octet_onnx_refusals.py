"""What has no relation is refused with the node's name, before any proof exists."""

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from random_onnx import RandomNetwork

from circuits.octet.compile.calibrate import calibrate
from circuits.octet.compile.front import compile_network
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.quantize import quantize
from circuits.port import ErrorBudget
from zkml.errors import (
    CalibrationError,
    CompileError,
    DynamicShapeError,
    NonFiniteWeightError,
    NotOnnxError,
    UnsupportedOperatorError,
    ZkmlError,
)

IMAGE = (1, 2, 4, 4)
LOOSE = ErrorBudget(max_abs_error=float("inf"), min_argmax_agreement=0.0)
W = np.ones((2, 2, 3, 3), dtype=np.float32)


def model(operator, shape=(1, 4), constants=(), attributes=None, kind=TensorProto.FLOAT, extra=(), domain=""):
    """Return a model of one node `culprit` that reads the input x, then constants, then more inputs."""
    names = [f"c{place}" for place in range(len(constants))]
    node = helper.make_node(
        operator, ["x", *names, *extra], ["y"], name="culprit", domain=domain, **(attributes or {})
    )
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, kind, shape) for name in dict.fromkeys(["x", *extra])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"d{i}" for i in range(len(shape))])],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in zip(names, constants, strict=True)
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


REFUSED = {
    "Softmax": model("Softmax"),
    "LogSoftmax": model("LogSoftmax"),
    "LayerNormalization": model("LayerNormalization", constants=[np.ones(4, np.float32)]),
    "InstanceNormalization": model("InstanceNormalization", IMAGE, [np.ones(2, np.float32)] * 2),
    "LRN": model("LRN", IMAGE, attributes={"size": 3}),
    "CumSum": model("CumSum", constants=[np.int64(1)]),
    "ConvTranspose": model("ConvTranspose", IMAGE, [W]),
    "Resize": model("Resize", IMAGE, [np.zeros(0, np.float32), np.ones(4, np.float32)]),
    "DepthToSpace": model("DepthToSpace", (1, 4, 2, 2), attributes={"blocksize": 2}),
    "Einsum": model("Einsum", constants=[np.ones((4, 4), np.float32)], attributes={"equation": "ij,jk->ik"}),
    "custom": model("Gelu", domain="com.microsoft"),
    "product of two inputs": model("Mul", extra=["z"]),
    "quotient of two inputs": model("Div", extra=["z"]),
    "matrix product of two inputs": model("MatMul", (4, 4), extra=["z"]),
    "power that varies": model("Pow", constants=[np.arange(4, dtype=np.float32)]),
    "division by zero": model("Div", constants=[np.array([1, 0, 1, 1], dtype=np.float32)]),
    "irregular gather": model("Gather", constants=[np.array([0, 1, 3])], attributes={"axis": 1}),
    "gather by input": model("GatherElements", constants=[np.zeros((1, 4), np.int64)]),
    "cast to integers": model("Cast", attributes={"to": 7}),
    "reflecting pad": model("Pad", constants=[np.array([0, 1, 0, 1])], attributes={"mode": "reflect"}),
    "cutting pad": model("Pad", constants=[np.array([0, -1, 0, 0])]),
    "batch of two": model("Conv", (2, 2, 4, 4), [W]),
    "three spatial dimensions": model("Conv", (1, 2, 4, 4, 4), [np.ones((2, 2, 1, 1, 1), np.float32)]),
    "dilated maximum": model("MaxPool", IMAGE, attributes={"kernel_shape": [2, 2], "dilations": [2, 2]}),
    "cut windows that count their padding": model(
        "AveragePool",
        (1, 2, 5, 5),
        attributes={"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1},
    ),
    "variance below zero": model("BatchNormalization", IMAGE, [np.full(2, -1, np.float32)] * 4),
    "attribute of another kind": model("Conv", IMAGE, [W], {"strides": [1]}),
    "shapes that do not fit": model("Add", constants=[np.ones(3, np.float32)]),
    "vast expansion": model("Expand", constants=[np.array([1 << 30, 4])]),
    "last of equal maxima": model("ArgMax", attributes={"axis": 1, "select_last_index": 1}),
    "quantized constant scale per channel": model(
        "QuantizeLinear", constants=[np.ones(4, np.float32), np.zeros(4, np.uint8)]
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_onnx_refusals__an_operator_without_a_relation_is_refused_by_the_name_of_its_node(case):
    """The message says which node, so that a publisher can find it."""
    with pytest.raises(UnsupportedOperatorError, match="culprit") as caught:
        import_onnx(REFUSED[case])
    assert caught.value.message.startswith("expected ")
    assert ", found " in caught.value.message
    assert caught.value.hint


def test_onnx_refusals__a_weight_that_is_not_finite_is_refused():
    """NaN has no integer."""
    with pytest.raises(NonFiniteWeightError, match="culprit"):
        import_onnx(model("MatMul", constants=[np.full((4, 2), np.nan, dtype=np.float32)]))


def test_onnx_refusals__a_dimension_without_a_number_is_refused():
    """A layout needs every size."""
    with pytest.raises(DynamicShapeError, match="'x'"):
        import_onnx(model("Relu", ("batch", 4)))


@pytest.mark.parametrize("data", [b"", b"not onnx", model("Relu")[:-20]])
def test_onnx_refusals__bytes_that_are_no_model_are_refused(data):
    """A torn file is said to be torn."""
    with pytest.raises(NotOnnxError):
        import_onnx(data)


def test_onnx_refusals__an_input_that_is_no_number_of_the_domain_is_refused():
    """Integers of eight bytes have no byte."""
    with pytest.raises(UnsupportedOperatorError, match="int64"):
        import_onnx(model("Relu", kind=TensorProto.INT64))


def test_onnx_refusals__a_fill_of_absurd_size_is_refused_before_it_is_made():
    """A hundred bytes of model do not take a terabyte of memory."""
    fill = helper.make_node("ConstantOfShape", ["s"], ["c"], name="fill")
    add = helper.make_node("Add", ["x", "c"], ["y"], name="add")
    graph = helper.make_graph(
        [fill, add],
        "huge",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1 << 40,))],
        [numpy_helper.from_array(np.array([1 << 40]), "s")],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    with pytest.raises(UnsupportedOperatorError, match="fill"):
        import_onnx(data)


def test_onnx_refusals__a_function_that_is_infinite_on_its_range_is_refused_by_name():
    """log 0 is in no table."""
    real = import_onnx(model("Log"))
    with pytest.raises(CalibrationError, match="culprit"):
        quantize(real, calibrate(real, [{"x": np.array([[0.5, 1, 2, 3]])}]))


def test_onnx_refusals__weights_far_beyond_their_output_range_are_refused_by_name():
    """A range calibrated on one lucky input does not give weights of sixty bits."""
    culprit = helper.make_node("MatMul", ["x", "w"], ["m"], name="culprit")
    relu = helper.make_node("Relu", ["m"], ["r"], name="relu")
    last = helper.make_node("Mul", ["r", "two"], ["y"], name="last")
    graph = helper.make_graph(
        [culprit, relu, last],
        "lucky",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1))],
        [
            numpy_helper.from_array(np.array([[1e9], [1.0]], dtype=np.float32), "w"),
            numpy_helper.from_array(np.float32(2), "two"),
        ],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    real = import_onnx(data)
    with pytest.raises(CompileError, match="2\\^46"):
        quantize(real, calibrate(real, [{"x": np.array([[0.0, 1e-3]])}]), domains={"x": (-1, 1)})


def test_onnx_refusals__calibration_without_a_sample_is_refused():
    """No data, no ranges."""
    with pytest.raises(CalibrationError):
        calibrate(import_onnx(model("Relu")), [])


def test_onnx_refusals__calibration_on_what_is_not_finite_is_refused():
    """One NaN does not become a scale."""
    with pytest.raises(CalibrationError):
        calibrate(import_onnx(model("Relu")), [{"x": np.array([[1, np.nan, 0, 0]])}])


def damaged(data, rng):
    """Return a model with one attribute, input, constant or operator of another kind."""
    model = onnx.load_from_string(data)
    node = rng.choice(list(model.graph.node))
    kind = rng.randrange(4)
    if kind == 0 and node.attribute:
        attribute = rng.choice(list(node.attribute))
        if attribute.ints:
            attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice([-3, 0, 7, 1 << 40])
        else:
            attribute.i, attribute.f = rng.choice([-9, 0, 9]), rng.choice([float("nan"), 1e300])
    elif kind == 1 and len(node.input) > 1:
        del node.input[-1]
    elif kind == 2 and model.graph.initializer:
        held = rng.choice(list(model.graph.initializer))
        cells = numpy_helper.to_array(held).reshape(-1)
        held.CopyFrom(numpy_helper.from_array(cells[: max(1, cells.size - 1)], held.name))
    else:
        node.op_type = rng.choice(
            [
                "Conv",
                "Gemm",
                "MatMul",
                "Reshape",
                "Concat",
                "Slice",
                "MaxPool",
                "Pad",
                "ArgMax",
                "Where",
                "Expand",
            ]
        )
    return model.SerializeToString()


def test_onnx_refusals__a_damaged_model_is_refused_or_compiled_never_a_fault():
    """Whatever an attribute, a shape or a missing input makes a rule stumble over has a message of its own."""
    rng = random.Random(3)
    messages = []
    for seed in range(0, 200, 5):
        net = RandomNetwork(seed)
        data = net.build()
        samples = np.random.default_rng(seed).normal(size=(3, *net.input_shape))
        for _ in range(3):
            try:
                compile_network(damaged(data, rng), samples, budget=LOOSE)
            except ZkmlError as error:
                messages.append(error.message)
    assert len(messages) > 60
    assert all(message.startswith("expected ") for message in messages)
