"""Parity: the ONNX model is held against what it came from."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkml.errors import ModelError, ParityError, ToolchainError
from zkml.export.check import check_onnx
from zkml.export.parity import check_parity, onnx_function

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 8


def checked(weights=WEIGHTS, inputs=("x",)):
    """Build and check a model of one matrix product."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weights, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return check_onnx(model.SerializeToString())


SAMPLES = np.random.default_rng(0).normal(size=(5, 1, 4)).astype(np.float32)


def test_parity__same_function__returns_the_small_error():
    """Equal models pass, and the greatest error is returned."""
    assert 0 <= check_parity(lambda x: x @ WEIGHTS, checked(), SAMPLES) < 1e-6


def test_parity__samples_without_batch__are_reshaped():
    """A sample may come without its batch dimension, and as plain lists."""
    check_parity(lambda x: x @ WEIGHTS, checked(), SAMPLES[:, 0].tolist())


def test_parity__other_weights__carries_error_tolerance_and_sample():
    """A model with one other weight fails, at the first sample that shows it."""
    other = WEIGHTS.copy()
    other[2, 1] += 0.5
    samples = SAMPLES.copy()
    samples[0, 0, 2] = 0
    with pytest.raises(ParityError, match="for sample 1") as caught:
        check_parity(lambda x: x @ WEIGHTS, checked(other), samples, tolerance=1e-3)
    context = caught.value.context
    assert context["sample"] == 1
    assert context["tolerance"] == 1e-3
    assert context["max_abs_error"] == pytest.approx(abs(samples[1, 0, 2]) / 2, rel=1e-3)


def test_parity__nan__never_passes():
    """NaN is within no tolerance, however wide."""
    with pytest.raises(ParityError, match="error of nan"):
        check_parity(lambda x: (x @ WEIGHTS) * np.nan, checked(), SAMPLES, tolerance=1e9)


def test_parity__other_shape__is_refused():
    """Outputs of another shape are never broadcast together."""
    with pytest.raises(ParityError, match=r"shape \(3,\), found \(1, 3\)"):
        check_parity(lambda x: (x @ WEIGHTS)[0], checked(), SAMPLES)


def test_parity__no_samples__is_a_mistake():
    """Nothing compared is nothing shown."""
    with pytest.raises(ValueError, match="at least one"):
        check_parity(lambda x: x, checked(), [])


def test_parity__two_inputs__is_refused():
    """A model of two inputs cannot be compared sample by sample."""
    with pytest.raises(ModelError, match="found 2 and 1"):
        onnx_function(checked(inputs=("x", "z")))


def test_parity__model_that_does_not_load__is_our_error():
    """What onnxruntime refuses leaves as an error of ours, on one line, and prints nothing."""
    with pytest.raises(ModelError, match="onnxruntime runs") as caught:
        onnx_function(replace(checked(), data=b"garbage"))
    assert "\n" not in caught.value.message


def test_parity__onnxruntime_missing__says_how_to_install(monkeypatch):
    """Without onnxruntime the error says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ToolchainError, match="package onnxruntime"):
        onnx_function(checked())
