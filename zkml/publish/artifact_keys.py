"""The keys of encrypted artifacts, kept by their creators until they are revealed.

Each is drawn once, for one artifact of one model on one chain, and is on disk before anything that commits to
it is sent: a creator who cannot reveal the key loses the bond of the offering. No message shows a key.
"""

import contextlib
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from zkml.adapters.keys.key_files import read_secret
from zkml.adapters.private_folder import make_private_folder
from zkml.core.artifact_encryption import WORD_BYTES, ArtifactKey
from zkml.core.digests import Digest, canonical_json, record_digest
from zkml.core.records import from_hex, to_hex
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError, KeyFileError, StorageError

FORMAT = "zkml.artifact-key/1"
_SUFFIX = ".key.json"


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """What one key is for: another model, artifact, publisher or chain has another key.

    Attributes:
        chain_id: EIP-155 id.
        registry: checksummed address of the model registry.
        publisher: checksummed address of who registers the model.
        circuit: the identity of the model's circuit, equal whenever it is compiled from the same sources.
        artifact: digest of the plaintext.
        name: of the model, for people who look for a lost key.
    """

    chain_id: int
    registry: str
    publisher: str
    circuit: Digest
    artifact: Digest
    name: str


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key on disk.

    Attributes:
        key: the secret.
        path: its file, which only its owner may read.
        is_new: whether this run drew it.
    """

    key: ArtifactKey
    path: Path
    is_new: bool


def load_or_create_key(folder: Path, binding: KeyBinding) -> KeptKey:
    """Return the key of an artifact; where there is none, draw one and wait until it is on disk.

    Of several runs at once one draws it, and all get that one.

    Raises:
        KeyFileError: the file is damaged, readable by others, or of something else.
        ConfigError: the folder is not this user's alone.
        StorageError: no space or no permission.
    """
    make_private_folder(folder, purpose="keys of artifacts")
    path = _path_of(folder, binding)
    is_new = not path.exists() and _create(path, binding)
    # Also what was just written is read back: nothing is committed to that cannot be read again.
    return KeptKey(_load(path, binding), path, is_new)


def find_key(folder: Path, binding: KeyBinding) -> KeptKey | None:
    """Return the key of an artifact, or None where none was drawn yet.

    Raises:
        KeyFileError: the file is damaged, readable by others, or of something else.
    """
    path = _path_of(folder, binding)
    return KeptKey(_load(path, binding), path, is_new=False) if path.exists() else None


def key_of(folder: Path, key_commitment: bytes) -> ArtifactKey:
    """Return the key that a model's publisher committed to: what `zkml imo reveal` reveals.

    Args:
        folder: of keys.
        key_commitment: of the model, as on chain, 32 bytes.

    Raises:
        KeyFileError: it is not here, or its file is damaged or readable by others.
    """
    unreadable: KeyFileError | None = None
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            key = _load(path)
        except KeyFileError as error:
            unreadable = error  # perhaps of another model: the right one may come after it
            continue
        if key.opens(key_commitment):
            return key
    if unreadable is not None:
        raise unreadable
    raise KeyFileError(
        f"expected the key of the commitment {to_hex(key_commitment)}, found none in {folder}",
        hint="restore it from the backup, into a file of mode 0600; without it the bond is lost",
        path=folder,
    )


def _path_of(folder: Path, binding: KeyBinding) -> Path:
    digest = record_digest(FORMAT, asdict(binding)).rpartition(":")[2]
    return folder / f"{binding.name}-{digest[:32]}{_SUFFIX}"


def _create(path: Path, binding: KeyBinding) -> bool:
    """Draw a key and put it on disk; return whether no other run was faster.

    The file is whole before it has its name, and the folder is flushed as well: whatever ends this process or
    machine afterwards, the key is there.
    """
    secret = secrets.token_bytes(WORD_BYTES)
    data = canonical_json({"format": FORMAT, **asdict(binding), "key": secret.hex()})
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)  # of mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        _flush(path.parent)
    except OSError as error:
        raise StorageError(
            f"expected to keep a key at {path}, found {error.strerror or error}",
            hint="free some space, or correct the permissions of the folder",
            path=path,
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
    return True


def _flush(folder: Path) -> None:
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _load(path: Path, binding: KeyBinding | None = None) -> ArtifactKey:
    """Return a file's key; with a binding, only if it is the one for that."""
    try:
        found = parse_object(read_secret(path).encode(), where=str(path))
        secret = from_hex(found.pop("key", ""))
    except FormatError:
        # The cause is left out: it may repeat the key.
        raise _not_a_key(path) from None
    is_ours = found.pop("format", None) == FORMAT and set(found) == {item.name for item in fields(KeyBinding)}
    if not is_ours or len(secret) != WORD_BYTES:
        raise _not_a_key(path)
    if binding is not None and found != asdict(binding):
        raise KeyFileError(
            f"expected the key for {binding.name} on chain {binding.chain_id}, found that for something else "
            f"in {path}",
            hint="somebody renamed key files: give each its own name again",
            path=path,
        )
    return ArtifactKey(secret)


def _not_a_key(path: Path) -> KeyFileError:
    return KeyFileError(
        f"expected the key of an artifact, found something else in {path}",
        hint="restore the file from the backup; without the key the bond is lost",
        path=path,
    )
