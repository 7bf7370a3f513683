"""The published file of an encrypted artifact: its ciphertext, then digests of its plaintext's chunks.

    bytes 0 to size             ciphertext
    32 bytes for each chunk     digests, in order, blinded by the key

One file, so that one CID names all that a buyer must look at before paying. It is read in pieces: memory does
not grow with it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from marketplace.local_artifacts import PIECE_BYTES
from zkml.core.artifact_encryption import (
    CHUNK_BYTES,
    WORD_BYTES,
    Artifact,
    chunk_count,
    cipher_leaf,
    plain_leaf,
)
from zkml.core.merkle import TreeBuilder
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, FormatError, StorageError

_DIGESTS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class ByteProgress:
    """Tells how many bytes of a file a stage has done.

    Attributes:
        progress: who is told.
        stage: what is going on.
        size_bytes: of the whole file.
        skipped: bytes that an earlier run did.
    """

    progress: Progress
    stage: str
    size_bytes: int
    skipped: int = 0
    _started: float = field(default_factory=time.monotonic, init=False)

    def __call__(self, done: int) -> None:
        """Report how far the stage is, in bytes, those of earlier runs included."""
        elapsed = time.monotonic() - self._started
        expected = elapsed * (self.size_bytes - self.skipped) / (done - self.skipped)
        note = f"{done} of {self.size_bytes} bytes"
        self.progress(ProgressEvent(self.stage, elapsed, expected, done == self.size_bytes, note))


def sealed_size(size_bytes: int) -> int:
    """Return the size of the published file of an artifact, in bytes."""
    return size_bytes + WORD_BYTES * chunk_count(size_bytes)


def check_sealed_file(path: Path, artifact: Artifact, *, progress: Progress = silent) -> None:
    """Check that a published file is the one that was committed to.

    It needs no key: buyers do it before they pay. Only then can a wrong chunk be proved: whoever lacks a
    chunk or a digest lacks a path to a root.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        progress: told of the stage `check`.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
        DigestMismatchError: a root is another one.
        StorageError: it cannot be read.
    """
    prove_sealed_chunk(path, artifact, None, progress=progress)


def prove_sealed_chunk(
    path: Path, artifact: Artifact, index: int | None, *, progress: Progress = silent
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Check a published file, and return the paths of one of its chunks.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        index: of the chunk, from 0; None: of none.
        progress: told of the stage `check`.

    Returns:
        The path in the ciphertext's tree and that in the plaintext's, both empty without an index.

    Raises:
        ArtifactNotFoundError, FormatError, DigestMismatchError, StorageError: as `check_sealed_file`.
    """
    check_sealed_size(path, artifact.size_bytes)
    cipher, plain = TreeBuilder(index), TreeBuilder(index)
    tell = ByteProgress(progress, "check", artifact.size_bytes)
    for place, piece in pieces_of(path, artifact.size_bytes):
        for chunk in chunks_of(piece):
            cipher.add(cipher_leaf(cipher.count, chunk))
        tell(place + len(piece))
    for digest in digests_of(path, artifact.size_bytes):
        length = min(CHUNK_BYTES, artifact.size_bytes - plain.count * CHUNK_BYTES)
        plain.add(plain_leaf(plain.count, length, digest))
    for what, tree, root in (
        ("ciphertext", cipher, artifact.cipher_root),
        ("plaintext digests", plain, artifact.plain_root),
    ):
        if tree.root() != root:
            raise DigestMismatchError(
                f"expected {what} of the root 0x{root.hex()}, found 0x{tree.root().hex()} in {path}",
                hint="fetch the file again; if it stays so, the creator published another file: do not buy",
                path=path,
            )
    return ((), ()) if index is None else (cipher.path(), plain.path())


def check_sealed_size(path: Path, size_bytes: int) -> None:
    """Check that a published file has the size of its artifact.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
    """
    try:
        found = path.stat().st_size
    except OSError as error:
        raise ArtifactNotFoundError(f"expected a published file, found none at {path}", path=path) from error
    if found != sealed_size(size_bytes):
        raise FormatError(
            f"expected {sealed_size(size_bytes)} bytes of a published file, found {found} in {path}",
            hint="fetch the file again",
            path=path,
        )


def pieces_of(path: Path, end: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield a file's pieces from the byte `start`, where one begins, to `end`: their places and bytes.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it ends before `end`.
        StorageError: it cannot be read.
    """
    with opened(path, "rb") as stream:
        stream.seek(start)
        for place in range(start, end, PIECE_BYTES):
            yield place, _read(stream, min(PIECE_BYTES, end - place), path)


def digests_of(path: Path, size_bytes: int, first: int = 0) -> Iterator[bytes]:
    """Yield the digests of a published file, from that of chunk `first` on; raises as `pieces_of`."""
    count = chunk_count(size_bytes)
    with opened(path, "rb") as stream:
        stream.seek(size_bytes + WORD_BYTES * first)
        for place in range(first, count, _DIGESTS_AT_ONCE):
            block = _read(stream, WORD_BYTES * min(_DIGESTS_AT_ONCE, count - place), path)
            for at in range(0, len(block), WORD_BYTES):
                yield block[at : at + WORD_BYTES]


def chunks_of(piece: bytes) -> Iterator[bytes]:
    """Yield the chunks of a piece."""
    for at in range(0, len(piece), CHUNK_BYTES):
        yield piece[at : at + CHUNK_BYTES]


@contextmanager
def opened(path: Path, mode: str) -> Iterator[BinaryIO]:
    """Open a file, with errors of our tree for whatever the system says of it.

    Raises:
        ArtifactNotFoundError: no such file.
        StorageError: no permission, no space, or the disk fails.
    """
    try:
        with path.open(mode) as stream:
            yield stream  # type: ignore[misc]
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected a file, found none at {path}", path=path) from error
    except OSError as error:
        raise StorageError(
            f"expected to use {path}, found {error.strerror or error}",
            hint="free some space, or correct the permissions",
            path=path,
        ) from error


def _read(stream: BinaryIO, length: int, path: Path) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise FormatError(f"expected {length - len(data)} more bytes, found the end of {path}", path=path)
    return data
