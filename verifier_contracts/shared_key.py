"""A verifying key as EZKL's reusable verifier takes it: words of 32 bytes, named by their hash.

From word 24 on a key is a program, so a crafted one makes the reusable verifier accept anything: a key is
worth what its digest was compared with, and that must have been rebuilt from verifying key and settings.

Source: EZKL 23's `create_evm_vka`: 8 bytes little-endian word count, then the words.
"""

from dataclasses import dataclass
from typing import Self

from zkml.core.digests import keccak256
from zkml.errors import FormatError

WORD_BYTES = 32
MIN_WORDS = 33
MAX_WORDS = 2_042
"""Its own pointers have 16 bits; the contracts take no longer one either."""
_COUNT_BYTES = 8
_INSTANCES_WORD = 2
_CEREMONY_WORDS = slice(14, 24)


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The words of a key, 32 bytes each."""

    words: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the file that EZKL writes.

        Raises:
            FormatError: the count is not that of the words, or out of range.
        """
        count = int.from_bytes(data[:_COUNT_BYTES], "little")
        body = data[_COUNT_BYTES:]
        if not MIN_WORDS <= count <= MAX_WORDS or len(body) != count * WORD_BYTES:
            raise FormatError(
                f"expected a key of {MIN_WORDS}..{MAX_WORDS} words and its count before it, "
                f"found a count of {count} and {len(body)} bytes"
            )
        return cls.from_words(body)

    @classmethod
    def from_words(cls, data: bytes) -> Self:
        """Return the key of words that stand one after the other, as a chain stores them."""
        return cls(tuple(data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES)))

    @property
    def digest(self) -> bytes:
        """keccak256 of the words: what adapters pin."""
        return keccak256(b"".join(self.words))

    @property
    def instance_count(self) -> int:
        """How many instances its proofs have."""
        return int.from_bytes(self.words[_INSTANCES_WORD], "big")

    @property
    def ceremony_constants(self) -> tuple[int, ...]:
        """G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each): which ceremony the key is of."""
        return tuple(int.from_bytes(word, "big") for word in self.words[_CEREMONY_WORDS])
