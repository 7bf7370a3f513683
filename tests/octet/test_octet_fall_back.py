"""Without a C++ compiler OCTET proves and verifies all the same, with a notice; and with no EZKL at all."""

import subprocess
import sys

import pytest
from native_system import forget
from octet_bundles import SAMPLES, octet, small_bundle, small_proof

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.octet import verifier_engine
from circuits.octet.native import kernels
from circuits.octet.native_choice import choose_native
from circuits.octet.opened_key import open_key
from circuits.octet.prove import open_prover
from circuits.octet.prover_engine import PlainProver
from circuits.verification import verify_proof


@pytest.fixture
def without_compiler(monkeypatch, tmp_path):
    """A machine without a compiler and with nothing built."""
    small_bundle()  # compiled while there are kernels
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "/nowhere/c++")
    monkeypatch.setenv("ZKML_NATIVE_CACHE", str(tmp_path / "cache"))
    forget()
    yield
    forget()


def test_fall_back__the_specification_proves_the_same_bytes_with_one_notice(without_compiler, tmp_path):
    """No compiler, empty cache: the proof is byte for byte the one the kernels make, and people are told why."""
    bundle, system, heard = small_bundle(), octet(), []
    assert "plain Python" in system.check_device(bundle)
    packed = system.quantize_input(bundle, SAMPLES[3])
    witness = system.witness(bundle, packed, tmp_path / "witness", progress=heard.append)
    made = system.prove(bundle, witness, progress=heard.append)
    assert isinstance(open_prover(bundle, 1).engine, PlainProver)
    assert made.proof == small_proof()
    assert isinstance(verifier_engine.open_verifier(open_key(bundle)), verifier_engine.PlainVerifier)
    verify_proof(Bundle.open(bundle.path, roles=VERIFYING_ROLES), made.proof)
    system.prove(bundle, witness, progress=heard.append)
    notices = [event for event in heard if event.note]
    assert len(notices) == 1
    assert "compiler" in notices[0].note
    assert notices[0].finished  # what a console without bars prints


def test_fall_back__a_verifier_needs_neither_onnx_nor_torch_nor_ezkl(tmp_path):
    """An auditor's install: numpy, py-ecc and what zkml itself needs; a proof is verified, a false one refused."""
    bundle, proof = small_bundle(), tmp_path / "proof.json"
    proof.write_bytes(small_proof().to_bytes())
    script = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("onnx", "onnxruntime", "torch", "ezkl", "sklearn", "onnxsim"):
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from pathlib import Path
from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.circuit_facts import circuit_facts
from circuits.proof_files import read_proof_file
from circuits.verification import verify_proof
from zkml.errors import ProofRejectedError
bundle = Bundle.open(Path({str(bundle.path)!r}), roles=VERIFYING_ROLES)
proof = read_proof_file(Path({str(proof)!r}))
verify_proof(bundle, proof)
assert circuit_facts(bundle)
try:
    other = proof.model_copy(update={{"context": "0x" + "01" * 32}})
    verify_proof(bundle, other, context=bytes([1]) * 32)
except ProofRejectedError:
    print("verdicts given")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "verdicts given", done.stderr


def test_fall_back__the_choice_is_made_once(monkeypatch):
    """A build that failed is not tried again at every proof."""
    tried = []

    def refuse(path=None):
        tried.append(path)
        raise kernels.ToolchainError("no compiler")

    forget()
    monkeypatch.setattr("circuits.octet.native_choice.open_native", refuse)
    try:
        assert choose_native() is choose_native()
        assert choose_native().native is None
        assert len(tried) == 1
    finally:
        forget()
