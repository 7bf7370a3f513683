"""Open an encrypted artifact with its revealed key, or find the chunk that refutes it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from marketplace.local_artifacts import LocalArtifacts
from marketplace.sealed_files import (
    ByteProgress,
    check_sealed_file,
    check_sealed_size,
    chunks_of,
    digests_of,
    opened,
    pieces_of,
    prove_sealed_chunk,
)
from zkml.core.artifact_encryption import (
    CHUNK_BYTES,
    WORD_BYTES,
    Artifact,
    ArtifactKey,
    WrongChunk,
    chunk_length,
)
from zkml.core.progress import Progress, silent
from zkml.errors import DigestMismatchError


def open_sealed_file(
    path: Path, artifact: Artifact, key: ArtifactKey, target: Path, *, progress: Progress = silent
) -> None:
    """Decrypt a published file; what appears at `target` is what the creator committed to.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        key: as revealed.
        target: the plaintext; appears when it is whole and checked.
        progress: told of the stages `check` and `decrypt`.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
        DigestMismatchError: it is not the file committed to, or a chunk is wrong: then `context` has `index`.
        StorageError: no space or no permission.
    """
    check_sealed_file(path, artifact, progress=progress)
    partial = target.with_name(target.name + ".partial")
    try:
        with opened(partial, "wb") as stream:
            for index, chunk, is_right in _decrypted(path, artifact, key, progress):
                if not is_right:
                    raise DigestMismatchError(
                        f"expected chunk {index} as it was committed to, found another one in {path}",
                        hint="refute the reveal: zkml imo challenge",
                        index=index,
                    )
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
            partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink()


def find_wrong_chunk(
    path: Path, artifact: Artifact, key: ArtifactKey, *, progress: Progress = silent
) -> int | None:
    """Return the first chunk that does not decrypt to what was committed to; None: all are right.

    A publisher asks before committing, too: a bond hangs on it.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        key: as revealed.
        progress: told of the stage `decrypt`.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
        StorageError: it cannot be read.
    """
    check_sealed_size(path, artifact.size_bytes)
    wrong = (index for index, _, is_right in _decrypted(path, artifact, key, progress) if not is_right)
    return next(wrong, None)


def refutation_of(
    path: Path, artifact: Artifact, key: ArtifactKey, *, progress: Progress = silent
) -> WrongChunk | None:
    """Return the evidence that a revealed key does not open an artifact to what was promised; None: it does.

    The chain's own code has accepted the evidence, in an EVM of this process.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        key: as revealed.
        progress: told of the stages `check` and `decrypt`.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
        DigestMismatchError: it is not the file committed to: nothing can be proved with it.
        StorageError: it cannot be read.
    """
    check_sealed_file(path, artifact, progress=progress)
    index = find_wrong_chunk(path, artifact, key, progress=progress)
    if index is None:
        return None
    evidence = prove_wrong_chunk(path, artifact, index)
    LocalArtifacts().check_refuted(artifact, key, evidence)
    return evidence


def prove_wrong_chunk(path: Path, artifact: Artifact, index: int) -> WrongChunk:
    """Return the evidence against a chunk, as the chain takes it.

    Args:
        path: the published file.
        artifact: what the creator committed to.
        index: of the chunk, from 0.

    Raises:
        LayoutError: there is no such chunk.
        ArtifactNotFoundError: no such file.
        FormatError: it has another size.
        DigestMismatchError: it is not the file committed to: nothing can be proved with it.
        StorageError: it cannot be read.
    """
    length = chunk_length(artifact.size_bytes, index)
    cipher_path, plain_path = prove_sealed_chunk(path, artifact, index)
    with opened(path, "rb") as stream:
        stream.seek(index * CHUNK_BYTES)
        chunk = stream.read(length)
    digest = next(digests_of(path, artifact.size_bytes, index))
    return WrongChunk(index, chunk, cipher_path, digest, plain_path)


def _decrypted(
    path: Path, artifact: Artifact, key: ArtifactKey, progress: Progress
) -> Iterator[tuple[int, bytes, bool]]:
    """Yield index, plaintext and whether it is the one committed to, of each chunk."""
    stream, stream_key = LocalArtifacts(), key.stream_key(artifact.plain_root)
    tell = ByteProgress(progress, "decrypt", artifact.size_bytes)
    digests = digests_of(path, artifact.size_bytes)
    for place, piece in pieces_of(path, artifact.size_bytes):
        plain = stream.transform(stream_key, place // WORD_BYTES, piece)
        for index, chunk in enumerate(chunks_of(plain), place // CHUNK_BYTES):
            yield index, chunk, key.plain_digest(index, chunk) == next(digests)
        tell(place + len(piece))
