"""The node: look at the market, take each job as far as it goes, count what happened, pause, again."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prover_nodes.agenda import Agenda
from prover_nodes.journal import UNFINISHED, Case, CaseState, Journal
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Skip
from prover_nodes.services.watch import look_up, watch_market
from zkml.core.records import SettlementRecord
from zkml.errors import (
    ChainError,
    ConfigError,
    InconclusiveError,
    InvalidTransitionError,
    NotClaimantError,
    RevertedError,
    StakeError,
    StorageError,
    ZkmlError,
)

MAX_FAILURES = 3
"""A job whose stages failed this often through its own fault is given up."""
MAX_PAUSE_SECONDS = 60.0

_NOT_THE_JOBS_FAULT = (
    ChainError,
    ConfigError,
    StorageError,
    InconclusiveError,
    # The next block will say what became of it.
    InvalidTransitionError,
    NotClaimantError,
    # Another of this account's jobs locked it first.
    StakeError,
)

_log = logging.getLogger(__name__)


class OutcomeKind(StrEnum):
    """What a round did with one job."""

    SETTLED = "settled"
    SKIPPED = "skipped"
    DELAYED = "delayed"
    """A stage failed in a way that may pass; the next round goes on there."""
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a round did with one job.

    Attributes:
        job_id: 0x and 64 digits.
        kind: what.
        reason: why it was skipped, delayed or given up; else empty.
        settlement: its settlement, where it has one.
        error: what a stage raised, or None.
    """

    job_id: str
    kind: OutcomeKind
    reason: str = ""
    settlement: SettlementRecord | None = None
    error: ZkmlError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        settlement = self.settlement
        return {
            "job": self.job_id,
            "outcome": str(self.kind),
            "reason": self.reason,
            "transaction": settlement.transaction if settlement else None,
            "gas_used": settlement.gas_used if settlement else None,
            "fee": settlement.prover_fee if settlement else None,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one round did.

    Attributes:
        seen: jobs that were new to the node.
        outcomes: one for each job it looked at.
    """

    seen: int
    outcomes: tuple[JobOutcome, ...]

    @property
    def settled(self) -> tuple[JobOutcome, ...]:
        """The jobs that are settled now and were not before."""
        return tuple(outcome for outcome in self.outcomes if outcome.kind is OutcomeKind.SETTLED)

    @property
    def skips(self) -> dict[str, int]:
        """How many jobs were left alone, by code."""
        skipped = (outcome for outcome in self.outcomes if outcome.kind is OutcomeKind.SKIPPED)
        return dict(sorted(Counter(outcome.reason.partition(":")[0] for outcome in skipped).items()))

    def raise_first_error(self) -> None:
        """Raise the first error of the round, if there was one: for a command about named jobs.

        Raises:
            ZkmlError: what a stage raised.
        """
        for outcome in self.outcomes:
            if outcome.error is not None:
                raise outcome.error

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "seen": self.seen,
            "settled": len(self.settled),
            "skipped": self.skips,
            "jobs": [outcome.as_json() for outcome in self.outcomes],
        }


class Node:
    """A prover node on one market. One process at a time may use its journal."""

    def __init__(self, pipeline: Pipeline, *, poll_seconds: float) -> None:
        self._pipeline = pipeline
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        self._agenda = Agenda(pipeline.screen)

    @property
    def journal(self) -> Journal:
        """The node's memory."""
        return self._pipeline.journal

    def run_once(self, job_ids: Sequence[bytes] | None = None) -> RunReport:
        """Look at the market once and take each job as far as it goes.

        Args:
            job_ids: these jobs alone, given up earlier or not; when None, those of `Agenda.draw_up`.

        Raises:
            JobNotFoundError: one of `job_ids` does not exist.
            RpcError: the market cannot be read.
            StorageError: the journal cannot be written.
        """
        if job_ids is None:
            seen = watch_market(self._pipeline.market, self.journal)
            cases = _furthest(self.journal.cases(UNFINISHED))
            chosen = self._agenda.draw_up(cases, self._pipeline.market.now())
        else:
            seen = 0
            requests = [look_up(job_id, self._pipeline.market, self.journal) for job_id in job_ids]
            cases = _furthest([self.journal.case_of(request.job_id) for request in requests])
            chosen = ((case, None) for case in cases)
        outcomes: list[JobOutcome] = []
        for case, skip in chosen:
            if self._stop.is_set():
                break
            outcomes.append(self._leave(case, skip) if skip else self._work_on(case))
        return RunReport(seen, tuple(outcomes))

    def run(self, stop: threading.Event) -> None:
        """Repeat `run_once` until `stop` is set; the job being worked on is finished first.

        Raises:
            ZkmlError: something that no waiting will mend, such as a journal that cannot be written.
        """
        self._stop = stop
        pause = self._poll_seconds
        while not stop.is_set():
            try:
                self.run_once()
                pause = self._poll_seconds
            except ZkmlError as error:
                if not error.retryable:
                    raise
                pause = min(MAX_PAUSE_SECONDS, 2 * pause)
                _log.warning("%s: %s; the next look is in %.0f s", error.code, error.message, pause)
            stop.wait(pause)

    def _work_on(self, case: Case) -> JobOutcome:
        job = case.request.job_id
        try:
            result = self._pipeline.run(case)
        except StorageError:
            # Without a journal nothing may go on.
            raise
        except ZkmlError as error:
            return self._failed(case, error)
        if isinstance(result, Skip):
            return self._leave(case, result)
        self.journal.mark(case, CaseState.SETTLED)
        _log.info("job %s settled in %s, fee %s", job, result.transaction, result.prover_fee)
        return JobOutcome(job, OutcomeKind.SETTLED, settlement=result)

    def _leave(self, case: Case, skip: Skip) -> JobOutcome:
        job = case.request.job_id
        state = CaseState.CLOSED if skip.is_final else self.journal.case(case.digest).state
        self.journal.mark(case, state, skip.reason)
        if skip.is_standing or skip.look_again_at is not None:
            self._agenda.set_aside(case, skip.look_again_at)
        _log.info("job %s left alone: %s", job, skip.reason)
        return JobOutcome(job, OutcomeKind.SKIPPED, skip.reason)

    def _failed(self, case: Case, error: ZkmlError) -> JobOutcome:
        job = case.request.job_id
        reason = f"{error.code}: {error.message}"
        blameless = isinstance(error, _NOT_THE_JOBS_FAULT) and not isinstance(error, RevertedError)
        given_up = not blameless and self.journal.count_failure(case) >= MAX_FAILURES
        state = CaseState.CLOSED if given_up else self.journal.case(case.digest).state
        self.journal.mark(case, state, reason)
        _log.warning("job %s %s: %s", job, "given up" if given_up else "delayed", reason)
        kind = OutcomeKind.GIVEN_UP if given_up else OutcomeKind.DELAYED
        return JobOutcome(job, kind, reason, error=error)


def _furthest(cases: Sequence[Case]) -> list[Case]:
    """Return one case for each job: the first, which is further on where a reorg opened it twice."""
    by_job: dict[str, Case] = {}
    for case in cases:
        by_job.setdefault(case.request.job_id, case)
    return list(by_job.values())
