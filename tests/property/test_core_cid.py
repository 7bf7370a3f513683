"""CIDs: equal to IPFS's own, whatever the cut of the stream."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiformats import CID

from zkml.core.cid import CHUNK_BYTES, cid_of, cid_of_chunks, parse_cid, rechunk
from zkml.errors import FormatError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "cid.json").read_text())["vectors"]


def chunks_of_vector(size):
    """Yield the content that tests/vectors/cid.json describes."""
    for number in range(-(-size // CHUNK_BYTES)):
        start = number * CHUNK_BYTES
        period = bytes((7 * (start + i) + 13 * number) % 251 for i in range(251))
        yield (period * (CHUNK_BYTES // 251 + 1))[: min(CHUNK_BYTES, size - start)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["size_bytes"]))
def test_cid__known_file__is_the_importers(vector):
    """The CID of a file of 0 to 175 chunks is the one that IPFS's importer made."""
    assert cid_of_chunks(chunks_of_vector(vector["size_bytes"])) == vector["cid"]


def test_vector_content__is_the_formula():
    """The content generator computes the formula that the vectors' comment states."""
    data = b"".join(chunks_of_vector(CHUNK_BYTES + 300))
    for i in (0, 1, 250, 251, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 299):
        assert data[i] == (7 * i + 13 * (i // CHUNK_BYTES)) % 251, i


@given(st.binary(max_size=2_000))
def test_cid__one_chunk__decodes_to_raw_sha256(data):
    """A small file's CID decodes, by another library, to version 1, raw, and the file's SHA-256."""
    decoded = CID.decode(cid_of(data))
    assert (decoded.version, decoded.codec.name, decoded.hashfun.name) == (1, "raw", "sha2-256")
    assert decoded.raw_digest == hashlib.sha256(data).digest()


def test_cid__two_chunks__decodes_to_dag_pb():
    """A larger file's CID is that of a UnixFS tree."""
    assert CID.decode(cid_of(bytes(CHUNK_BYTES + 1))).codec.name == "dag-pb"


@given(st.lists(st.integers(0, 3 * CHUNK_BYTES), max_size=6), st.integers(0, 3 * CHUNK_BYTES))
@settings(max_examples=15, deadline=None)
def test_rechunk__any_cut__same_chunks(cuts, size):
    """However a stream is cut, the chunks and so the CID are the same."""
    data = bytes(size)
    marks = [0, *sorted(min(cut, size) for cut in cuts), size]
    pieces = [data[start:end] for start, end in itertools.pairwise(marks)]
    assert [len(chunk) for chunk in rechunk(pieces)] == [len(chunk) for chunk in rechunk([data])]
    assert cid_of_chunks(pieces) == cid_of(data)


@given(st.binary(max_size=64))
def test_parse_cid__own_cid__is_accepted(data):
    """What this module makes, it accepts."""
    assert parse_cid(cid_of(data)) == cid_of(data)


@given(st.binary(max_size=64), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_parse_cid__other_last_character__never_names_the_same_hash(data, character):
    """No two accepted texts decode to one CID: the spare bits of base32 must be zero."""
    text = cid_of(data)[:-1] + character
    try:
        accepted = parse_cid(text)
    except FormatError:
        return
    assert CID.decode(accepted).raw_digest == hashlib.sha256(data).digest() or text != cid_of(data)
    assert CID.decode(accepted).encode("base32") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../etc/passwd",
        "https://example.org/x",
        cid_of(b"") + "\n",
        cid_of(b"")[:-1],
        cid_of(b"").upper(),
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        None,
        7,
    ],
)
def test_parse_cid__foreign_text__is_refused(text):
    """Paths, URLs, other CID versions and CIDs with something around them are no CIDs of ours."""
    with pytest.raises(FormatError, match="expected a CIDv1"):
        parse_cid(text)
