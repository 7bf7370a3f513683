"""Models that come quantized: QDQ and QLinear, against onnxruntime's own integer kernels."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from random_onnx import run_onnx

from circuits.octet import ref_exec
from circuits.octet.compile.calibrate import calibrate
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.quantize import quantize
from zkml.errors import UnsupportedOperatorError


class Builder:
    """ONNX nodes with constants."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def const(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operator, *inputs, **attributes):
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name + "_out"], name=name, **attributes))
        return name + "_out"

    def qdq(self, tensor, scale, zero):
        pair = self.const(np.float32(scale)), self.const(zero)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", tensor, *pair), *pair)

    def weights(self, rng, shape, axis):
        codes = self.const(rng.integers(-127, 128, shape).astype(np.int8))
        scales = self.const((0.002 + 0.01 * rng.random(shape[axis])).astype(np.float32))
        zeros = self.const(np.zeros(shape[axis], dtype=np.int8))
        return self.node("DequantizeLinear", codes, scales, zeros, axis=axis)

    def bytes(self, last, in_shape, out_shape, kind=TensorProto.FLOAT, out=TensorProto.FLOAT):
        graph = helper.make_graph(
            self.nodes,
            "quantized",
            [helper.make_tensor_value_info("x", kind, in_shape)],
            [helper.make_tensor_value_info(last, out, out_shape)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def conv_net(seed, layers, byte=np.uint8):
    """Return a QDQ network of convolutions with ReLU and a dense end, its input shape and its last scale."""
    rng, b = np.random.default_rng(seed), Builder()
    zero = byte(128) if byte is np.uint8 else byte(-3)
    shape = (1, 3, 9, 8)
    last = b.qdq("x", 0.02, zero)
    for layer in range(layers):
        weights = b.weights(rng, (4, shape[1], 3, 3), 0)
        last = b.node("Conv", last, weights, pads=[1, 1, 1, 1], strides=[1 + layer % 2, 1])
        shape = (1, 4, -(-shape[2] // (1 + layer % 2)), shape[3])
        if layer % 2 == 0:
            last = b.node("Relu", last)
        floor = (byte(0) if byte is np.uint8 else byte(-128)) if layer % 2 == 0 else zero
        last = b.qdq(last, 0.03, floor)
    last = b.node("Flatten", last)
    size = int(np.prod(shape))
    last = b.node("MatMul", last, b.weights(rng, (size, 6), 1))
    last = b.qdq(last, 0.2, zero)
    return b.bytes(last, (1, 3, 9, 8), (1, 6)), (1, 3, 9, 8), 0.2


def steps_apart(data, shape, scale, seed, cases=40):
    """Return by how many steps the integer reference and onnxruntime differ, for every cell."""
    rng = np.random.default_rng(seed)
    inputs = [{"x": rng.normal(size=shape).astype(np.float32)} for _ in range(cases)]
    real = import_onnx(data)
    graph = quantize(real, calibrate(real, inputs))
    apart = []
    for one, (wanted,) in zip(inputs, run_onnx(data, inputs), strict=True):
        run = ref_exec.execute(graph, ref_exec.quantize_inputs(graph, one))
        apart.append(np.rint((ref_exec.real_outputs(graph, run)[0] - wanted) / scale))
    return np.array(apart)


@pytest.mark.parametrize("byte", [np.uint8, np.int8])
@pytest.mark.parametrize("seed", range(4))
def test_quantized_models__a_quantized_network_differs_by_at_most_one_step_per_layer(seed, byte):
    """The model's own scales and zero points are used as they are."""
    for layers in (0, 1, 3):
        apart = steps_apart(*conv_net(seed, layers, byte), seed)
        assert np.abs(apart).max() <= max(1, layers), (layers, np.abs(apart).max())
        assert (apart != 0).mean() < (0.02 if layers == 0 else 0.25)


def test_quantized_models__a_relu_above_the_lowest_byte_is_bounded_at_the_zero_point():
    """A scale that reaches below zero does not let negative numbers through a ReLU."""
    b = Builder()
    last = b.qdq(b.node("Relu", b.qdq("x", 0.02, np.uint8(128))), 0.02, np.uint8(100))
    data = b.bytes(last, (1, 50), (1, 50))
    assert np.abs(steps_apart(data, (1, 50), 0.02, 0)).max() == 0


@pytest.mark.parametrize("seed", range(3))
def test_quantized_models__qlinear_operators_and_integer_inputs_differ_by_at_most_one_step(seed):
    """QLinearConv and QLinearMatMul read and write codes; the graph's input and output are bytes."""
    rng, b = np.random.default_rng(seed), Builder()
    number = lambda value: b.const(np.float32(value))  # noqa: E731
    zero = lambda value: b.const(np.uint8(value))  # noqa: E731
    conv = b.node(
        "QLinearConv",
        *("x", number(0.02), zero(120)),
        b.const(rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8)),
        b.const((0.01 * rng.random(4) + 0.001).astype(np.float32)),
        b.const(np.zeros(4, dtype=np.int8)),
        *(number(0.03), zero(90)),
        b.const(rng.integers(-3000, 3000, 4).astype(np.int32)),
        pads=[1, 1, 1, 1],
    )
    pool = b.node("MaxPool", conv, kernel_shape=[2, 2], strides=[2, 2])
    flat = b.node("Reshape", pool, b.const(np.array([1, 36], dtype=np.int64)))
    last = b.node(
        "QLinearMatMul",
        *(flat, number(0.03), zero(90)),
        b.const(rng.integers(-127, 128, (36, 5)).astype(np.int8)),
        number(0.01),
        b.const(np.int8(0)),
        *(number(0.1), zero(128)),
    )
    data = b.bytes(last, (1, 2, 6, 6), (1, 5), TensorProto.UINT8, TensorProto.UINT8)
    inputs = [{"x": rng.integers(0, 256, (1, 2, 6, 6)).astype(np.uint8)} for _ in range(30)]
    real = import_onnx(data)
    held = [{"x": 0.02 * (one["x"].astype(np.float64) - 120)} for one in inputs]
    graph = quantize(real, calibrate(real, held))
    assert (graph.inputs[0].scale, graph.inputs[0].zero_point) == (float(np.float32(0.02)), 120)
    for one, (wanted,) in zip(inputs, run_onnx(data, inputs), strict=True):
        (found,) = ref_exec.execute(graph, {"x": one["x"].astype(np.int64)}).outputs
        assert np.abs(found - wanted.astype(np.int64)).max() <= 1


def test_quantized_models__weights_of_a_quantized_model_are_multiples_of_one_integer_per_channel():
    """W' = M * W_int, so that the model's integers are what is proved."""
    data, shape, _ = conv_net(1, 1)
    real = import_onnx(data)
    graph = quantize(real, calibrate(real, [{"x": np.zeros(shape)}]))
    weights = graph.nodes[0].terms[0].weights
    for channel in weights.reshape(len(weights), -1):
        step = np.gcd.reduce(channel)
        assert np.abs(channel // step).max() <= 127
        assert step > 1000


def test_quantized_models__a_dequantization_with_another_scale_is_refused_by_name():
    """Reading codes with a scale they were not made with would need another relation."""
    b = Builder()
    codes = b.node("QuantizeLinear", "x", b.const(np.float32(0.1)), b.const(np.uint8(3)))
    last = b.node("DequantizeLinear", codes, b.const(np.float32(0.2)), b.const(np.uint8(3)))
    with pytest.raises(UnsupportedOperatorError, match="DequantizeLinear_1"):
        import_onnx(b.bytes(last, (1, 4), (1, 4)))


def test_quantized_models__codes_of_sixteen_bits_are_refused_by_name():
    """Bytes are all there is in this version."""
    b = Builder()
    pair = b.const(np.float32(0.1)), b.const(np.uint16(3))
    last = b.node("DequantizeLinear", b.node("QuantizeLinear", "x", *pair), *pair)
    graph = helper.make_graph(
        b.nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, (1, 4))],
        b.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(UnsupportedOperatorError, match="uint16 at node 'QuantizeLinear_0'"):
        import_onnx(model.SerializeToString())
