"""A verifying key as a shared verifier takes it: words of 32 bytes, named by their hash.

A key holds a program, so a crafted one makes the verifier accept anything: a key is worth what its digest was
compared with, and that must have been rebuilt from the circuit's own files.

What the words mean is each system's own: see `ezkl_key` and `octet_key`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from zkml.core.digests import keccak256
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import FormatError

WORD_BYTES = 32
CHUNK_WORDS = 767
"""Words of a key that one contract's code holds, behind a byte that stops execution."""
MAX_STORED_WORDS = 3 * CHUNK_WORDS
"""A key lies in the code of up to three contracts."""


@dataclass(frozen=True, slots=True)
class SharedKey(ABC):
    """The words of a key, 32 bytes each."""

    words: tuple[bytes, ...]

    @classmethod
    @abstractmethod
    def parse(cls, data: bytes) -> Self:
        """Read what `circuits.verifier_source.shared_key` makes of a bundle.

        Raises:
            FormatError: it is no key of this system.
        """

    @property
    def digest(self) -> bytes:
        """keccak256 of the words: what adapters pin."""
        return keccak256(b"".join(self.words))

    @property
    @abstractmethod
    def ceremony_constants(self) -> tuple[int, ...]:
        """G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each): which ceremony the key is of."""

    @abstractmethod
    def check_tensors(self, layout: TensorLayout, domain: InputDomain) -> None:
        """Check that the key is one of a circuit with these public tensors, as far as the key says.

        Raises:
            LayoutError: it is of others.
        """


def words_of(data: bytes, minimum: int, maximum: int) -> tuple[bytes, ...]:
    """Cut a key's bytes into words.

    Raises:
        FormatError: not a whole number of words, or their number is out of range.
    """
    count, rest = divmod(len(data), WORD_BYTES)
    if rest or not minimum <= count <= maximum:
        raise FormatError(
            f"expected a key of {minimum}..{maximum} words of {WORD_BYTES} bytes, found {len(data)} bytes"
        )
    return tuple(data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES))
