"""The typed binding of VerifierRouter: which verifier every circuit is pinned to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from eth_account.signers.local import LocalAccount

from verifier_contracts.admin import ProtocolAdminBinding
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core import identifiers
from zkml.core.identifiers import CircuitSpec
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import BindingError, LayoutError, RegistryError, RpcError

MAX_TEXT_BYTES = 256
"""Of a tombstone's reason and a report's address."""


class Verdict(IntEnum):
    """What somebody who rebuilt a circuit's key says of it; the numbers of the contract's enum."""

    NONE = 0
    REBUILT = 1
    REFUTED = 2


@dataclass(frozen=True, slots=True)
class Attestation:
    """One attester's last word on a circuit; who they are is for the reader to judge.

    Attributes:
        attester: checksummed address.
        verdict: REBUILT: the published files give exactly the pinned key. REFUTED: they do not.
        attested_at: chain time in seconds; 0 where there is none.
        report_digest: SHA-256 of the attester's report.
        report_uri: where the report is; empty if not said, or not asked of the chain's events.
    """

    attester: str
    verdict: Verdict
    attested_at: int
    report_digest: bytes
    report_uri: str = ""


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
            UnsuitableCircuitError: the class is not allowed on this chain; for CEREMONY, the verifier is not
                audited, not shared, or its key is of no public ceremony.
            VerifierMismatchError: the adapter has no code, other code than pinned, or pins something else.
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

    def tombstone(
        self, account: LocalAccount, circuit_id: bytes, reason: str, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Mark a circuit as unsafe, for ever: none of its proofs is accepted any more.

        Args:
            account: the guardian of the admin.
            circuit_id: 32 bytes.
            reason: why, 1 to 256 bytes in UTF-8.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            NotOwnerError: the account is not the guardian.
            NotRegisteredError: no such circuit.
            TombstonedError: it is tombstoned already.
            RegistryError: the reason is empty or too long.
            ChainError: see `BoundContract.transact`.
        """
        _check_text(reason, "reason", least=1)
        return self.contract.transact(account, "tombstone", circuit_id, reason, on_signed=on_signed)

    def attest(
        self,
        account: LocalAccount,
        circuit_id: bytes,
        verdict: Verdict,
        report_digest: bytes,
        report_uri: str = "",
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Say in public what the account found when it rebuilt a circuit's key; a later word replaces it.

        Args:
            account: who vouches.
            circuit_id: 32 bytes.
            verdict: REBUILT or REFUTED.
            report_digest: SHA-256 of the report.
            report_uri: where the report is; at most 256 bytes, may be empty.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            NotRegisteredError: no such circuit.
            RegistryError: the verdict is NONE, or the address is too long.
            ChainError: see `BoundContract.transact`.
        """
        _check_text(report_uri, "report's address", least=0)
        return self.contract.transact(
            account, "attest", circuit_id, int(verdict), report_digest, report_uri, on_signed=on_signed
        )

    def attestation_of(self, circuit_id: bytes, attester: str) -> Attestation:
        """Return an attester's last word on a circuit; of verdict NONE where there is none.

        Raises:
            RpcError: a number that is no verdict; see also `Chain.request`.
        """
        verdict, attested_at, digest = self.contract.call("attestationOf", circuit_id, attester)
        return Attestation(attester, _verdict(verdict, self.address), attested_at, digest)

    def attestations(self, circuit_id: bytes, *, from_block: int) -> tuple[Attestation, ...]:
        """Return the last word of everybody who attested a circuit, in the order of their first one.

        Args:
            circuit_id: 32 bytes.
            from_block: height of the router's deployment.

        Raises:
            RpcError: the events are not what the chain has in store; see also `Chain.logs`.
        """
        addresses: dict[str, tuple[bytes, str]] = {}
        for event in self.contract.find_events(
            "CircuitAttested", {"circuitId": circuit_id}, from_block=from_block
        ):
            said = event.arguments
            addresses[said["attester"]] = (said["reportDigest"], said["reportUri"])
        found = []
        for attester, (digest, uri) in addresses.items():
            last = self.attestation_of(circuit_id, attester)
            # Events may lag behind the state by a block, so an address counts only with its own report.
            found.append(replace(last, report_uri=uri) if digest == last.report_digest else last)
        return tuple(found)

    def is_tombstoned(self, circuit_id: bytes, *, block: BlockTag = "latest") -> bool:
        """Say whether a circuit is tombstoned; False where there is no such circuit."""
        return bool(self.contract.call("isTombstoned", circuit_id, block=block))

    def tombstone_reason(self, circuit_id: bytes, *, from_block: int) -> str | None:
        """Return why a circuit was tombstoned, or None if it was not."""
        events = self.contract.find_events(
            "CircuitTombstoned", {"circuitId": circuit_id}, from_block=from_block
        )
        return next((str(event.arguments["reason"]) for event in events), None)

    def class_of(self, circuit_id: bytes) -> int:
        """Return a circuit's class, a number of `VerifierClass`; NONE where there is no such circuit."""
        return int(self.contract.call("classOf", circuit_id))

    def admin(self) -> ProtocolAdminBinding:
        """Return the admin whose guardian may tombstone."""
        return ProtocolAdminBinding(self.contract.chain, str(self.contract.call("admin")))

    def find_by_key(
        self, verifying_key_digest: bytes, *, from_block: int
    ) -> Iterator[tuple[bytes, CircuitSpec]]:
        """Yield the circuits, oldest first, that were added with a verifying key."""
        for event in self.contract.find_events("CircuitAdded", from_block=from_block):
            if event.arguments["verifyingKeyDigest"] == verifying_key_digest:
                circuit_id = event.arguments["circuitId"]
                yield circuit_id, self.circuit(circuit_id)


def _spec_from_abi(values: tuple[Any, ...]) -> CircuitSpec:
    fields = dict(zip(CircuitSpec._fields, values, strict=True))
    layout, domain = fields["layout"], fields["domain"]
    try:
        return CircuitSpec(**{**fields, "layout": TensorLayout(*layout), "domain": InputDomain(*domain)})
    except LayoutError as error:
        raise RpcError(
            f"expected a circuit's layout and domain, found {layout} and {domain} in the answer",
            hint="the endpoint lies, or the contract is another one",
        ) from error


def _verdict(number: int, where: str) -> Verdict:
    try:
        return Verdict(number)
    except ValueError as error:
        raise RpcError(f"expected a verdict, found {number} at {where}") from error


def _check_text(text: str, what: str, *, least: int) -> None:
    found = len(text.encode())
    if not least <= found <= MAX_TEXT_BYTES:
        raise RegistryError(f"expected a {what} of {least} to {MAX_TEXT_BYTES} bytes, found {found}")
