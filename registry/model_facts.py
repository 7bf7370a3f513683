"""What the chain says of a model, in narrow types. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from zkml.adapters.evm.abi import Event
from zkml.core.identifiers import DerivativeTerms, FeeTerms, ModelCommitment
from zkml.errors import RpcError

MAX_CIRCUITS = 4
"""Of one model; a constant of the contract."""


class ModelStatus(IntEnum):
    """The numbers of the contract's enum."""

    NONE = 0
    REGISTERED = 1
    PROVEN = 2
    DEPRECATED = 3


@dataclass(frozen=True, slots=True)
class Registration:
    """A model as the transaction that registered it announced it.

    Attributes:
        model_id: ERC-721 id.
        publisher: who registered it, checksummed.
        commitment: what it is; never changes.
        account: its ERC-6551 account, checksummed; whether created or not.
        block: height of the transaction.
        transaction: its hash.
    """

    model_id: int
    publisher: str
    commitment: ModelCommitment
    account: str
    block: int
    transaction: str

    @property
    def circuit_id(self) -> bytes:
        """The first circuit."""
        return self.commitment.circuit_id

    @property
    def manifest_digest(self) -> bytes:
        """SHA-256 of the bundle's manifest."""
        return self.commitment.manifest_digest

    @property
    def manifest_cid(self) -> str:
        """Where the manifest is published."""
        return self.commitment.manifest_cid

    @property
    def name(self) -> str:
        """What people call the model."""
        return self.commitment.name


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the genesis proof of one of a model's circuits must be about.

    Attributes:
        seed: 32 bytes; also the context of the proof.
        packed_input: the input that the chain draws from the seed.
    """

    seed: bytes
    packed_input: bytes


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as it stands.

    Attributes:
        model_id: ERC-721 id.
        status: where it is on its way from REGISTERED to DEPRECATED.
        owner: who owns the token, checksummed.
        publisher: who registered it, checksummed.
        account: its ERC-6551 account, checksummed.
        commitment: what it is; never changes.
        fees: what it asks for.
        derivatives: what derivatives declared from now on owe.
        is_closed: whether only provers with access may prove it.
        missing_genesis: circuits whose genesis proofs are still missing.
    """

    model_id: int
    status: ModelStatus
    owner: str
    publisher: str
    account: str
    commitment: ModelCommitment
    fees: FeeTerms
    derivatives: DerivativeTerms
    is_closed: bool
    missing_genesis: tuple[bytes, ...]


def commitment_from_abi(values: Sequence[Any], where: str) -> ModelCommitment:
    """Return the commitment of a decoded Solidity struct.

    Raises:
        RpcError: it names no circuit, or more than a model can have.
    """
    commitment = ModelCommitment(*values)
    count = len(commitment.circuit_ids)
    if not 1 <= count <= MAX_CIRCUITS:
        raise RpcError(
            f"expected 1 to {MAX_CIRCUITS} circuits of a model, found {count} at {where}",
            hint="the endpoint lies, or the contract is another one",
        )
    return commitment


def status_from_abi(number: int, where: str) -> ModelStatus:
    """Return the status of a number.

    Raises:
        RpcError: it is none.
    """
    try:
        return ModelStatus(number)
    except ValueError as error:
        raise RpcError(f"expected a model status, found {number} at {where}") from error


def registration_from_event(event: Event) -> Registration:
    """Return what an event `ModelRegistered` says.

    Raises:
        RpcError: see `commitment_from_abi`; or it names one circuit and commits to another.
    """
    values = event.arguments
    commitment = commitment_from_abi(values["commitment"], event.log.transaction)
    if commitment.circuit_id != values["circuitId"]:
        raise RpcError(
            f"expected the first circuit of the commitment, found another in {event.log.transaction}"
        )
    return Registration(
        model_id=values["modelId"],
        publisher=values["publisher"],
        commitment=commitment,
        account=values["account"],
        block=event.log.block,
        transaction=event.log.transaction,
    )
