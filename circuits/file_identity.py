"""Digest, CID and size of a file in one pass, remembered while the process lives.

The memory is keyed by what the file system says about the file (path, inode, size, both times). The time
of the last status change cannot be set by a program, so a file that was written to is hashed again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from zkml.core.cid import CHUNK_BYTES, Cid, cid_of_chunks
from zkml.core.digests import Digest
from zkml.errors import ArtifactNotFoundError, StorageError

_MAX_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What a file's bytes are called."""

    digest: Digest
    cid: Cid
    size_bytes: int


_Key = tuple[str, int, int, int, int]
_digests: dict[_Key, Digest] = {}


def digest_file(path: Path) -> Digest:
    """Return a file's digest, hashing it only if it changed since the last time.

    Raises:
        ArtifactNotFoundError: no such file.
        StorageError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            key = _key(path, os.fstat(stream.fileno()))
            if key not in _digests:
                hasher = sha256()
                while chunk := stream.read(CHUNK_BYTES):
                    hasher.update(chunk)
                _remember(key, Digest("sha256:" + hasher.hexdigest()))
    except OSError as error:
        raise _translated(error, path) from error
    return _digests[key]


def identify_file(path: Path) -> FileIdentity:
    """Return a file's digest, CID and size; always reads it.

    Raises:
        ArtifactNotFoundError: no such file.
        StorageError: it cannot be read.
    """
    hasher = sha256()

    def chunks() -> Iterator[bytes]:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
            yield chunk

    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            cid = cid_of_chunks(chunks())
    except OSError as error:
        raise _translated(error, path) from error
    digest = Digest("sha256:" + hasher.hexdigest())
    _remember(_key(path, status), digest)
    return FileIdentity(digest, cid, status.st_size)


def _key(path: Path, status: os.stat_result) -> _Key:
    return (
        os.path.realpath(path),
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _remember(key: _Key, digest: Digest) -> None:
    if len(_digests) >= _MAX_REMEMBERED:
        _digests.clear()
    _digests[key] = digest


def _translated(error: OSError, path: Path) -> ArtifactNotFoundError | StorageError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return ArtifactNotFoundError(f"expected a file, found none at {path}", path=path)
    return StorageError(f"expected a readable file, found {error.strerror} at {path}", path=path)
