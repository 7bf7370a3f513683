"""Encrypt an artifact for publication: streaming, and resumed where an interrupted run stopped.

Twice through the file: the plaintext's digests first, since their root is part of the stream's key, and then
the encryption. The unfinished file and a note of how far it is lie beside the target until it is whole.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from marketplace.local_artifacts import PIECE_BYTES, LocalArtifacts
from marketplace.sealed_files import ByteProgress, chunks_of, digests_of, opened, pieces_of
from zkml.adapters.atomic_write import write_atomically
from zkml.core.artifact_encryption import (
    CHUNK_BYTES,
    WORD_BYTES,
    Artifact,
    ArtifactKey,
    check_size,
    cipher_leaf,
    plain_leaf,
)
from zkml.core.merkle import TreeBuilder
from zkml.core.progress import Progress, silent
from zkml.errors import ArtifactNotFoundError, DigestMismatchError

FORMAT = "zkml.sealing/1"
NOTED_CHUNKS = 64 * PIECE_BYTES // CHUNK_BYTES
"""How much is encrypted between two notes of how far it is: what an interruption costs at most, 16 MiB."""


@dataclass(frozen=True, slots=True)
class _Sealing:
    """What one run works on."""

    source: Path
    target: Path
    key: ArtifactKey
    size_bytes: int
    progress: Progress

    @property
    def partial(self) -> Path:
        return self.target.with_name(self.target.name + ".partial")

    @property
    def note(self) -> Path:
        return self.target.with_name(self.target.name + ".sealing")


def seal_file(source: Path, target: Path, key: ArtifactKey, *, progress: Progress = silent) -> Artifact:
    """Write the file to publish of an artifact, and return what to commit to.

    The same source and key give the same file. A run that was interrupted is continued by the next with the
    same arguments; if the source changed since, all is done again.

    Args:
        source: the plaintext, not empty; it must not change meanwhile.
        target: the file to publish; appears when it is whole.
        key: drawn at random, for this artifact alone.
        progress: told of the stages `digest` and `encrypt`.

    Raises:
        ArtifactNotFoundError: there is no such source.
        FormatError: it is empty or larger than a contract allows.
        DigestMismatchError: the source changed during the run.
        StorageError: no space or no permission.
    """
    run = _Sealing(source, target, key, _size_of(source), progress)
    with opened(run.partial, "ab"):
        pass  # makes it, where no run before left one
    plain_root = _write_digests(run)
    cipher_root = _encrypt(run, plain_root)
    with opened(run.partial, "rb") as partial:
        os.fsync(partial.fileno())
        run.partial.replace(run.target)
    with suppress(OSError):
        run.note.unlink()
    return Artifact(plain_root, cipher_root, run.size_bytes)


def _write_digests(run: _Sealing) -> bytes:
    """Write the plaintext's digests behind the place of the ciphertext; return their root."""
    tree, tell = TreeBuilder(), ByteProgress(run.progress, "digest", run.size_bytes)
    with opened(run.partial, "r+b") as partial:
        partial.seek(run.size_bytes)
        for place, piece in pieces_of(run.source, run.size_bytes):
            for chunk in chunks_of(piece):
                digest = run.key.plain_digest(tree.count, chunk)
                tree.add(plain_leaf(tree.count, len(chunk), digest))
                partial.write(digest)
            tell(place + len(piece))
        partial.truncate()
    return tree.root()


def _encrypt(run: _Sealing, plain_root: bytes) -> bytes:
    """Write the ciphertext, from where a run before stopped; return the root of all of it."""
    tree = _tree_so_far(run, plain_root)
    done = tree.count * CHUNK_BYTES
    tell = ByteProgress(run.progress, "encrypt", run.size_bytes, skipped=done)
    digests = digests_of(run.partial, run.size_bytes, tree.count)
    stream, stream_key = LocalArtifacts(), run.key.stream_key(plain_root)
    with opened(run.partial, "r+b") as partial:
        partial.seek(done)
        for place, piece in pieces_of(run.source, run.size_bytes, done):
            _check_unchanged(run, tree.count, piece, digests)
            sealed = stream.transform(stream_key, place // WORD_BYTES, piece)
            for chunk in chunks_of(sealed):
                tree.add(cipher_leaf(tree.count, chunk))
            partial.write(sealed)
            if tree.count % NOTED_CHUNKS == 0:
                partial.flush()
                os.fsync(partial.fileno())
                note = {**_identity(run, plain_root), "chunks": tree.count, "cipher_root": tree.root().hex()}
                write_atomically(run.note, json.dumps(note).encode())
            tell(place + len(piece))
    return tree.root()


def _check_unchanged(run: _Sealing, first: int, piece: bytes, digests: Iterator[bytes]) -> None:
    """Check that a piece is what it was when digests were taken: a creator's bond hangs on it."""
    for index, chunk in enumerate(chunks_of(piece), first):
        if run.key.plain_digest(index, chunk) != next(digests):
            raise DigestMismatchError(
                f"expected the bytes that were read before, found others in {run.source}",
                hint="let nothing write to it, and run this again",
                path=run.source,
            )


def _tree_so_far(run: _Sealing, plain_root: bytes) -> TreeBuilder:
    """Return the tree of what a run before encrypted of the same plaintext with the same key."""
    tree = TreeBuilder()
    try:
        note = json.loads(run.note.read_bytes())
        count, root = int(note.pop("chunks")), note.pop("cipher_root")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return tree
    if note != _identity(run, plain_root) or not 0 < count * CHUNK_BYTES <= run.size_bytes:
        return tree
    for _, piece in pieces_of(run.partial, count * CHUNK_BYTES):
        for chunk in chunks_of(piece):
            tree.add(cipher_leaf(tree.count, chunk))
    is_whole = count % NOTED_CHUNKS == 0 and tree.root().hex() == root
    return tree if is_whole else TreeBuilder()


def _identity(run: _Sealing, plain_root: bytes) -> dict[str, str]:
    return {"format": FORMAT, "plain_root": plain_root.hex(), "key_commitment": run.key.commitment.hex()}


def _size_of(source: Path) -> int:
    try:
        size_bytes = source.stat().st_size
    except OSError as error:
        raise ArtifactNotFoundError(f"expected a file, found none at {source}", path=source) from error
    check_size(size_bytes)
    return size_bytes
