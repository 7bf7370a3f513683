"""Import and quantization agree with onnxruntime on random networks over every v1 operator."""

from collections import Counter

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from random_onnx import RandomNetwork, run_onnx

from circuits.octet import ref_exec
from circuits.octet.compile.calibrate import calibrate
from circuits.octet.compile.graph import (
    Affine,
    Lookup,
    MaxPool,
    Total,
    byte_tensors,
    node_output,
    node_reads,
)
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.quantize import quantize
from circuits.octet.compile.real_graph import (
    RealGraph,
    RealInput,
    RealMaxPool,
    RealTable,
    evaluate,
    real_results,
)

NETWORKS = 200
LOCAL_ERROR = 0.52
"""Steps of the output: half a step of rounding, and what 24 bits behind the point leave of the weights."""


def network(seed):
    net = RandomNetwork(seed)
    rng = np.random.default_rng(seed)
    data = net.build()
    inputs = [{"x": rng.normal(size=net.input_shape).astype(np.float32)} for _ in range(12)]
    return net, data, inputs


def local_errors(real, graph, execution):
    """Yield for every byte tensor how far it is, in steps, from the real node applied to the bytes it read."""
    tensors = byte_tensors(graph)
    reals = {
        name: tensors[name].scale * (values - tensors[name].zero_point)
        for name, values in execution.tensors.items()
        if name in tensors
    }
    for node in real.nodes:
        if node.name not in tensors:
            continue
        if isinstance(node, RealTable):
            reads = [node.source]
        elif isinstance(node, RealMaxPool):
            reads = [node.source.tensor]
        else:
            reads = [term.source.tensor for term in node.terms]
        inputs = tuple(RealInput(name, reals[name].shape, None) for name in dict.fromkeys(reads))
        wanted = evaluate(RealGraph(inputs, (node,), ()), reals)[node.name]
        tensor = tensors[node.name]
        steps = np.clip(wanted / tensor.scale + tensor.zero_point, 0, 255)
        yield node, np.abs(steps - execution.tensors[node.name]).max()


@pytest.mark.parametrize("chunk", range(8))
def test_onnx_agreement__every_random_network_is_imported_exactly_and_quantized_to_half_a_step(chunk):
    """The real graph computes what onnxruntime does, and each relation rounds once."""
    each = NETWORKS // 8
    for seed in range(chunk * each, (chunk + 1) * each):
        net, data, inputs = network(seed)
        real = import_onnx(data)
        wanted = run_onnx(data, inputs)
        for one, (expected,) in zip(inputs, wanted, strict=True):
            (found,) = real_results(real, evaluate(real, one))
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max()), (seed, net.used)
        graph = quantize(real, calibrate(real, inputs))
        for one in inputs[:4]:
            execution = ref_exec.execute(graph, ref_exec.quantize_inputs(graph, one))
            for node, error in local_errors(real, graph, execution):
                assert error <= LOCAL_ERROR, (seed, node.label, error)


def test_onnx_agreement__the_random_networks_use_every_operator_and_every_node():
    """No operator of v1 is left out of the agreement."""
    used, made = set(), Counter()
    for seed in range(NETWORKS):
        net, data, inputs = network(seed)
        used |= net.used
        real = import_onnx(data)
        graph = quantize(real, calibrate(real, inputs[:2]))
        made.update(type(node) for node in graph.nodes)
        made.update(type(term) for node in graph.nodes if isinstance(node, Affine) for term in node.terms)
    wanted = """Add ArgMax AveragePool BatchNormalization Clip Concat Conv Div Flatten Gemm GlobalAveragePool
    GlobalMaxPool MatMul MaxPool Mul Neg Pad ReduceMean Relu Reshape Slice Sub Transpose Sigmoid Tanh Exp Erf
    Elu LeakyRelu Softplus HardSwish Sqrt Pow"""
    assert set(wanted.split()) <= used
    assert {Affine, Lookup, MaxPool} <= set(made)
    assert len(made) >= 9, made


def test_onnx_agreement__every_graph_keeps_what_its_docstrings_promise_to_the_layout():
    """Order, tables beside a block of their own, small windows, integers, and accumulators below 2^31."""
    rng = np.random.default_rng(0)
    for seed in range(NETWORKS):
        _, data, inputs = network(seed)
        graph = quantize(real := import_onnx(data), calibrate(real, inputs[:2]))
        known = {tensor.name for tensor in graph.inputs}
        made_by, tabled = {}, []
        for node in graph.nodes:
            assert {view.tensor for view in node_reads(node)} <= known
            name, shape = node_output(node)
            assert name not in known
            known.add(name)
            made_by[name] = node
            if isinstance(node, Lookup):
                assert isinstance(made_by[node.source], Affine)
                assert made_by[node.source].output.shape == shape
                assert node.table.shape == (256,)
                tabled.append(node.source)
            elif isinstance(node, MaxPool):
                assert 2 <= node.kernel[0] * node.kernel[1] <= 4
            else:
                assert node.bias.ndim == len(shape)
                for term in node.terms:
                    assert np.asarray(getattr(term, "weights", term)).dtype.kind in "iO"
                    assert isinstance(getattr(term, "multiplier", 1), int)
        assert len(set(tabled)) == len(tabled)
        (tensor,) = graph.inputs
        extremes = [
            np.zeros(tensor.shape, int),
            np.full(tensor.shape, 255),
            255 * rng.integers(0, 2, tensor.shape),
        ]
        for cells in extremes:
            run = ref_exec.execute(graph, {"x": cells})
            for name, node in made_by.items():
                if isinstance(node, Total):
                    assert np.abs(run.tensors[name]).max() < 2**31
            assert all(np.abs(total).max() < 2**62 for total in run.sums.values())


def test_onnx_agreement__two_tables_of_one_tensor_get_a_block_each():
    """A table's column lies beside its source's rows, so a second table reads a copy of the bytes."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="r"),
        helper.make_node("MatMul", ["r", "w"], ["m"], name="m"),
        helper.make_node("Tanh", ["m"], ["t"], name="t"),
        helper.make_node("Sigmoid", ["m"], ["s"], name="s"),
        helper.make_node("Sigmoid", ["x"], ["u"], name="u"),
    ]
    shapes = {"t": (1, 3), "s": (1, 3), "u": (1, 4)}
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3) - 6, "w")],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    inputs = [{"x": np.random.default_rng(seed).normal(size=(1, 4)).astype(np.float32)} for seed in range(9)]
    real = import_onnx(data)
    integer = quantize(real, calibrate(real, inputs))
    sources = [node.source for node in integer.nodes if isinstance(node, Lookup)]
    blocks = {node.output.name for node in integer.nodes if isinstance(node, Affine)}
    assert len(set(sources)) == 3
    assert set(sources) <= blocks
    for one, wanted in zip(inputs, run_onnx(data, inputs), strict=True):
        run = ref_exec.execute(integer, ref_exec.quantize_inputs(integer, one))
        for found, expected in zip(ref_exec.real_outputs(integer, run), wanted, strict=True):
            assert np.abs(found - expected).max() < 0.06


@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [
        ([1, 5], [2, 2], [0, 2, 0, 2]),
        ([5, 1], [1, 3], [2, 0, 1, 0]),
        ([1, 1], [2, 3], [0, 0, 0, 0]),
        ([5, 6], [2, 1], [4, 5, 4, 5]),
        ([3, 3], [2, 2], [1, 1, 1, 1]),
        ([7, 2], [3, 2], [3, 1, 3, 0]),
        ([2, 2], [2, 2], [1, 0, 0, 1]),
    ],
)
def test_onnx_agreement__a_maximum_over_any_window_is_that_of_its_stages(kernel, strides, pads):
    """Large windows are chains of small ones, strides and padding included; no byte changes on the way."""
    node = helper.make_node(
        "MaxPool", ["x"], ["y"], name="p", kernel_shape=kernel, strides=strides, pads=pads
    )
    sizes = [(9 + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in (0, 1)]
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2, 9, 9))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2, *sizes))],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    cells = np.random.default_rng(5).integers(-120, 120, (1, 2, 9, 9))
    inputs = [{"x": (cells / 8).astype(np.float32)}]
    real = import_onnx(data)
    integer = quantize(real, calibrate(real, inputs), domains={"x": (-16, 15.875)})
    run = ref_exec.execute(integer, ref_exec.quantize_inputs(integer, inputs[0]))
    assert (ref_exec.real_outputs(integer, run)[0] == run_onnx(data, inputs)[0][0]).all()


@pytest.mark.parametrize("bounds", [(1.0, 3.0), (-3.0, -1.0), (-1.0, 2.0), (0.0, 6.0)])
def test_onnx_agreement__a_clip_holds_its_bounds_also_where_zero_is_outside(bounds):
    """A byte cannot saturate at a bound above zero: there a table does it."""
    graph = helper.make_graph(
        [helper.make_node("Clip", ["x", "low", "high"], ["y"], name="clip")],
        "clip",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 64))],
        [
            numpy_helper.from_array(np.float32(value), name)
            for value, name in zip(bounds, ("low", "high"), strict=True)
        ],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    inputs = [{"x": np.linspace(-8, 8, 64, dtype=np.float32)[None]}]
    real = import_onnx(data)
    integer = quantize(real, calibrate(real, inputs))
    run = ref_exec.execute(integer, ref_exec.quantize_inputs(integer, inputs[0]))
    assert np.abs(ref_exec.real_outputs(integer, run)[0] - run_onnx(data, inputs)[0][0]).max() < 0.05


def test_onnx_agreement__the_mean_error_of_random_networks_is_below_two_percent_of_their_range():
    """Rounding errors do not add up to another network."""
    shares = []
    for seed in range(0, NETWORKS, 4):
        net, data, inputs = network(seed)
        if net.used & {"ArgMax", "Round", "ThresholdedRelu"}:  # a jump is where a rounding error is not small
            continue
        real = import_onnx(data)
        graph = quantize(real, calibrate(real, inputs))
        expected = np.array([output for (output,) in run_onnx(data, inputs)])
        found = [
            ref_exec.real_outputs(graph, ref_exec.execute(graph, ref_exec.quantize_inputs(graph, one)))[0]
            for one in inputs
        ]
        span = np.ptp(expected)
        if span > 1e-3:
            shares.append(np.abs(np.array(found) - expected).mean() / span)
    assert len(shares) > 30
    assert np.median(shares) < 0.005
    assert max(shares) < 0.02


def test_onnx_agreement__a_network_gives_the_same_graph_twice():
    """Compilation is deterministic, so that anyone can compile a key again."""
    _, data, inputs = network(3)
    digests = set()
    for _ in range(2):
        real = import_onnx(data)
        digests.add(quantize(real, calibrate(real, inputs)).digest())
    assert len(digests) == 1
