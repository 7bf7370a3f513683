"""The words of a public input: which bytes one integer holds, and where they stand in the input's block.

A contract reads an input as packed elements, and pays for each word that it takes in, not for each byte. So a
word is a piece of the packed input as it lies there: L elements that follow each other on one line, the
first one highest, B = 256^width apart. A line is the last axis, with the axes before it as long as it is an
exact power of two and shorter than a word may be: then the lanes of a word are the lowest bits of a row's
index, and words are a tensor of their own.

A word stays below 2^128, hence below r: bytes of the range table are the only ones that make it, on true
lanes and on padding alike.

Source: docs/octet.md, public inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from circuits.octet.tensors import Input, padded

WORD_BYTES = 16
"""Bytes of a word at most."""


@dataclass(frozen=True)
class WordLayout:
    """How an input is cut into words.

    Attributes:
        outer: true lengths of the axes before the line.
        length: elements of a line, n.
        lanes: elements of a word, L: a power of two.
        width: bytes of an element.
    """

    outer: tuple[int, ...]
    length: int
    lanes: int
    width: int

    @property
    def lane_bits(self) -> int:
        """log2 L: the lowest bits of a row's index say which lane it is."""
        return self.lanes.bit_length() - 1

    @property
    def per_line(self) -> int:
        """Words of a line; the last one may end in lanes that are 0."""
        return -(-self.length // self.lanes)

    @property
    def dims(self) -> tuple[int, ...]:
        """True lengths of the words' axes, padded like any tensor's.

        Word k stands on rows k L .. k L + L - 1 of the block.
        """
        return (*self.outer, self.per_line)

    @property
    def count(self) -> int:
        """Words of the input."""
        return prod(self.dims)

    @property
    def weights(self) -> tuple[int, ...]:
        """What a lane counts in its word: B^(L-1), .., B, 1."""
        return tuple(1 << 8 * self.width * lane for lane in reversed(range(self.lanes)))


def word_layout(given: Input) -> WordLayout:
    """Cut an input into words."""
    most = WORD_BYTES // given.width
    *outer, length = given.dims
    while outer and length < most and length == padded(length):
        length *= outer.pop()
    return WordLayout(tuple(outer), length, min(most, padded(length)), given.width)


def words_of(given: Input, values: Sequence[int]) -> list[int]:
    """Return an input's words, row-major.

    Args:
        given: the input.
        values: its bytes, row-major.
    """
    layout = word_layout(given)
    words = []
    for start in range(0, len(values), layout.length):
        line = values[start : start + layout.length]
        for first in range(0, layout.length, layout.lanes):
            lanes = line[first : first + layout.lanes]
            words.append(sum(int(x) * weight for x, weight in zip(lanes, layout.weights, strict=False)))
    return words
