"""The content-addressed directory: what is read hashes to its name, or an error."""

import os
from pathlib import Path

import pytest

from zkml.adapters.store.directory import DirectoryStore
from zkml.core.cid import Cid, cid_of
from zkml.core.ports.store import ArtifactStore
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, FormatError, StorageError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return DirectoryStore(tmp_path / "store")


def test_put__bytes_and_file__same_cid(store, tmp_path: Path):
    """A file and its bytes have one CID, the one IPFS gives."""
    data = os.urandom(600_000)
    (tmp_path / "file").write_bytes(data)
    assert store.put_file(tmp_path / "file") == store.put_bytes(data) == cid_of(data)
    assert store.read(cid_of(data), limit_bytes=len(data)) == data
    assert store.has(cid_of(data))


def test_path_of__changed_bytes__digest_mismatch(store):
    """A stored file that rots is never handed out."""
    cid = store.put_bytes(b"content")
    path = store.path_of(cid)
    path.chmod(0o644)
    path.write_bytes(b"c0ntent")
    with pytest.raises(DigestMismatchError, match=cid):
        store.path_of(cid)
    with pytest.raises(DigestMismatchError):
        store.read(cid, limit_bytes=100)
    store.put_bytes(b"content")
    assert store.read(cid, limit_bytes=100) == b"content"


def test_path_of__not_stored__not_found(store):
    """What was never stored is not found."""
    with pytest.raises(ArtifactNotFoundError):
        store.path_of(cid_of(b"nothing"))
    assert not store.has(cid_of(b"nothing"))


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "", "bafkrei", "/etc/passwd", "QmYwAPJzv5CZsnA625s3Xf2n"]
)
def test_path_of__no_cid__format_error(text, store):
    """A path can never pass as a CID."""
    for use in (store.path_of, store.has):
        with pytest.raises(FormatError):
            use(Cid(text))


def test_read__larger_than_the_limit__format_error(store):
    """A file over the reader's limit is not read."""
    cid = store.put_bytes(b"12345")
    with pytest.raises(FormatError):
        store.read(cid, limit_bytes=4)


def test_put__missing_file__not_found(store, tmp_path: Path):
    """A file that is not there cannot be stored."""
    with pytest.raises(ArtifactNotFoundError):
        store.put_file(tmp_path / "none")


def test_put__write_fails__storage_error_and_nothing_readable(store, tmp_path: Path, monkeypatch):
    """A disk that fills up while a file is written leaves nothing under its CID and no rest."""
    cid = cid_of(b"content")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.put_bytes(b"content")
    assert not store.has(cid)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_put__root_is_a_file__storage_error(tmp_path: Path):
    """A store whose place is taken by a file is a StorageError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        DirectoryStore(tmp_path / "file").put_bytes(b"x")
