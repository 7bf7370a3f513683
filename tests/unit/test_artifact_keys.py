"""Keys of encrypted artifacts: drawn once, on disk before anything commits to them, and never shown."""

import os
import threading
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from zkml.core.digests import digest_of
from zkml.errors import ConfigError, KeyFileError, StorageError
from zkml.publish import artifact_keys
from zkml.publish.artifact_keys import KeyBinding, find_key, key_of, load_or_create_key

BINDING = KeyBinding(
    chain_id=31337,
    registry="0x" + "11" * 20,
    publisher="0x" + "22" * 20,
    circuit=digest_of(b"circuit"),
    artifact=digest_of(b"model"),
    name="digits",
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "artifact-keys"


def test_key__asked_for_twice__is_the_same_and_its_owners_alone(folder):
    """A second run has the first run's key; nobody else may read file or folder."""
    assert find_key(folder, BINDING) is None
    first, second = (load_or_create_key(folder, BINDING) for _ in range(2))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.key == second.key == find_key(folder, BINDING).key == key_of(folder, first.key.commitment)
    assert (first.path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in folder.iterdir()] == [first.path.name]


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"registry": "0x" + "33" * 20},
        {"publisher": "0x" + "33" * 20},
        {"circuit": digest_of(b"another")},
        {"artifact": digest_of(b"another")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_key__of_anything_else__is_another(folder, change):
    """A key revealed for one model, chain or publisher opens nothing of another."""
    first = load_or_create_key(folder, BINDING)
    assert load_or_create_key(folder, replace(BINDING, **change)).key != first.key
    assert key_of(folder, first.key.commitment) == first.key


def test_key__many_runs_at_once__all_have_one(folder):
    """Of runs that begin together none commits to a key that another one replaces."""
    found, barrier = [], threading.Barrier(8)

    def run():
        barrier.wait()
        found.append(load_or_create_key(folder, BINDING))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({kept.key.secret for kept in found}) == 1
    assert [kept.is_new for kept in found].count(True) == 1


def test_key__is_flushed_before_it_is_returned(folder, monkeypatch):
    """File, folder and home are on disk before anybody can commit to the key."""
    flushed, flush = [], os.fsync

    def noted(descriptor):
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    load_or_create_key(folder, BINDING)
    assert flushed[0].startswith(f"{folder}/.")
    assert flushed[1:] == [str(folder), str(folder.parent)]


def test_key__disk_refuses_to_flush__nothing_is_left_to_commit_to(folder, monkeypatch):
    """A key that may not be on disk is not used: the run fails, and no file has its name."""
    monkeypatch.setattr(
        artifact_keys.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(StorageError, match="No space left"):
        load_or_create_key(folder, BINDING)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "text", "another key's length", "foreign field", "empty"])
def test_key__file_is_damaged__refused_without_a_new_one_and_unshown(folder, damage):
    """A damaged file is never replaced by a new key, which would open nothing; no message repeats what it holds."""
    kept = load_or_create_key(folder, BINDING)
    text, secret = kept.path.read_text(), kept.key.secret.hex()
    damaged = {
        "cut": text[:-3],
        "text": f"key {secret}",
        "another key's length": text.replace(secret, secret[:-2]),
        "foreign field": text.replace('"name"', '"mane"'),
        "empty": "",
    }[damage]
    kept.path.write_text(damaged)
    for ask in (lambda: load_or_create_key(folder, BINDING), lambda: key_of(folder, kept.key.commitment)):
        with pytest.raises(KeyFileError) as caught:
            ask()
        told = "".join(traceback.format_exception(caught.value)) + str(caught.value.context)
        assert secret[:16] not in told
    assert kept.path.read_text() == damaged


def test_key__file_of_another_model_renamed__refused(folder):
    """A key file in the place of another is not taken for it."""
    kept = load_or_create_key(folder, BINDING)
    other = load_or_create_key(folder, replace(BINDING, chain_id=1))
    kept.path.write_text(other.path.read_text())
    with pytest.raises(KeyFileError, match="something else"):
        load_or_create_key(folder, BINDING)


def test_key__readable_by_others__refused(folder):
    """A key that others could have read is not used as if nobody had."""
    kept = load_or_create_key(folder, BINDING)
    kept.path.chmod(0o644)
    with pytest.raises(KeyFileError, match="mode 0644"):
        load_or_create_key(folder, BINDING)
    kept.path.chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="this user alone"):
        load_or_create_key(folder, BINDING)


def test_key_of__commitment_of_no_key_here__says_what_is_lost(folder):
    """Who lost a key learns what that costs, and that a backup helps."""
    load_or_create_key(folder, BINDING)
    with pytest.raises(KeyFileError, match="expected the key of the commitment") as caught:
        key_of(folder, b"\x01" * 32)
    assert "backup" in caught.value.hint
    with pytest.raises(KeyFileError):
        key_of(folder.parent / "none", b"\x01" * 32)


def test_key__printed__shows_no_secret(folder):
    """Neither a key nor what holds it shows the secret when it is printed or logged."""
    kept = load_or_create_key(folder, BINDING)
    shown = f"{kept!r} {kept} {kept.key!r}"
    assert kept.key.secret.hex() not in shown
    assert repr(kept.key.secret) not in shown
