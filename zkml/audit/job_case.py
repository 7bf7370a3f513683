"""One job under audit: what its steps share, each fact fetched when it is first needed."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, first_event, only_event
from zkml.audit.claim_history import ClaimHistory, replay
from zkml.audit.policy import AuditPolicy
from zkml.audit.proof_case import ProofCase
from zkml.audit.settled_proof import SettledProof, proving_circuit, settled_proof
from zkml.core.digests import keccak256
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex

ENDINGS = {
    JobStatus.SETTLED: "JobSettled",
    JobStatus.CANCELLED: "JobCancelled",
    JobStatus.REFUNDED: "JobRefunded",
}
"""The event by which a job ends, by the status it ends in."""


class JobCase(ProofCase):
    """A job, its chain, its files, and the auditor's terms.

    Attributes:
        job_id: 32 bytes.
    """

    def __init__(
        self,
        job_id: bytes,
        reader: ChainReader,
        store: ArtifactStore,
        policy: AuditPolicy,
        scratch: Path,
        *,
        own_bundle: Path | None = None,
    ) -> None:
        super().__init__(reader, store, policy, scratch, own_bundle=own_bundle)
        self.job_id = job_id

    @cached_property
    def facts(self) -> JobFacts:
        """The job as the manager stores it."""
        return self.reader.job(self.job_id)

    @property
    def model_id(self) -> int:
        """ERC-721 id of the job's model."""
        return self.facts.model_id

    @property
    def circuit_id(self) -> bytes:
        """The circuit that the job names."""
        return self.facts.circuit_id

    @property
    def committed_input(self) -> bytes:
        """What the job's input hashes to."""
        return self.facts.input_commitment

    @property
    def settled(self) -> Event | None:
        """The ending of a job that was settled, else None."""
        return self.ending if self.status is JobStatus.SETTLED else None

    @cached_property
    def status(self) -> JobStatus:
        """The job's status at the chain's time."""
        return status_of(self.facts, self.reader.chain.now())

    @cached_property
    def opened(self) -> Event:
        """The one event JobOpened."""
        return only_event(self.events("JobOpened"), "JobOpened", to_hex(self.job_id))

    @cached_property
    def ending(self) -> Event:
        """The first event that ended the job; that it is the only one is step 10."""
        name = ENDINGS[self.status]
        return first_event(self.events(name), name, to_hex(self.job_id))

    @cached_property
    def history(self) -> ClaimHistory:
        """Who held the claim, and since when, up to the ending."""
        return replay(
            self.reader,
            self.facts,
            self.opened,
            (*self.events("JobClaimed"), *self.events("JobReclaimed")),
            self.ending,
            is_excused=self.is_excused,
        )

    @cached_property
    def is_excused(self) -> bool:
        """Whether the job was refunded because its circuit had been tombstoned."""
        tombstone = self.tombstone(self.facts.circuit_id)
        return self.status is JobStatus.REFUNDED and tombstone is not None and self._precedes(tombstone)

    @cached_property
    def settlement(self) -> SettledProof:
        """What the manager was given to settle the job."""
        return settled_proof(self.reader, self.job_id, self.ending)

    @cached_property
    def proving_circuit(self) -> bytes:
        """The circuit that the settlement's proof is of: the job's own, or one for a batch."""
        return proving_circuit(self.reader, self.settlement, self.facts.circuit_id, self.commitment)

    def events(self, name: str) -> list[Event]:
        """Return the manager's events of this name about this job, oldest first."""
        return self.reader.job_events(name, self.job_id)

    def summary(self, seen: Sequence[int]) -> dict[str, str]:
        """Return values for `--json`, of the steps that held and of no other."""
        if 0 not in seen:
            return {}
        facts = self.facts
        found = {
            "status": self.status.name,
            "requester": facts.requester,
            "prover": facts.prover,
            "price": str(facts.price),
            "prover_fee": str(facts.payment.prover_fee),
            "revenue": str(facts.payment.revenue),
            "platform_amount": str(facts.payment.platform_amount),
            "model": hex(facts.model_id),
            "circuit": to_hex(facts.circuit_id),
        }
        if self.status is JobStatus.SETTLED and 9 in seen:
            found["prover"] = self.ending.arguments["prover"]
        if 8 in seen:
            found["input"] = to_hex(self.settlement.own_input)
            found["output"] = to_hex(self.settlement.own_output)
            found["proof_digest"] = to_hex(keccak256(self.settlement.given.proof))
            found["proving_circuit"] = to_hex(self.proving_circuit)
            found["settlement"] = self.ending_transaction.sent.transaction
        return found

    def _precedes(self, event: Event) -> bool:
        ending = self.ending.log
        return (event.log.block, event.log.index) < (ending.block, ending.index)
