"""Bundles with one fault each: every one is refused by name when it is opened."""

import json
from pathlib import Path

import pytest
from bundle_files import NAMES, fill

from circuits.bundle import Bundle, describe_files, write_bundle
from zkml.core.digests import canonical_json
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, ManifestError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "bundle", fill)


def rewrite(bundle: Bundle, change) -> None:
    path = bundle.path / "manifest.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(canonical_json(document))


def refused(bundle: Bundle, match: str | None = None) -> None:
    with pytest.raises(ManifestError, match=match):
        Bundle.open(bundle.path)


@pytest.mark.parametrize("role", NAMES)
@pytest.mark.parametrize("offset", [0, -1])
def test_open__one_flipped_byte__digest_mismatch_names_the_file(role, offset, bundle: Bundle):
    """One changed byte in any file is found, and the file is named."""
    path = bundle.file(role)
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatchError, match=path.name):
        Bundle.open(bundle.path)
    with pytest.raises(DigestMismatchError, match=path.name):
        bundle.require(role)


@pytest.mark.parametrize("role", NAMES)
def test_open__one_file_missing__named(role, bundle: Bundle):
    """A missing file is found, and named."""
    bundle.file(role).unlink()
    with pytest.raises(ArtifactNotFoundError, match=NAMES[role]):
        Bundle.open(bundle.path)


@pytest.mark.parametrize("role", NAMES)
def test_open__one_file_half_copied__named(role, bundle: Bundle):
    """A file cut in half by an interrupted copy is found, and named."""
    path = bundle.file(role)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DigestMismatchError, match=path.name):
        Bundle.open(bundle.path)


def test_open__directory_in_place_of_a_file__refused(bundle: Bundle):
    """A directory where a file should be is not found as a file."""
    bundle.file("onnx").unlink()
    bundle.file("onnx").mkdir()
    with pytest.raises(ArtifactNotFoundError):
        Bundle.open(bundle.path)


def test_open__some_roles__ignores_the_others(bundle: Bundle):
    """A verifier is not hindered by a broken proving key, and a prover is."""
    bundle.file("proving_key").write_bytes(b"broken")
    Bundle.open(bundle.path, roles=("settings", "verifying_key", "verification_srs"))
    with pytest.raises(DigestMismatchError):
        Bundle.open(bundle.path, roles=("proving_key",))


def test_open__no_manifest__not_found(bundle: Bundle):
    """A directory without a manifest is no bundle."""
    (bundle.path / "manifest.json").unlink()
    with pytest.raises(ArtifactNotFoundError, match="bundle"):
        Bundle.open(bundle.path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"null", b'{"format":"zkml.bundle/2"}'])
def test_open__corrupt_manifest__manifest_error(data, bundle: Bundle):
    """A manifest that is no JSON object of this version is refused."""
    (bundle.path / "manifest.json").write_bytes(data)
    refused(bundle)


def test_open__manifest_in_another_form__refused(bundle: Bundle):
    """One manifest has one encoding, so its digest names it."""
    path = bundle.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=2))
    refused(bundle, "canonical")


def test_open__huge_manifest__refused(bundle: Bundle):
    """A manifest of megabytes is refused before it is read."""
    (bundle.path / "manifest.json").write_bytes(b" " * (2 << 20))
    refused(bundle)


def test_open__path_out_of_the_bundle__refused(bundle: Bundle):
    """A manifest cannot name a file outside its directory."""
    for path in ("../model.onnx", "/etc/passwd", "a/b", ".hidden", ""):
        rewrite(bundle, lambda document, path=path: document["files"]["onnx"].update(path=path))
        refused(bundle)


def test_open__verifying_key_of_another_digest__refused(bundle: Bundle):
    """The pinned key and the key file are one."""
    rewrite(bundle, lambda document: document.update(verifying_key="sha256:" + "0" * 64))
    refused(bundle, "verifying_key")


def test_open__two_roles_in_one_file__refused(bundle: Bundle):
    """Two roles cannot share a file."""
    rewrite(bundle, lambda document: document["files"]["onnx"].update(path="settings.json"))
    refused(bundle, "distinct")


def test_open__role_missing_in_the_manifest__refused(bundle: Bundle):
    """A manifest without one of the roles is refused."""
    rewrite(bundle, lambda document: document["files"].pop("srs"))
    refused(bundle, "srs")


def test_open__unknown_field__refused(bundle: Bundle):
    """A field this version does not know is refused, not ignored."""
    rewrite(bundle, lambda document: document.update(surprise=1))
    refused(bundle, "surprise")


@pytest.mark.parametrize("side", ["input_visibility", "output_visibility"])
def test_open__private_side__refused(side, bundle: Bundle):
    """A bundle of a circuit that hides its input or output does not open."""
    rewrite(bundle, lambda document: document.update({side: "private"}))
    refused(bundle, side)


def test_open__insecure_srs_called_secure__refused(tmp_path: Path):
    """A manifest cannot lend the ceremony's name to another tau."""

    def build(directory: Path):
        honest = fill(directory)
        for name in ("circuit.srs", "verification.srs"):
            data = bytearray((directory / name).read_bytes())
            data[-1] ^= 1
            (directory / name).write_bytes(data)
        return honest.model_copy(update={"files": describe_files(directory, NAMES)})

    with pytest.raises(ManifestError, match="insecure-local"):
        write_bundle(tmp_path / "bundle", build)


def test_open__logrows_other_than_the_srs__refused(bundle: Bundle):
    """The size of the SRS in the manifest is that of the file."""
    rewrite(bundle, lambda document: document["srs"].update(logrows=2))
    refused(bundle, "logrows")
