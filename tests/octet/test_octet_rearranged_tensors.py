"""Tensors that are rearranged before something reads them: compiled, stated rightly, and as ONNX computes them."""

import numpy as np
import pytest
from integer_statement import broken_rules, stated_outputs
from small_onnx import SmallModel

from circuits.float_model import float_outputs
from circuits.octet.compile.copy_runs import copy_runs
from circuits.octet.compile.front import compile_network
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.real_graph import evaluate, real_results
from circuits.octet.compile.views import Reshape, Slice, Transpose, View, index_map, view_shape
from circuits.octet.witness import make_witness
from circuits.port import ErrorBudget
from zkml.errors import ZkmlError

LOOSE = ErrorBudget(max_abs_error=float("inf"), min_argmax_agreement=0.0)
RNG = np.random.default_rng(8)


def numbers(*shape):
    """Return normal float32 weights."""
    return RNG.normal(size=shape).astype(np.float32)


def shape_of(model, *sizes):
    """Return the name of a constant shape."""
    return model.const(np.array(sizes, dtype=np.int64))


def pool_of_a_reshape(model):
    last = model.node("Reshape", model.node("Relu", "x"), shape_of(model, 1, 2, 4, 6))
    return model.node("MaxPool", last, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])


def pool_of_a_crop(model):
    cut = [shape_of(model, *values) for values in ((0, 1, 1, 0), (1, 3, 6, 4))]
    last = model.node("Reshape", "x", shape_of(model, 1, 3, 4, 4))
    last = model.node("Slice", last, cut[0], cut[1])
    return model.node("MaxPool", last, kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 0, 0])


def flat_parts_side_by_side(model):
    image = model.node("Reshape", "x", shape_of(model, 1, 4, 3, 4))
    one = model.node("Relu", model.node("Conv", image, model.const(numbers(8, 4, 2, 2)), pads=[1, 1, 1, 1]))
    two = model.node("Conv", image, model.const(numbers(8, 4, 3, 3)), pads=[1, 1, 1, 1])
    parts = [model.node("Flatten", part) for part in (one, model.node("Relu", two))]
    return model.node("Concat", *parts, axis=1)


def sum_of_two_arrangements(model):
    image = model.node("Relu", model.node("Reshape", "x", shape_of(model, 1, 4, 3, 4)))
    wide = model.node("Tanh", model.node("Conv", image, model.const(numbers(12, 4, 2, 2)), pads=[1, 1, 0, 0]))
    other = model.node("Relu", model.node("Conv", image, model.const(numbers(12, 4, 1, 1))))
    turned = model.node("Transpose", wide, perm=[0, 2, 3, 1])
    flat = [model.node("Reshape", part, shape_of(model, 1, 144)) for part in (turned, other)]
    return model.node("Sub", *flat)


CASES = [pool_of_a_reshape, pool_of_a_crop, flat_parts_side_by_side, sum_of_two_arrangements]


@pytest.mark.parametrize("build", CASES)
def test_rearranged_tensors__are_compiled_stated_and_computed_as_onnx_does(build):
    """Every rule holds over the integers, and outputs are within three percent of onnxruntime's range."""
    model = SmallModel((1, 48))
    last = build(model)
    samples = RNG.normal(size=(40, 1, 48))
    compiled = compile_network(
        model.bytes(last, rank=4 if "pool" in last.lower() else 2), samples, budget=LOOSE
    )
    low, high = compiled.output_range
    assert compiled.fidelity.max_abs_error < 0.03 * (high - low)
    program, domain = compiled.lowered.program, compiled.port.domain
    elements = RNG.integers(domain.minimum, domain.maximum + 1, 48).tolist()
    inputs = compiled.port.bytes_of(elements)
    witness = make_witness(compiled.lowered, inputs)
    outputs = stated_outputs(program, witness.outputs)
    assert broken_rules(program, compiled.lowered.constants, witness.columns, inputs, outputs) == []


@pytest.mark.parametrize(
    ("view", "starts", "shape"),
    [
        (View("x", (1, 3, 4, 5), (Reshape((1, 60)),)), (0, 7), (1, 70)),
        (View("x", (3, 4, 5), (Transpose((2, 0, 1)), Reshape((5, 12)))), (0, 0), (5, 12)),
        (View("x", (2, 6, 6), (Slice((0, 5, 0), (2, 3, 6), (1, -2, 1)), Reshape((1, 36)))), (1, 0), (3, 36)),
    ],
)
def test_rearranged_tensors__runs_copy_every_cell_once(view, starts, shape):
    """The runs of a view, walked one by one, are the view in its box of the output."""
    cells = index_map(view)
    wanted = np.full(shape, -1)
    wanted[
        tuple(slice(start, start + size) for start, size in zip(starts, view_shape(view), strict=True))
    ] = cells
    found = np.full(shape, -1)
    for axes in copy_runs(view, starts, shape):
        moving = [axis for axis in axes if axis.out is not None]
        for step in range(max(axis.count for axis in moving)):
            source = [axis.base + axis.stride * (step if axis.count > 1 else 0) for axis in axes]
            place = [0] * len(shape)
            for axis in moving:
                place[axis.out] = axis.first + (step if axis.count > 1 else 0)
            assert found[tuple(place)] == -1
            found[tuple(place)] = np.ravel_multi_index(source, view.base_shape)
    assert (found == wanted).all()


def test_rearranged_tensors__a_source_without_axes_to_say_where_has_no_runs():
    """One source axis cannot name places on three output axes."""
    assert copy_runs(View("x", (64,), (Reshape((4, 4, 4)),)), (0, 0, 0), (4, 4, 4)) is None


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_rearranged_tensors__windows_that_end_beyond_the_image_are_those_of_onnxruntime(operator):
    """ceil_mode: the last window is kept if it begins inside of the image or the padding before it."""
    same = 0
    for size, reach, step, before, after in np.ndindex(3, 2, 4, 2, 2):
        model = SmallModel((1, 1, size + 5, size + 6))
        last = model.node(
            operator,
            "x",
            kernel_shape=[reach + 2] * 2,
            strides=[step + 1] * 2,
            pads=[before, before, after, after],
            ceil_mode=1,
        )
        data, cells = (
            model.bytes(last, rank=4),
            RNG.normal(size=(1, 1, size + 5, size + 6)).astype(np.float32),
        )
        try:
            (wanted,) = float_outputs(data, cells[None])
        except ZkmlError:  # onnxruntime has no such window
            continue
        real = import_onnx(data)
        (found,) = real_results(real, evaluate(real, {"x": cells}))
        assert np.abs(found.ravel() - wanted).max() < 1e-5, (size, reach, step, before, after)
        same += 1
    assert same > 50
