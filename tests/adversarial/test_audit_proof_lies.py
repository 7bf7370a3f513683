"""A proof file or a bundle with one lie in it: the audit of a proof rejects at the step that checks it."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from audit_world import compile_tiny

from circuits.bundle import VERIFYING_ROLES, Bundle
from verifier_contracts.codegen import compile_verifier
from zkml.adapters.ezkl.client import create_verifier_source
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.proof_audit import ONLY_GIVEN_VERIFIER, audit_proof
from zkml.audit.report import Outcome, Verdict
from zkml.errors import ToolchainError

pytestmark = pytest.mark.integration


class Evidence(NamedTuple):
    proof: Path
    bundle: Bundle
    verifier: Path


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("proof")
    system, bundle = compile_tiny(folder)
    packed = system.quantize_input(bundle, np.array([0.1, 0.2, -0.3, 0.5], dtype=np.float32))
    made = system.prove(bundle, system.witness(bundle, packed, folder / "witness.json"))
    (folder / "proof.json").write_bytes(made.proof.to_bytes())
    source = create_verifier_source(
        verifying_key=bundle.file("verifying_key"), settings=bundle.file("settings"), srs=bundle.file("srs")
    )
    (folder / "verifier.json").write_bytes(compile_verifier(source, cache_dir=folder / "cache").to_bytes())
    return Evidence(folder / "proof.json", bundle, folder / "verifier.json")


def changed(evidence: Evidence, folder: Path, **changes: str) -> Path:
    fields = json.loads(evidence.proof.read_bytes()) | changes
    path = folder / "changed.json"
    path.write_text(json.dumps(fields))
    return path


def field(evidence: Evidence, name: str) -> str:
    return json.loads(evidence.proof.read_bytes())[name]


def no_ezkl(*_: object, **_options: object) -> None:
    raise ToolchainError("expected the package ezkl, found none")


def flip(text: str) -> str:
    """Flip the last bit of the first byte after 0x."""
    return f"0x{int(text[2:4], 16) ^ 1:02x}{text[4:]}"


def test_proof__good__accepted_by_both_verifiers_and_srs_named(evidence):
    """A real proof passes every step, and the report says what its SRS is worth."""
    report = audit_proof(evidence.proof, evidence.bundle.path, verifier_path=evidence.verifier)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 7
    assert report.notes == (INSECURE_SRS,)
    assert INSECURE_SRS in report.step(1).detail


def test_proof__bundle_of_verifying_files_alone__accepted(evidence, tmp_path):
    """An auditor needs settings, verifying key and the small SRS, and no proving key."""
    (tmp_path / "manifest.json").write_bytes(evidence.bundle.manifest.to_bytes())
    for role in VERIFYING_ROLES:
        shutil.copy(evidence.bundle.file(role), tmp_path)
    report = audit_proof(evidence.proof, tmp_path)
    assert report.verdict is Verdict.ACCEPTED
    assert report.step(6).outcome is Outcome.SKIPPED


def test_proof__neither_ezkl_nor_verifier__inconclusive(evidence):
    """When nothing could verify the proof, nothing was verified."""
    report = audit_proof(evidence.proof, evidence.bundle.path, verify=no_ezkl)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)


def test_proof__without_ezkl_with_verifier__accepted_and_says_by_whom(evidence):
    """Where EZKL is missing the given verifier carries the verdict, and the report says so."""
    report = audit_proof(
        evidence.proof, evidence.bundle.path, verifier_path=evidence.verifier, verify=no_ezkl
    )
    assert report.verdict is Verdict.ACCEPTED
    assert ONLY_GIVEN_VERIFIER in report.notes


FIELD_LIES = {
    "format": (0, lambda _: "zkml.proof/9"),
    "system_version": (2, lambda _: "1.0.0"),
    "circuit": (2, lambda _: "sha256:" + "0" * 64),
    "verifying_key": (2, lambda _: "sha256:" + "0" * 64),
    "input": (3, lambda text: text + "00"),
    "output": (3, lambda text: text[:-2]),
    "proof": (3, lambda text: text + "00" * 32),
}


@pytest.mark.parametrize("name", FIELD_LIES)
def test_proof__one_field_wrong__rejected_at_exactly_its_step(evidence, tmp_path, name):
    """Each field of a proof file is checked by one step."""
    number, lie = FIELD_LIES[name]
    path = changed(evidence, tmp_path, **{name: lie(field(evidence, name))})
    report = audit_proof(path, evidence.bundle.path, verifier_path=evidence.verifier)
    assert report.rejected_steps == (number,), report.as_text()
    assert report.exit_code == 3


def test_proof__input_out_of_domain__rejected_at_step_3(evidence, tmp_path):
    """An element outside the declared domain is refused, whatever the proof says: here -128."""
    assert evidence.bundle.manifest.input_domain.minimum == -127
    path = changed(evidence, tmp_path, input="0x80" + field(evidence, "input")[4:])
    assert audit_proof(path, evidence.bundle.path).rejected_steps == (3,)


@pytest.mark.parametrize("name", ["input", "output", "proof"])
def test_proof__flipped_bit__refused_by_both_verifiers(evidence, tmp_path, name):
    """One bit of input, output or proof makes EZKL (5) and the generated verifier (6) refuse."""
    path = changed(evidence, tmp_path, **{name: flip(field(evidence, name))})
    report = audit_proof(path, evidence.bundle.path, verifier_path=evidence.verifier)
    assert report.rejected_steps == (5, 6), report.as_text()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": 1}', b'{"a":1,"a":2}'])
def test_proof__no_proof_file__rejected_at_step_0(evidence, tmp_path, data):
    """What is no proof file proves nothing."""
    (tmp_path / "proof.json").write_bytes(data)
    report = audit_proof(tmp_path / "proof.json", evidence.bundle.path)
    assert report.rejected_steps == (0,)
    assert report.step(5).outcome is Outcome.SKIPPED


def test_proof__missing_file__inconclusive(evidence, tmp_path):
    """A file that is not there is no verdict."""
    report = audit_proof(tmp_path / "nowhere.json", evidence.bundle.path)
    assert (report.step(0).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


@pytest.mark.parametrize("role", VERIFYING_ROLES)
def test_bundle__flipped_byte__inconclusive_and_names_the_file(evidence, tmp_path, role):
    """A damaged bundle of the auditor's own says nothing about the proof."""
    folder = tmp_path / "bundle"
    shutil.copytree(evidence.bundle.path, folder)
    path = folder / evidence.bundle.manifest.files[role].path
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    report = audit_proof(evidence.proof, folder)
    assert report.step(1).outcome is Outcome.INCONCLUSIVE
    assert path.name in report.step(1).detail
    assert report.exit_code == 4


def test_verifier__of_nonsense__never_accepts(evidence, tmp_path):
    """A verifier file that is none is no verdict, and never an acceptance."""
    (tmp_path / "verifier.json").write_bytes(b"{}")
    report = audit_proof(
        evidence.proof, evidence.bundle.path, verifier_path=tmp_path / "verifier.json", verify=no_ezkl
    )
    assert report.verdict is Verdict.INCONCLUSIVE
