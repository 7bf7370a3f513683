"""The job machine: status is derived from facts and time by one function, never stored.

The twin is `JobManager.statusOf`; a test holds the two equal.

    OPEN -claim-> CLAIMED -settle-> SETTLED
    OPEN -cancel-> CANCELLED
    OPEN or CLAIMED, past the deadline: EXPIRED -refund-> REFUNDED
"""

from dataclasses import dataclass
from enum import IntEnum

from zkml.errors import InvalidTransitionError, JobExpiredError, JobNotFoundError

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

    @property
    def is_terminal(self) -> bool:
        """Whether no transaction can change the job any more."""
        return self in (JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED)


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job as the contract stores it.

    Attributes:
        job_id: 32 bytes.
        requester: checksummed address; zero when there is no such job.
        fee: price in the payment token's smallest unit.
        prover: checksummed address of the claimer, or zero.
        collateral: what a claimer locks, in the token's smallest unit.
        model_id: ERC-721 id of the model.
        circuit_id: 32 bytes, copied when the job opened.
        input_commitment: keccak256 of the packed input.
        deadline: chain time in seconds; settling is allowed up to and including it.
        outcome: NONE until the job reaches SETTLED, CANCELLED or REFUNDED.
    """

    job_id: bytes
    requester: str
    fee: int
    prover: str
    collateral: int
    model_id: int
    circuit_id: bytes
    input_commitment: bytes
    deadline: int
    outcome: JobStatus


def status_of(job: JobFacts, now: int) -> JobStatus:
    """Derive the status of a job at chain time `now`, in seconds."""
    if int(job.requester, 16) == 0:
        return JobStatus.NONE
    if job.outcome is not JobStatus.NONE:
        return job.outcome
    if now > job.deadline:
        return JobStatus.EXPIRED
    return JobStatus.OPEN if int(job.prover, 16) == 0 else JobStatus.CLAIMED


_MOVES = {
    "claim": (JobStatus.OPEN,),
    "settle": (JobStatus.CLAIMED,),
    "cancel": (JobStatus.OPEN,),
    "refund": (JobStatus.EXPIRED,),
}

_ENDED = {
    JobStatus.SETTLED: "it is settled and paid",
    JobStatus.CANCELLED: "the requester cancelled it",
    JobStatus.REFUNDED: "the requester was refunded",
    JobStatus.OPEN: "nobody has claimed it yet",
    JobStatus.CLAIMED: "a prover has claimed it",
}


def check_move(job: JobFacts, move: str, now: int) -> None:
    """Check that `move` (claim, settle, cancel or refund) is allowed at chain time `now`.

    Raises:
        JobNotFoundError: there is no such job.
        JobExpiredError: the deadline has passed; only a refund is left.
        InvalidTransitionError: the status does not allow the move.
    """
    status = status_of(job, now)
    if status in _MOVES[move]:
        return
    name = "0x" + job.job_id.hex()
    if status is JobStatus.NONE:
        raise JobNotFoundError(f"expected an existing job, found none with id {name}")
    if status is JobStatus.EXPIRED:
        raise JobExpiredError(
            f"expected a job before its deadline {job.deadline}, found {name} expired at {now}",
            hint=f"get the fee back: zkml job refund {name}",
        )
    expected = " or ".join(allowed.name for allowed in _MOVES[move])
    waits = move == "refund" and not status.is_terminal
    hint = "wait for the deadline, then refund" if waits else _ENDED[status]
    raise InvalidTransitionError(
        f"expected status {expected} to {move}, found {status.name} for job {name}", hint=hint
    )


def collateral_for(fee: int, minimum: int, ppm: int) -> int:
    """Return what a prover locks to claim a job: max(minimum, ceil(fee * ppm / 10^6))."""
    return max(minimum, -(-fee * ppm // 1_000_000))
