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
        worked: how much of `seconds` is behind it, as far as anybody looked.
    """

    seconds: float
    memory_bytes: int
    due: float = float("inf")
    is_ready: bool = field(default=False)
    started: float | None = field(default=None)
    worked: float = field(default=0.0)

    @property
    def left(self) -> float:
        """How much of `seconds` is to come."""
        return max(0.0, self.seconds - self.worked)


class ProvingSlots:
    """Slots of one machine, or of a cluster.

    Thread-safe. What was promised first goes first, but for two things. A proof that would not fit beside
    those being made waits until it fits, and those behind it wait with it: else a large one would wait for
    ever. And a proof whose claim is still on its way is overtaken, unless that alone would break its promise.

    Proofs that share their processors are taken to last as long together as one after the other. So the last
    of a queue is done once all of it is, however many are made at once, and one begins beside others only
    where that makes none of them late.
    """

    def __init__(
        self,
        count: int,
        memory_bytes: int,
        clock: Clock,
        *,
        is_shared: bool = False,
        halt: Halt | None = None,
    ) -> None:
        """Open the slots.

        Args:
            count: proofs at once, at least 1.
            memory_bytes: what all proofs together may use.
            clock: for predictions.
            is_shared: whether the proofs share processors; else each has its own.
            halt: ends what waits for a slot.
        """
        self._count = count
        self._memory_bytes = memory_bytes
        self._clock = clock
        self._is_shared = is_shared
        self._looked = clock.monotonic()
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
        """Predict how much later a proof promised now, of so much memory, would be done than one alone."""
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
                self._look()
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
                self._look()
                promise.started = self._clock.monotonic()
                # What comes next may fit beside it.
                self._changed.notify_all()
            yield
        finally:
            self.withdraw(promise)

    def _running(self) -> list[Promise]:
        return [promise for promise in self._promises if promise.started is not None]

    def _look(self) -> None:
        """Count what was done since the last look; to be called before anything begins or ends."""
        now, running = self._clock.monotonic(), self._running()
        pace = len(running) if self._is_shared else 1
        for promise in running:
            promise.worked += (now - self._looked) / pace
        self._looked = now

    def _is_next(self, promise: Promise) -> bool:
        self._look()
        now, running = self._clock.monotonic(), self._running()
        before = sum(other.left for other in running) if self._is_shared else 0.0
        for other in self._promises:
            if other is promise:
                break
            # One that comes too late already gains nothing when the others wait for it.
            done = now + before + other.seconds
            if other.started is None and (other.is_ready or done <= other.due < done + promise.seconds):
                return False
        used = sum(other.memory_bytes for other in running)
        fits = used + promise.memory_bytes <= self._memory_bytes or not running
        return len(running) < self._count and fits and not self._makes_late(promise, running)

    def _makes_late(self, promise: Promise, running: list[Promise]) -> bool:
        """Say whether a proof under way would be in time alone, and not with this one beside it."""
        if not self._is_shared:
            return False
        now = self._clock.monotonic()
        for other in running:
            done = now + sum(min(one.left, other.left) for one in running)
            if done <= other.due < done + min(promise.seconds, other.left):
                return True
        return False

    def _seconds_until_free(self, memory_bytes: int) -> float:
        """Play the queue through, in its order, and return when one more could begin."""
        self._look()
        if self._is_shared:
            return sum(promise.left for promise in self._promises)
        begin = 0.0
        running = [(promise.left, promise.memory_bytes) for promise in self._running()]
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
