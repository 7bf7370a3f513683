"""Digests of bytes, and of records through canonical JSON.

No I/O: bytes in, digests out. Files are hashed by whoever opens them, in chunks, through `Sha256`.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, NewType

import rfc8785
from eth_utils.crypto import keccak as _keccak

from zkml.errors import FormatError

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> Digest:
    """Return the SHA-256 digest of `data`, prefixed with the name of the hash."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_of_chunks(chunks: Iterable[bytes]) -> Digest:
    """Return the digest of the concatenation of `chunks`, without joining them."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return Digest("sha256:" + hasher.hexdigest())


def parse_digest(text: str) -> Digest:
    """Accept `text` as a digest.

    Raises:
        FormatError: it is not `sha256:` and 64 lower-case hexadecimal digits.
    """
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise FormatError(f"expected sha256:<64 hex digits>, found {text!r:.80}")
    return Digest(text)


def digest_bytes(digest: Digest) -> bytes:
    """Return the 32 bytes of a digest, as a contract stores them."""
    return bytes.fromhex(digest.removeprefix("sha256:"))


def digest_from_bytes(data: bytes) -> Digest:
    """Return the digest whose 32 bytes a contract stored."""
    if len(data) != 32:
        raise FormatError(f"expected 32 bytes of a digest, found {len(data)}")
    return Digest("sha256:" + data.hex())


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256, the hash of the EVM."""
    return bytes(_keccak(data))


def canonical_json(value: Any) -> bytes:
    """Encode `value` as canonical JSON.

    Raises:
        FormatError: the value has no canonical form (NaN, an integer beyond 2^53, half of a surrogate
            pair, a foreign type) or is nested too deep.

    Source: RFC 8785.
    """
    try:
        return bytes(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"expected a value with a canonical JSON form, found {error}") from error


def record_digest(tag: str, record: dict[str, Any]) -> Digest:
    """Return the digest of a record under a domain tag, so that no two kinds of record collide."""
    return digest_of(tag.encode() + b"\n" + canonical_json(record))
