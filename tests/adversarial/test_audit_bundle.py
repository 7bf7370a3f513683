"""A bundle audited without a chain: one lie, one rejected step; nothing is accepted that was not rebuilt."""

import json

import pytest
from bundle_files import fill

from circuits.bundle import Bundle, write_bundle
from zkml.audit.bundle_audit import audit_bundle
from zkml.audit.report import Outcome, Verdict
from zkml.core.digests import canonical_json
from zkml.errors import KeygenError, ToolchainError, VerifierMismatchError


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    return write_bundle(tmp_path / "bundle", fill)


def rebuilt(bundle: Bundle) -> str:
    return bundle.manifest.verifying_key


def raising(error):
    def rebuild(_bundle):
        raise error

    return rebuild


def test_bundle__key_rebuilt__accepted_with_its_facts(bundle):
    """Both steps hold, and the report names circuit and system."""
    report = audit_bundle(bundle.path, rebuild_key=rebuilt)
    assert report.verdict is Verdict.ACCEPTED
    assert [step.outcome for step in report.steps] == [Outcome.OK, Outcome.OK]
    assert report.facts == {"circuit": bundle.manifest.circuit, "system": "ezkl"}


def test_bundle__key_of_another_model__rejected_at_the_rebuilding(bundle):
    """A key that the model does not give is a lie of the bundle."""
    report = audit_bundle(bundle.path, rebuild_key=raising(VerifierMismatchError("expected another key")))
    assert report.rejected_steps == (1,)
    assert report.exit_code == 3


@pytest.mark.parametrize("error", [ToolchainError("no EZKL"), KeygenError("no memory")])
def test_bundle__could_not_be_rebuilt__inconclusive(bundle, error):
    """What was not rebuilt is not accepted."""
    report = audit_bundle(bundle.path, rebuild_key=raising(error))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 4


def test_bundle__file_changed__rejected_and_nothing_rebuilt(bundle):
    """Files that are not the manifest's are found before anything is done with them."""
    bundle.file("onnx").write_bytes(b"another model")
    report = audit_bundle(bundle.path, rebuild_key=raising(AssertionError("rebuilt")))
    assert report.rejected_steps == (0,)
    assert report.step(1).outcome is Outcome.SKIPPED
    assert report.facts == {}


def test_bundle__manifest_contradicts_itself__rejected(bundle):
    """A manifest whose key is not its file's is no manifest."""
    path = bundle.path / "manifest.json"
    document = json.loads(path.read_bytes())
    document["verifying_key"] = "sha256:" + "00" * 32
    path.write_bytes(canonical_json(document))
    assert audit_bundle(bundle.path, rebuild_key=rebuilt).rejected_steps == (0,)


def test_bundle__not_there__inconclusive(tmp_path):
    """A typo accuses nobody."""
    assert audit_bundle(tmp_path / "nowhere", rebuild_key=rebuilt).verdict is Verdict.INCONCLUSIVE
