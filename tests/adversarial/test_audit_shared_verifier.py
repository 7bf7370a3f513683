"""A job proved for the chain's shared verifier, with committed weights: audited on a running chain."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from audit_world import build_small_world

from circuits.ezkl.keygen import verify_keys
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.audit import offchain
from zkml.audit.circuit_audit import audit_circuit
from zkml.audit.evidence import Contracts
from zkml.audit.job_audit import audit_job
from zkml.audit.policy import AuditPolicy
from zkml.audit.report import Outcome
from zkml.circuit_verifiers import make_verifier
from zkml.core.digests import keccak256
from zkml.errors import CompileError, VerifierMismatchError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("shared")
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        yield build_small_world(chain, folder)


def audit(settled, **options):
    return audit_job(
        settled.job, settled.chain, Contracts.of(settled.deployment), settled.store, AuditPolicy(), **options
    )


def test_shared_verifier__committed_weights__accepted_and_rebuilt(settled):
    """Key, weights and code of a shared verifier are compared with the bundle's, and the proof is checked twice."""

    def rebuild(bundle, kind):
        assert kind == "shared"
        return make_verifier(bundle, kind, cache_dir=settled.folder / "verifiers").expected

    report = audit(settled, rebuild=rebuild)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 12, report.as_text()


def test_shared_verifier__key_of_another_circuit__rejected_at_step_7(settled, monkeypatch):
    """A shared verifier that was given another key than the manifest's is found where the key is made."""
    key = offchain.make_shared_key(settled.bundle)
    other = dataclasses.replace(key, words=(*key.words[:-1], keccak256(key.words[-1])))
    monkeypatch.setattr(offchain, "make_shared_key", lambda _: other)
    assert audit(settled).rejected_steps == (7,)


def test_shared_verifier__key_cannot_be_made__no_verdict(settled, monkeypatch):
    """Where the key cannot be made from the bundle, nobody knows what the verifier was given."""

    def fail(_bundle):
        raise CompileError("expected a key, found none")

    monkeypatch.setattr(offchain, "make_shared_key", fail)
    report = audit(settled)
    assert (report.step(7).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


# --- rebuilding a circuit ---------------------------------------------------------------------------


def rebuilt(settled, directory, **options):
    def make(bundle, kind):
        return make_verifier(bundle, kind, cache_dir=settled.folder / "verifiers").expected

    options = {"rebuild_key": verify_keys, "rebuild_verifier": make} | options
    return audit_circuit(
        settled.circuit, settled.chain, Contracts.of(settled.deployment), directory, **options
    )


def copy_without(settled, target: Path, *roles: str) -> Path:
    shutil.copytree(settled.bundle.path, target)
    for role in roles:
        (target / settled.bundle.manifest.files[role].path).unlink()
    return target


def test_circuit__committed_weights__rebuilt_without_the_weights(settled, tmp_path):
    """Of a closed model with committed weights everybody can rebuild key and verifier."""
    directory = copy_without(settled, tmp_path / "closed", "onnx", "proving_key", "compiled_circuit")
    report = rebuilt(settled, directory)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 5, report.as_text()
    assert report.exit_code == 0


def test_circuit__key_of_another_model__rejected_at_step_3(settled):
    """Files that give another key than the manifest's are found."""

    def refuse(_bundle):
        raise VerifierMismatchError("expected the key that the model gives, found another")

    assert rebuilt(settled, settled.bundle.path, rebuild_key=refuse).rejected_steps == (3,)


def test_circuit__other_code_on_chain__rejected_at_step_4(settled):
    """A verifier that the key does not make is found, whatever key is pinned."""

    def make(bundle, kind):
        made = make_verifier(bundle, kind, cache_dir=settled.folder / "verifiers").expected
        return dataclasses.replace(made, inner_code=made.inner_code + b"\x00")

    report = rebuilt(settled, settled.bundle.path, rebuild_verifier=make)
    assert report.rejected_steps == (4,)


def test_circuit__bundle_of_other_weights__rejected_at_steps_2_and_4(settled, tmp_path):
    """A bundle whose weight point is not the pinned one describes another circuit."""
    directory = copy_without(settled, tmp_path / "other")
    manifest = settled.bundle.manifest.model_copy(update={"weight_point": "0x" + "11" * 64})
    (directory / "manifest.json").write_bytes(manifest.to_bytes())
    assert rebuilt(settled, directory).rejected_steps == (2, 4)


def test_circuit__unknown_id__rejected_at_step_0(settled):
    """The router knows no circuit of a made-up id."""
    report = audit_circuit(
        bytes(32),
        settled.chain,
        Contracts.of(settled.deployment),
        settled.bundle.path,
        rebuild_key=lambda _: "",
        rebuild_verifier=lambda *_: None,
    )
    assert report.rejected_steps == (0,)
