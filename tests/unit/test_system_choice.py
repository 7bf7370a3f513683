"""The choice of a proof system: OCTET where it will do, else EZKL, and always the reason."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from circuits.port import ErrorBudget
from zkml.cli.circuit_description import describe_choice
from zkml.core.progress import silent
from zkml.errors import (
    CalibrationError,
    CompileError,
    DomainError,
    DynamicShapeError,
    LayoutError,
    NonFiniteWeightError,
    ProverLimitError,
    SrsError,
    UnsuitableCircuitError,
    UnsupportedOperatorError,
)
from zkml.publish.system_choice import Wishes, choose_system, compile_with


def onnx_bytes(operator="Relu", shape=(1, 4), weight=1.0):
    """Build a model of one operator and one weight."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node(operator, ["s"], ["y"], name="node")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array([weight], np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture
def wishes(tmp_path):
    """Return a maker of wishes for a model's bytes; a request is the checked bytes."""

    def make(data=None, only_ezkl=()):
        path = tmp_path / "model.onnx"
        path.write_bytes(onnx_bytes() if data is None else data)
        return Wishes(path, None, ErrorBudget(), only_ezkl, lambda checked: checked)

    return make


class Systems:
    """Stand-ins of both systems that compile, or raise what they are told to."""

    def __init__(self, **errors):
        self.errors = errors
        self.opened = []
        self.compiled = []

    def __call__(self, name):
        self.opened.append(name)

        def compile_model(request, *, progress):
            self.compiled.append((name, request))
            if name in self.errors:
                raise self.errors[name]
            fidelity = SimpleNamespace(max_abs_error=0.25, argmax_agreement=1.0)
            return SimpleNamespace(manifest=SimpleNamespace(system=name, fidelity=fidelity))

        return SimpleNamespace(compile=compile_model)


def test_choice__octet_compiles__is_taken_and_ezkl_never_opened(wishes):
    """The better system is taken; of the other one only the check of operators is told."""
    systems = Systems()
    choice = choose_system(wishes(), systems)
    assert systems.opened == ["octet"]
    assert choice.as_json() == {
        "system": "octet",
        "reason": "OCTET has every operator and holds the error budget",
        "budget": {"max_abs_error": None, "relative_error": 0.02, "min_argmax_agreement": 0.98},
        "candidates": [
            {
                "system": "octet",
                "refusal": None,
                "compiled": True,
                "max_abs_error": 0.25,
                "argmax_agreement": 1.0,
            },
            {
                "system": "ezkl",
                "refusal": None,
                "compiled": False,
                "max_abs_error": None,
                "argmax_agreement": None,
            },
        ],
    }
    text = describe_choice(choice)
    assert "not known without compiling" in text
    assert "budget: an error of at most 0.02 of the largest output, argmax on 98% of the samples" in text
    assert text.endswith("taken: octet, since OCTET has every operator and holds the error budget")


@pytest.mark.parametrize(
    "refusal",
    [
        UnsupportedOperatorError("expected an operator with a relation, found Softmax at node 'node'"),
        CompileError("expected outputs below 2^31, found larger ones at node 'node'"),
        UnsuitableCircuitError("expected what OCTET does, found another thing"),
    ],
)
def test_choice__octet_refuses__ezkl_is_taken_with_the_reason(wishes, refusal):
    """The refusal is in JSON and in words, and EZKL compiles what EZKL's own check let pass."""
    systems = Systems(octet=refusal)
    choice = choose_system(wishes(), systems)
    assert systems.opened == ["octet", "ezkl"]
    value = choice.as_json()
    assert value["system"] == "ezkl"
    assert value["reason"] == f"OCTET refuses: {refusal.message}"
    assert value["candidates"][0]["refusal"] == refusal.message
    assert value["candidates"][0]["max_abs_error"] is None
    assert refusal.message in describe_choice(choice)


def test_choice__budget_missed__the_measured_error_is_told(wishes):
    """A reader sees how far OCTET was from the budget."""
    refusal = CalibrationError(
        "expected an error of at most 0.01, found 0.5", max_abs_error=0.5, argmax_agreement=0.75, budget=0.01
    )
    candidate = choose_system(wishes(), Systems(octet=refusal)).as_json()["candidates"][0]
    assert (candidate["max_abs_error"], candidate["argmax_agreement"]) == (0.5, 0.75)
    assert not candidate["compiled"]


def test_choice__what_octet_does_not_do__goes_to_ezkl_unasked(wishes):
    """Committed weights and batches are EZKL's alone: OCTET is not even opened."""
    systems = Systems()
    choice = choose_system(wishes(only_ezkl=("committed weights (--weights committed)",)), systems)
    assert systems.opened == ["ezkl"]
    assert "committed weights" in choice.reason


def test_octet__asked_for_what_it_does_not_do__is_refused_by_name(wishes):
    """Who asks for OCTET by name gets no other system behind the back."""
    systems = Systems()
    with pytest.raises(UnsuitableCircuitError, match="committed weights and several inputs") as caught:
        compile_with(
            wishes(only_ezkl=("committed weights", "several inputs")), "octet", systems("octet"), silent
        )
    assert "--system ezkl" in caught.value.hint
    assert systems.compiled == []


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (onnx_bytes(weight=np.nan), NonFiniteWeightError),
        (onnx_bytes(shape=("n", 4)), DynamicShapeError),
    ],
)
def test_choice__fault_of_the_model__is_raised_before_any_system_is_opened(wishes, data, error):
    """No system would take it, so that no second attempt hides the fault."""
    systems = Systems()
    with pytest.raises(error):
        choose_system(wishes(data), systems)
    assert systems.opened == []


@pytest.mark.parametrize(
    "error",
    [
        SrsError("expected the ceremony's file, found none"),
        LayoutError("expected samples of shape (1, 4), found (1, 5)"),
        DomainError("expected samples in 0..1, found 2"),
        ProverLimitError("expected less memory"),
    ],
)
def test_choice__srs_data_or_machine_is_at_fault__is_raised_and_not_taken_for_a_refusal(wishes, error):
    """EZKL would fail of the same: the error is the user's to mend."""
    systems = Systems(octet=error)
    with pytest.raises(type(error)):
        choose_system(wishes(), systems)
    assert systems.opened == ["octet"]


def test_choice__both_refuse__the_error_carries_both_reasons(wishes):
    """EZKL's error comes out, with what OCTET said in its context."""
    data = onnx_bytes("Mish")
    systems = Systems(octet=UnsupportedOperatorError("expected an operator with a relation, found Mish"))
    with pytest.raises(UnsupportedOperatorError) as caught:
        choose_system(wishes(data), systems)
    assert caught.value.context["octet"] == "expected an operator with a relation, found Mish"
    assert "found Mish at node" in caught.value.message


def test_choice__ezkl_would_refuse__is_told_beside_octets_circuit(wishes):
    """The comparison says so where OCTET is the only one that can."""
    choice = choose_system(wishes(onnx_bytes("Mish")), Systems())
    assert "found Mish" in choice.as_json()["candidates"][1]["refusal"]
    assert "refused" in describe_choice(choice)
