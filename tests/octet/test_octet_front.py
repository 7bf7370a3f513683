"""From an ONNX file and data to a statement: deterministic, as exact as asked for, refused with a reason."""

import json

import numpy as np
import pytest
from small_onnx import SmallModel, dense

from circuits.octet.compile import front
from circuits.octet.compile.front import MAX_SAMPLES, compile_network
from circuits.octet.compile.recipe import recompile
from circuits.octet.compile.verifying_key import key_columns
from circuits.port import ErrorBudget
from zkml.errors import (
    CalibrationError,
    CompileError,
    DomainError,
    FormatError,
    LayoutError,
    UnsupportedOperatorError,
)

SIZES = (12, 20, 16, 5)
SAMPLES = np.random.default_rng(0).normal(size=(120, 1, 12))


@pytest.fixture(scope="module")
def compiled():
    """A small perceptron."""
    return compile_network(dense(SIZES), SAMPLES)


def test_front__a_perceptron_meets_the_usual_budget(compiled):
    """Activations of eight bits are within two percent of the largest output."""
    span = compiled.output_range[1] - compiled.output_range[0]
    assert 0 < compiled.fidelity.max_abs_error < 0.02 * span
    assert compiled.fidelity.samples == len(SAMPLES)
    assert compiled.percentile == 100.0
    assert compiled.reference == compiled.lowered.graph.digest()


def test_front__the_same_model_and_data_give_the_same_statement(compiled):
    """Keys can be made again."""
    again = compile_network(dense(SIZES), SAMPLES)
    assert again.lowered.program == compiled.lowered.program
    assert again.reference == compiled.reference


def test_front__the_recipe_makes_the_statement_again_without_data(compiled):
    """Through JSON and back, recipe and ONNX file give program, constants and integer graph."""
    lowered, port = recompile(dense(SIZES), json.loads(json.dumps(compiled.recipe)))
    assert lowered.program == compiled.lowered.program
    assert lowered.graph.digest() == compiled.reference
    assert port == compiled.port
    columns = key_columns(lowered.program, lowered.constants)
    for name, column in key_columns(compiled.lowered.program, compiled.lowered.constants).items():
        assert (columns[name] == column).all()


def test_front__the_recipe_of_other_weights_makes_another_statement(compiled):
    """A recipe does not make up for the model."""
    lowered, _ = recompile(dense(SIZES, seed=1), compiled.recipe)
    assert lowered.graph.digest() != compiled.reference


@pytest.mark.parametrize(
    "lie",
    [
        {"shift": 25},
        {"shift": 24.0},
        {"shift": True},
        {"nu": 7},
        {"nu": 60},
        {"domain": [1.0, -1.0]},
        {"domain": [0.0, float("nan")]},
        {"domain": [0, 1]},
        {"ranges": {}},
        {"ranges": []},
        {"more": 1},
    ],
)
def test_front__a_recipe_that_is_none_is_refused(compiled, lie):
    """A recipe in a bundle is anybody's word."""
    with pytest.raises((FormatError, CompileError)):
        recompile(dense(SIZES), compiled.recipe | lie)


def test_front__a_recipe_with_a_range_of_another_tensor_is_refused(compiled):
    """Each tensor of the model has a range, and nothing else has."""
    ranges = dict(compiled.recipe["ranges"])
    for wrong in (ranges | {"more": [0.0, 1.0]}, dict(list(ranges.items())[1:])):
        with pytest.raises(FormatError, match="range for each tensor"):
            recompile(dense(SIZES), compiled.recipe | {"ranges": wrong})


def test_front__a_recipe_with_an_interval_from_high_to_low_is_refused(compiled):
    """No tensor has such a range."""
    ranges = compiled.recipe["ranges"]
    last = max(ranges)
    low, high = ranges[last]
    with pytest.raises(FormatError, match="two finite numbers in order"):
        recompile(dense(SIZES), compiled.recipe | {"ranges": ranges | {last: [high, low]}})


def test_front__a_budget_that_eight_bits_cannot_hold_is_refused_with_its_figures():
    """The message says how far off the best attempt was, and what to do."""
    with pytest.raises(CalibrationError) as caught:
        compile_network(dense(SIZES), SAMPLES, budget=ErrorBudget(max_abs_error=1e-6))
    context = caught.value.context
    assert context["max_abs_error"] > context["budget"] == 1e-6
    assert 0 <= context["argmax_agreement"] <= 1
    assert context["min_argmax_agreement"] == ErrorBudget().min_argmax_agreement
    assert "EZKL" in caught.value.hint


def test_front__the_fewest_bits_of_a_shift_that_hold_the_budget_are_taken(compiled, monkeypatch):
    """Each eight bits are a column of limbs: 16 serve as a rule, 24 where 16 do not hold the budget."""
    assert compiled.lowered.program.shift == 16
    verdicts = iter([False, True])
    monkeypatch.setattr(front, "_meets", lambda *_, **__: next(verdicts))
    finer = compile_network(dense(SIZES), SAMPLES)
    assert (finer.lowered.program.shift, finer.percentile) == (24, 100.0)
    assert recompile(dense(SIZES), finer.recipe)[0].program == finer.lowered.program


def test_front__a_rare_cell_far_outside_is_cut_off_where_the_budget_needs_it():
    """A range that holds one outlier wastes its steps on nothing; a percentile gives them back."""
    model = SmallModel((1, 64))
    total = model.node("MatMul", "x", model.const(np.ones((64, 1), np.float32)))
    data = model.bytes(model.node("HardSigmoid", total, alpha=5.0, beta=0.5))
    rng = np.random.default_rng(1)
    signs = rng.permuted(np.tile([1.0, -1.0], (2000, 32)), axis=1)
    signs[:, 0] += rng.integers(-12, 13, 2000) / 64
    signs[7] = 1.0
    found = compile_network(data, signs.reshape(2000, 1, 64))
    assert found.percentile < 100.0
    assert found.fidelity.max_abs_error < 0.02


def test_front__a_domain_wider_than_the_data_is_the_statements(compiled):
    """What the circuit accepts is what was asked for, and the interval analysis is about that."""
    wide = compile_network(dense(SIZES), SAMPLES, domain=(-8.0, 7.0), budget=ErrorBudget(max_abs_error=9.0))
    scale = 2**wide.port.input_scale_bits
    assert (wide.port.domain.minimum, wide.port.domain.maximum) == (-8 * scale, 7 * scale)
    (given,) = wide.lowered.program.inputs
    assert (given.low, given.high) == (0, 15 * scale)
    with pytest.raises(DomainError, match=r"expected samples in -1\.\.1"):
        compile_network(dense(SIZES), SAMPLES, domain=(-1.0, 1.0))


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros((0, 1, 12)), LayoutError),
        (np.zeros((3, 1, 11)), LayoutError),
        (np.float64(3), LayoutError),
        (np.full((3, 1, 12), np.nan), DomainError),
        (np.full((3, 1, 12), np.inf), DomainError),
    ],
)
def test_front__data_that_is_no_input_is_refused(samples, error):
    """Wrong shapes and numbers end in a message."""
    with pytest.raises(error, match=r"^expected .*, found "):
        compile_network(dense(SIZES), samples)


def test_front__no_more_samples_are_run_than_needed():
    """A large data set does not make compilation slow."""
    many = np.random.default_rng(0).normal(size=(MAX_SAMPLES + 500, 1, 3))
    compiled = compile_network(dense((3, 2)), many)
    assert compiled.fidelity.samples == MAX_SAMPLES


def test_front__a_large_network_is_run_on_fewer_samples(monkeypatch):
    """Memory and time are bounded by cells, not by samples alone."""
    monkeypatch.setattr(front, "MAX_CELLS", 50 * (3 + 2))
    many = np.random.default_rng(0).normal(size=(400, 1, 3))
    assert compile_network(dense((3, 2)), many).fidelity.samples == 50


def test_front__a_model_of_two_outputs_is_refused():
    """The port has one input and one output."""
    model = SmallModel((1, 4))
    data = model.bytes(model.node("Relu", "x"), model.node("Sigmoid", "x"))
    with pytest.raises(CompileError, match="one input and one output"):
        compile_network(data, np.zeros((2, 1, 4)))


def test_front__an_unsupported_node_is_named():
    """A publisher finds the node."""
    model = SmallModel((1, 4))
    with pytest.raises(UnsupportedOperatorError, match="Softmax_0"):
        compile_network(model.bytes(model.node("Softmax", "x")), np.zeros((2, 1, 4)))
