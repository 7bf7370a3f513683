"""The node: look at the market, take each job as far as it goes, count what happened, pause, again."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from prover_nodes.agenda import Agenda
from prover_nodes.halting import Halt, Halted
from prover_nodes.journal import UNFINISHED, Case, CaseState, Journal
from prover_nodes.lanes import Ending, Lanes
from prover_nodes.observer import Observer
from prover_nodes.outcomes import JobOutcome, OutcomeKind, RunReport
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Skip, SkipCode
from prover_nodes.services.watch import follow_market, look_up
from prover_nodes.supervisor import Supervisor
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
KIND = "job"

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


class Node:
    """A prover node on one market: a `supervisor.Component`. One process at a time may use its journal."""

    name = "market"

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        halt: Halt,
        observer: Observer,
        poll_seconds: float,
        claimers: int = 1,
        provers: int = 1,
        settlers: int = 1,
        drain_seconds: float = float("inf"),
        close: Callable[[], None] | None = None,
    ) -> None:
        """Prepare it; nothing runs yet.

        Args:
            pipeline: what is done with a job.
            halt: ends what its lanes are at.
            observer: told what happens.
            poll_seconds: pause between two looks at the chain.
            claimers: claims at once.
            provers: proofs at once.
            settlers: settlements at once.
            drain_seconds: longest wait for claimed jobs when `run` is asked to stop.
            close: gives back what the node uses; closes the journal when None.
        """
        self._pipeline = pipeline
        self._halt = halt
        self._observer = observer
        self._poll_seconds = poll_seconds
        self._drain_seconds = drain_seconds
        self._close = close or pipeline.journal.close
        self._agenda = Agenda(pipeline.judge.screen, pipeline.market.account)
        self._lanes = Lanes(
            pipeline,
            self._left,
            claimers=claimers,
            provers=provers,
            settlers=settlers,
            halt=halt,
            observer=observer,
        )
        self._outcomes: dict[str, JobOutcome] | None = None
        self._stopping = threading.Event()
        self._draining = threading.Event()
        self._is_cut_short = False
        self._trouble = ""
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def journal(self) -> Journal:
        """The node's memory."""
        return self._pipeline.journal

    def close(self) -> None:
        """Give back what the node uses."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_once(self, job_ids: Sequence[bytes] | None = None) -> RunReport:
        """Look at the market once and take each job as far as it goes; not while the node runs.

        Args:
            job_ids: these jobs alone, given up earlier or not; when None, those of `Agenda.draw_up`.

        Raises:
            JobNotFoundError: one of `job_ids` does not exist.
            RpcError: the market cannot be read.
            StorageError: the journal cannot be written.
        """
        self._halt.clear()
        if job_ids is None:
            seen, chosen = self._look()
        else:
            requests = [look_up(job_id, self._pipeline.market, self.journal) for job_id in job_ids]
            cases = _furthest([self.journal.case_of(request.job_id) for request in requests])
            seen, chosen = 0, ((case, None) for case in cases)
        outcomes: dict[str, JobOutcome] = {}
        self._outcomes = outcomes
        order: list[str] = []
        try:
            with self._lanes:
                for case, skip in chosen:
                    order.append(case.request.job_id)
                    if skip is None and case.state is CaseState.WAITING:
                        self._lanes.wait_for_room()
                    self._take(case, skip)
                self._lanes.wait_until_empty()
        finally:
            self._outcomes = None
        return RunReport(seen, tuple(outcomes[job] for job in order))

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set; what is claimed by then is finished first.

        Raises:
            ZkmlError: something that no waiting will mend, such as a journal that cannot be written.
        """
        Supervisor([self], drain_seconds=self._drain_seconds).run(stop)

    # --- as a component ---

    def start(self) -> None:
        """Begin to look at the market, and to work on what is found."""
        self._halt.clear()
        self._stopping.clear()
        self._draining.clear()
        self._failure, self._trouble = None, ""
        self._thread = threading.Thread(target=self._main, name="zkml-market", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Claim nothing new from now on; what is claimed is finished."""
        self._draining.set()
        self._lanes.wake()

    def is_idle(self) -> bool:
        """Say whether no collateral of this node waits for its work; asks no chain."""
        if not self._lanes.is_empty():
            return False
        working = self.journal.cases((CaseState.WORKING,))
        return all(case.reason.startswith(SkipCode.CLAIMED_BY_OTHER) for case in working)

    def stop(self) -> None:
        """End, done or not: what is not done lies in the journal."""
        self._stopping.set()
        self._halt.set()
        self._lanes.wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def problem(self) -> str:
        """Return why no job can be worked on now; empty where they can."""
        if self._failure is not None:
            return str(self._failure) or type(self._failure).__name__
        return self._trouble

    def failure(self) -> BaseException | None:
        """Return what ended the node unasked, or None."""
        return self._failure

    # --- the thread that looks and claims ---

    def _main(self) -> None:
        try:
            with self._lanes:
                pause = self._poll_seconds
                while not self._stopping.is_set():
                    pause = self._round(pause)
        except Halted:
            # Whoever halted it knows.
            pass
        except BaseException as error:  # noqa: BLE001 whatever it is, the supervisor hears of it
            _log.error("the market node ends: %s", error)
            self._failure = error

    def _round(self, pause: float) -> float:
        """Look once, take up what there is room for, and pause; return the pause after the next failure."""
        try:
            self._work_round()
            self._trouble, pause = "", self._poll_seconds
        except ZkmlError as error:
            if self._lanes.failure is not None or not error.retryable:
                raise
            self._observer.chain_failed(error.code)
            self._trouble = f"{error.code}: {error.message}"
            pause = min(MAX_PAUSE_SECONDS, 2 * pause)
            _log.warning("%s; the next look is in %.0f s", self._trouble, pause)
            self._is_cut_short = False
        self._rest(pause)
        return pause

    def _work_round(self) -> None:
        self._is_cut_short = False
        _, chosen = self._look()
        for case, skip in chosen:
            if self._stopping.is_set():
                return
            if case.state is CaseState.WAITING and skip is None:
                if self._draining.is_set():
                    return
                if not self._lanes.has_room():
                    self._agenda.put_back(case)
                    self._is_cut_short = True
                    return
            self._take(case, skip)

    def _rest(self, seconds: float) -> None:
        """Pause, and no longer than until there is room for what the last round left."""
        self._lanes.wait(
            seconds,
            lambda: self._stopping.is_set() or (self._is_cut_short and self._lanes.has_room()),
        )

    def _look(self) -> tuple[int, Iterable[tuple[Case, Skip | None]]]:
        """Read the market; return how many jobs are new, and those of this round."""
        market = self._pipeline.market
        watched = follow_market(market, self.journal, self._observer)
        self._observer.chain_read(watched.head, watched.chain_seconds)
        for _ in range(watched.new):
            self._observer.work_seen(KIND)
        # Asked before the journal: what leaves its lane in between is left to the next round, and not taken
        # for a job that somebody has to go on with.
        inside = self._lanes.jobs()
        outside = [case for case in self.journal.cases(UNFINISHED) if case.request.job_id not in inside]
        return watched.new, self._agenda.draw_up(_furthest(outside), market.now())

    def _take(self, case: Case, skip: Skip | None) -> None:
        if skip is None:
            self._lanes.take(case)
        else:
            self._left(case, skip)

    # --- how jobs leave ---

    def _left(self, case: Case, ending: Ending) -> None:
        """Note how a job left its lane; called by every lane's threads."""
        if isinstance(ending, ZkmlError):
            outcome = self._failed(case, ending)
        elif isinstance(ending, Skip):
            outcome = self._leave(case, ending)
        else:
            outcome = self._settled(case, ending)
        if self._outcomes is not None:
            self._outcomes[outcome.job_id] = outcome

    def _settled(self, case: Case, settlement: SettlementRecord) -> JobOutcome:
        job = case.request.job_id
        self.journal.mark(case, CaseState.SETTLED)
        _log.info("job %s settled in %s, fee %s", job, settlement.transaction, settlement.prover_fee)
        seconds = 0
        with contextlib.suppress(ChainError):
            time_of = self._pipeline.market.time_of_block
            seconds = time_of(settlement.block) - time_of(case.request.opened_block)
        fee, gas = int(settlement.prover_fee), settlement.gas_used
        self._observer.work_settled(KIND, fee=fee, gas=gas, seconds=seconds)
        return JobOutcome(job, OutcomeKind.SETTLED, settlement=settlement)

    def _leave(self, case: Case, skip: Skip) -> JobOutcome:
        job = case.request.job_id
        state = CaseState.CLOSED if skip.is_final else self.journal.case(case.digest).state
        self.journal.mark(case, state, skip.reason)
        if skip.is_standing or skip.look_again_at is not None:
            self._agenda.set_aside(case, skip.look_again_at)
        if not case.reason.startswith(f"{skip.code}:"):
            # Once, however often it is looked at again.
            _log.info("job %s left alone: %s", job, skip.reason)
            self._observer.work_skipped(KIND, str(skip.code))
        return JobOutcome(job, OutcomeKind.SKIPPED, skip.reason)

    def _failed(self, case: Case, error: ZkmlError) -> JobOutcome:
        job = case.request.job_id
        reason = f"{error.code}: {error.message}"
        blameless = isinstance(error, _NOT_THE_JOBS_FAULT) and not isinstance(error, RevertedError)
        given_up = not blameless and self.journal.count_failure(case) >= MAX_FAILURES
        state = CaseState.CLOSED if given_up else self.journal.case(case.digest).state
        self.journal.mark(case, state, reason)
        _log.warning("job %s %s: %s", job, "given up" if given_up else "delayed", reason)
        self._observer.work_failed(KIND, error.code, given_up=given_up)
        kind = OutcomeKind.GIVEN_UP if given_up else OutcomeKind.DELAYED
        return JobOutcome(job, kind, reason, error=error)


def _furthest(cases: Sequence[Case]) -> list[Case]:
    """Return one case for each job: the first, which is further on where a reorg opened it twice."""
    by_job: dict[str, Case] = {}
    for case in cases:
        by_job.setdefault(case.request.job_id, case)
    return list(by_job.values())
