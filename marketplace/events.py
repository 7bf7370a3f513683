"""What happened to jobs, from the chain's events and calldata alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.answers import job_request, payment
from marketplace.places import Where
from marketplace.settlements import JobSettled, SettlementData, settlement_data
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.core.job_machine import JobStatus
from zkml.core.pricing import Payment
from zkml.core.records import JobRequest, to_hex
from zkml.errors import FormatError, JobNotFoundError


@dataclass(frozen=True, slots=True)
class JobClaimed:
    """The first claim: it fixes what is paid; `returned` is what escrow gave back."""

    job_id: bytes
    prover: str
    payment: Payment
    collateral: int
    returned: int
    claim_deadline: int
    where: Where


@dataclass(frozen=True, slots=True)
class JobReclaimed:
    """A late claim was taken over; until `grace_ends_at` only `previous_prover` may settle."""

    job_id: bytes
    prover: str
    previous_prover: str
    claim_deadline: int
    grace_ends_at: int
    where: Where


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A cancellation or a refund: what the requester got back, and what provers lost."""

    job_id: bytes
    outcome: JobStatus
    amount: int | None
    forfeited: int
    where: Where


class JobEvents:
    """The events of one job manager."""

    def __init__(self, contract: BoundContract, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of the manager's deployment."""
        self._contract = contract
        self._from_block = from_block

    def request(self, job_id: bytes) -> JobRequest:
        """Return a job as its opening transaction put it on chain.

        Raises:
            JobNotFoundError: no such job.
            FormatError: it breaks a bound of ours, e.g. a URI of more than 256 characters.
            RpcError: see `Chain.logs`.
        """
        found = list(self._find("JobOpened", job_id))
        if not found:
            raise JobNotFoundError(f"expected an existing job, found none with id {to_hex(job_id)}")
        return self._request_from(found[0])

    def requests(self, *, from_block: int | None = None, to_block: int | None = None) -> Iterator[JobRequest]:
        """Yield jobs, oldest first, in a range of blocks, both ends included.

        A job that breaks a bound of ours is left out: it is its requester's own fault, and must not stop
        whoever looks for work.

        Raises:
            RpcError: see `Chain.logs`.
        """
        for event in self._between("JobOpened", from_block, to_block):
            try:
                yield self._request_from(event)
            except FormatError:
                continue

    def claim_of(self, job_id: bytes) -> JobClaimed | None:
        """Return a job's first claim, or None."""
        return next((_claimed(event) for event in self._find("JobClaimed", job_id)), None)

    def claims(self, *, from_block: int | None = None, to_block: int | None = None) -> Iterator[JobClaimed]:
        """Yield first claims, oldest first, in a range of blocks."""
        return map(_claimed, self._between("JobClaimed", from_block, to_block))

    def reclaims_of(self, job_id: bytes) -> list[JobReclaimed]:
        """Return how a job's claim was taken over, oldest first."""
        return [_reclaimed(event) for event in self._find("JobReclaimed", job_id)]

    def reclaims(
        self, *, from_block: int | None = None, to_block: int | None = None
    ) -> Iterator[JobReclaimed]:
        """Yield takeovers, oldest first, in a range of blocks."""
        return map(_reclaimed, self._between("JobReclaimed", from_block, to_block))

    def settlements(
        self, *, from_block: int | None = None, to_block: int | None = None
    ) -> Iterator[JobSettled]:
        """Yield settlements, oldest first, in a range of blocks."""
        return map(_settled, self._between("JobSettled", from_block, to_block))

    def settlements_of(self, job_id: bytes) -> list[JobSettled]:
        """Return a job's settlements: none or one, which an auditor counts."""
        return [_settled(event) for event in self._find("JobSettled", job_id)]

    def end_of(self, job_id: bytes) -> JobEnded | None:
        """Return a job's cancellation or refund, or None; a cancellation's event tells no amount."""
        for event in self._find("JobCancelled", job_id):
            return JobEnded(job_id, JobStatus.CANCELLED, None, 0, Where.of(event))
        for event in self._find("JobRefunded", job_id):
            values = event.arguments
            return JobEnded(
                job_id, JobStatus.REFUNDED, values["amount"], values["forfeited"], Where.of(event)
            )
        return None

    def settlement_data(self, settled: JobSettled) -> SettlementData:
        """Return input, output and proof of a settlement: from calldata, or from the event in its place.

        Raises:
            EvidenceUnavailableError: the node no longer has the transaction, its receipt or that event; or
                calldata that can be read in two ways.
            BindingError: what was given is of another job, output or proof than the settlement's event.
            RpcError: see `Chain.request`.
        """
        return settlement_data(self._contract.chain, self._contract.address, settled)

    def _find(self, event: str, job_id: bytes) -> Iterator[Event]:
        return self._contract.find_events(event, {"jobId": job_id}, from_block=self._from_block)

    def _between(self, event: str, from_block: int | None, to_block: int | None) -> Iterator[Event]:
        start = self._from_block if from_block is None else from_block
        return self._contract.find_events(event, from_block=start, to_block=to_block)

    def _request_from(self, event: Event) -> JobRequest:
        return job_request(
            event.arguments,
            chain_id=self._contract.chain.chain_id,
            manager=self._contract.address,
            transaction=event.log.transaction,
            block=event.log.block,
            block_hash=event.log.block_hash,
        )


def _claimed(event: Event) -> JobClaimed:
    values = event.arguments
    return JobClaimed(
        values["jobId"],
        values["prover"],
        payment(values["payment"]),
        values["collateral"],
        values["returned"],
        values["claimDeadline"],
        Where.of(event),
    )


def _reclaimed(event: Event) -> JobReclaimed:
    values = event.arguments
    return JobReclaimed(
        values["jobId"],
        values["prover"],
        values["previousProver"],
        values["claimDeadline"],
        values["graceEndsAt"],
        Where.of(event),
    )


def _settled(event: Event) -> JobSettled:
    values = event.arguments
    return JobSettled(
        values["jobId"],
        values["prover"],
        values["proverFee"],
        values["output"],
        values["proofDigest"],
        Where.of(event),
    )
