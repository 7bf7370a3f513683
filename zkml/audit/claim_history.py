"""Who held a job's claim, from its events and their times alone: the job machine, run again.

The contract stores only how things stand now. What counts is how they stood when the job was settled: so
every claim is replayed with the block's time, each move checked as the contract checks it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, is_before
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, payee_of, status_of
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError


@dataclass(frozen=True, slots=True)
class Turn:
    """One claim or takeover.

    Attributes:
        event: JobClaimed or JobReclaimed.
        time: of its block, in seconds.
        prover: who holds the claim from here on.
        forfeiter: whose broken claim cost its collateral here; empty for nobody.
    """

    event: Event
    time: int
    prover: str
    forfeiter: str = ""


@dataclass(frozen=True, slots=True)
class ClaimHistory:
    """The claims on a job, up to its ending.

    Attributes:
        turns: every claim, oldest first.
        standing: the job just before its ending.
        time: of the ending, in seconds.
    """

    turns: tuple[Turn, ...]
    standing: JobFacts
    time: int

    @property
    def payee(self) -> str | None:
        """Who alone could settle at the time of the ending, or None."""
        return payee_of(self.standing, self.time)

    @property
    def forfeiter(self) -> str:
        """Who lost its collateral to whoever settled: a claimer past its grace; empty for nobody."""
        job = self.standing
        is_lost = job.has_previous_prover and self.time > job.grace_ends_at
        return job.previous_prover if is_lost else ""


def replay(
    reader: ChainReader,
    facts: JobFacts,
    opened: Event,
    claims: Sequence[Event],
    ending: Event,
    *,
    is_excused: bool = False,
) -> ClaimHistory:
    """Run a job's claims again up to its ending, and compare the end with what the manager stores.

    Args:
        reader: the chain.
        facts: the job as the manager stores it.
        opened: its event JobOpened.
        claims: its events JobClaimed and JobReclaimed.
        ending: what ended it.
        is_excused: whether it was refunded because of a tombstone: then nobody forfeits.

    Raises:
        BindingError: a claim out of order, by somebody who may not, or before or after its time.
        EvidenceUnavailableError: a takeover, a block or a transaction is missing.
        RpcError: the endpoint failed.
    """
    job = replace(
        facts,
        prover=ZERO_ADDRESS,
        claim_deadline=0,
        previous_prover=ZERO_ADDRESS,
        grace_ends_at=0,
        outcome=JobStatus.NONE,
    )
    named = frozenset(opened.arguments["spec"][-1])
    turns: list[Turn] = []
    for event in sorted(claims, key=lambda claim: (claim.log.block, claim.log.index)):
        if not is_before(event, ending) or not is_before(opened, event):
            raise BindingError(
                f"expected claims between opening and {ending.name}, found {event.name} "
                f"in {event.log.transaction}"
            )
        reader.transaction_of(event)
        time = reader.time_of(event)
        take = _claimed if event.name == "JobClaimed" else _taken_over
        job, turn = take(reader, job, event, time)
        if named and turn.prover not in named:
            raise BindingError(f"expected a named prover, found {turn.prover} in {event.log.transaction}")
        turns.append(turn)
    history = ClaimHistory(tuple(turns), job, reader.time_of(ending))
    _check_stored(history, facts, is_excused=is_excused)
    return history


def _claimed(_reader: ChainReader, job: JobFacts, event: Event, time: int) -> tuple[JobFacts, Turn]:
    _expect(job, event, time, JobStatus.OPEN)
    prover, deadline = event.arguments["prover"], event.arguments["claimDeadline"]
    if deadline != min(time + job.claim_seconds, job.deadline):
        raise _wrong(job, event, "claim deadline")
    return replace(job, prover=prover, claim_deadline=deadline), Turn(event, time, prover)


def _taken_over(reader: ChainReader, job: JobFacts, event: Event, time: int) -> tuple[JobFacts, Turn]:
    _expect(job, event, time, JobStatus.LATE)
    values = event.arguments
    prover, late = values["prover"], values["previousProver"]
    if late != job.prover and time > job.claim_deadline + job.claim_seconds:
        raise _missing(job)
    if late != job.prover or prover == late:
        raise BindingError(
            f"expected the claim of {job.prover} to be taken over by another, found that of {late} taken "
            f"over by {prover} in {event.log.transaction}"
        )
    deadline, grace = time + job.claim_seconds, time + reader.terms().grace_seconds
    if (values["claimDeadline"], values["graceEndsAt"]) != (deadline, grace) or deadline > job.deadline:
        raise _wrong(job, event, "claim deadline and grace")
    forfeiter = job.previous_prover if job.has_previous_prover else ""
    after = replace(job, prover=prover, claim_deadline=deadline, previous_prover=late, grace_ends_at=grace)
    return after, Turn(event, time, prover, forfeiter)


def _expect(job: JobFacts, event: Event, time: int, expected: JobStatus) -> None:
    found = status_of(job, time)
    if found is not expected:
        raise BindingError(
            f"expected job {to_hex(job.job_id)} to be {expected.name} at {event.name}, found it "
            f"{found.name} at {time} in {event.log.transaction}"
        )


def _wrong(job: JobFacts, event: Event, what: str) -> BindingError:
    return BindingError(
        f"expected the {what} of job {to_hex(job.job_id)} to follow from its block's time, found another "
        f"in {event.log.transaction}"
    )


def _missing(job: JobFacts) -> EvidenceUnavailableError:
    """Return the error for a gap in the events in which a whole takeover has room."""
    return EvidenceUnavailableError(
        f"expected every claim and takeover of job {to_hex(job.job_id)}, found events missing after the "
        f"claim deadline {job.claim_deadline}",
        hint="the endpoint may not keep old logs: ask another",
    )


def _check_stored(history: ClaimHistory, facts: JobFacts, *, is_excused: bool) -> None:
    """Check that the manager stores what the events lead to; whoever has forfeited is struck from it."""
    job = history.standing
    if facts.claim_deadline > job.claim_deadline:
        raise _missing(job)
    is_struck = job.has_previous_prover and (
        bool(history.forfeiter) if facts.outcome is JobStatus.SETTLED else not is_excused
    )
    previous, grace = (ZERO_ADDRESS, 0) if is_struck else (job.previous_prover, job.grace_ends_at)
    expected = (job.prover, job.claim_deadline, previous, grace)
    found = (facts.prover, facts.claim_deadline, facts.previous_prover, facts.grace_ends_at)
    if found != expected:
        raise BindingError(f"expected the claim {expected} that the events lead to, found {found}")
