"""The keystream and the digests of encrypted artifacts; that the contract computes them so: test_sealed_files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.artifact_encryption import (
    CHUNK_BYTES,
    MAX_SIZE_BYTES,
    Artifact,
    ArtifactKey,
    chunk_count,
    chunk_length,
    cipher_leaf,
    plain_leaf,
    transformed,
)
from zkml.core.digests import keccak256
from zkml.errors import FormatError, LayoutError

KEY = ArtifactKey(keccak256(b"a key"))
words = st.binary(min_size=32, max_size=32)


@given(key=words, first=st.integers(0, 1 << 35), piece=st.binary(max_size=300))
def test_transformed__twice__the_piece_again(key, first, piece):
    """Encrypting is decrypting."""
    assert transformed(key, first, transformed(key, first, piece)) == piece


@given(piece=st.binary(max_size=300), cut=st.integers(0, 9))
def test_transformed__in_two_pieces__as_in_one(piece, cut):
    """Where a piece stands in the artifact decides its stream, not where reading began."""
    key = keccak256(b"stream")
    parts = transformed(key, 7, piece[: 32 * cut]), transformed(key, 7 + cut, piece[32 * cut :])
    assert b"".join(parts) == transformed(key, 7, piece)


def test_transformed__zeros__the_stream_itself():
    """Word n of the stream is keccak256 of the stream's key and n, and none repeats."""
    stream = transformed(bytes(32), 0, bytes(32 * 500))
    found = [stream[at : at + 32] for at in range(0, len(stream), 32)]
    assert found == [keccak256(bytes(32) + number.to_bytes(32, "big")) for number in range(500)]
    assert len(set(found)) == 500


@given(first=words, second=words)
def test_stream_key__another_plaintext__another_stream(first, second):
    """One key for two plaintexts by mistake gives nothing away: their streams differ."""
    assert (KEY.stream_key(first) == KEY.stream_key(second)) is (first == second)


@given(chunk=st.binary(min_size=1, max_size=100), index=st.integers(0, 1 << 28))
def test_plain_digest__other_key_or_place__another_digest(chunk, index):
    """Published digests neither confirm a guessed plaintext nor show that two chunks are equal."""
    digest = KEY.plain_digest(index, chunk)
    assert digest != ArtifactKey(keccak256(b"another")).plain_digest(index, chunk)
    assert digest != KEY.plain_digest(index + 1, chunk)
    assert digest != keccak256(chunk)


@given(index=st.integers(0, 1 << 28), chunk=st.binary(min_size=1, max_size=CHUNK_BYTES))
def test_leaves__of_the_two_trees__never_the_same(index, chunk):
    """A leaf says which tree, place and length it is of."""
    digest = keccak256(chunk)
    found = {
        cipher_leaf(index, chunk),
        cipher_leaf(index + 1, chunk),
        plain_leaf(index, len(chunk), digest),
        plain_leaf(index + 1, len(chunk), digest),
        plain_leaf(index, len(chunk) - 1, digest),
    }
    assert len(found) == 5


@given(size=st.integers(1, 10 * CHUNK_BYTES))
def test_chunks__of_any_size__cover_it(size):
    """Chunks are full but for the last, none is empty, and together they are the artifact."""
    lengths = [chunk_length(size, index) for index in range(chunk_count(size))]
    assert sum(lengths) == size
    assert all(length == CHUNK_BYTES for length in lengths[:-1])
    assert 0 < lengths[-1] <= CHUNK_BYTES
    for index in (-1, len(lengths)):
        with pytest.raises(LayoutError):
            chunk_length(size, index)


def test_key__printed__shows_nothing():
    """A key in a log or a traceback is not there."""
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in f"{KEY} {KEY!r}"
    assert KEY.opens(keccak256(KEY.secret))
    assert not KEY.opens(bytes(32))
    with pytest.raises(FormatError, match="32 bytes, found 31"):
        ArtifactKey(bytes(31))


@pytest.mark.parametrize("size", [0, -1, MAX_SIZE_BYTES + 1])
def test_artifact__of_no_size_a_contract_allows__refused(size):
    """What the contract would refuse is refused before."""
    with pytest.raises(FormatError):
        Artifact(bytes(32), bytes(32), size)
