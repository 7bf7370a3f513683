"""The port of content-addressed storage."""

from pathlib import Path
from typing import Protocol

from zkml.core.cid import Cid


class ArtifactStore(Protocol):
    """Files by content identifier; whoever reads gets the bytes that hash to it, or an error."""

    def put_file(self, path: Path) -> Cid:
        """Store a file's bytes.

        Raises:
            ArtifactNotFoundError: no such file.
            StorageError: no space or no permission; nothing half-written is ever readable.
        """

    def put_bytes(self, data: bytes) -> Cid:
        """Store bytes; see `put_file`."""

    def path_of(self, cid: Cid) -> Path:
        """Return the path of a stored file, after re-hashing it.

        Raises:
            ArtifactNotFoundError: not stored here.
            DigestMismatchError: stored bytes do not hash to `cid`.
        """

    def read(self, cid: Cid, *, limit_bytes: int) -> bytes:
        """Return the bytes of a stored file of at most `limit_bytes`; see `path_of`.

        Raises:
            FormatError: the file is larger.
        """

    def has(self, cid: Cid) -> bool:
        """Say whether something is stored under `cid`, without re-hashing it."""
