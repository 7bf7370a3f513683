"""How proofs travel: words of 32 bytes, big-endian, in the protocol's order; their number is the program's.

Source: octet.md 3.11 (order of words), 3.12 step 1 (exact length).
"""

from collections.abc import Sequence

from circuits.octet.program import Program
from circuits.octet.spec.field import WORD_BYTES, to_word
from circuits.octet.spec.proof_words import part_lengths


def proof_bytes(program: Program) -> int:
    """Return the length of every proof of a program."""
    return WORD_BYTES * sum(part_lengths(program))


def words_to_bytes(words: Sequence[int]) -> bytes:
    """Write the words of a proof; each is below 2^256."""
    return b"".join(map(to_word, words))


def words_from_bytes(data: bytes) -> tuple[int, ...]:
    """Read words.

    Raises:
        ValueError: the length is no multiple of 32.
    """
    if len(data) % WORD_BYTES:
        raise ValueError(f"expected whole words, found {len(data)} bytes")
    starts = range(0, len(data), WORD_BYTES)
    return tuple(int.from_bytes(data[start : start + WORD_BYTES], "big") for start in starts)
