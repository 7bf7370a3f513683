"""What EZKL accepts, ignores or hangs on, and what we do about it: one test a trap."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from ezkl_circuits import SAMPLES, Lab, relu, sigmoid

from circuits.bundle import Bundle
from circuits.ezkl.settings import parse_settings
from circuits.port import WitnessResult
from circuits.srs_file import ceremony_verification_srs
from circuits.verification import verify_proof
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import call_ezkl
from zkml.core.field import R
from zkml.core.records import ProofFile, from_hex, to_hex
from zkml.core.tensors import instances_of, pack
from zkml.errors import (
    BackendError,
    BindingError,
    DigestMismatchError,
    DomainError,
    FormatError,
    InstanceMismatchError,
    ProofRejectedError,
    StorageError,
    VerifierMismatchError,
    WitnessError,
)

pytestmark = pytest.mark.integration
__all__ = ["relu", "sigmoid"]


def changed(original: ProofFile, **fields) -> ProofFile:
    return original.model_copy(update=fields)


def ezkl_verify(lab: Lab, proof: bytes, instances, **files) -> None:
    """Ask EZKL itself, past all our checks."""
    paths = {
        "settings": lab.bundle.file("settings"),
        "verifying_key": lab.bundle.file("verifying_key"),
        "srs": lab.bundle.file("verification_srs"),
    }
    client.verify(proof, instances, **(paths | files))


def instances(lab: Lab) -> tuple[int, ...]:
    return instances_of(lab.bundle.manifest.tensor_layout, lab.witness.input, lab.witness.output)


def test_verify__32_trailing_bytes__rejected_though_ezkl_accepts(relu: Lab):
    """A proof with trailing bytes, which EZKL accepts and the chain reverts on, is rejected here."""
    longer = from_hex(relu.proof.proof) + bytes(32)
    ezkl_verify(relu, longer, instances(relu))
    with pytest.raises(ProofRejectedError, match="bytes"):
        verify_proof(relu.bundle, changed(relu.proof, proof=to_hex(longer)))


@pytest.mark.parametrize("length", [0, 32, -32])
def test_verify__cut_proof__rejected(length, relu: Lab):
    """A shortened or empty proof is rejected."""
    with pytest.raises(ProofRejectedError):
        verify_proof(relu.bundle, changed(relu.proof, proof=to_hex(from_hex(relu.proof.proof)[:length])))


@pytest.mark.parametrize("position", [0, 100, -1])
def test_verify__one_flipped_byte__rejected(position, relu: Lab):
    """A proof with one byte changed is rejected."""
    data = bytearray(from_hex(relu.proof.proof))
    data[position] ^= 1
    with pytest.raises(ProofRejectedError):
        verify_proof(relu.bundle, changed(relu.proof, proof=to_hex(bytes(data))))


def test_verify__random_bytes__rejected(relu: Lab):
    """Random bytes of the right length are rejected."""
    data = os.urandom(relu.bundle.manifest.proof_bytes)
    with pytest.raises(ProofRejectedError):
        verify_proof(relu.bundle, changed(relu.proof, proof=to_hex(data)))


def test_verify__a_context__refused(relu: Lab):
    """EZKL's proofs are bound to no job, so a file that says one is of a job is not believed."""
    with pytest.raises(BindingError, match="context"):
        verify_proof(relu.bundle, changed(relu.proof, context="0x" + "01" * 32))


@pytest.mark.parametrize("field", ["pretty_public_inputs", "hex_proof"])
def test_proof_file__fields_that_ezkl_ignores__refused(field, relu: Lab):
    """A proof file has no place for the copies of the instances that EZKL's verifier never looks at."""
    document = json.loads(relu.proof.to_bytes()) | {field: "0x00"}
    with pytest.raises(FormatError, match=field):
        ProofFile.from_bytes(json.dumps(document).encode(), where="test")


@pytest.mark.parametrize("side", ["input", "output"])
def test_verify__changed_tensor__rejected(side, relu: Lab):
    """A proof does not hold for another output nor for another input."""
    data = bytearray(from_hex(getattr(relu.proof, side)))
    data[-1] ^= 1
    with pytest.raises(ProofRejectedError):
        verify_proof(relu.bundle, changed(relu.proof, **{side: to_hex(bytes(data))}))


@pytest.mark.parametrize("side", ["input", "output"])
def test_verify__tensor_of_another_length__instance_mismatch(side, relu: Lab):
    """One instance too few or too many is refused before EZKL is asked."""
    data = from_hex(getattr(relu.proof, side))
    for other in (data[:-1], data + b"\x00", b""):
        with pytest.raises(InstanceMismatchError):
            verify_proof(relu.bundle, changed(relu.proof, **{side: to_hex(other)}))


def test_verify__input_outside_the_domain__instance_mismatch(relu: Lab):
    """A proof about an input that the circuit does not declare is refused, as the chain refuses it."""
    manifest = relu.bundle.manifest
    outside = pack([manifest.input_domain.maximum + 1] * 4, manifest.layout.input_bytes)
    with pytest.raises(InstanceMismatchError):
        verify_proof(relu.bundle, changed(relu.proof, input=to_hex(outside)))


def test_verify__proof_of_another_sample__rejected(relu: Lab, tmp_path):
    """A valid proof of one input is rejected for another."""
    packed = relu.system.quantize_input(relu.bundle, SAMPLES[1])
    other = relu.system.witness(relu.bundle, packed, tmp_path / "other.json")
    with pytest.raises(ProofRejectedError):
        verify_proof(relu.bundle, changed(relu.proof, input=to_hex(other.input), output=to_hex(other.output)))


def test_verify__instance_plus_modulus__refused_by_ezkl_and_by_us(relu: Lab, tmp_path):
    """n + r is refused by EZKL's reader, our writer has no form for it, nor have packed tensors."""
    data = from_hex(relu.proof.proof)
    aliased = instances(relu)[0] + R
    document = json.loads(client.proof_json(data, instances(relu)))
    document["instances"][0][0] = aliased.to_bytes(32, "little").hex()
    path = tmp_path / "aliased.json"
    path.write_text(json.dumps(document))
    arguments = {"proof": str(path)} | {
        name: str(relu.bundle.file(role))
        for name, role in (
            ("settings", "settings"),
            ("verifying_key", "verifying_key"),
            ("srs", "verification_srs"),
        )
    }
    with pytest.raises(BackendError, match="valid field element"):
        call_ezkl("verify", arguments, raises=BackendError)
    with pytest.raises(FormatError):
        client.proof_json(data, (aliased, *instances(relu)[1:]))
    assert relu.bundle.manifest.layout.input_bytes <= 8


def test_verify__settings_with_other_scales__refused_though_ezkl_accepts(relu: Lab, tmp_path):
    """Scales are bound by no proof: settings that give the outputs another meaning fail by digest."""
    for path in relu.bundle.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    settings = json.loads((tmp_path / "settings.json").read_bytes())
    settings["model_output_scales"] = [settings["model_output_scales"][0] + 3]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    ezkl_verify(relu, from_hex(relu.proof.proof), instances(relu), settings=tmp_path / "settings.json")
    with pytest.raises(DigestMismatchError, match=r"settings\.json"):
        Bundle.open(tmp_path)
    with pytest.raises(DigestMismatchError, match=r"settings\.json"):
        verify_proof(dataclasses.replace(relu.bundle, path=tmp_path), relu.proof)


def test_verify__516_byte_srs_of_the_ceremony__insecure_proof_rejected(relu: Lab, tmp_path):
    """A proof made with a local SRS does not verify with the ceremony's: it cannot pass for secure."""
    ceremony = tmp_path / "ceremony.srs"
    ceremony.write_bytes(ceremony_verification_srs())
    with pytest.raises(ProofRejectedError):
        ezkl_verify(relu, from_hex(relu.proof.proof), instances(relu), srs=ceremony)
    assert not relu.bundle.manifest.srs.secure


def test_verify__full_and_516_byte_srs__agree(relu: Lab):
    """The file for logrows 1 verifies what the full file verifies."""
    for role in ("srs", "verification_srs"):
        ezkl_verify(relu, from_hex(relu.proof.proof), instances(relu), srs=relu.bundle.file(role))


def test_verify__proof_for_another_key__verifier_mismatch(relu: Lab, sigmoid: Lab):
    """A proof that names another verifying key or circuit is refused before EZKL is asked."""
    with pytest.raises(VerifierMismatchError):
        verify_proof(relu.bundle, sigmoid.proof)
    with pytest.raises(BindingError):
        verify_proof(relu.bundle, changed(relu.proof, circuit=sigmoid.proof.circuit))
    with pytest.raises(BindingError):
        verify_proof(relu.bundle, changed(relu.proof, system_version="22.0.0"))
    with pytest.raises(BindingError):
        verify_proof(relu.bundle, changed(relu.proof, system="octet"))


def test_witness__outside_the_domain__domain_error(relu: Lab, tmp_path):
    """An input outside the declared domain is refused before EZKL is asked."""
    manifest = relu.bundle.manifest
    packed = pack([manifest.input_domain.maximum + 1, 0, 0, 0], manifest.layout.input_bytes)
    with pytest.raises(DomainError, match="index 0"):
        relu.system.witness(relu.bundle, packed, tmp_path / "witness.json")


def test_witness__too_large_for_the_decomposition__witness_error(relu: Lab, tmp_path):
    """EZKL's own refusal of a huge input is a WitnessError that says why."""
    compiled = relu.bundle.file("compiled_circuit")
    with pytest.raises(WitnessError, match="too large"):
        client.gen_witness(compiled, [2**40] * 4, tmp_path / "witness.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e38, -1e38, 3e38 * 10])
def test_quantize_input__not_a_sane_number__domain_error(value, relu: Lab):
    """NaN, infinities and 1e38, on which EZKL panics, never reach it."""
    with pytest.raises(DomainError):
        relu.system.quantize_input(relu.bundle, np.array([0.0, 0.0, value, 0.0]))


def test_prove__lookup_out_of_range__refused_instead_of_hanging(sigmoid: Lab, tmp_path):
    """A witness beyond a lookup's table, which EZKL makes and then hangs on, is refused at once."""
    settings = parse_settings(sigmoid.bundle.file("settings").read_bytes())
    assert settings.has_lookups
    path = tmp_path / "witness.json"
    elements = [int(element) * 9 for element in (100, -120, 90, 110)]
    passage = client.gen_witness(sigmoid.bundle.file("compiled_circuit"), elements, path)
    low, high = settings.arguments.lookup_range
    assert passage.minimum_lookup_input < low or passage.maximum_lookup_input > high
    layout = sigmoid.bundle.manifest.layout
    witness = WitnessResult(
        pack(elements, layout.input_bytes), pack(passage.outputs, layout.output_bytes), path, 0.0
    )
    with pytest.raises(WitnessError, match="lookups within"):
        sigmoid.system.prove(sigmoid.bundle, witness)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_child__disk_full__storage_error_though_ezkl_is_silent(relu: Lab, tmp_path):
    """A file cut short by a full disk, which EZKL reports as written, is a StorageError."""
    full, srs = Path("/dev/full"), relu.bundle.file("srs")
    compiled, settings = relu.bundle.file("compiled_circuit"), relu.bundle.file("settings")
    for write in (
        lambda: client.gen_srs(full, 3),
        lambda: client.gen_settings(relu.onnx, full, {}),
        lambda: client.compile_circuit(relu.onnx, full, settings),
        lambda: client.setup(compiled, tmp_path / "vk", full, srs),
        lambda: client.gen_witness(compiled, [0] * 4, full),
    ):
        with pytest.raises(StorageError):
            write()


def test_prove__small_base__small_key(relu: Lab):
    """A dozen rows need no table of 16384: the proving key stays under a megabyte."""
    assert relu.bundle.manifest.srs.logrows <= 9
    assert relu.bundle.manifest.files["proving_key"].size_bytes < 4_000_000
