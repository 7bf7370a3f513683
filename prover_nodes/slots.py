"""Proving slots: how many proofs are made at once, within the memory, and when the next could begin.

Jobs of the market and requests on tabs share them. What was promised, because collateral or a client's
signature hangs on it, is counted from its promise to the end of its proof: so nothing is promised that the
queue before it would make late.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from zkml.core.ports.clock import Clock


@dataclass(eq=False, slots=True)
class Promise:
    """One proof that will be made.

    Attributes:
        seconds: how long it should take.
        memory_bytes: what it should use at most.
        started: monotonic seconds at which it began, or None while it waits.
    """

    seconds: float
    memory_bytes: int
    started: float | None = field(default=None)


class ProvingSlots:
    """Slots of one machine, or of a cluster.

    Thread-safe. Whoever waits longest goes first, but a proof that would not fit beside those being made
    waits until it fits, and those behind it wait with it: else a large one would wait for ever.
    """

    def __init__(self, count: int, memory_bytes: int, clock: Clock) -> None:
        """Open the slots.

        Args:
            count: proofs at once, at least 1.
            memory_bytes: what all proofs together may use.
            clock: for predictions.
        """
        self._count = count
        self._memory_bytes = memory_bytes
        self._clock = clock
        self._promises: list[Promise] = []
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """How many proofs may be made at once."""
        return self._count

    @property
    def memory_bytes(self) -> int:
        """What all proofs together may use."""
        return self._memory_bytes

    def waiting(self) -> int:
        """Return how many promised proofs have not begun."""
        with self._changed:
            return sum(promise.started is None for promise in self._promises)

    def running(self) -> int:
        """Return how many proofs are being made."""
        with self._changed:
            return sum(promise.started is not None for promise in self._promises)

    def seconds_until_free(self) -> float:
        """Predict how long a proof promised now would wait for its slot."""
        with self._changed:
            return self._seconds_until_free()

    def promise(
        self, seconds: float, memory_bytes: int, *, within_seconds: float = float("inf")
    ) -> Promise | None:
        """Promise a proof, if it would be done in time; release it by `make` or `withdraw`.

        Args:
            seconds: how long it should take.
            memory_bytes: what it should use at most.
            within_seconds: when it must be done, counted from now.

        Returns:
            The promise, or None where the queue is too long, or it never fits into the memory.
        """
        with self._changed:
            if memory_bytes > self._memory_bytes:
                return None
            if self._seconds_until_free() + seconds > within_seconds:
                return None
            promise = Promise(seconds, memory_bytes)
            self._promises.append(promise)
            return promise

    def withdraw(self, promise: Promise) -> None:
        """Forget a promise whose proof will not be made here now; doing it again changes nothing."""
        with self._changed:
            if promise in self._promises:
                self._promises.remove(promise)
                self._changed.notify_all()

    @contextmanager
    def make(self, promise: Promise) -> Iterator[None]:
        """Wait for the promise's turn, and hold its slot while its proof is made."""
        with self._changed:
            if promise not in self._promises:
                self._promises.append(promise)
            self._changed.wait_for(lambda: self._is_next(promise))
            promise.started = self._clock.monotonic()
        try:
            yield
        finally:
            self.withdraw(promise)

    def _is_next(self, promise: Promise) -> bool:
        running = [other for other in self._promises if other.started is not None]
        first = next((other for other in self._promises if other.started is None), None)
        used = sum(other.memory_bytes for other in running)
        fits = used + promise.memory_bytes <= self._memory_bytes or not running
        return first is promise and len(running) < self._count and fits

    def _seconds_until_free(self) -> float:
        now = self._clock.monotonic()
        free_at = [0.0] * self._count
        for promise in sorted(self._promises, key=lambda found: found.started is None):
            left = promise.seconds
            if promise.started is not None:
                left = max(0.0, promise.seconds - (now - promise.started))
            free_at.sort()
            free_at[0] += left
        return min(free_at)
