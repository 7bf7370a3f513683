"""Sealing for publication, and fetching before paying: what is interrupted, damaged, swapped or lost."""

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from bundle_files import fill

from circuits.bundle import describe_files, write_bundle
from marketplace.local_artifacts import PIECE_BYTES
from marketplace.opening import open_sealed_file, refutation_of
from marketplace.sealed_store import fetch_sealed, find_record, keep_record, record_path
from marketplace.sealing import seal_file
from zkml.adapters.store.directory import DirectoryStore
from zkml.audit.artifact_audit import require_one_piece
from zkml.core.artifact_encryption import ArtifactKey
from zkml.core.cid import parse_cid
from zkml.core.digests import keccak256
from zkml.core.sealed_records import SealedRecord
from zkml.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    FormatError,
    KeyFileError,
    VerifierMismatchError,
)
from zkml.publish.artifact_keys import KeyBinding
from zkml.publish.sealed_publication import SealingPlaces, own_artifact, seal_model

MODEL = keccak256(b"weights") * (PIECE_BYTES // 32) + b"end"


class StopError(Exception):
    """Ends a run where a test wants it to end."""


@pytest.fixture
def bundle(tmp_path):
    """A bundle of made-up files with a model of two pieces."""

    def build(folder):
        manifest = fill(folder)
        (folder / "model.onnx").write_bytes(MODEL)
        return manifest.model_copy(
            update={"files": {**manifest.files, **describe_files(folder, {"onnx": "model.onnx"})}}
        )

    return write_bundle(tmp_path / "bundle", build)


@pytest.fixture
def places(tmp_path):
    home = tmp_path / "home"
    return SealingPlaces(
        home / "keys", home / "work", home / "artifacts" / "sealed", DirectoryStore(home / "artifacts")
    )


@pytest.fixture
def binding(bundle):
    manifest = bundle.manifest
    files = manifest.files
    return KeyBinding(
        31337, "0x" + "11" * 20, "0x" + "22" * 20, manifest.circuit, files["onnx"].digest, manifest.name
    )


@pytest.fixture
def sealed(bundle, binding, places):
    return seal_model(bundle, binding, places)


def published(places, sealed):
    return places.store.path_of(parse_cid(sealed.record.cid))


def test_seal__of_a_bundle__is_what_buyers_fetch_and_the_key_opens(places, sealed, tmp_path):
    """Key, published file, record and commitment belong together, and open to the bundle's model."""
    assert (sealed.is_new, sealed.kept.is_new, sealed.is_exposed) == (True, True, False)
    record = find_record(places.records, sealed.key_commitment)
    assert record == sealed.record == own_artifact(places, sealed.key_commitment)
    path = fetch_sealed(places.store, places.records, sealed.key_commitment, record.artifact)
    open_sealed_file(path, record.artifact, sealed.kept.key, tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == MODEL
    assert MODEL[:64] not in path.read_bytes()
    assert list(places.work.iterdir()) == []
    assert refutation_of(path, record.artifact, sealed.kept.key) is None


def test_seal__again__does_nothing_twice(bundle, binding, places, sealed):
    """A second run has the same key, record and file, and encrypts nothing."""
    seen = []
    again = seal_model(bundle, binding, places, progress=lambda event: seen.append(event.stage))
    assert (again.record, again.kept.key) == (sealed.record, sealed.kept.key)
    assert (again.is_new, again.kept.is_new) == (False, False)
    assert set(seen) == {"check", "decrypt"}


@pytest.mark.parametrize("stage", ["digest", "encrypt", "check", "decrypt"])
def test_seal__interrupted_anywhere__finishes_with_the_same_key(bundle, binding, places, stage):
    """Whatever stage a run dies in, the next one commits to the key that was on disk before it."""

    def die(event):
        if event.stage == stage:
            raise StopError

    with pytest.raises(StopError):
        seal_model(bundle, binding, places, progress=die)
    (kept,) = places.keys.iterdir()
    before = kept.read_bytes()
    finished = seal_model(bundle, binding, places)
    assert list(places.keys.iterdir()) == [kept]
    assert kept.read_bytes() == before
    assert not finished.kept.is_new
    assert own_artifact(places, finished.key_commitment) == finished.record


@pytest.mark.parametrize(
    "damage", ["file flipped", "file gone", "record gone", "record junk", "record swapped"]
)
def test_seal__what_an_earlier_run_left_is_damaged__made_again_the_same(
    bundle, binding, places, sealed, damage, tmp_path
):
    """What stands in the home is not believed: a bond hangs on it. Sealing again gives the same artifact."""
    path, note = published(places, sealed), record_path(places.records, sealed.key_commitment)
    if damage == "file flipped":
        data = bytearray(path.read_bytes())
        data[5000] ^= 1
        path.write_bytes(data)
    elif damage == "file gone":
        path.unlink()
    elif damage == "record gone":
        note.unlink()
    elif damage == "record junk":
        note.write_bytes(b"{}")
    else:
        # Whole in itself, and of another key's making: offered, it would lose the bond.
        other = ArtifactKey(keccak256(b"another"))
        artifact = seal_file(bundle.file("onnx"), tmp_path / "other", other)
        keep_record(
            places.records,
            SealedRecord.of(artifact, sealed.key_commitment, places.store.put_file(tmp_path / "other")),
        )
        with pytest.raises(DigestMismatchError, match="every chunk"):
            own_artifact(places, sealed.key_commitment)
    again = seal_model(bundle, binding, places)
    assert again.record == sealed.record
    assert own_artifact(places, again.key_commitment) == sealed.record


def test_own_artifact__key_is_lost__refused_before_a_bond_is_posted(places, sealed):
    """Who cannot reveal does not offer."""
    sealed.kept.path.unlink()
    with pytest.raises(KeyFileError, match="expected the key"):
        own_artifact(places, sealed.key_commitment)


def test_seal__plaintext_in_the_store__is_said(bundle, binding, places):
    """A creator learns that the model lies open beside what is sold."""
    places.store.put_file(bundle.file("onnx"))
    assert seal_model(bundle, binding, places).is_exposed


def test_fetch__file_or_record_missing__names_what_is_missing(places, sealed):
    """A buyer without the file is told so, and does not reserve on trust."""
    ask = (sealed.key_commitment, sealed.record.artifact)
    published(places, sealed).unlink()
    with pytest.raises(ArtifactNotFoundError, match=r"expected the published file baf"):
        fetch_sealed(places.store, places.records, *ask)
    record_path(places.records, sealed.key_commitment).unlink()
    with pytest.raises(ArtifactNotFoundError, match="expected the record"):
        fetch_sealed(places.store, places.records, *ask)


def test_fetch__larger_than_the_limit__not_read(places, sealed):
    """A stranger's terms do not decide how much a buyer reads."""
    with pytest.raises(FormatError, match="at most 1000 bytes"):
        fetch_sealed(
            places.store, places.records, sealed.key_commitment, sealed.record.artifact, limit_bytes=1000
        )


def test_fetch__file_of_another_artifact_than_the_offerings__refused(bundle, places, sealed, tmp_path):
    """Neither another record nor a record that lies about its file passes for what the offering commits to."""
    key = sealed.kept.key
    (tmp_path / "model").write_bytes(MODEL[:-1] + b"!")
    other = seal_file(tmp_path / "model", tmp_path / "sealed", key)
    with pytest.raises(DigestMismatchError, match="of another one"):
        fetch_sealed(places.store, places.records, sealed.key_commitment, other)
    lie = SealedRecord.of(other, sealed.key_commitment, parse_cid(sealed.record.cid))
    keep_record(places.records, lie)
    with pytest.raises(DigestMismatchError, match="expected ciphertext"):
        fetch_sealed(places.store, places.records, sealed.key_commitment, other)


@pytest.mark.parametrize("location", ["/etc/hostname", "../secret", "beside.bin", None])
def test_opened__model_that_names_other_files__is_not_what_was_sold(tmp_path, location):
    """Weights that lie on the auditor's own machine are not part of what was sold, and are not read."""
    model, beside = tmp_path / "opened.onnx", tmp_path / "beside.bin"
    beside.write_bytes(bytes(48))
    tensor = onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "weights")
    if location:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    node = onnx.helper.make_node("MatMul", ["input", "weights"], ["output"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [value("input", onnx.TensorProto.FLOAT, [1, 4])],
        [value("output", onnx.TensorProto.FLOAT, [1, 3])],
        [tensor],
    )
    model.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    if location is None:
        require_one_piece(model)
        return
    with pytest.raises(VerifierMismatchError, match="in one piece"):
        require_one_piece(model)


@pytest.mark.parametrize("junk", [b"", b"[]", b"{" * 5000, b'{"format":"zkml.sealed/1"}'])
def test_record__junk__refused(places, sealed, junk):
    """A record is a stranger's word: what is none is an error of ours."""
    record_path(places.records, sealed.key_commitment).write_bytes(junk)
    with pytest.raises(FormatError):
        find_record(places.records, sealed.key_commitment)


def test_record__of_another_key__refused(places, sealed):
    """A record under another key's name is not taken for that key's."""
    path = record_path(places.records, b"\x01" * 32)
    path.write_bytes(sealed.record.to_bytes())
    with pytest.raises(FormatError, match="found another"):
        find_record(places.records, b"\x01" * 32)


def test_refutation__chunk_sealed_wrong__is_evidence_the_chain_takes(places, sealed, tmp_path):
    """With another key revealed than the one that encrypted, the first chunk refutes the artifact."""
    path = published(places, sealed)
    evidence = refutation_of(path, sealed.record.artifact, ArtifactKey(keccak256(b"revealed")))
    assert evidence.index == 0
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\0" + path.read_bytes()[1:])
    with pytest.raises(DigestMismatchError, match="root"):
        refutation_of(damaged, sealed.record.artifact, sealed.kept.key)
