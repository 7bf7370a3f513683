"""The words of a proof, in the order in which they are sent and absorbed.

Source: octet.md 3.8, 3.11 (order), 3.12 step 1 (exact length, canonical words).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.octet.program import Program
from circuits.octet.spec import mercury
from circuits.octet.spec.field import checked_scalar
from circuits.octet.spec.sumchecks import FIRST_DEGREE, SECOND_DEGREE
from circuits.octet.spec.wiring import elsewhere_columns, slots
from zkml.errors import ProofRejectedError


@dataclass(frozen=True)
class Parts:
    """A proof cut into its messages.

    Attributes:
        first: points of R1, two words each.
        second: points of R2, two words each.
        first_rounds: messages of the first sumcheck.
        claimed: message EV, one word per claim.
        second_rounds: messages of the second sumcheck.
        finals: F(sigma), then one value per column that has claims at other points than rho.
        opening: Mercury's words.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    first_rounds: tuple[int, ...]
    claimed: tuple[int, ...]
    second_rounds: tuple[int, ...]
    finals: tuple[int, ...]
    opening: tuple[int, ...]

    @property
    def words(self) -> tuple[int, ...]:
        """The proof."""
        return (
            *self.first,
            *self.second,
            *self.first_rounds,
            *self.claimed,
            *self.second_rounds,
            *self.finals,
            *self.opening,
        )


def part_lengths(program: Program) -> tuple[int, ...]:
    """Return the number of words of each part.

    It depends on the program alone, and is counted without evaluating a relation.
    """
    return (
        2 * len(program.first_columns),
        2 * len(program.second_columns),
        FIRST_DEGREE * program.nu,
        len(slots(program)),
        SECOND_DEGREE * program.nu,
        1 + len(elsewhere_columns(program)),
        mercury.WORDS,
    )


def cut(program: Program, words: Sequence[int]) -> Parts:
    """Cut a proof into its parts.

    Raises:
        ProofRejectedError: it has not exactly the program's number of words.
    """
    lengths = part_lengths(program)
    if len(words) != sum(lengths):
        raise ProofRejectedError(f"expected {sum(lengths)} words of proof, found {len(words)}")
    parts: list[tuple[int, ...]] = []
    start = 0
    for length in lengths:
        parts.append(tuple(words[start : start + length]))
        start += length
    return Parts(*parts)


def check_scalars(parts: Parts) -> None:
    """Insist that every scalar is below r; coordinates of points are checked where points are read.

    Raises:
        ProofRejectedError: a scalar is not canonical.
    """
    for part in (parts.first_rounds, parts.claimed, parts.second_rounds, parts.finals):
        for word in part:
            checked_scalar(word)
