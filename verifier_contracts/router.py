"""The typed binding of VerifierRouter: which verifier every circuit is pinned to."""

from collections.abc import Iterator
from typing import Any

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core import identifiers
from zkml.core.identifiers import CircuitSpec
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import BindingError


class VerifierRouter:
    """The router at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.contract = BoundContract(chain, load_artifact("VerifierRouter"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def add(
        self, account: LocalAccount, spec: CircuitSpec, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[bytes, TransactionReceipt]:
        """Pin a circuit to its verifier.

        Returns:
            The circuit's id, 32 bytes, and the receipt.

        Raises:
            RegistryError: the circuit exists already.
            UnsuitableCircuitError: the class is not allowed on this chain.
            VerifierMismatchError: the adapter has no code, or other code than pinned.
            LayoutError: layout or domain are not allowed.
            BindingError: the chain files it under another id than we compute.
            RevertedError: a pin is empty, or the gas limit is out of range.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "add", spec.as_abi(), on_signed=on_signed)
        expected = identifiers.circuit_id(self.contract.chain.chain_id, self.address, spec)
        found = [
            event.arguments["circuitId"] for event in self.contract.events_in(receipt.logs, "CircuitAdded")
        ]
        if found != [expected]:
            raise BindingError(
                f"expected circuit 0x{expected.hex()}, found another in transaction {receipt.transaction}"
            )
        return expected, receipt

    def circuit(self, circuit_id: bytes, *, block: BlockTag = "latest") -> CircuitSpec:
        """Return what a circuit is pinned to.

        Raises:
            NotRegisteredError: no such circuit.
            BindingError: the chain's answer does not hash to the id.
            RpcError: see `Chain.request`.
        """
        spec = _spec_from_abi(self.contract.call("circuit", circuit_id, block=block))
        if identifiers.circuit_id(self.contract.chain.chain_id, self.address, spec) != circuit_id:
            raise BindingError(f"expected the circuit 0x{circuit_id.hex()}, found another one in the answer")
        return spec

    def exists(self, circuit_id: bytes) -> bool:
        """Say whether a circuit was added."""
        return bool(self.contract.call("exists", circuit_id))

    def circuit_id_of(self, spec: CircuitSpec) -> bytes:
        """Return the id that the chain computes for a circuit; equal to `identifiers.circuit_id`."""
        return bytes(self.contract.call("circuitIdOf", spec.as_abi()))

    def verify(
        self, circuit_id: bytes, context: bytes, packed_input: bytes, packed_output: bytes, proof: bytes
    ) -> None:
        """Have the chain verify a proof, without a transaction.

        Raises:
            ProofRejectedError: the verifier refuses it.
            LayoutError: input or output have another length than the circuit's.
            DomainError: an input element is outside the circuit's domain.
            VerifierMismatchError: the code is not the pinned code any more.
            NotRegisteredError: no such circuit.
            RpcError: see `Chain.request`.
        """
        self.contract.call("verify", circuit_id, context, packed_input, packed_output, proof)

    def check_input(self, circuit_id: bytes, packed_input: bytes) -> None:
        """Have the chain check an input's length and domain; raises as `verify` does."""
        self.contract.call("checkInput", circuit_id, packed_input)

    def expand_input(self, circuit_id: bytes, seed: bytes) -> bytes:
        """Return the input that the chain draws from a seed; equal to `tensors.expand_input`."""
        return bytes(self.contract.call("expandInput", circuit_id, seed))

    def find_by_key(
        self, verifying_key_digest: bytes, *, from_block: int
    ) -> Iterator[tuple[bytes, CircuitSpec]]:
        """Yield the circuits, oldest first, that were added with a verifying key."""
        for event in self.contract.find_events("CircuitAdded", from_block=from_block):
            if event.arguments["verifyingKeyDigest"] == verifying_key_digest:
                circuit_id = event.arguments["circuitId"]
                yield circuit_id, self.circuit(circuit_id)


def _spec_from_abi(values: tuple[Any, ...]) -> CircuitSpec:
    adapter, code_hash, key_digest, system_id, layout, domain, gas_limit, verifier_class = values
    return CircuitSpec(
        adapter=adapter,
        adapter_code_hash=code_hash,
        verifying_key_digest=key_digest,
        proof_system_id=system_id,
        layout=TensorLayout(*layout),
        domain=InputDomain(*domain),
        gas_limit=gas_limit,
        verifier_class=verifier_class,
    )
