"""Specification and native code agree on the zoo's networks, and on a folder of models where one is named.

ZKML_ONNX_EXAMPLES=../shared/data/ezkl_examples pytest tests/octet/test_octet_model_agreement.py
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from proof_systems import Specification, native_provers, verifiers

from circuits.octet.compile.front import compile_network
from circuits.octet.compile.verifying_key import make_key
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import Statement
from circuits.octet.witness import make_witness
from circuits.port import ErrorBudget
from zkml.errors import ZkmlError

pytest.importorskip("torch")

# Read before the tests' environment is cleared of such names.
FOLDER = os.environ.get("ZKML_ONNX_EXAMPLES")
EXAMPLES = sorted(Path(FOLDER).glob("*/network.onnx")) if FOLDER else []
ANY = ErrorBudget(max_abs_error=float("inf"), min_argmax_agreement=0.0)


def agree(data, samples):
    """Compile a model, prove one run by every prover, and let every verifier decide."""
    domain = float(samples.min()), float(samples.max())
    network = compile_network(data, samples, domain=domain, budget=ANY)
    program = network.lowered.program
    key = make_key(program, network.lowered.constants, network.reference, LocalSrs(program.rows))
    port, (given,) = network.port, program.inputs
    cells = np.rint(samples[0] * 2.0**port.input_scale_bits).astype(np.int64) + port.input_offset
    inputs = {given.name: np.clip(cells, given.low, given.high).reshape(port.input_shape)}
    witness = make_witness(network.lowered, inputs)
    statement = Statement(witness.inputs, witness.outputs, b"\5" * 32)
    words = Specification().prove(key, statement, witness.columns)
    assert {
        each.name for each in native_provers() if each.prove(key, statement, witness.columns) != words
    } == set()
    false = replace(statement, outputs=(statement.outputs[0] ^ 1, *statement.outputs[1:]))
    for each in verifiers():
        assert each.accepts(key, statement, words)
        assert not each.accepts(key, false, words)
    return program.nu


@pytest.mark.parametrize("name", ["digits", "options"])
def test_model_agreement__of_the_zoos_networks__proofs_and_verdicts_are_equal(name, tmp_path):
    """Weights as they are before training: what is proved does not depend on how good they are."""
    from importlib import import_module  # noqa: PLC0415 torch may be missing

    from zkml.export.torch_module import export_module  # noqa: PLC0415

    model = import_module(f"circuits.zoo.{name}.model")
    module = model.digit_classifier() if name == "digits" else model.option_pricer()
    data = export_module(
        module, model.example_input(), tmp_path / "model.onnx", name=name, system="octet"
    ).data
    shape = tuple(model.example_input().shape)
    agree(data, np.random.default_rng(1).uniform(0, 1, (64, *shape)))


@pytest.mark.skipif(not EXAMPLES, reason="ZKML_ONNX_EXAMPLES names no folder of models")
@pytest.mark.parametrize("path", EXAMPLES or [Path()], ids=lambda path: path.parent.name)
def test_model_agreement__of_a_named_model__proofs_and_verdicts_are_equal(path):
    """Models that the compiler refuses are skipped with its reason."""
    from benchmarks.octet_fidelity import examples  # noqa: PLC0415

    case = next((each for each in examples(path.parent.parent) if each.name == path.parent.name), None)
    if case is None:
        pytest.skip("its shapes cannot be fixed")
    try:
        agree(case.data, case.calibration[:64])
    except ZkmlError as error:
        pytest.skip(error.message)
