"""Committed weights: one key serves all weights of an architecture, and a proof of other weights is refused."""

import dataclasses

import pytest
from ezkl_circuits import SAMPLES, Lab, committed_lab, relu, request

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.ezkl.keygen import verify_keys
from circuits.ezkl.weightless import write_weightless
from circuits.single_proof import prove_input
from circuits.verification import verify_proof
from circuits.verifier_source import shared_key, verifier_source
from verifier_contracts.codegen import compile_verifier
from verifier_contracts.local_verification import verify_in_local_evm
from zkml.adapters.ezkl import client
from zkml.core.digests import keccak256
from zkml.core.records import from_hex, to_hex
from zkml.core.tensors import instances_of
from zkml.errors import ManifestError, ProofRejectedError, UnsuitableCircuitError

pytestmark = pytest.mark.integration
__all__ = ["relu"]


@pytest.fixture(scope="module")
def ours() -> Lab:
    return committed_lab(3)


@pytest.fixture(scope="module")
def theirs() -> Lab:
    return committed_lab(4)


def passed_off(theirs: Lab, ours: Lab):
    """Return a proof of their weights that claims to be of our circuit."""
    return theirs.proof.model_copy(update={"circuit": ours.bundle.manifest.circuit})


def test_compile__two_models_of_one_architecture__same_key_other_commitments(ours: Lab, theirs: Lab):
    """Verifying key, settings, Solidity and shared key do not depend on weights; circuit and commitment do."""
    one, two = ours.bundle.manifest, theirs.bundle.manifest
    assert one.files["onnx"].digest != two.files["onnx"].digest
    assert one.verifying_key == two.verifying_key
    assert one.files["settings"].digest == two.files["settings"].digest
    assert verifier_source(ours.bundle) == verifier_source(theirs.bundle)
    assert shared_key(ours.bundle) == shared_key(theirs.bundle)
    assert one.weight_point != two.weight_point
    assert one.circuit != two.circuit


def test_weight_point__is_what_every_proof_begins_with(ours: Lab, tmp_path):
    """Proofs of different inputs begin with the manifest's point, whose hash is the pin on chain."""
    packed = ours.system.quantize_input(ours.bundle, SAMPLES[1])
    other = prove_input(ours.bundle, ours.system, packed, tmp_path / "witness.json", context=bytes(32))
    manifest = ours.bundle.manifest
    point = from_hex(manifest.weight_point)
    assert len(point) == 64
    assert from_hex(ours.proof.proof)[:64] == from_hex(other.proof)[:64] == point
    assert manifest.weight_commitment == keccak256(point)
    assert from_hex(ours.proof.proof)[64:] != from_hex(other.proof)[64:]


def test_weight_commitment__fixed_weights__is_zero(relu: Lab):
    """Where the key binds the weights nothing is pinned besides."""
    assert relu.bundle.manifest.weight_point is None
    assert relu.bundle.manifest.weight_commitment == bytes(32)


def test_verify__proof_of_other_weights__refused_although_ezkl_accepts_it(ours: Lab, theirs: Lab):
    """A prover who runs another model of the same architecture is caught, off chain and in the contracts."""
    forged = passed_off(theirs, ours)
    manifest = ours.bundle.manifest
    layout = manifest.tensor_layout
    packed_input, packed_output, proof = map(from_hex, (forged.input, forged.output, forged.proof))
    client.verify(
        proof,
        instances_of(layout, packed_input, packed_output),
        settings=ours.bundle.file("settings"),
        verifying_key=ours.bundle.file("verifying_key"),
        srs=ours.bundle.file("verification_srs"),
    )
    with pytest.raises(ProofRejectedError, match="other weights"):
        verify_proof(ours.bundle, forged)
    verifier = compile_verifier(verifier_source(ours.bundle), cache_dir=ours.scratch / "verifiers")
    claim = {"packed_input": packed_input, "packed_output": packed_output, "proof": proof}
    with pytest.raises(ProofRejectedError, match="WeightsMismatch"):
        verify_in_local_evm(
            verifier.runtime_code, layout, **claim, weight_commitment=manifest.weight_commitment
        )
    theirs_pinned = theirs.bundle.manifest.weight_commitment
    verify_in_local_evm(verifier.runtime_code, layout, **claim, weight_commitment=theirs_pinned)


def test_verify__our_point_before_their_proof__refused(ours: Lab, theirs: Lab):
    """The commitment cannot be written over: the rest of the proof is about the weights that made it."""
    stolen = from_hex(ours.proof.proof)[:64] + from_hex(theirs.proof.proof)[64:]
    forged = passed_off(theirs, ours).model_copy(update={"proof": to_hex(stolen)})
    with pytest.raises(ProofRejectedError):
        verify_proof(ours.bundle, forged)


def test_verify__own_proof__accepted(ours: Lab, theirs: Lab):
    """Both owners' proofs hold for their own circuits."""
    verify_proof(ours.bundle, ours.proof)
    verify_proof(theirs.bundle, theirs.proof)


def test_weightless__both_models__one_file_that_rebuilds_the_key(ours: Lab, theirs: Lab, tmp_path):
    """An auditor without the weights rebuilds the key from the weightless model, settings and SRS alone."""
    assert ours.bundle.manifest.files["weightless_onnx"] == theirs.bundle.manifest.files["weightless_onnx"]
    roles = (*VERIFYING_ROLES, "weightless_onnx", "srs")
    for name in ("manifest.json", *(ours.bundle.manifest.files[role].path for role in roles)):
        (tmp_path / name).write_bytes((ours.bundle.path / name).read_bytes())
    auditors = Bundle.open(tmp_path, roles=roles)
    assert verify_keys(auditors) == ours.bundle.manifest.verifying_key
    assert not (tmp_path / "model.onnx").exists()


def test_weightless__written_twice__is_the_same_and_blanks_every_weight(ours: Lab, tmp_path):
    """The weightless model is a rule, and keeps no value of the model's matrices."""
    import onnx  # noqa: PLC0415 slow
    from onnx import numpy_helper  # noqa: PLC0415

    write_weightless(ours.onnx, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == ours.bundle.file("weightless_onnx").read_bytes()
    graphs = (onnx.load(path).graph for path in (ours.onnx, tmp_path / "again.onnx"))
    for before, after in zip(*(graph.initializer for graph in graphs), strict=True):
        assert not set(numpy_helper.to_array(before).ravel()) & set(numpy_helper.to_array(after).ravel())


def test_manifest__commitment_dropped__refused(ours: Lab):
    """A manifest cannot hide that its circuit's weights are committed."""
    manifest = ours.bundle.manifest
    files = {role: entry for role, entry in manifest.files.items() if role != "weightless_onnx"}
    changes = {"param_visibility": "fixed", "weight_point": None, "files": files}
    forged = dataclasses.replace(ours.bundle, manifest=manifest.model_copy(update=changes))
    proof = ours.proof.model_copy(update={"circuit": forged.manifest.circuit})
    with pytest.raises(ManifestError, match="param_visibility"):
        verify_proof(forged, proof)


def test_compile__private_weights__refused(relu: Lab, tmp_path):
    """Weights that nothing binds are no choice."""
    with pytest.raises(UnsuitableCircuitError, match="weights"):
        relu.system.compile(request(tmp_path, relu.onnx, relu.srs, weights="private"))
