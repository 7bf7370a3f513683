"""Encrypted artifacts: a keystream that the chain can recompute, and what a publisher commits to. No I/O.

The twin of `ArtifactChallenge`, where the scheme is written down. In short: plaintext xor keccak256 in
counter mode; chunks of 4,096 bytes; one Merkle tree over the ciphertext's chunks and one over digests of the
plaintext's, which are blinded by the key and published beside the ciphertext. With the revealed key one chunk
shows on chain that an artifact is not what was promised. Files: `marketplace.sealing` and
`marketplace.opening`.
"""

import hmac
from dataclasses import dataclass, field

from zkml.core.digests import keccak256
from zkml.errors import FormatError, LayoutError

CHUNK_BYTES = 4096
WORD_BYTES = 32
CHUNK_WORDS = CHUNK_BYTES // WORD_BYTES
MAX_SIZE_BYTES = 1 << 40

STREAM_TAG = keccak256(b"zkml.artifact.stream.v1")
BLINDING_TAG = keccak256(b"zkml.artifact.blinding.v1")
PLAIN_TAG = keccak256(b"zkml.artifact.plain.v1")
CIPHER_TAG = keccak256(b"zkml.artifact.cipher.v1")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a publisher commits to, in the order of the Solidity struct.

    Attributes:
        plain_root: root of the tree of the plaintext's chunks, 32 bytes.
        cipher_root: root of the tree of the ciphertext's chunks, 32 bytes.
        size_bytes: of plaintext and ciphertext alike.
    """

    plain_root: bytes
    cipher_root: bytes
    size_bytes: int

    def __post_init__(self) -> None:
        check_size(self.size_bytes)

    @property
    def chunk_count(self) -> int:
        """How many chunks it has."""
        return chunk_count(self.size_bytes)

    def as_abi(self) -> tuple[bytes, bytes, int]:
        """Return the fields of the Solidity struct."""
        return self.plain_root, self.cipher_root, self.size_bytes


@dataclass(frozen=True, slots=True)
class WrongChunk:
    """A chunk that does not decrypt to what was promised, in the order of the Solidity struct.

    Attributes:
        index: of the chunk, from 0.
        cipher_chunk: its ciphertext.
        cipher_path: proves that it is in the ciphertext's tree.
        plain_digest: the blinded digest that was published of its plaintext, 32 bytes.
        plain_path: proves that it is in the plaintext's tree.
    """

    index: int
    cipher_chunk: bytes
    cipher_path: tuple[bytes, ...]
    plain_digest: bytes
    plain_path: tuple[bytes, ...]

    def as_abi(self) -> tuple[int, bytes, list[bytes], bytes, list[bytes]]:
        """Return the fields of the Solidity struct."""
        return self.index, self.cipher_chunk, list(self.cipher_path), self.plain_digest, list(self.plain_path)


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """The secret that an artifact is encrypted with.

    Attributes:
        secret: 32 bytes, drawn at random; never shown when the object is printed.
    """

    secret: bytes = field(repr=False)
    _blinding: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.secret) != WORD_BYTES:
            raise FormatError(f"expected a key of 32 bytes, found {len(self.secret)}")
        object.__setattr__(self, "_blinding", keccak256(BLINDING_TAG + self.secret))

    @property
    def commitment(self) -> bytes:
        """What the model's `keyCommitment` is: 32 bytes."""
        return keccak256(self.secret)

    def opens(self, commitment: bytes) -> bool:
        """Whether a model's `keyCommitment` is of this key."""
        return hmac.compare_digest(self.commitment, commitment)

    def stream_key(self, plain_root: bytes) -> bytes:
        """Return the key of one artifact's stream: other plaintexts have other streams."""
        return keccak256(STREAM_TAG + self.secret + plain_root)

    def plain_digest(self, index: int, chunk: bytes) -> bytes:
        """Return the blinded digest of a plaintext's chunk, which says nothing to whoever lacks the key."""
        return keccak256(self._blinding + index.to_bytes(WORD_BYTES, "big") + chunk)


def transformed(stream_key: bytes, first_word: int, piece: bytes) -> bytes:
    """Encrypt or decrypt a piece of an artifact.

    Slow, some 5 MB/s; `marketplace.artifact_stream` does the same five times as fast.

    Args:
        stream_key: of the artifact.
        first_word: the piece's place in the artifact, in words of 32 bytes.
        piece: any number of bytes.
    """
    words = (len(piece) + WORD_BYTES - 1) // WORD_BYTES
    stream = b"".join(
        keccak256(stream_key + number.to_bytes(WORD_BYTES, "big"))
        for number in range(first_word, first_word + words)
    )
    mixed = int.from_bytes(piece, "big") ^ int.from_bytes(stream[: len(piece)], "big")
    return mixed.to_bytes(len(piece), "big")


def plain_leaf(index: int, length: int, plain_digest: bytes) -> bytes:
    """Return the leaf of a plaintext's chunk."""
    return _leaf(PLAIN_TAG, index, length, plain_digest)


def cipher_leaf(index: int, chunk: bytes) -> bytes:
    """Return the leaf of a ciphertext's chunk."""
    return _leaf(CIPHER_TAG, index, len(chunk), keccak256(chunk))


def chunk_count(size_bytes: int) -> int:
    """Return how many chunks an artifact has."""
    return (size_bytes + CHUNK_BYTES - 1) // CHUNK_BYTES


def chunk_length(size_bytes: int, index: int) -> int:
    """Return the length of a chunk: the last one may be shorter.

    Raises:
        LayoutError: there is no such chunk.
    """
    count = chunk_count(size_bytes)
    if not 0 <= index < count:
        raise LayoutError(f"expected a chunk below {count}, found {index}")
    return min(CHUNK_BYTES, size_bytes - index * CHUNK_BYTES)


def check_size(size_bytes: int) -> None:
    """Check the size of an artifact.

    Raises:
        FormatError: it is empty or larger than the contract allows.
    """
    if not 0 < size_bytes <= MAX_SIZE_BYTES:
        raise FormatError(f"expected an artifact of 1 to {MAX_SIZE_BYTES} bytes, found {size_bytes}")


def _leaf(tag: bytes, index: int, length: int, digest: bytes) -> bytes:
    return keccak256(tag + index.to_bytes(WORD_BYTES, "big") + length.to_bytes(WORD_BYTES, "big") + digest)
