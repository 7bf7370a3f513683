"""A directory of files, each named by the CID of its bytes.

    <root>/objects/<last two characters>/<cid>    finished files, never changed
    <root>/partial/                               files being written

A file is written beside, flushed to disk, and renamed: a reader sees all of it or nothing.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from zkml.core.cid import CHUNK_BYTES, Cid, cid_of_chunks, parse_cid
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, FormatError, StorageError


def object_name(cid: Cid) -> str:
    """Return the name of a file below a store's root, which a copy of the store has it by as well."""
    return f"objects/{cid[-2:]}/{cid}"


class DirectoryStore:
    """Implements `zkml.core.ports.store.ArtifactStore` on one directory."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which the first write creates."""
        self._objects = root / "objects"
        self._partial = root / "partial"

    def put_file(self, path: Path) -> Cid:
        """Store a file's bytes, streaming.

        Raises:
            ArtifactNotFoundError: no such file.
            StorageError: no space or no permission; nothing half-written is ever readable.
        """
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            raise ArtifactNotFoundError(f"expected a file, found none at {path}", path=path) from error
        except OSError as error:
            raise StorageError(f"expected a readable file, found {error.strerror} at {path}") from error
        with stream:
            return self._put(iter(lambda: stream.read(CHUNK_BYTES), b""))

    def put_bytes(self, data: bytes) -> Cid:
        """Store bytes; see `put_file`."""
        return self._put([data])

    def path_of(self, cid: Cid) -> Path:
        """Return the path of a stored file, after re-hashing it.

        Raises:
            FormatError: `cid` is no CID.
            ArtifactNotFoundError: not stored here.
            DigestMismatchError: stored bytes do not hash to `cid`.
        """
        path = self._path(cid)
        try:
            with path.open("rb") as stream:
                found = cid_of_chunks(iter(lambda: stream.read(CHUNK_BYTES), b""))
        except FileNotFoundError as error:
            raise ArtifactNotFoundError(f"expected {cid} in the store, found nothing", cid=cid) from error
        except OSError as error:
            raise StorageError(f"expected a readable file, found {error.strerror} at {path}") from error
        if found != cid:
            raise DigestMismatchError(
                f"expected bytes of {cid}, found {found} in {path}", hint="delete the file and fetch it again"
            )
        return path

    def read(self, cid: Cid, *, limit_bytes: int) -> bytes:
        """Return the bytes of a stored file of at most `limit_bytes`; see `path_of`.

        Raises:
            FormatError: the file is larger.
        """
        path = self._path(cid)
        if path.exists() and path.stat().st_size > limit_bytes:
            raise FormatError(
                f"expected at most {limit_bytes} bytes, found {path.stat().st_size} in {cid}", cid=cid
            )
        return self.path_of(cid).read_bytes()

    def has(self, cid: Cid) -> bool:
        """Say whether something is stored under `cid`, without re-hashing it."""
        return self._path(cid).is_file()

    def _path(self, cid: Cid) -> Path:
        return self._objects.parent / object_name(parse_cid(cid))

    def _put(self, pieces: Iterable[bytes]) -> Cid:
        try:
            return self._write(pieces)
        except OSError as error:
            raise StorageError(
                f"expected to write to the store, found {error.strerror} at {self._objects.parent}",
                hint="free some disk space or correct the directory's permissions",
            ) from error

    def _write(self, pieces: Iterable[bytes]) -> Cid:
        self._partial.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._partial)
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                cid = cid_of_chunks(_copied(pieces, stream.write))
                stream.flush()
                os.fsync(stream.fileno())
            final = self._path(cid)
            final.parent.mkdir(parents=True, exist_ok=True)
            partial.chmod(0o644)
            partial.replace(final)
            _flush_directory(final.parent)
        finally:
            partial.unlink(missing_ok=True)
        return cid


def _copied(pieces: Iterable[bytes], write: Callable[[bytes], int]) -> Iterator[bytes]:
    """Pass pieces through, writing each, so that a file is read once."""
    for piece in pieces:
        write(piece)
        yield piece


def _flush_directory(directory: Path) -> None:
    # Some file systems refuse to flush a directory; the rename is then as durable as they make it.
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
