"""The key that EZKL's reusable verifier takes with every call.

Source: EZKL 23's `create_evm_vka`: 8 bytes little-endian word count, then the words.
"""

from dataclasses import dataclass
from typing import Self

from verifier_contracts.shared_key import SharedKey, words_of
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import FormatError, LayoutError

MIN_WORDS = 34
MAX_WORDS = 2_042
"""Its own pointers have 16 bits; the contracts take no longer one either."""
_COUNT_BYTES = 8
_INSTANCES_WORD = 2
_CEREMONY_WORDS = slice(14, 24)


@dataclass(frozen=True, slots=True)
class EzklKey(SharedKey):
    """See `SharedKey`."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the file that EZKL writes.

        Raises:
            FormatError: the count is not that of the words, or out of range.
        """
        words = words_of(data[_COUNT_BYTES:], MIN_WORDS, MAX_WORDS)
        count = int.from_bytes(data[:_COUNT_BYTES], "little")
        if count != len(words):
            raise FormatError(f"expected a count of {len(words)} before the words of a key, found {count}")
        return cls(words)

    @property
    def ceremony_constants(self) -> tuple[int, ...]:
        """G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each): which ceremony the key is of."""
        return tuple(int.from_bytes(word, "big") for word in self.words[_CEREMONY_WORDS])

    def check_tensors(self, layout: TensorLayout, domain: InputDomain) -> None:
        """Check the number of instances; of a domain EZKL's keys say nothing.

        Raises:
            LayoutError: the key has another number.
        """
        del domain
        expected = int.from_bytes(self.words[_INSTANCES_WORD], "big")
        found = layout.input_count + layout.output_count
        if expected != found:
            raise LayoutError(f"expected {expected} elements as the key has, found {found}")
