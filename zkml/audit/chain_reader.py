"""Read typed facts of one deployment from a chain that may lie.

Untrusted answers become narrow types here and nowhere else. The ABIs are the ones shipped with zkml, so
an answer of another contract does not decode.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.answers import job_facts
from registry.models import ModelStatus
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.proof_bytes import ProofBytes, ProofCall, proof_in_calldata, proof_in_logs
from zkml.adapters.evm import abi
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.audit.evidence import ChainEvidence, Contracts, MinedTransaction
from zkml.core.identifiers import CircuitSpec, ModelCommitment
from zkml.core.job_machine import JobFacts, collateral_for
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import (
    BindingError,
    EvidenceUnavailableError,
    LayoutError,
    RevertedError,
    RpcError,
)


class ChainReader:
    """The contracts of one deployment, read through the port; logs and transactions are fetched once."""

    def __init__(self, chain: ChainEvidence, contracts: Contracts) -> None:
        self.chain = chain
        self.contracts = contracts
        self._transactions: dict[str, MinedTransaction] = {}
        self._found: dict[tuple[str, tuple[bytes | None, ...]], list[Event]] = {}

    def job(self, job_id: bytes) -> JobFacts:
        """Return the job as the manager stores it; all zero when there is none."""
        (fields,) = self._view("JobManager", self.contracts.manager, "job", job_id)
        return job_facts(job_id, fields, where="in the answer to job")

    def nonces(self, requester: str) -> int:
        """Return how many jobs an account has opened."""
        (count,) = self._view("JobManager", self.contracts.manager, "nonces", requester)
        return int(count)

    def collateral_for(self, fee: int) -> int:
        """Return the collateral that this deployment's terms ask for a fee."""
        ((minimum, ppm, _, _),) = self._view("JobManager", self.contracts.manager, "terms")
        return collateral_for(fee, minimum, ppm)

    def parts(self) -> Mapping[str, str]:
        """Return the addresses of registry, router and token that the manager itself uses."""
        manager = self.contracts.manager
        return {name: self._view("JobManager", manager, name)[0] for name in ("registry", "router", "token")}

    def circuit(self, circuit_id: bytes) -> CircuitSpec:
        """Return the router's entry.

        Raises:
            BindingError: the router knows no such circuit.
        """
        try:
            (fields,) = self._view("VerifierRouter", self.contracts.router, "circuit", circuit_id)
        except RevertedError as error:
            raise BindingError(
                f"expected circuit 0x{circuit_id.hex()} in the router, found none at {self.contracts.router}"
            ) from error
        adapter, code_hash, key_digest, system, tensors, domain, gas_limit, class_ = fields
        try:
            layout, bounds = TensorLayout(*tensors), InputDomain(*domain)
        except LayoutError as error:
            raise RpcError(f"{error.message} in the router's answer") from error
        return CircuitSpec(adapter, code_hash, key_digest, system, layout, bounds, gas_limit, class_)

    def is_proven(self, model_id: int) -> bool:
        """Say whether the registry calls a model PROVEN."""
        (status,) = self._view("ModelRegistry", self.contracts.registry, "statusOf", model_id)
        return bool(status == ModelStatus.PROVEN)

    def commitment(self, model_id: int) -> ModelCommitment:
        """Return what the model's publisher committed to.

        Raises:
            BindingError: the registry knows no such model.
        """
        try:
            (fields,) = self._view("ModelRegistry", self.contracts.registry, "commitmentOf", model_id)
        except RevertedError as error:
            raise BindingError(
                f"expected model {model_id:#x} in the registry, found none at {self.contracts.registry}"
            ) from error
        return ModelCommitment(*fields)

    def job_events(self, name: str, job_id: bytes) -> list[Event]:
        """Return the manager's events of this name about this job, oldest first."""
        return self._events("JobManager", self.contracts.manager, name, [job_id])

    def model_events(self, name: str, model_id: int) -> list[Event]:
        """Return the registry's events of this name about this model, oldest first."""
        topic = model_id.to_bytes(32, "big")
        return self._events("ModelRegistry", self.contracts.registry, name, [topic])

    def model_transfers(self, model_id: int) -> list[Event]:
        """Return the ERC-721 transfers of a model, oldest first."""
        topic = model_id.to_bytes(32, "big")
        return self._events("ModelRegistry", self.contracts.registry, "Transfer", [None, None, topic])

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

    def _view(self, artifact: str, target: str, name: str, *arguments: Any) -> tuple[Any, ...]:
        entry = abi.function(load_artifact(artifact).abi, name)
        what = f"{artifact}.{name}"
        answer = self.chain.call(target, abi.encode_call(entry, arguments), what=what)
        return abi.decode_values(entry.outputs, answer, what)

    def _events(self, artifact: str, address: str, name: str, topics: Sequence[bytes | None]) -> list[Event]:
        entry = abi.event(load_artifact(artifact).abi, name)
        key = (address, (entry.topic, *topics))
        if key not in self._found:
            logs = self.chain.logs(address, key[1], from_block=self.contracts.from_block)
            self._found[key] = [abi.decode_log(entry, log) for log in logs]
        return self._found[key]


def given_proof(call: ProofCall, address: str, subject: bytes, mined: MinedTransaction) -> ProofBytes:
    """Return the bytes that a contract was given as a proof, from calldata or from the event in its place.

    Args:
        call: the function that took them.
        address: its contract.
        subject: the job's or the model's id, 32 bytes.
        mined: the transaction.

    Raises:
        EvidenceUnavailableError: it is no direct call, and its receipt does not hold the event.
        BindingError: calldata that does not decode, or several such events.
        RpcError: an event that does not decode.
    """
    found = proof_in_calldata(call, address, mined.sent)
    return found or proof_in_logs(call, address, subject, mined.receipt.logs)


def events_among(logs: Sequence[Log], artifact: str, address: str, name: str) -> list[Event]:
    """Return the decoded events of one name and contract among a receipt's logs, in order."""
    entry = abi.event(load_artifact(artifact).abi, name)
    return [
        abi.decode_log(entry, log)
        for log in logs
        if log.address == address and log.topics[:1] == (entry.topic,) and len(log.topics) == _arity(entry)
    ]


def _arity(entry: abi.Entry) -> int:
    return 1 + sum(entry.indexed)
