"""Proving slots: how many proofs are made at once, within the memory, and when the next could begin.

Jobs of the market and requests on tabs share them. What was promised, because collateral or a client's
signature hangs on it, is counted from its promise to the end of its proof: so nothing is promised that the
queue before it would make late.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prover_nodes.halting import Halt
from zkml.core.ports.clock import Clock

_POLL_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class Promise:
    """One proof that will be made.

    Attributes:
        seconds: how long it should take.
        memory_bytes: what it should use at most.
        due: monotonic seconds by which it was promised to be done.
        is_ready: whether everything before the proof is done, so that it waits for its slot alone.
        started: monotonic seconds at which it began, or None while it waits.
    """

    seconds: float
    memory_bytes: int
    due: float = float("inf")
    is_ready: bool = field(default=False)
    started: float | None = field(default=None)


class ProvingSlots:
    """Slots of one machine, or of a cluster.

    Thread-safe. What was promised first goes first, but for two things. A proof that would not fit beside
    those being made waits until it fits, and those behind it wait with it: else a large one would wait for
    ever. And a proof whose claim is still on its way is overtaken, unless that alone would break its promise.
    """

    def __init__(self, count: int, memory_bytes: int, clock: Clock, *, halt: Halt | None = None) -> None:
        """Open the slots.

        Args:
            count: proofs at once, at least 1.
            memory_bytes: what all proofs together may use.
            clock: for predictions.
            halt: ends what waits for a slot.
        """
        self._count = count
        self._memory_bytes = memory_bytes
        self._clock = clock
        self._halt = halt or Halt()
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

    def seconds_until_free(self, memory_bytes: int = 0) -> float:
        """Predict how long a proof promised now, of so much memory, would wait for its slot."""
        with self._changed:
            return self._seconds_until_free(memory_bytes)

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
            if self._seconds_until_free(memory_bytes) + seconds > within_seconds:
                return None
            promise = Promise(seconds, memory_bytes, self._clock.monotonic() + within_seconds)
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
        """Wait for the promise's turn, and hold its slot while its proof is made.

        Raises:
            Halted: the node stops; the promise is withdrawn.
        """
        try:
            with self._changed:
                if promise not in self._promises:
                    self._promises.append(promise)
                promise.is_ready = True
                self._changed.notify_all()
                while not self._is_next(promise):
                    self._halt.check()
                    self._changed.wait(_POLL_SECONDS)
                promise.started = self._clock.monotonic()
                # What comes next may fit beside it.
                self._changed.notify_all()
            yield
        finally:
            self.withdraw(promise)

    def _is_next(self, promise: Promise) -> bool:
        now = self._clock.monotonic()
        running = [other for other in self._promises if other.started is not None]
        for other in self._promises:
            if other is promise:
                break
            # One that comes too late already gains nothing when the others wait for it.
            can_be_kept = now + other.seconds <= other.due < now + promise.seconds + other.seconds
            if other.started is None and (other.is_ready or can_be_kept):
                return False
        used = sum(other.memory_bytes for other in running)
        fits = used + promise.memory_bytes <= self._memory_bytes or not running
        return len(running) < self._count and fits

    def _seconds_until_free(self, memory_bytes: int) -> float:
        """Play the queue through, in its order, and return when one more could begin."""
        now, begin = self._clock.monotonic(), 0.0
        running = [
            (max(0.0, promise.seconds - (now - promise.started)), promise.memory_bytes)
            for promise in self._promises
            if promise.started is not None
        ]
        queue = [(item.seconds, item.memory_bytes) for item in self._promises if item.started is None]
        for seconds, needed in (*queue, (0.0, memory_bytes)):
            while running and not self._has_place(running, needed):
                running.sort()
                begin = max(begin, running.pop(0)[0])
            running.append((begin + seconds, needed))
        return begin

    def _has_place(self, running: list[tuple[float, int]], memory_bytes: int) -> bool:
        used = sum(memory for _, memory in running)
        return len(running) < self._count and used + memory_bytes <= self._memory_bytes
