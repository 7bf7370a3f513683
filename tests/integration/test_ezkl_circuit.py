"""A real circuit from ONNX to an accepted proof, and its determinism."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from ezkl_circuits import SAMPLES, Lab, mlp_weights, relu, request, sigmoid, write_mlp

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.ezkl import calibrate
from circuits.ezkl.keygen import verify_keys
from circuits.ezkl.settings import canonicalize_settings, parse_settings
from circuits.port import ErrorBudget
from circuits.systems import open_system
from circuits.verification import verify_proof
from zkml.adapters.ezkl import client
from zkml.adapters.process.child import Limits
from zkml.core.fixed_point import dequantize, quantize
from zkml.core.tensors import expand_input, pack, unpack_input, unpack_output
from zkml.errors import (
    BackendError,
    CalibrationError,
    CompileError,
    DomainError,
    LayoutError,
    ProverLimitError,
    SrsError,
    UnsuitableCircuitError,
    VerifierMismatchError,
    WitnessError,
)

pytestmark = pytest.mark.integration
__all__ = ["relu", "sigmoid"]


def test_prove__sample__accepted_and_exact_length(relu: Lab):
    """A proof of a calibration sample verifies and has the length the manifest states."""
    verify_proof(relu.bundle, relu.proof)
    assert len(bytes.fromhex(relu.proof.proof[2:])) == relu.bundle.manifest.proof_bytes


def test_verify__only_the_verifying_files__accepted(relu: Lab, tmp_path):
    """A verifier needs settings, verifying key and the 516-byte SRS, and no other file of the bundle."""
    names = ["manifest.json", *(relu.bundle.manifest.files[role].path for role in VERIFYING_ROLES)]
    for name in names:
        (tmp_path / name).write_bytes((relu.bundle.path / name).read_bytes())
    assert (tmp_path / "verification.srs").stat().st_size == 516
    verify_proof(Bundle.open(tmp_path, roles=VERIFYING_ROLES), relu.proof)


def test_witness__output__is_the_models_within_the_measured_error(relu: Lab):
    """The packed output means what the float model computes, up to the fidelity in the manifest."""
    manifest = relu.bundle.manifest
    matrix, bias = mlp_weights()
    expected = np.maximum(SAMPLES[:1] @ matrix + bias, 0)
    assert expected.any()
    found = dequantize(unpack_output(manifest.tensor_layout, relu.witness.output), manifest.output_scale_bits)
    assert np.abs(found - expected).max() <= manifest.fidelity.max_abs_error + 1e-6


def test_witness__input__is_fed_without_rounding(relu: Lab):
    """The integers in the witness are those of the packed input, at the ends of the domain too."""
    domain, layout = relu.bundle.manifest.input_domain, relu.bundle.manifest.tensor_layout
    elements = (domain.minimum, domain.maximum, 1, -1)
    path = relu.scratch / "exact.json"
    packed = pack(elements, layout.input_bytes)
    result = relu.system.witness(relu.bundle, packed, path)
    assert unpack_input(layout, result.input) == elements
    assert relu.system.load_witness(relu.bundle, packed, path).output == result.output


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_witness__inputs_the_chain_chooses__exist(activation, request: pytest.FixtureRequest):
    """Inputs expanded from any seed have witnesses, so every genesis proof can be made."""
    lab: Lab = request.getfixturevalue(activation)
    manifest = lab.bundle.manifest
    for seed in range(3):
        packed = expand_input(seed.to_bytes(32, "big"), manifest.tensor_layout, manifest.input_domain)
        witness = lab.system.witness(lab.bundle, packed, lab.scratch / "genesis.json")
    lab.system.mock(lab.bundle, witness)


def test_quantized_outputs__many__equal_the_witness(relu: Lab):
    """The accuracy on a test set is measured on the very integers that proofs carry."""
    outputs = relu.system.quantized_outputs(relu.bundle, SAMPLES)
    assert outputs.shape == (len(SAMPLES), 3)
    assert tuple(outputs[0]) == unpack_output(relu.bundle.manifest.tensor_layout, relu.witness.output)


def test_witness_file__mode__is_private(relu: Lab):
    """A witness file is readable by its owner alone."""
    assert relu.witness.path.stat().st_mode & 0o077 == 0


def test_compile__twice__same_keys(relu: Lab, tmp_path):
    """Two compiles of one model with one SRS give the same settings, both keys, and circuit."""
    again = relu.system.compile(request(tmp_path, relu.onnx, relu.srs))
    for role in ("onnx", "settings", "verifying_key", "proving_key", "srs"):
        assert again.manifest.files[role] == relu.bundle.manifest.files[role], role
    assert again.manifest.circuit == relu.bundle.manifest.circuit


def test_settings__of_many_runs__one_canonical_form(sigmoid: Lab, tmp_path):
    """Whatever order gen_settings writes its lists in, one canonical form comes out."""
    arguments = dataclasses.asdict(parse_settings(sigmoid.bundle.file("settings").read_bytes()).arguments)
    canonical = set()
    for run in range(6):
        client.gen_settings(sigmoid.onnx, tmp_path / str(run), arguments)
        canonical.add(canonicalize_settings((tmp_path / str(run)).read_bytes()))
    assert canonical == {sigmoid.bundle.file("settings").read_bytes()}


def test_verify_keys__own_sources__same_digest(relu: Lab):
    """The verifying key can be rebuilt from ONNX, settings and SRS alone."""
    assert verify_keys(relu.bundle) == relu.bundle.manifest.verifying_key


def test_verify_keys__onnx_of_other_weights__refused(relu: Lab, tmp_path):
    """A bundle that shows one model and proves another is found out by rebuilding its key."""
    for path in relu.bundle.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shown = write_mlp(tmp_path / "model.onnx", seed=4)
    entries = json.loads((tmp_path / "manifest.json").read_bytes())
    from circuits.bundle import describe_files  # noqa: PLC0415 used by this attack only

    entries["files"]["onnx"] = describe_files(tmp_path, {"onnx": shown.name})["onnx"].model_dump()
    del entries["format"]
    forged = type(relu.bundle.manifest).from_fields(entries, where="test")
    (tmp_path / "manifest.json").write_bytes(forged.to_bytes())
    with pytest.raises(VerifierMismatchError):
        verify_keys(Bundle.open(tmp_path))


def test_verifier_source_and_vka__from_the_516_byte_srs__deterministic(relu: Lab):
    """Solidity and VKA come from the verifying files alone, twice the same."""
    files = {
        "verifying_key": relu.bundle.file("verifying_key"),
        "settings": relu.bundle.file("settings"),
        "srs": relu.bundle.file("verification_srs"),
    }
    source = client.create_verifier_source(**files)
    vka = client.create_vka(**files)
    assert "function verifyProof(" in source
    assert len(vka) == 8 + 32 * int.from_bytes(vka[:8], "little")
    assert source == client.create_verifier_source(**files)
    assert vka == client.create_vka(**files)


def test_load_witness__of_another_input__refused(relu: Lab):
    """A kept witness cannot be taken for another input's."""
    other = relu.system.quantize_input(relu.bundle, SAMPLES[1])
    with pytest.raises(WitnessError, match="another"):
        relu.system.load_witness(relu.bundle, other, relu.witness.path)


def test_prove__witness_result_with_another_output__refused(relu: Lab):
    """A witness whose stated output is not the file's is refused before any proving."""
    output = bytes([*relu.witness.output[:-1], relu.witness.output[-1] ^ 1])
    forged = dataclasses.replace(relu.witness, output=output)
    with pytest.raises(WitnessError):
        relu.system.prove(relu.bundle, forged)


def test_prove__corrupt_witness_file__refused(relu: Lab, tmp_path):
    """A witness file cut in half is a WitnessError, not a crash."""
    half = tmp_path / "half.json"
    data = relu.witness.path.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    with pytest.raises(WitnessError):
        relu.system.prove(relu.bundle, dataclasses.replace(relu.witness, path=half))


def test_prove__past_the_time_limit__prover_limit_error(relu: Lab):
    """A prover that takes too long is ended and says so."""
    hasty = open_system("ezkl", limits=Limits(memory_bytes=1 << 34, wall_seconds=0.01))
    with pytest.raises(ProverLimitError):
        hasty.prove(relu.bundle, relu.witness)


def test_prove__measured__predicts_the_next(relu: Lab):
    """After a proof, the next one's duration is predicted."""
    assert relu.system.expected_prove_seconds(relu.bundle) > 0


def test_quantize_input__wrong_count__layout_error(relu: Lab):
    """An input of another number of elements is refused by name."""
    with pytest.raises(LayoutError, match="5 elements"):
        relu.system.quantize_input(relu.bundle, [0.0] * 5)


@pytest.mark.parametrize("side", ["input_visibility", "output_visibility"])
def test_compile__private_side__unsuitable(side, relu: Lab, tmp_path):
    """A circuit that hides its input or output is refused: nobody should pay for it."""
    with pytest.raises(UnsuitableCircuitError, match=side):
        relu.system.compile(request(tmp_path, relu.onnx, relu.srs, **{side: "private"}))
    assert list(tmp_path.iterdir()) == []


def test_compile__budget_out_of_reach__calibration_error(relu: Lab, tmp_path, monkeypatch):
    """An error budget that fixed point cannot meet is refused with the best that was found."""
    monkeypatch.setattr(calibrate, "SCALES_BITS", range(7, 9))
    budget = ErrorBudget(max_abs_error=1e-9)
    with pytest.raises(CalibrationError, match="best scale"):
        relu.system.compile(request(tmp_path, relu.onnx, relu.srs, budget=budget))
    assert list(tmp_path.iterdir()) == []


def test_compile__not_onnx__compile_error(relu: Lab, tmp_path):
    """A file that is no model is refused, and nothing is left behind."""
    junk = relu.scratch / "junk.onnx"
    junk.write_bytes(b"\x00junk")
    with pytest.raises(CompileError):
        relu.system.compile(request(tmp_path, junk, relu.srs))
    assert list(tmp_path.iterdir()) == []


def test_compile__samples_outside_the_declared_domain__domain_error(relu: Lab, tmp_path):
    """Calibration data must lie in the domain the circuit declares."""
    with pytest.raises(DomainError):
        relu.system.compile(request(tmp_path, relu.onnx, relu.srs, domain=(-0.1, 0.1)))


def test_compile__secure_srs_wanted_and_absent__srs_error(relu: Lab, tmp_path):
    """Without the ceremony's file no circuit is made for a real chain."""
    with pytest.raises(SrsError, match="ceremony"):
        relu.system.compile(request(tmp_path, relu.onnx, relu.srs, allow_insecure_srs=False))


def test_quantize__thousands_of_values__as_ezkl():
    """Our quantization equals EZKL's on ties, tiny and large values of both signs."""
    rng = np.random.default_rng(11)
    ties = (np.arange(-400, 400) + 0.5) / 128
    values = np.concatenate([ties, rng.normal(size=1500), rng.uniform(-3e4, 3e4, 1500), [0.0, -0.0, 1e-30]])
    values = values.astype(np.float32)
    for scale in (0, 7, 13):
        assert client.float_to_integer(values.tolist(), scale) == quantize(values, scale).tolist()


def test_child__secrets_and_ezkl_variables__stay_out(monkeypatch, tmp_path):
    """Neither a private key nor the caller's EZKL_* reaches the child."""
    from zkml.adapters.ezkl import process  # noqa: PLC0415

    monkeypatch.setenv("ZKML_PRIVATE_KEY", "0x01")
    monkeypatch.setenv("EZKL_KEY_FORMAT", "processed")
    found = process.environment(str(tmp_path), process.Flavour())
    assert "ZKML_PRIVATE_KEY" not in found
    assert found["EZKL_KEY_FORMAT"] == "raw-bytes"
    assert found["EZKL_REPO_PATH"] == str(tmp_path)


def test_child__panic__backend_error_of_one_line():
    """A Rust panic, which is no Exception in Python, becomes an error of one line."""
    with pytest.raises(BackendError) as caught:
        client.float_to_integer([1e38], 40)
    assert "\n" not in caught.value.message


def test_parent__never_imports_ezkl():
    """A process that proves and verifies through our doors has not loaded ezkl afterwards."""
    code = (
        "import sys, circuits.ezkl.system, circuits.ezkl.verify\n"
        "from zkml.adapters.ezkl.client import float_to_integer\n"
        "assert float_to_integer([0.5], 7) == [64]\n"
        "print('ezkl' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
