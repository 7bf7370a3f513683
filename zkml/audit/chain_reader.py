"""Read typed facts of one deployment from a chain that may lie.

Untrusted answers become narrow types here and nowhere else. The ABIs are the ones shipped with zkml, so
an answer of another contract does not decode.
"""

from collections.abc import Sequence
from typing import Any

from marketplace.answers import job_facts, job_terms
from registry.model_facts import ModelStatus, commitment_from_abi, status_from_abi
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.terms import JobTerms
from zkml.adapters.evm import abi
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.audit.evidence import ChainEvidence, Contracts, MinedTransaction
from zkml.core.identifiers import CircuitSpec, ModelCommitment, circuit_id
from zkml.core.job_machine import JobFacts
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import (
    BindingError,
    EvidenceUnavailableError,
    LayoutError,
    RevertedError,
    RpcError,
)

CONTRACTS = {
    "manager": "JobManager",
    "ledger": "RevenueLedger",
    "provers": "ProverRegistry",
    "registry": "ModelRegistry",
    "lineage": "LineageRegistry",
    "router": "VerifierRouter",
    "admin": "ProtocolAdmin",
}
"""The contracts whose code is compared with ours, by their name in `Contracts`; the token is anybody's."""


class ChainReader:
    """The contracts of one deployment, read through the port; logs and transactions are fetched once."""

    def __init__(self, chain: ChainEvidence, contracts: Contracts) -> None:
        self.chain = chain
        self.contracts = contracts
        self._transactions: dict[str, MinedTransaction] = {}
        self._found: dict[tuple[str, tuple[bytes | None, ...]], list[Event]] = {}
        self._verifiers: dict[bytes, DeployedVerifier] = {}
        self._times: dict[int, int] = {}

    def job(self, job_id: bytes) -> JobFacts:
        """Return the job as the manager stores it; all zero when there is none."""
        (fields,) = self.view("manager", "job", job_id)
        return job_facts(job_id, fields, where="in the answer to job")

    def nonces(self, requester: str) -> int:
        """Return how many jobs and tabs an account has opened."""
        (count,) = self.view("manager", "nonces", requester)
        return int(count)

    def terms(self) -> JobTerms:
        """Return the numbers of this deployment."""
        (fields,) = self.view("manager", "terms")
        return job_terms(fields, where="in the answer to terms")

    def verifier(self, circuit: bytes) -> DeployedVerifier:
        """Return a circuit's verifier: the id re-derived from the router's entry, the code as pinned.

        Raises:
            BindingError: the router knows no such circuit, or its entry hashes to another id.
            VerifierMismatchError: code on the chain is not the pinned code.
        """
        if circuit not in self._verifiers:
            spec, chain_id = self._circuit(circuit), self.chain.chain_id
            derived = circuit_id(chain_id, self.contracts.router, spec)
            if derived != circuit:
                raise BindingError(
                    f"expected circuit 0x{circuit.hex()}, "
                    f"found that the router's entry hashes to 0x{derived.hex()}"
                )
            self._verifiers[circuit] = DeployedVerifier(spec, self.chain.code, chain_id=chain_id)
        return self._verifiers[circuit]

    def is_tombstoned(self, circuit: bytes) -> bool:
        """Say whether the router calls a circuit tombstoned now."""
        (answer,) = self.view("router", "isTombstoned", circuit)
        return bool(answer)

    def model_status(self, model_id: int) -> ModelStatus:
        """Return what the registry calls a model now."""
        (status,) = self.view("registry", "statusOf", model_id)
        return status_from_abi(status, self.contracts.registry)

    def commitment(self, model_id: int) -> ModelCommitment:
        """Return what the model's publisher committed to.

        Raises:
            BindingError: the registry knows no such model.
        """
        try:
            (fields,) = self.view("registry", "commitmentOf", model_id)
        except RevertedError as error:
            raise BindingError(
                f"expected model {model_id:#x} in the registry, found none at {self.contracts.registry}"
            ) from error
        return commitment_from_abi(fields, self.contracts.registry)

    def job_events(self, name: str, job_id: bytes) -> list[Event]:
        """Return the manager's events of this name about this job, oldest first."""
        return self.events("manager", name, [job_id])

    def model_events(self, name: str, model_id: int) -> list[Event]:
        """Return the registry's events of this name about this model, oldest first."""
        return self.events("registry", name, [model_id.to_bytes(32, "big")])

    def time_of(self, event: Event) -> int:
        """Return the time of an event's block, in seconds.

        Raises:
            BindingError: the canonical chain has another block there.
        """
        number = event.log.block
        if number not in self._times:
            block = self.chain.block(number)
            if block.block_hash != event.log.block_hash:
                raise BindingError(
                    f"expected block {event.log.block_hash} at height {number} of the canonical chain, "
                    f"found another there for {event.log.transaction}"
                )
            self._times[number] = block.timestamp
        return self._times[number]

    def transaction(self, transaction: str) -> MinedTransaction:
        """Return a mined transaction with its receipt.

        Raises:
            EvidenceUnavailableError: the endpoint does not have it, or has it not mined.
            RpcError: transaction and receipt contradict each other.
        """
        if transaction not in self._transactions:
            sent, receipt = self.chain.transaction(transaction), self.chain.receipt(transaction)
            if sent is None or receipt is None or sent.block is None:
                raise EvidenceUnavailableError(
                    f"expected a mined transaction {transaction}, found none",
                    hint="ask an endpoint that keeps all transactions",
                )
            if (sent.block, sent.block_hash) != (receipt.block, receipt.block_hash):
                raise RpcError(f"expected one block for transaction {transaction}, found two")
            self._transactions[transaction] = MinedTransaction(sent, receipt)
        return self._transactions[transaction]

    def transaction_of(self, event: Event) -> MinedTransaction:
        """Return the transaction that emitted an event.

        Raises:
            EvidenceUnavailableError: see `transaction`; or its receipt does not hold the event.
        """
        mined = self.transaction(event.log.transaction)
        if event.log not in mined.receipt.logs:
            raise EvidenceUnavailableError(
                f"expected event {event.name} in the receipt of {event.log.transaction}, found it in the "
                "endpoint's log index only",
                hint="the endpoint contradicts itself: ask another",
            )
        return mined

    def view(self, part: str, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Return the decoded answer of a view function.

        Args:
            part: which contract, a key of `CONTRACTS`.
            name: the function.
            arguments: its arguments.

        Raises:
            RevertedError: the contract refused.
            RpcError: an answer that does not decode.
        """
        artifact = CONTRACTS[part]
        entry = abi.function(load_artifact(artifact).abi, name)
        what = f"{artifact}.{name}"
        answer = self.chain.call(getattr(self.contracts, part), abi.encode_call(entry, arguments), what=what)
        return abi.decode_values(entry.outputs, answer, what)

    def events(self, part: str, name: str, topics: Sequence[bytes | None]) -> list[Event]:
        """Return a contract's events of this name with these indexed values, oldest first."""
        address = getattr(self.contracts, part)
        entry = abi.event(load_artifact(CONTRACTS[part]).abi, name)
        key = (address, (entry.topic, *topics))
        if key not in self._found:
            logs = self.chain.logs(address, key[1], from_block=self.contracts.from_block)
            self._found[key] = [abi.decode_log(entry, log) for log in logs]
        return self._found[key]

    def _circuit(self, circuit: bytes) -> CircuitSpec:
        try:
            (fields,) = self.view("router", "circuit", circuit)
        except RevertedError as error:
            raise BindingError(
                f"expected circuit 0x{circuit.hex()} in the router, found none at {self.contracts.router}"
            ) from error
        adapter, code_hash, key, weights, system, tensors, domain, gas_limit, class_ = fields
        try:
            layout, bounds = TensorLayout(*tensors), InputDomain(*domain)
        except LayoutError as error:
            raise RpcError(f"{error.message} in the router's answer") from error
        return CircuitSpec(adapter, code_hash, key, weights, system, layout, bounds, gas_limit, class_)


def events_among(logs: Sequence[Log], artifact: str, address: str, name: str) -> list[Event]:
    """Return the decoded events of one name and contract among a receipt's logs, in order."""
    entry = abi.event(load_artifact(artifact).abi, name)
    arity = 1 + sum(entry.indexed)
    return [
        abi.decode_log(entry, log)
        for log in logs
        if log.address == address and log.topics[:1] == (entry.topic,) and len(log.topics) == arity
    ]


def is_before(first: Event, second: Event) -> bool:
    """Say whether one event happened before another."""
    return (first.log.block, first.log.index) < (second.log.block, second.log.index)


def only_event(events: Sequence[Event], name: str, of: str) -> Event:
    """Return the one event of this name.

    Raises:
        EvidenceUnavailableError: there is none.
        BindingError: there are several.
    """
    if len(events) > 1:
        raise BindingError(f"expected one event {name} of {of}, found {len(events)}")
    return first_event(events, name, of)


def first_event(events: Sequence[Event], name: str, of: str) -> Event:
    """Return the first event of this name; raises EvidenceUnavailableError where there is none."""
    if not events:
        raise EvidenceUnavailableError(
            f"expected event {name} of {of}, found none",
            hint="the endpoint may not keep old logs, or the deployment's first block is wrong",
        )
    return events[0]
