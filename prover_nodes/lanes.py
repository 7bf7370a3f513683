"""Lanes: while one job is proved, the next is claimed and the last is settled.

    prepare (the caller's thread)  ->  claim (threads)  ->  prove (threads)  ->  settle (threads)

A job is handed on one way, and is in one lane at a time. How many claims wait for their proofs is bounded,
and so is how many proofs wait to be settled before more is claimed; proving itself waits for neither.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from prover_nodes.halting import Halt
from prover_nodes.journal import Case
from prover_nodes.observer import Observer
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Skip
from prover_nodes.work import Claimed, Paid, Prepared, Proved, Work
from zkml.core.records import SettlementRecord
from zkml.errors import StorageError, ZkmlError

Ending = SettlementRecord | Skip | ZkmlError
"""How a job left the lanes: paid, left alone, or failed for now."""

Report = Callable[[Case, Ending], None]
"""Hears how each job left, in the thread of the lane that it left."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Queue:
    """What waits for a lane, and how many of it are in the lane's threads."""

    name: str
    waiting: deque[Work] = field(default_factory=deque)
    working: int = 0

    def __len__(self) -> int:
        return len(self.waiting) + self.working


class Lanes:
    """The lanes of one node. Open them with `with`; `take` is called by one thread at a time."""

    def __init__(
        self,
        pipeline: Pipeline,
        report: Report,
        *,
        claimers: int,
        provers: int,
        settlers: int,
        halt: Halt,
        observer: Observer,
    ) -> None:
        """Prepare them; nothing runs yet.

        Args:
            pipeline: what each lane does.
            report: hears how each job left.
            claimers: claims at once, at least 1.
            provers: proofs at once, at least 1.
            settlers: settlements at once, at least 1.
            halt: ends what a lane is at.
            observer: told how many jobs are where.
        """
        self._pipeline = pipeline
        self._report = report
        self._claimers = claimers
        self._provers = provers
        self._settlers = settlers
        self._halt = halt
        self._observer = observer
        self._changed = threading.Condition()
        self._inside: set[str] = set()
        self._to_claim = _Queue("claim")
        self._to_prove = _Queue("prove")
        self._to_settle = _Queue("settle")
        self._is_closed = True
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start the threads."""
        self._is_closed, self._failure = False, None
        lanes = [(self._to_claim, self._claim)] * self._claimers
        lanes += [(self._to_prove, self._prove)] * self._provers
        lanes += [(self._to_settle, self._settle)] * self._settlers
        self._threads = [
            threading.Thread(target=self._run, args=lane, name=f"zkml-{lane[0].name}", daemon=True)
            for lane in lanes
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop the threads; what waits is left where the journal has it.

        Where the block ends in an exception, what the lanes are at is halted, else it is waited for.
        """
        if kind is not None:
            self._halt.set()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        with self._changed:
            for queue in (self._to_claim, self._to_prove, self._to_settle):
                for work in queue.waiting:
                    if isinstance(work, Prepared | Claimed):
                        self._pipeline.drop(work)
                queue.waiting.clear()
            self._inside.clear()

    @property
    def failure(self) -> BaseException | None:
        """What ended the lanes: nothing goes on after it."""
        return self._failure

    def jobs(self) -> frozenset[str]:
        """Return the ids of the jobs that are in a lane; each is in the journal as it left once it is not."""
        with self._changed:
            return frozenset(self._inside)

    def is_empty(self) -> bool:
        """Say whether no job is in any lane."""
        with self._changed:
            return not self._inside

    def has_room(self) -> bool:
        """Say whether another job may be claimed."""
        with self._changed:
            return self._has_room()

    def wait_for_room(self) -> None:
        """Wait until another job may be claimed.

        Raises:
            BaseException: what ended the lanes.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._has_room())
            self._raise_failure()

    def wait_until_empty(self) -> None:
        """Wait until each job that was taken has left.

        Raises:
            BaseException: what ended the lanes.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._inside)
            self._raise_failure()

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait for a while.

        Args:
            seconds: how long.
            is_over: asked each time something changed; ends the wait.

        Raises:
            BaseException: what ended the lanes.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure or is_over(), seconds)
            self._raise_failure()

    def wake(self) -> None:
        """Have everybody who waits here look again."""
        with self._changed:
            self._changed.notify_all()

    def take(self, case: Case) -> None:
        """Prepare a job in this thread, and hand it on.

        Raises:
            BaseException: what ended the lanes: a journal that cannot be written, a halt, a fault of ours.
        """
        with self._changed:
            self._raise_failure()
            self._inside.add(case.request.job_id)
        self._carry(case, lambda: self._pipeline.prepare(case))
        with self._changed:
            self._raise_failure()

    def _has_room(self) -> bool:
        unproved, unsettled = len(self._to_claim) + len(self._to_prove), len(self._to_settle.waiting)
        return unproved <= self._provers and unsettled <= self._settlers and not self._is_closed

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, queue: _Queue, step: Callable[[Work], Work | Ending]) -> None:
        while (work := self._next(queue)) is not None:
            self._carry(work.case, lambda work=work: step(work))  # type: ignore[misc]
            with self._changed:
                queue.working -= 1
                self._changed.notify_all()
            self._observer.queue_changed(queue.name, len(queue))

    def _next(self, queue: _Queue) -> Work | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._failure or queue.waiting)
            if self._is_closed or self._failure:
                return None
            queue.working += 1
            return queue.waiting.popleft()

    def _carry(self, case: Case, step: Callable[[], Work | Ending]) -> None:
        """Do one lane's part of a job, then hand it on or let it go."""
        try:
            try:
                result = step()
            except StorageError:
                # Without a journal nothing may go on.
                raise
            except ZkmlError as error:
                result = error
            if isinstance(result, Prepared | Claimed | Proved | Paid):
                self._hand_on(result)
            else:
                self._report(case, result)
                self._let_go(case)
        except BaseException as error:  # noqa: BLE001 whatever it is, whoever opened the lanes hears of it
            self._fail(error)

    def _hand_on(self, work: Work) -> None:
        queue = self._to_settle
        if isinstance(work, Prepared | Claimed):
            queue = self._to_claim if isinstance(work, Prepared) else self._to_prove
        with self._changed:
            queue.waiting.append(work)
            self._changed.notify_all()
        self._observer.queue_changed(queue.name, len(queue))

    def _let_go(self, case: Case) -> None:
        with self._changed:
            self._inside.discard(case.request.job_id)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if self._failure is None:
                self._failure = error
            self._changed.notify_all()
        # What the other lanes are at could not be filed either.
        self._halt.set()

    def _claim(self, work: Work) -> Work | Ending:
        assert isinstance(work, Prepared)
        return self._pipeline.claim(work)

    def _prove(self, work: Work) -> Work | Ending:
        assert isinstance(work, Claimed)
        return self._pipeline.prove(work)

    def _settle(self, work: Work) -> Ending:
        assert isinstance(work, Proved | Paid)
        return self._pipeline.settle(work)
