"""The Fiat-Shamir transcript: one keccak state, absorbed into and squeezed.

    absorb     st <- keccak256(st || words);  challenge = st mod R
    squeeze    st <- keccak256(st);           challenge = st mod R

Squeezing changes the state too, and what is absorbed next continues from there. Every word of a proof is
absorbed exactly once, in the order of the proof, before the challenge that follows it; the recorded events
let a test show that. A residue has weight 5 or 6 of 2^256, a bias of at most 1.2.

Source: docs/octet.md, transcript rules (3.10, and 3.0 item 17).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from circuits.octet.spec.field import to_word
from zkml.core.digests import keccak256
from zkml.core.field import R


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a transcript.

    Attributes:
        kind: whether words went in before the hash.
        label: what the step is for; no part of the hash.
        words: what went in, in order; none for a squeeze.
        state: the 32 bytes after the step.
        challenge: the state modulo R.
    """

    kind: Literal["absorb", "squeeze"]
    label: str
    words: tuple[int, ...]
    state: bytes
    challenge: int


class Transcript:
    """The state shared by prover and verifier, and a record of how it came about."""

    def __init__(self, state: bytes) -> None:
        """Continue from a state of 32 bytes; `start` makes the first one."""
        if len(state) != 32:
            raise ValueError(f"expected a state of 32 bytes, found {len(state)}")
        self._state = state
        self.events: list[Event] = []

    @classmethod
    def start(cls, *parts: bytes) -> "Transcript":
        """Return a transcript whose state is keccak256 of the parts, one after the other.

        The parts must be of lengths known to the verifier: nothing separates them in the hash.
        """
        return cls(keccak256(b"".join(parts)))

    @property
    def state(self) -> bytes:
        """The 32 bytes every later challenge depends on."""
        return self._state

    def absorb(self, label: str, words: Sequence[int]) -> int:
        """Take in the next words of the proof and return the challenge that follows them.

        Args:
            label: what the words are, for the record.
            words: integers in [0, 2^256), at least one: with none, this would be a squeeze.
        """
        if not len(words):
            raise ValueError(f"expected words to absorb as {label}, found none")
        taken = tuple(int(word) for word in words)
        self._state = keccak256(self._state + b"".join(map(to_word, taken)))
        return self._record("absorb", label, taken)

    def squeeze(self, label: str) -> int:
        """Return one more challenge without taking anything in."""
        self._state = keccak256(self._state)
        return self._record("squeeze", label, ())

    def squeeze_many(self, label: str, count: int) -> list[int]:
        """Return `count` further challenges, one squeeze each."""
        return [self.squeeze(f"{label}[{index}]") for index in range(count)]

    def _record(self, kind: Literal["absorb", "squeeze"], label: str, words: tuple[int, ...]) -> int:
        challenge = int.from_bytes(self._state, "big") % R
        self.events.append(Event(kind, label, words, self._state, challenge))
        return challenge
