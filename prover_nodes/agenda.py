"""Which jobs a round takes up, and in which order.

Anybody can open jobs, and take the fee back. So a round asks the chain about no more than a number of
them, the best paid first, and about none that its opening already tells to be not for this node.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prover_nodes.journal import Case, CaseState
from prover_nodes.policy import Skip
from zkml.core.digests import Digest, keccak256
from zkml.core.records import JobRequest

MAX_JOBS_PER_ROUND = 32
"""Waiting jobs that one round asks the chain about."""
KEPT_FINISHED = 1024
"""What is known of jobs is dropped only when so much of it is of finished ones."""

Screen = Callable[[JobRequest, int], Skip | None]
"""Judges a job by its opening and chain time alone."""


class Agenda:
    """What one process knows of the jobs that wait."""

    def __init__(self, screen: Screen, account: str) -> None:
        """Begin with nothing known.

        Args:
            screen: judges a job without asking the chain.
            account: the prover's address: nodes of one market begin with different jobs.
        """
        self._screen = screen
        self._account = account.lower().encode()
        self._set_aside: dict[Digest, int | None] = {}
        self._looks: Counter[Digest] = Counter()

    def draw_up(self, cases: Sequence[Case], now: int) -> Iterator[tuple[Case, Skip | None]]:
        """Yield the jobs of a round, each with the reason to leave it alone where its opening tells.

        Those with collateral at stake come first, all of them. Then come waiting jobs, those looked at
        least often first and the best paid first among equals, so that no job keeps the others out by
        failing. Equally paid ones come in an order that differs from prover to prover: else all of them
        would run for the same job.

        Args:
            cases: unfinished, each job once.
            now: chain time in seconds.
        """
        yield from ((case, None) for case in cases if case.state is CaseState.WORKING)
        self._forget_finished(cases)
        waiting = [case for case in cases if case.state is CaseState.WAITING]
        waiting.sort(key=self._rank)
        left = MAX_JOBS_PER_ROUND
        for case in waiting:
            if self._is_set_aside(case, now):
                continue
            # What earlier jobs of this round taught about circuits counts already.
            skip = self._screen(case.request, now)
            if skip is None:
                if left == 0:
                    continue
                left -= 1
                self._looks[case.digest] += 1
            yield case, skip

    def put_back(self, case: Case) -> None:
        """Count a job that was yielded last as not looked at."""
        self._looks[case.digest] -= 1

    def set_aside(self, case: Case, until: int | None = None) -> None:
        """Leave a waiting job alone for a while.

        Args:
            case: the job.
            until: chain time in seconds at which to look again; when None, after its deadline, or when the
                node starts with other settings.
        """
        if case.state is CaseState.WAITING:
            self._set_aside[case.digest] = until

    def _rank(self, case: Case) -> tuple[int, int, bytes]:
        request = case.request
        lot = keccak256(self._account + request.job_id.encode())
        return self._looks[case.digest], -int(request.max_prover_fee), lot

    def _forget_finished(self, cases: Sequence[Case]) -> None:
        """Drop what is known of jobs that do not wait any more, once they are the greater part."""
        if len(self._looks) + len(self._set_aside) > 4 * len(cases) + KEPT_FINISHED:
            live = {case.digest for case in cases}
            self._looks = Counter({digest: looks for digest, looks in self._looks.items() if digest in live})
            self._set_aside = {digest: at for digest, at in self._set_aside.items() if digest in live}

    def _is_set_aside(self, case: Case, now: int) -> bool:
        if case.digest not in self._set_aside or now > case.request.deadline:
            return False
        until = self._set_aside[case.digest]
        if until is not None and now >= until:
            # It counts as a job that nobody has looked at, or others would always be first.
            del self._set_aside[case.digest], self._looks[case.digest]
            return False
        return True
