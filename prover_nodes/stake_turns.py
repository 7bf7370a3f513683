"""Claims beside each other, of which no two count on the same free stake.

Free stake is read before a claim and locked when it is mined. In between it is reserved here. Where there
is not enough for another claim, that one waits until the others are mined, and stakes more alone.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StakeTurns:
    """Who may look at the stake of one prover. Thread-safe."""

    def __init__(self) -> None:
        """Begin with nothing reserved."""
        self._changed = threading.Condition()
        self._is_taken = False
        self._reserved = 0

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """Look at the stake alone, until the block ends or the turn is shared."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            self._is_taken = True
        turn = Turn(self)
        try:
            yield turn
        finally:
            turn.end()

    @property
    def reserved(self) -> int:
        """What claims on their way will lock, in the token's smallest unit."""
        return self._reserved

    def change(self, reserved: int, *, is_taken: bool | None = None) -> None:
        """Reserve more or less, and give the turn on where told so."""
        with self._changed:
            self._reserved += reserved
            if is_taken is not None:
                self._is_taken = is_taken
            self._changed.notify_all()

    def wait_for_others(self) -> None:
        """Wait until nothing is reserved; nobody else can take a turn meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._reserved == 0)


class Turn:
    """One claim's turn."""

    def __init__(self, turns: StakeTurns) -> None:
        """Begin it."""
        self._turns = turns
        self._shared: int | None = None

    @property
    def reserved(self) -> int:
        """What others' claims will lock, in the token's smallest unit."""
        return self._turns.reserved

    def share(self, amount: int) -> None:
        """Reserve what this claim will lock, and let others look at the stake."""
        self._shared = amount
        self._turns.change(amount, is_taken=False)

    def wait_for_others(self) -> None:
        """Wait until others' claims are mined or given up."""
        self._turns.wait_for_others()

    def end(self) -> None:
        """End the turn: the claim is mined, or given up."""
        if self._shared is None:
            self._turns.change(0, is_taken=False)
        else:
            self._turns.change(-self._shared)
