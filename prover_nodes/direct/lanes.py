"""A lane: threads that take work off one queue, now or when its time has come."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

from prover_nodes.halting import Halted
from zkml.core.ports.clock import Clock

_log = logging.getLogger(__name__)


class Lane:
    """Threads and their queue. A piece of work is in a lane at most once at a time.

    Attributes:
        name: what people call it.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[str], float | None],
        clock: Clock,
        *,
        threads: int = 1,
        changed: Callable[[str, int], None] = lambda _name, _length: None,
    ) -> None:
        """Make a lane that does not run yet.

        Args:
            name: what people call it.
            work: does one piece, and returns after how many seconds to do it again, or None; whatever it
                raises is a defect.
            clock: for work that is to wait.
            threads: how many pieces at once, at least 1.
            changed: told the name and how many pieces wait or are being done.
        """
        self.name = name
        self._work = work
        self._clock = clock
        self._count = threads
        self._tell = changed
        self._queue: list[tuple[float, int, str]] = []
        self._present: set[str] = set()
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self.defect: BaseException | None = None

    def start(self) -> None:
        """Begin to work."""
        for number in range(self._count):
            thread = threading.Thread(target=self._run, name=f"{self.name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def put(self, piece: str, *, after_seconds: float = 0.0) -> None:
        """Put a piece of work into the queue, unless it is there or being done already."""
        with self._changed:
            if piece in self._present:
                return
            self._present.add(piece)
            self._push(piece, after_seconds)
            length = len(self._present)
        self._tell(self.name, length)

    def length(self) -> int:
        """Return how many pieces wait or are being done."""
        with self._changed:
            return len(self._present)

    def stop(self) -> None:
        """Begin no other piece; what is being done is waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _push(self, piece: str, after_seconds: float) -> None:
        due = self._clock.monotonic() + after_seconds
        heapq.heappush(self._queue, (due, next(self._order), piece))
        self._changed.notify()

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            try:
                again_after = self._work(piece)
            except Halted:
                return
            except BaseException as error:  # noqa: BLE001 a defect; the supervisor ends the node with it
                _log.exception("lane %s stops", self.name)
                self.defect = error
                return
            with self._changed:
                if again_after is None:
                    self._present.discard(piece)
                else:
                    self._push(piece, again_after)
                length = len(self._present)
            self._tell(self.name, length)

    def _next(self) -> str | None:
        with self._changed:
            while not self._stopped:
                left = self._queue[0][0] - self._clock.monotonic() if self._queue else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(left)
            return None
