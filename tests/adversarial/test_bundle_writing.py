"""Writing a bundle: all of it or nothing."""

import os
from pathlib import Path

import pytest
from bundle_files import fill

from circuits.bundle import Bundle, write_bundle
from circuits.file_identity import digest_file, identify_file
from zkml.core.cid import cid_of
from zkml.core.digests import digest_of
from zkml.errors import ArtifactNotFoundError, CompileError, StorageError


def test_write__then_open__same_manifest(tmp_path: Path):
    """What is written opens, and its digest and CID are those of the manifest file."""
    bundle = write_bundle(tmp_path / "deep" / "bundle", fill)
    again = Bundle.open(bundle.path)
    data = (bundle.path / "manifest.json").read_bytes()
    assert again == bundle
    assert bundle.manifest_digest == digest_of(data)
    assert bundle.manifest_cid == cid_of(data)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_write__disk_full__storage_error_and_nothing_left(tmp_path: Path):
    """A write that fails for lack of space leaves neither a bundle nor a rest of one."""

    def build(directory: Path):
        fill(directory)
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"x")

    with pytest.raises(StorageError, match="No space left"):
        write_bundle(tmp_path / "bundle", build)
    assert list(tmp_path.iterdir()) == []


def test_write__build_fails__earlier_bundle_stays(tmp_path: Path):
    """A failed rebuild leaves the bundle that stood there."""
    first = write_bundle(tmp_path / "bundle", fill)

    def build(directory: Path):
        fill(directory)
        raise CompileError("expected a circuit, found none")

    with pytest.raises(CompileError):
        write_bundle(tmp_path / "bundle", build)
    assert Bundle.open(tmp_path / "bundle") == first
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_write__interrupted__nothing_left(tmp_path: Path):
    """Ctrl-C in the middle leaves nothing behind."""

    def build(directory: Path):
        fill(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "bundle", build)
    assert list(tmp_path.iterdir()) == []


def test_write__over_an_earlier_one__replaced(tmp_path: Path):
    """A new bundle takes the place of an old one, and nothing else stays."""
    write_bundle(tmp_path / "bundle", fill)
    renamed = write_bundle(
        tmp_path / "bundle", lambda directory: fill(directory).model_copy(update={"name": "second"})
    )
    assert Bundle.open(tmp_path / "bundle").manifest.name == renamed.manifest.name == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_write__unwritable_place__storage_error(tmp_path: Path):
    """A target below a file is a StorageError, not a traceback."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        write_bundle(tmp_path / "file" / "bundle", fill)


def test_open__file_in_place_of_a_bundle__not_found(tmp_path: Path):
    """A file, or nothing, where a bundle should be is not found."""
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "nothing"):
        with pytest.raises(ArtifactNotFoundError):
            Bundle.open(tmp_path / name)


def test_digest__same_size_and_time_restored__hashed_again(tmp_path: Path):
    """A change that keeps size and modification time is noticed by the status change."""
    path = tmp_path / "file"
    path.write_bytes(b"first")
    first = digest_file(path)
    times = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest_file(path) == digest_of(b"other") != first


def test_identify__large_file__as_in_memory(tmp_path: Path):
    """Digest and CID of a streamed file equal those of its bytes."""
    data = os.urandom(700_000)
    (tmp_path / "file").write_bytes(data)
    found = identify_file(tmp_path / "file")
    assert (found.digest, found.cid, found.size_bytes) == (digest_of(data), cid_of(data), len(data))


def test_write__rests_of_killed_compilations__old_ones_are_removed_young_ones_stay(tmp_path: Path):
    """What a SIGKILL left behind a day ago is removed, what may still be at work is not."""
    old, young = tmp_path / ".bundle.a.partial", tmp_path / ".bundle.b.partial"
    for rest in (old, young):
        rest.mkdir()
        (rest / "pk.key").write_bytes(b"half")
    os.utime(old, (0, 0))
    write_bundle(tmp_path / "bundle", fill)
    assert {path.name for path in tmp_path.iterdir()} == {young.name, "bundle"}
