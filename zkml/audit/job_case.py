"""One job under audit: what its steps share, each fact fetched when it is first needed.

A fact here is what the chain says; whether it is true is for the steps, and a step that builds on an
unproved fact names the step that proves it among its needs.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from circuits.bundle import Bundle
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.proof_bytes import SETTLE, ProofBytes
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, given_proof
from zkml.audit.evidence import MinedTransaction
from zkml.audit.policy import AuditPolicy
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError

ENDINGS = {
    JobStatus.SETTLED: "JobSettled",
    JobStatus.CANCELLED: "JobCancelled",
    JobStatus.REFUNDED: "JobRefunded",
}
"""The event by which a job ends, by the status it ends in."""


class JobCase:
    """A job, its chain, its files, and the auditor's terms.

    Attributes:
        job_id: 32 bytes.
        reader: the chain.
        store: where files are looked up.
        policy: the auditor's terms.
        scratch: an empty directory for the files that verifying takes.
        notes: what a reader of the report must know beside the verdict.
        bundle: the verifying files; set by step 4.
    """

    bundle: Bundle

    def __init__(
        self, job_id: bytes, reader: ChainReader, store: ArtifactStore, policy: AuditPolicy, scratch: Path
    ) -> None:
        self.job_id = job_id
        self.reader = reader
        self.store = store
        self.policy = policy
        self.scratch = scratch
        self.notes: list[str] = []

    @cached_property
    def facts(self) -> JobFacts:
        """The job as the manager stores it."""
        return self.reader.job(self.job_id)

    @cached_property
    def status(self) -> JobStatus:
        """The job's status at the chain's time."""
        return status_of(self.facts, self.reader.chain.now())

    @cached_property
    def opened(self) -> Event:
        """The one event JobOpened."""
        return self.only("JobOpened")

    @cached_property
    def claimed(self) -> Event:
        """The one event JobClaimed."""
        return self.only("JobClaimed")

    @cached_property
    def ending(self) -> Event:
        """The first event that ended the job; that it is the only one is step 10."""
        name = ENDINGS[self.status]
        return self._first(self.events(name), name)

    @cached_property
    def ending_transaction(self) -> MinedTransaction:
        """The transaction that ended the job."""
        return self.reader.transaction_of(self.ending)

    @cached_property
    def settlement(self) -> ProofBytes:
        """What the manager was given to settle the job."""
        manager = self.reader.contracts.manager
        return given_proof(SETTLE, manager, self.job_id, self.ending_transaction)

    @cached_property
    def spec(self) -> CircuitSpec:
        """The router's entry of the job's circuit."""
        return self.reader.circuit(self.facts.circuit_id)

    @cached_property
    def verifier(self) -> DeployedVerifier:
        """The code of the circuit's verifier, checked against its pins."""
        chain = self.reader.chain
        return DeployedVerifier(self.spec, chain.code, chain_id=chain.chain_id)

    def events(self, name: str) -> list[Event]:
        """Return the manager's events of this name about this job, oldest first."""
        return self.reader.job_events(name, self.job_id)

    def only(self, name: str) -> Event:
        """Return the one event of this name.

        Raises:
            EvidenceUnavailableError: there is none.
            BindingError: there are several.
        """
        events = self.events(name)
        if len(events) > 1:
            raise BindingError(f"expected one {name} of {to_hex(self.job_id)}, found {len(events)}")
        return self._first(events, name)

    def summary(self, seen: Sequence[int]) -> dict[str, str]:
        """Return values for `--json`, of the steps that held and of no other."""
        if 0 not in seen:
            return {}
        facts = self.facts
        found = {
            "status": self.status.name,
            "requester": facts.requester,
            "prover": facts.prover,
            "fee": str(facts.fee),
            "collateral": str(facts.collateral),
            "model": hex(facts.model_id),
            "circuit": to_hex(facts.circuit_id),
        }
        if 8 in seen:
            found["input"] = to_hex(self.settlement.packed_input)
            found["output"] = to_hex(self.settlement.packed_output)
            found["proof_digest"] = to_hex(keccak256(self.settlement.proof))
            found["settlement"] = self.ending_transaction.sent.transaction
        return found

    def _first(self, events: Sequence[Event], name: str) -> Event:
        if not events:
            raise EvidenceUnavailableError(
                f"expected event {name} of {to_hex(self.job_id)}, found none",
                hint="the endpoint may not keep old logs, or the deployment's first block is wrong",
            )
        return events[0]
