"""Encrypted artifacts as files: sealed, opened, and refuted by the contract's own code."""

import random
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import sealing
from marketplace.local_artifacts import PIECE_BYTES, LocalArtifacts
from marketplace.opening import find_wrong_chunk, open_sealed_file, prove_wrong_chunk
from marketplace.sealed_files import check_sealed_file, sealed_size
from marketplace.sealing import seal_file
from zkml.core.artifact_encryption import (
    CHUNK_BYTES,
    WORD_BYTES,
    Artifact,
    ArtifactKey,
    cipher_leaf,
    plain_leaf,
    transformed,
)
from zkml.core.digests import keccak256
from zkml.core.merkle import root_of
from zkml.errors import (
    ArtifactNotFoundError,
    BindingError,
    DigestMismatchError,
    FormatError,
    LayoutError,
    MarketError,
)

KEY = ArtifactKey(keccak256(b"drawn at random"))
CONTRACT = LocalArtifacts()
SIZE = 3 * CHUNK_BYTES + 100


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def source(tmp_path):
    """A plaintext of four chunks."""
    path = tmp_path / "model.onnx"
    path.write_bytes(noise(SIZE))
    return path


@pytest.fixture
def published(tmp_path, source):
    """It as published, and what was committed to."""
    path = tmp_path / "model.sealed"
    return path, seal_file(source, path, KEY)


def committed_to(data, size):
    """What a creator would commit to for whatever stands in a published file."""
    chunks = [data[at : min(at + CHUNK_BYTES, size)] for at in range(0, size, CHUNK_BYTES)]
    digests = [data[at : at + WORD_BYTES] for at in range(size, len(data), WORD_BYTES)]
    plain = root_of(plain_leaf(i, len(chunks[i]), digest) for i, digest in enumerate(digests))
    return Artifact(plain, root_of(cipher_leaf(i, chunk) for i, chunk in enumerate(chunks)), size)


@given(key=st.binary(min_size=32, max_size=32), first=st.integers(0, 1 << 35), piece=st.binary(max_size=500))
def test_transform__any_piece__the_contract_and_its_twin_agree(key, first, piece):
    """The stream of the contract's code and that of Python are the same."""
    assert CONTRACT.transform(key, first, piece) == transformed(key, first, piece)


@pytest.mark.parametrize(
    "size", [1, 31, 32, 33, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1]
)
def test_seal__any_size__opens_to_the_plaintext(tmp_path, size):
    """What was sealed is checked without the key, opened with it, and nothing in it is wrong."""
    source, target, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    source.write_bytes(noise(size))
    artifact = seal_file(source, target, KEY)
    assert target.stat().st_size == sealed_size(size)
    assert artifact == committed_to(target.read_bytes(), size)
    check_sealed_file(target, artifact)
    assert find_wrong_chunk(target, artifact, KEY) is None
    open_sealed_file(target, artifact, KEY, opened)
    assert opened.read_bytes() == source.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "sealed", "opened"}


def test_seal__by_the_slow_twin__the_same_file(source, published):
    """The published file is the ciphertext and the digests that the scheme defines, byte for byte."""
    path, artifact = published
    plain = source.read_bytes()
    chunks = [plain[at : at + CHUNK_BYTES] for at in range(0, SIZE, CHUNK_BYTES)]
    digests = b"".join(KEY.plain_digest(index, chunk) for index, chunk in enumerate(chunks))
    cipher = transformed(KEY.stream_key(artifact.plain_root), 0, plain)
    assert path.read_bytes() == cipher + digests


class StopError(Exception):
    """The plug was pulled."""


def stop_at(count):
    """Fail at the n-th piece of the encryption, and keep where each began to be told of."""

    def tell(event):
        if event.stage == "encrypt":
            tell.seen.append(event.note)
            if len(tell.seen) == count:
                raise StopError

    tell.seen = []
    return tell


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """A run of five pieces that was stopped in the fourth, with a note every two pieces."""
    monkeypatch.setattr(sealing, "NOTED_CHUNKS", 2 * PIECE_BYTES // CHUNK_BYTES)
    source, target = tmp_path / "plain", tmp_path / "sealed"
    source.write_bytes(noise(4 * PIECE_BYTES + 999))
    with pytest.raises(StopError):
        seal_file(source, target, KEY, progress=stop_at(3))
    assert not target.exists()
    return source, target


def resumed(source, target):
    """Seal again; what comes out is right, and how much of it was encrypted now is returned."""
    progress = stop_at(-1)
    artifact = seal_file(source, target, KEY, progress=progress)
    assert find_wrong_chunk(target, artifact, KEY) is None
    assert artifact == committed_to(target.read_bytes(), source.stat().st_size)
    return len(progress.seen)


def test_seal__interrupted__goes_on_where_it_was(interrupted):
    """Of five pieces, the two that were noted as written are not encrypted again."""
    assert resumed(*interrupted) == 3
    assert not list(interrupted[1].parent.glob("*.partial"))
    assert not list(interrupted[1].parent.glob("*.sealing"))


def test_seal__interrupted_and_the_source_changed__begins_again(interrupted):
    """What was encrypted of another plaintext is of no use."""
    source, target = interrupted
    source.write_bytes(noise(4 * PIECE_BYTES + 999, seed=2))
    assert resumed(source, target) == 5


@pytest.mark.parametrize("damage", ["flipped", "removed", "junk in the note", "a note of more than there is"])
def test_seal__interrupted_and_what_was_written_is_damaged__begins_again(interrupted, damage):
    """A bond hangs on every chunk: whatever is not as it was noted is done again."""
    source, target = interrupted
    partial, note = target.with_name("sealed.partial"), target.with_name("sealed.sealing")
    if damage == "flipped":
        data = bytearray(partial.read_bytes())
        data[1000] ^= 1
        partial.write_bytes(data)
    elif damage == "removed":
        partial.unlink()
    elif damage == "junk in the note":
        note.write_text("[1]")
    else:
        note.write_text(note.read_text().replace('"chunks": 128', '"chunks": 1280'))
    assert resumed(source, target) == 5


def test_seal__interrupted_and_another_key__begins_again(interrupted):
    """What another key encrypted is not taken for one's own."""
    source, target = interrupted
    other = ArtifactKey(keccak256(b"another"))
    artifact = seal_file(source, target, other)
    assert find_wrong_chunk(target, artifact, other) is None


def test_seal__source_changed_meanwhile__refused(source, tmp_path):
    """Nothing is published of a file that was one thing when digests were taken and another thereafter."""

    def change(event):
        if event.stage == "digest" and event.finished:
            source.write_bytes(noise(SIZE, seed=3))

    with pytest.raises(DigestMismatchError, match="expected the bytes that were read before"):
        seal_file(source, tmp_path / "sealed", KEY, progress=change)
    assert not (tmp_path / "sealed").exists()


def test_seal__nothing_or_no_file__refused(tmp_path):
    """An empty artifact cannot be committed to."""
    (tmp_path / "empty").touch()
    with pytest.raises(FormatError, match="artifact of 1 to"):
        seal_file(tmp_path / "empty", tmp_path / "sealed", KEY)
    with pytest.raises(ArtifactNotFoundError):
        seal_file(tmp_path / "missing", tmp_path / "sealed", KEY)


@given(place=st.integers(0, sealed_size(SIZE) - 1), bit=st.integers(0, 7))
def test_check__one_bit_changed_anywhere__refused_without_the_key(tmp_path_factory, place, bit):
    """A buyer sees before paying that a file is not the one committed to, wherever it differs."""
    folder = tmp_path_factory.getbasetemp() / "one-bit"
    folder.mkdir(exist_ok=True)
    source, path = folder / "plain", folder / "sealed"
    if not path.exists():
        source.write_bytes(noise(SIZE))
    artifact = seal_file(source, path, KEY)
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(DigestMismatchError) as caught:
        check_sealed_file(path, artifact)
    assert "do not buy" in caught.value.hint


def test_check__another_size_or_no_file__refused(published, tmp_path):
    """A file that was cut or has more behind it is not the one committed to."""
    path, artifact = published
    data = path.read_bytes()
    for other in (data[:-1], data + b"\0", b""):
        path.write_bytes(other)
        with pytest.raises(FormatError, match="bytes of a published file"):
            check_sealed_file(path, artifact)
        with pytest.raises(FormatError, match="bytes of a published file"):
            find_wrong_chunk(path, artifact, KEY)
    with pytest.raises(ArtifactNotFoundError):
        check_sealed_file(tmp_path / "missing", artifact)


@pytest.mark.parametrize("index", range(4))
def test_refute__honest_artifact__no_chunk_can_be_challenged(published, index):
    """Of an artifact that was sealed as written down the contract finds every chunk right."""
    path, artifact = published
    chunk = prove_wrong_chunk(path, artifact, index)
    with pytest.raises(MarketError, match="ChunkIsRight"):
        CONTRACT.check_refuted(artifact, KEY, chunk)


@pytest.mark.parametrize("place", [0, CHUNK_BYTES + 5, SIZE - 1, SIZE + 2 * WORD_BYTES + 3])
def test_refute__creator_committed_to_a_wrong_chunk__found_and_proved(published, tmp_path, place):
    """A byte of ciphertext, or of a digest, that the creator made wrong before committing refutes the reveal."""
    path, _ = published
    data = bytearray(path.read_bytes())
    data[place] ^= 0x80
    path.write_bytes(data)
    artifact = committed_to(bytes(data), SIZE)
    if place >= SIZE:
        # The root of the digests is part of the stream's key: the creator encrypts with the wrong one.
        cipher = transformed(KEY.stream_key(artifact.plain_root), 0, noise(SIZE))
        path.write_bytes(cipher + bytes(data[SIZE:]))
        artifact = committed_to(path.read_bytes(), SIZE)
    expected = place // CHUNK_BYTES if place < SIZE else (place - SIZE) // WORD_BYTES

    check_sealed_file(path, artifact)
    assert find_wrong_chunk(path, artifact, KEY) == expected
    assert CONTRACT.check_refuted(artifact, KEY, prove_wrong_chunk(path, artifact, expected)) < 100_000
    for index in set(range(4)) - {expected}:
        with pytest.raises(MarketError, match="ChunkIsRight"):
            CONTRACT.check_refuted(artifact, KEY, prove_wrong_chunk(path, artifact, index))
    with pytest.raises(DigestMismatchError, match=f"chunk {expected}") as caught:
        open_sealed_file(path, artifact, KEY, tmp_path / "opened")
    assert caught.value.context["index"] == expected
    assert not list(tmp_path.glob("opened*"))


def test_refute__another_key_revealed__every_chunk_is_wrong(published):
    """A key that opens nothing is refuted by whichever chunk comes first."""
    path, artifact = published
    other = ArtifactKey(keccak256(b"another"))
    assert find_wrong_chunk(path, artifact, other) == 0
    for index in range(4):
        CONTRACT.check_refuted(artifact, other, prove_wrong_chunk(path, artifact, index))


def test_refute__evidence_changed__refused(published):
    """No evidence but that of the artifact's own chunk is looked at."""
    path, artifact = published
    other = ArtifactKey(keccak256(b"another"))
    chunk, next_chunk = (prove_wrong_chunk(path, artifact, index) for index in (0, 1))
    cases = [
        (
            replace(chunk, plain_digest=next_chunk.plain_digest, plain_path=next_chunk.plain_path),
            BindingError,
        ),
        (
            replace(chunk, cipher_chunk=next_chunk.cipher_chunk, cipher_path=next_chunk.cipher_path),
            BindingError,
        ),
        (replace(chunk, cipher_path=chunk.cipher_path[:-1]), BindingError),
        (replace(chunk, plain_path=()), BindingError),
        (replace(chunk, cipher_chunk=chunk.cipher_chunk[:-1]), LayoutError),
        (replace(chunk, index=4), LayoutError),
    ]
    for changed, expected in cases:
        with pytest.raises(expected):
            CONTRACT.check_refuted(artifact, other, changed)


@pytest.mark.parametrize("root", ["cipher_root", "plain_root"])
def test_prove_and_open__file_of_another_artifact__refused(published, tmp_path, root):
    """Neither evidence nor a plaintext is made of a file that the creator did not commit to."""
    path, artifact = published
    other = replace(artifact, **{root: bytes(32)})
    with pytest.raises(DigestMismatchError, match="of the root"):
        prove_wrong_chunk(path, other, 0)
    with pytest.raises(DigestMismatchError, match="of the root"):
        open_sealed_file(path, other, KEY, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()
    with pytest.raises(LayoutError, match="expected a chunk below 4"):
        prove_wrong_chunk(path, artifact, 4)


def test_seal_and_open__many_pieces__memory_does_not_grow(tmp_path):
    """Twelve times the artifact takes no more memory than what a piece or two do."""
    source, target = tmp_path / "plain", tmp_path / "sealed"
    peaks = []
    for pieces in (1, 12):
        source.write_bytes(noise(pieces * PIECE_BYTES))
        tracemalloc.start()
        artifact = seal_file(source, target, KEY)
        open_sealed_file(target, artifact, KEY, tmp_path / "opened")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2 * PIECE_BYTES
