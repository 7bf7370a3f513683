"""How many proofs shared this process's machine, while each was made."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Stay:
    """One proof's time beside others.

    Attributes:
        seconds: how long it has lasted.
        share_seconds: the same, each second divided by the proofs that were under way in it: what the proof
            would have taken alone, if those at once take as long as one after the other.
    """

    seconds: float = 0.0
    share_seconds: float = 0.0

    @property
    def share(self) -> float:
        """Its part of the machine, above 0 and at most 1; 1 for a proof that was alone."""
        return self.share_seconds / self.seconds if self.seconds > 0 else 1.0


class Crowd:
    """Counts the proofs under way in one process. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Count none yet.

        Args:
            monotonic: seconds that only grow.
        """
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stays: list[Stay] = []
        self._looked = 0.0

    @contextmanager
    def join(self) -> Iterator[Stay]:
        """Count a proof for as long as the block lasts; its stay is whole once the block is left."""
        stay = Stay()
        with self._lock:
            self._look()
            self._stays.append(stay)
        try:
            yield stay
        finally:
            with self._lock:
                self._look()
                self._stays.remove(stay)

    def _look(self) -> None:
        now = self._monotonic()
        for stay in self._stays:
            stay.seconds += now - self._looked
            stay.share_seconds += (now - self._looked) / len(self._stays)
        self._looked = now
