"""The job machine: status is derived from facts and time by one function, never stored.

The twin is `JobManager.statusOf`; a test holds the two equal.

    OPEN -claim-> CLAIMED -settle-> SETTLED
    OPEN -cancel-> CANCELLED
    CLAIMED past its claim deadline: LATE, in which the claimer may still settle and others reclaim
    LATE -reclaim-> GRACE, in which the claimer before alone may settle; then CLAIMED by the new one
    all of these, past the job's deadline: EXPIRED -refund-> REFUNDED
"""

from dataclasses import dataclass
from enum import IntEnum

from zkml.core.pricing import FeeQuote, Payment, escrow_for, prover_fee_at
from zkml.errors import (
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    NotClaimantError,
    TombstonedError,
)

ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"


class JobStatus(IntEnum):
    """The numbers of the contract's enum."""

    NONE = 0
    OPEN = 1
    CLAIMED = 2
    SETTLED = 3
    CANCELLED = 4
    REFUNDED = 5
    EXPIRED = 6
    LATE = 7
    GRACE = 8

    @property
    def is_terminal(self) -> bool:
        """Whether no transaction can change the job any more."""
        return self in (JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED)

    @property
    def is_claimed(self) -> bool:
        """Whether a claim stands and a proof can still be paid."""
        return self in (JobStatus.CLAIMED, JobStatus.LATE, JobStatus.GRACE)

    @property
    def is_live(self) -> bool:
        """Whether a proof can still be paid, by a claim made already or yet to be made."""
        return self is JobStatus.OPEN or self.is_claimed


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job as the contract stores it.

    Attributes:
        job_id: 32 bytes.
        requester: checksummed address; zero when there is no such job.
        opened_at: chain time in seconds.
        ramp_seconds: how long the prover fee on offer rises.
        claim_seconds: how long a claimer is safe from being replaced.
        deadline: chain time in seconds; settling is allowed up to and including it.
        min_prover_fee: offered when the job opened, in the payment token's smallest unit.
        max_prover_fee: offered from the end of the ramp on.
        quote: what model and platform asked when the job opened.
        prover: checksummed address of the claimer, or zero.
        claim_deadline: chain time in seconds; later than it the claim can be taken over.
        previous_prover: who held the claim before it was taken over and has forfeited nothing yet, or zero.
        grace_ends_at: chain time in seconds; up to and including it only `previous_prover` may settle.
        payment: fixed by the first claim; zero before.
        model_id: ERC-721 id of the model.
        circuit_id: 32 bytes.
        input_commitment: keccak256 of the packed input.
        restricted: whether only named provers may claim.
        outcome: NONE until the job reaches SETTLED, CANCELLED or REFUNDED.
    """

    job_id: bytes
    requester: str
    opened_at: int
    ramp_seconds: int
    claim_seconds: int
    deadline: int
    min_prover_fee: int
    max_prover_fee: int
    quote: FeeQuote
    prover: str
    claim_deadline: int
    previous_prover: str
    grace_ends_at: int
    payment: Payment
    model_id: int
    circuit_id: bytes
    input_commitment: bytes
    restricted: bool
    outcome: JobStatus

    @property
    def has_prover(self) -> bool:
        """Whether anybody has ever claimed it."""
        return not is_zero(self.prover)

    @property
    def has_previous_prover(self) -> bool:
        """Whether a claimer before the present one can still win or lose its collateral."""
        return not is_zero(self.previous_prover)

    @property
    def price(self) -> int:
        """What a settlement pays in all, in the token's smallest unit; 0 before the first claim."""
        return self.payment.price

    @property
    def escrow(self) -> int:
        """What is reserved while the job lives: the greatest price until a claim fixes it."""
        return self.price if self.has_prover else escrow_for(self.quote, self.max_prover_fee)

    def prover_fee_at(self, time: int) -> int:
        """Return what a prover is offered at a chain time in seconds."""
        return prover_fee_at(
            self.min_prover_fee, self.max_prover_fee, self.opened_at, self.ramp_seconds, time
        )


def is_zero(address: str) -> bool:
    """Say whether an address is the zero address: nobody's."""
    return int(address, 16) == 0


def status_of(job: JobFacts, now: int) -> JobStatus:
    """Derive the status of a job at chain time `now`, in seconds."""
    if is_zero(job.requester):
        return JobStatus.NONE
    if job.outcome is not JobStatus.NONE:
        return job.outcome
    if now > job.deadline:
        return JobStatus.EXPIRED
    if not job.has_prover:
        return JobStatus.OPEN
    if job.has_previous_prover and now <= job.grace_ends_at:
        return JobStatus.GRACE
    return JobStatus.LATE if now > job.claim_deadline else JobStatus.CLAIMED


def payee_of(job: JobFacts, now: int) -> str | None:
    """Return who alone may settle at chain time `now` and is paid by it, or None."""
    status = status_of(job, now)
    if not status.is_claimed:
        return None
    return job.previous_prover if status is JobStatus.GRACE else job.prover


_MOVES = {
    "claim": (JobStatus.OPEN,),
    "reclaim": (JobStatus.LATE,),
    "settle": (JobStatus.CLAIMED, JobStatus.LATE, JobStatus.GRACE),
    "cancel": (JobStatus.OPEN,),
    "refund": (JobStatus.EXPIRED,),
}

_SITUATIONS = {
    JobStatus.SETTLED: "it is settled and paid",
    JobStatus.CANCELLED: "the requester cancelled it",
    JobStatus.REFUNDED: "the requester was refunded",
    JobStatus.OPEN: "nobody has claimed it yet",
    JobStatus.CLAIMED: "a prover has claimed it",
    JobStatus.LATE: "its claimer is late: anyone else may reclaim it",
    JobStatus.GRACE: "it was taken over, and the claimer before may still settle for a moment",
}


def check_move(job: JobFacts, move: str, now: int, *, caller: str = "", is_tombstoned: bool = False) -> None:
    """Check that a move is allowed at chain time `now`.

    Args:
        job: its facts.
        move: claim, reclaim, settle, cancel or refund.
        now: chain time in seconds.
        caller: who moves, checksummed; empty: whoever may.
        is_tombstoned: whether the job's circuit is: then no proof is paid, and it can be refunded at once.

    Raises:
        JobNotFoundError: there is no such job.
        JobExpiredError: the deadline has passed.
        InvalidTransitionError: the status does not allow the move; or a claim would be taken over by its
            holder, or with too little time left.
        NotClaimantError: another prover may settle now.
        TombstonedError: the circuit is tombstoned.
    """
    status = status_of(job, now)
    if is_tombstoned and status.is_live:
        if move in ("claim", "reclaim", "settle"):
            raise TombstonedError(
                f"expected a circuit that is trusted to {move}, found a tombstoned one for job {_name(job)}",
                hint=f"get price and collateral back: zkml job refund {_name(job)}",
            )
        if move == "refund":
            return
    if status not in _MOVES[move]:
        raise _refusal(job, move, status, now)
    _check_caller(job, move, now, caller)
    if move == "reclaim" and now + job.claim_seconds > job.deadline:
        raise InvalidTransitionError(
            f"expected {job.claim_seconds} s for a whole claim period, found {job.deadline - now} s left "
            f"of job {_name(job)}",
            hint="its claimer may still settle it until the deadline",
        )


def _check_caller(job: JobFacts, move: str, now: int, caller: str) -> None:
    payee = payee_of(job, now)
    if caller and move == "settle" and caller != payee:
        wait = f"its grace ends at {job.grace_ends_at}: settle after it"
        raise NotClaimantError(
            f"expected {payee} to settle now, found {caller} for job {_name(job)}",
            hint=wait if caller == job.prover else "only the prover who holds the claim settles",
        )
    if caller and move == "reclaim" and caller == job.prover:
        raise InvalidTransitionError(
            f"expected another prover than the claimer to reclaim, found {caller} for job {_name(job)}",
            hint="settle it: the claim stands until somebody takes it over",
        )


def _refusal(
    job: JobFacts, move: str, status: JobStatus, now: int
) -> JobNotFoundError | JobExpiredError | InvalidTransitionError:
    """Return the error that says why a status does not allow a move, and what does."""
    if status is JobStatus.NONE:
        return JobNotFoundError(f"expected an existing job, found none with id {_name(job)}")
    if status is JobStatus.EXPIRED:
        return JobExpiredError(
            f"expected a job before its deadline {job.deadline}, found {_name(job)} expired at {now}",
            hint=f"get the escrow back: zkml job refund {_name(job)}",
        )
    expected = " or ".join(allowed.name for allowed in _MOVES[move])
    return InvalidTransitionError(
        f"expected status {expected} to {move}, found {status.name} for job {_name(job)}",
        hint=_next_step(job, move, status),
    )


def _next_step(job: JobFacts, move: str, status: JobStatus) -> str:
    if move == "refund" and status.is_live:
        return f"wait for the deadline {job.deadline}, then refund"
    if move == "reclaim" and status is JobStatus.CLAIMED:
        return f"its claimer is safe until {job.claim_deadline}"
    if move == "reclaim" and status is JobStatus.OPEN:
        return "nobody has claimed it yet: claim it"
    return _SITUATIONS[status]


def _name(job: JobFacts) -> str:
    return "0x" + job.job_id.hex()
