"""IPFS content identifiers of files, computed without IPFS.

CIDv1, SHA-256, chunks of 256 KiB as raw leaves, balanced tree of UnixFS nodes with at most 174 links:
what `ipfs add --cid-version=1` makes, so that an identifier committed on chain resolves anywhere.

Source: multiformats CID specification; ipfs/specs UNIXFS.md; kubo's defaults for CIDv1.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NewType

from zkml.errors import FormatError

Cid = NewType("Cid", str)
"""A CIDv1 in base32, e.g. `bafkrei...` (one chunk) or `bafybei...` (a tree)."""

CHUNK_BYTES = 262_144
LINKS_PER_NODE = 174

CID_PATTERN = r"^baf(kre|ybe)i[a-h][a-z2-7]{50}[aeimquy4]$"
"""The text of a CID of ours. Base32 has two spare bits before the hash and two after it; they are fixed
here, so that no two texts name one file."""

_RAW = 0x55
_DAG_PB = 0x70
_SHA2_256 = b"\x12\x20"
_CID = re.compile(CID_PATTERN)


@dataclass(frozen=True, slots=True)
class _Node:
    """A finished block: its binary CID, the file bytes below it, and its size with all blocks below."""

    cid: bytes
    file_bytes: int
    total_bytes: int


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _binary_cid(codec: int, block: bytes) -> bytes:
    return b"\x01" + _varint(codec) + _SHA2_256 + hashlib.sha256(block).digest()


def _leaf(chunk: bytes) -> _Node:
    return _Node(_binary_cid(_RAW, chunk), len(chunk), len(chunk))


def _parent(children: list[_Node]) -> _Node:
    links = b"".join(
        _field(2, _field(1, child.cid) + _field(2, b"") + _integer(3, child.total_bytes))
        for child in children
    )
    file_bytes = sum(child.file_bytes for child in children)
    unixfs = _integer(1, 2) + _integer(3, file_bytes)
    unixfs += b"".join(_integer(4, child.file_bytes) for child in children)
    block = links + _field(1, unixfs)
    total = len(block) + sum(child.total_bytes for child in children)
    return _Node(_binary_cid(_DAG_PB, block), file_bytes, total)


def _text(binary: bytes) -> Cid:
    return Cid("b" + base64.b32encode(binary).decode().lower().rstrip("="))


def rechunk(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream of bytes into chunks of 256 KiB, the last one shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)


def cid_of_chunks(pieces: Iterable[bytes]) -> Cid:
    """Return the CID of the file whose bytes are the concatenation of `pieces`, in any cut.

    Memory grows with the number of chunks (about 100 bytes for each 256 KiB), not with the file.
    """
    level = [_leaf(chunk) for chunk in rechunk(pieces)] or [_leaf(b"")]
    while len(level) > 1:
        level = [
            _parent(level[start : start + LINKS_PER_NODE]) for start in range(0, len(level), LINKS_PER_NODE)
        ]
    return _text(level[0].cid)


def cid_of(data: bytes) -> Cid:
    """Return the CID of a file with these bytes."""
    return cid_of_chunks([data])


def parse_cid(text: str) -> Cid:
    """Accept `text` as a CID of the two forms that this module makes.

    Raises:
        FormatError: it is something else; a path or a URL can therefore never pass as a CID.
    """
    if not isinstance(text, str) or not _CID.fullmatch(text):
        raise FormatError(f"expected a CIDv1 (bafkrei... or bafybei...), found {text!r:.80}")
    return Cid(text)
