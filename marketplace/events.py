"""What happened to jobs, from the chain's events and calldata alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.answers import job_request
from verifier_contracts.bindings import BoundContract
from verifier_contracts.proof_bytes import SETTLE, proof_in_calldata, proof_in_logs
from zkml.adapters.evm.abi import Event
from zkml.core.digests import keccak256
from zkml.core.job_machine import JobStatus
from zkml.core.records import JobRequest, to_hex
from zkml.errors import BindingError, EvidenceUnavailableError, FormatError, JobNotFoundError


@dataclass(frozen=True, slots=True)
class Where:
    """The place of an event: its block and transaction."""

    block: int
    block_hash: str
    transaction: str
    log_index: int


@dataclass(frozen=True, slots=True)
class JobClaimed:
    """A claim: who is paid if the job is settled, and what was locked."""

    job_id: bytes
    prover: str
    collateral: int
    where: Where


@dataclass(frozen=True, slots=True)
class JobSettled:
    """A settlement: the output of the accepted proof, and keccak256 of the proof."""

    job_id: bytes
    prover: str
    fee: int
    packed_output: bytes
    proof_digest: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A cancellation or a refund; `forfeited` is the prover's loss."""

    job_id: bytes
    outcome: JobStatus
    forfeited: int
    where: Where


@dataclass(frozen=True, slots=True)
class SettlementData:
    """What the contract was given to settle a job.

    Attributes:
        settled: the settlement's event.
        sender: who signed the transaction; not the prover where the prover is a contract.
        packed_input: the input that was proved.
        packed_output: the output that was proved.
        proof: the proof.
    """

    settled: JobSettled
    sender: str
    packed_input: bytes
    packed_output: bytes
    proof: bytes


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
        start = self._from_block if from_block is None else from_block
        for event in self._contract.find_events("JobOpened", from_block=start, to_block=to_block):
            try:
                yield self._request_from(event)
            except FormatError:
                continue

    def claim_of(self, job_id: bytes) -> JobClaimed | None:
        """Return a job's claim, or None."""
        for event in self._find("JobClaimed", job_id):
            return JobClaimed(job_id, event.arguments["prover"], event.arguments["collateral"], _where(event))
        return None

    def claims(self, *, from_block: int | None = None, to_block: int | None = None) -> Iterator[JobClaimed]:
        """Yield claims, oldest first, in a range of blocks."""
        start = self._from_block if from_block is None else from_block
        for event in self._contract.find_events("JobClaimed", from_block=start, to_block=to_block):
            values = event.arguments
            yield JobClaimed(values["jobId"], values["prover"], values["collateral"], _where(event))

    def settlements(
        self, *, from_block: int | None = None, to_block: int | None = None
    ) -> Iterator[JobSettled]:
        """Yield settlements, oldest first, in a range of blocks."""
        start = self._from_block if from_block is None else from_block
        for event in self._contract.find_events("JobSettled", from_block=start, to_block=to_block):
            yield _settled(event)

    def settlements_of(self, job_id: bytes) -> list[JobSettled]:
        """Return a job's settlements: none or one, which an auditor counts."""
        return [_settled(event) for event in self._find("JobSettled", job_id)]

    def end_of(self, job_id: bytes) -> JobEnded | None:
        """Return a job's cancellation or refund, or None."""
        for event in self._find("JobCancelled", job_id):
            return JobEnded(job_id, JobStatus.CANCELLED, 0, _where(event))
        for event in self._find("JobRefunded", job_id):
            return JobEnded(job_id, JobStatus.REFUNDED, event.arguments["forfeited"], _where(event))
        return None

    def settlement_data(self, settled: JobSettled) -> SettlementData:
        """Return input, output and proof of a settlement: from calldata, or from the event in its place.

        Raises:
            EvidenceUnavailableError: the node no longer has the transaction, its receipt or that event.
            BindingError: what was given is of another job, output or proof than the settlement's event.
            RpcError: see `Chain.request`.
        """
        name, chain, address = settled.where.transaction, self._contract.chain, self._contract.address
        sent = chain.transaction(name)
        if sent is None:
            raise _forgotten(settled, "settling transaction")
        given = proof_in_calldata(SETTLE, address, sent)
        if given is None:
            receipt = chain.receipt(name)
            if receipt is None:
                raise _forgotten(settled, "receipt of the settling transaction")
            given = proof_in_logs(SETTLE, address, settled.job_id, receipt.logs)
        carried = (given.subject, given.packed_output, keccak256(given.proof))
        if carried != (settled.job_id, settled.packed_output, settled.proof_digest):
            raise BindingError(
                f"expected the bytes of the settlement of {to_hex(settled.job_id)}, "
                f"found another job, output or proof in {name}"
            )
        return SettlementData(settled, sent.sender, given.packed_input, given.packed_output, given.proof)

    def _find(self, event: str, job_id: bytes) -> Iterator[Event]:
        return self._contract.find_events(event, {"jobId": job_id}, from_block=self._from_block)

    def _request_from(self, event: Event) -> JobRequest:
        return job_request(
            event.arguments,
            chain_id=self._contract.chain.chain_id,
            manager=self._contract.address,
            transaction=event.log.transaction,
            block=event.log.block,
            block_hash=event.log.block_hash,
        )


def _forgotten(settled: JobSettled, what: str) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"expected the {what} of {to_hex(settled.job_id)}, found none",
        hint="ask a node that keeps old transactions",
        transaction=settled.where.transaction,
    )


def _settled(event: Event) -> JobSettled:
    values = event.arguments
    return JobSettled(
        values["jobId"],
        values["prover"],
        values["fee"],
        values["output"],
        values["proofDigest"],
        _where(event),
    )


def _where(event: Event) -> Where:
    return Where(event.log.block, event.log.block_hash, event.log.transaction, event.log.index)
