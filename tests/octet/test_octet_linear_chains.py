"""Layers without an activation between them become one, and compute the same."""

import numpy as np
import pytest
from small_onnx import SmallModel
from test_octet_onnx_agreement import network

from circuits.octet.compile.linear_chains import merge_chains
from circuits.octet.compile.linear_terms import Conv, Gemm
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.real_graph import evaluate, real_results

RNG = np.random.default_rng(4)


def normal(*shape):
    """Return normal float32 weights."""
    return RNG.normal(size=shape).astype(np.float32)


def merged(model, last, shape, rank=2):
    """Return the merged network, after checking that it computes what the model does."""
    real = import_onnx(model.bytes(last, rank=rank))
    found = merge_chains(real)
    for _ in range(3):
        given = {"x": RNG.normal(size=shape)}
        (wanted,), (value,) = (real_results(one, evaluate(one, given)) for one in (real, found))
        assert value.shape == wanted.shape
        assert np.abs(value - wanted).max() <= 1e-9 * max(1.0, np.abs(wanted).max())
    return found


def test_linear_chains__random_networks_compute_the_same_after_merging():
    """On every random network over all operators, with fewer nodes on some."""
    fewer = 0
    for seed in range(120):
        _, data, inputs = network(seed)
        real = import_onnx(data)
        found = merge_chains(real)
        fewer += len(found.nodes) < len(real.nodes)
        for one in inputs[:2]:
            for value, wanted in zip(
                real_results(found, evaluate(found, one)),
                real_results(real, evaluate(real, one)),
                strict=True,
            ):
                assert np.abs(value - wanted).max() <= 1e-7 * max(1.0, np.abs(wanted).max()), seed
    assert fewer >= 5


@pytest.mark.parametrize("groups", [1, 2])
def test_linear_chains__a_bias_before_a_pool_and_a_convolution_is_kept(groups):
    """What the inner sum adds reaches the outputs through every kernel of every group."""
    model = SmallModel((1, 4, 6, 7))
    shifted = model.node("Add", "x", model.const(normal(1, 4, 6, 7)))
    pooled = model.node("AveragePool", shifted, kernel_shape=[2, 1], strides=[1, 2])
    pooled = model.node("Add", pooled, model.const(normal(1, 4, 5, 4)))
    last = model.node("Conv", pooled, model.const(normal(6, 4 // groups, 2, 3)), group=groups)
    assert len(merged(model, last, (1, 4, 6, 7), rank=4).nodes) == groups
    model = SmallModel((1, 4, 6, 7))
    joined = model.node("Concat", model.node("Relu", "x"), model.const(normal(1, 2, 6, 7)), axis=1)
    last = model.node("Conv", joined, model.const(normal(5, 6, 3, 3)), pads=[1, 0, 1, 2], strides=[2, 1])
    assert len(merged(model, last, (1, 4, 6, 7), rank=4).nodes) == 2


def test_linear_chains__sums_are_added_up_in_one_order():
    """No product of whole matrices, whose order of addition is a machine's own."""
    model, last = SmallModel((1, 40)), "x"
    weights = [normal(40, 1500), normal(1500, 20)]
    for each in weights:
        last = model.node("MatMul", last, model.const(each))
    (node,) = merged(model, last, (1, 40)).nodes
    first, second = (each.astype(np.float64).tolist() for each in weights)
    for output, cell in np.ndindex(20, 40):
        total = 0.0
        for middle in range(1500):
            total += second[middle][output] * first[cell][middle]
        assert node.terms[0].weights[output, cell] == total


def test_linear_chains__dense_layers_in_a_row_are_one_matrix():
    """Three matrices and their biases without ReLU are one."""
    model, last = SmallModel((1, 12)), "x"
    for before, after in ((12, 30), (30, 20), (20, 3)):
        last = model.node("Gemm", last, model.const(normal(before, after)), model.const(normal(after)))
    (node,) = merged(model, last, (1, 12)).nodes
    assert [term.weights.shape for term in node.terms] == [(3, 12)]


def test_linear_chains__rows_of_a_sequence_are_merged_row_by_row():
    """Two products over the last axis of several rows."""
    model = SmallModel((1, 5, 8))
    last = model.node("MatMul", "x", model.const(normal(8, 9)))
    last = model.node("MatMul", model.node("Add", last, model.const(normal(9))), model.const(normal(9, 4)))
    (node,) = merged(model, last, (1, 5, 8), rank=3).nodes
    assert node.shape == (1, 5, 4)


def test_linear_chains__a_pool_joins_the_convolution_behind_it():
    """An average over windows and a kernel are a larger kernel with a larger step."""
    model = SmallModel((1, 2, 12, 14))
    last = model.node(
        "AveragePool", "x", kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1], count_include_pad=1
    )
    last = model.node("Conv", last, model.const(normal(4, 2, 3, 2)), model.const(normal(4)), strides=[1, 2])
    (node,) = merged(model, last, (1, 2, 12, 14), rank=4).nodes
    (term,) = node.terms
    assert isinstance(term, Conv)
    assert (term.weights.shape, term.strides) == ((4, 2, 6, 5), (2, 4))


def test_linear_chains__a_pool_joins_the_dense_layer_behind_it():
    """Pool, flatten, matrix: every cell of the image has its weights."""
    model = SmallModel((1, 3, 6, 6))
    last = model.node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2])
    last = model.node("Gemm", model.node("Flatten", last), model.const(normal(27, 4)))
    (node,) = merged(model, last, (1, 3, 6, 6)).nodes
    (term,) = node.terms
    assert isinstance(term, Gemm)
    assert term.weights.shape == (4, 108)


def test_linear_chains__channels_side_by_side_join_the_convolution_behind_them():
    """A convolution over a concatenation is one over each part, and the parts are not copied."""
    model = SmallModel((1, 3, 6, 6))
    parts = [model.node("Relu", "x"), model.node("Tanh", "x")]
    last = model.node("Concat", *parts, model.const(normal(1, 2, 6, 6)), axis=1)
    last = model.node("Conv", last, model.const(normal(4, 8, 3, 3)), pads=[1, 1, 1, 1])
    node = merged(model, last, (1, 3, 6, 6), rank=4).nodes[-1]
    assert [term.weights.shape for term in node.terms] == [(4, 3, 3, 3)] * 2


def test_linear_chains__flat_parts_side_by_side_join_the_matrix_behind_them():
    """A product with a concatenation of rearranged tensors is one with each."""
    model = SmallModel((1, 2, 3, 4))
    parts = [model.node("Relu", "x"), model.node("Transpose", model.node("Tanh", "x"), perm=[0, 3, 1, 2])]
    last = model.node("Concat", *(model.node("Flatten", part) for part in parts), axis=1)
    node = merged(model, model.node("MatMul", last, model.const(normal(48, 5))), (1, 2, 3, 4)).nodes[-1]
    assert [term.weights.shape for term in node.terms] == [(5, 24)] * 2


def relu_between(model):
    """An activation makes bytes necessary."""
    last = model.node("Relu", model.node("MatMul", "x", model.const(normal(8, 8))))
    return model.node("MatMul", last, model.const(normal(8, 2)))


def read_twice(model):
    """A tensor that something else reads must exist."""
    first = model.node("MatMul", "x", model.const(normal(8, 8)))
    second = model.node("MatMul", first, model.const(normal(8, 8)))
    return model.node("Add", second, model.node("Tanh", first))


def wide_in_the_middle(model):
    """A product of two small matrices that is larger than both and saves little stays two."""
    last = model.node("MatMul", "x", model.const(normal(8, 1)))
    return model.node("MatMul", last, model.const(normal(1, 60)))


@pytest.mark.parametrize("build", [relu_between, read_twice, wide_in_the_middle])
def test_linear_chains__what_must_be_bytes_stays(build):
    """Nothing is merged through an activation, for two readers, or into a far larger matrix."""
    model = SmallModel((1, 8))
    last = build(model)
    before = len(import_onnx(model.bytes(last)).nodes)
    assert len(merged(model, last, (1, 8)).nodes) == before


def test_linear_chains__a_padded_convolution_keeps_its_pool():
    """Outside of a pool's output is zero, where a merged window would still see cells."""
    model = SmallModel((1, 1, 8, 8))
    last = model.node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2])
    last = model.node("Conv", last, model.const(normal(2, 1, 3, 3)), pads=[1, 1, 1, 1])
    assert len(merged(model, last, (1, 1, 8, 8), rank=4).nodes) == 2


def test_linear_chains__a_prescribed_scale_stays():
    """A QDQ model's bytes are its own."""
    model = SmallModel((1, 8))
    pair = model.const(np.float32(0.1)), model.const(np.uint8(128))
    last = model.node("MatMul", "x", model.const(normal(8, 8)))
    last = model.node("DequantizeLinear", model.node("QuantizeLinear", last, *pair), *pair)
    last = model.node("MatMul", last, model.const(normal(8, 2)))
    assert len(merge_chains(import_onnx(model.bytes(last))).nodes) == 2
