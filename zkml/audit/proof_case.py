"""What the audit of anything that a proof was paid for shares: the model, its circuits, the proof as given.

A fact here is what the chain says; whether it is true is for the steps, and a step that builds on an
unproved fact names the step that proves it among its needs.
"""

import abc
from functools import cached_property
from pathlib import Path
from typing import Protocol

from circuits.bundle import Bundle
from marketplace.calldata import GivenProof
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, is_before
from zkml.audit.evidence import MinedTransaction
from zkml.audit.policy import AuditPolicy
from zkml.core.identifiers import CircuitSpec, ModelCommitment
from zkml.core.ports.store import ArtifactStore


class PaidProof(Protocol):
    """A proof that was paid for, as it was given."""

    @property
    def given(self) -> GivenProof:
        """The whole proof."""

    @property
    def own_input(self) -> bytes:
        """The part of the proved input that is this case's."""

    @property
    def own_output(self) -> bytes:
        """The part of the proved output that is this case's."""

    def context(self, chain_id: int, manager: str, payee: str) -> bytes:
        """Return what the proof had to be bound to."""


class ProofCase(abc.ABC):
    """A job or a signed request under audit, its chain, its files, and the auditor's terms.

    Attributes:
        reader: the chain.
        store: where files are looked up.
        policy: the auditor's terms.
        scratch: an empty directory for the files that verifying takes.
        own_bundle: where the auditor has the bundle of a circuit whose manifest the model's commitment does
            not name, i.e. of any but its first; None where there is none.
        notes: what a reader of the report must know beside the verdict.
        bundle: the verifying files of the model's first circuit; set by step 4.
    """

    bundle: Bundle

    def __init__(
        self,
        reader: ChainReader,
        store: ArtifactStore,
        policy: AuditPolicy,
        scratch: Path,
        *,
        own_bundle: Path | None = None,
    ) -> None:
        self.reader = reader
        self.store = store
        self.policy = policy
        self.scratch = scratch
        self.own_bundle = own_bundle
        self.notes: list[str] = []

    @property
    @abc.abstractmethod
    def model_id(self) -> int:
        """ERC-721 id of the model."""

    @property
    @abc.abstractmethod
    def circuit_id(self) -> bytes:
        """The circuit that was asked for."""

    @property
    @abc.abstractmethod
    def committed_input(self) -> bytes:
        """What the input that was asked for hashes to."""

    @property
    @abc.abstractmethod
    def settled(self) -> Event | None:
        """The event by which a proof was paid, or None where none was."""

    @property
    @abc.abstractmethod
    def ending(self) -> Event:
        """The event that ended the case."""

    @property
    @abc.abstractmethod
    def settlement(self) -> PaidProof:
        """The proof that was paid."""

    @property
    @abc.abstractmethod
    def proving_circuit(self) -> bytes:
        """The circuit that the settlement's proof is of."""

    @cached_property
    def ending_transaction(self) -> MinedTransaction:
        """The transaction that ended the case."""
        return self.reader.transaction_of(self.ending)

    @cached_property
    def commitment(self) -> ModelCommitment:
        """What the model's publisher committed to; that the id is its hash is step 3."""
        return self.reader.commitment(self.model_id)

    @cached_property
    def spec(self) -> CircuitSpec:
        """The router's entry of the circuit that was asked for."""
        return self.verifier.spec

    @cached_property
    def verifier(self) -> DeployedVerifier:
        """The code of that circuit's verifier, checked against its pins."""
        return self.reader.verifier(self.circuit_id)

    def tombstone(self, circuit_id: bytes) -> Event | None:
        """Return the event that tombstoned a circuit, or None."""
        found = self.reader.events("router", "CircuitTombstoned", [circuit_id])
        return found[0] if found else None

    def was_settled_after(self, event: Event) -> bool:
        """Say whether a proof was paid after an event."""
        return self.settled is not None and is_before(event, self.settled)
