"""The typed binding of ModelRegistry: models, their status, and their genesis."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core import identifiers, tensors
from zkml.core.identifiers import ModelCommitment
from zkml.errors import BindingError, NotRegisteredError, RpcError


class ModelStatus(IntEnum):
    """The numbers of the contract's enum."""

    NONE = 0
    REGISTERED = 1
    PROVEN = 2


@dataclass(frozen=True, slots=True)
class Registration:
    """A model as the transaction that registered it announced it."""

    model_id: int
    publisher: str
    circuit_id: bytes
    manifest_digest: bytes
    manifest_cid: str
    name: str
    block: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Genesis:
    """What a model's genesis proof must be about.

    Attributes:
        seed: 32 bytes; also the context of the proof.
        packed_input: the input that the chain draws from the seed.
    """

    seed: bytes
    packed_input: bytes


class ModelRegistryBinding:
    """The registry at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("ModelRegistry"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def register(
        self, account: LocalAccount, commitment: ModelCommitment, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[int, TransactionReceipt]:
        """Register a model; its ERC-721 token goes to the account.

        Returns:
            The model's id, computed here and found in the event, and the receipt.

        Raises:
            NotRegisteredError: the router does not know the circuit.
            RegistryError: registered before, or a field is empty or too long.
            BindingError: the chain gave it another id than we compute.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "register", tuple(commitment), on_signed=on_signed)
        expected = self.model_id(account.address, commitment)
        events = self.contract.events_in(receipt.logs, "ModelRegistered")
        if [event.arguments["modelId"] for event in events] != [expected]:
            raise BindingError(f"expected model {expected}, found another in {receipt.transaction}")
        return expected, receipt

    def activate(
        self,
        account: LocalAccount,
        model_id: int,
        packed_output: bytes,
        proof: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Make a registered model PROVEN with a proof about its genesis input; anybody may.

        Raises:
            ProofRejectedError: the proof is not one of the genesis input and this output.
            RegistryError: it is PROVEN already, or another model of the same circuit is.
            NotRegisteredError: no such model.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(
            account, "activate", model_id, packed_output, proof, on_signed=on_signed
        )

    def model_id(self, publisher: str, commitment: ModelCommitment) -> int:
        """Return the id that a model of `publisher` has here; asks nobody."""
        return identifiers.model_id(self.chain.chain_id, self.address, publisher, commitment)

    def commitment_of(self, model_id: int, *, block: BlockTag = "latest") -> ModelCommitment:
        """Return what the publisher committed to.

        Raises:
            NotRegisteredError: no such model.
            RpcError: see `Chain.request`.
        """
        try:
            return ModelCommitment(*self.contract.call("commitmentOf", model_id, block=block))
        except NotRegisteredError as error:
            raise NotRegisteredError(
                f"expected a registered model, found none with id {model_id:#066x}",
                hint="list them: zkml registry list",
                **error.context,
            ) from error

    def status_of(self, model_id: int, *, block: BlockTag = "latest") -> ModelStatus:
        """Return a model's status; NONE where there is no such model.

        Raises:
            RpcError: a number that is no status; see also `Chain.request`.
        """
        found = self.contract.call("statusOf", model_id, block=block)
        try:
            return ModelStatus(found)
        except ValueError as error:
            raise RpcError(f"expected a model status, found {found} at {self.address}") from error

    def owner_of(self, model_id: int) -> str:
        """Return who owns a model, checksummed.

        Raises:
            NotRegisteredError: no such model.
            RpcError: see `Chain.request`.
        """
        if self.status_of(model_id) is ModelStatus.NONE:
            raise NotRegisteredError(f"expected a registered model, found none with id {model_id:#066x}")
        return str(self.contract.call("ownerOf", model_id))

    def proven_model_of(self, circuit_id: bytes) -> int | None:
        """Return the PROVEN model that a circuit is taken by, or None.

        Raises:
            NotRegisteredError: the router knows no such circuit.
            RpcError: see `Chain.request`.
        """
        return int(self.contract.call("provenModelOf", circuit_id)) or None

    def router(self) -> VerifierRouter:
        """Return the router that checks this registry's proofs."""
        return VerifierRouter(self.chain, str(self.contract.call("router")))

    def genesis(self, model_id: int) -> Genesis:
        """Return seed and input of a model's genesis proof: computed here, and equal to the chain's.

        Raises:
            NotRegisteredError: no such model.
            BindingError: the chain computes something else; its contracts are not ours.
            RpcError: see `Chain.request`.
        """
        seed = identifiers.genesis_seed(self.chain.chain_id, self.address, model_id, self.owner_of(model_id))
        spec = self.router().circuit(self.commitment_of(model_id).circuit_id)
        packed_input = tensors.expand_input(seed, spec.layout, spec.domain)
        found = (
            self.contract.call("genesisSeed", model_id),
            self.contract.call("genesisInput", model_id),
        )
        if found != (seed, packed_input):
            raise BindingError(
                f"expected genesis seed 0x{seed.hex()} and its input, found others for model {model_id:#x}",
                hint="the contracts are of another version of zkml",
            )
        return Genesis(seed, packed_input)

    def registration_of(self, model_id: int, *, from_block: int) -> Registration:
        """Return how a model was registered.

        Raises:
            NotRegisteredError: no such model since `from_block`.
            RpcError: see `Chain.logs`.
        """
        events = self.contract.find_events("ModelRegistered", {"modelId": model_id}, from_block=from_block)
        for event in events:
            return _registration(event)
        raise NotRegisteredError(
            f"expected a registered model, found no registration of {model_id:#066x} at {self.address}",
            hint="the endpoint may not keep old logs",
        )

    def registrations(self, *, from_block: int, to_block: int | None = None) -> Iterator[Registration]:
        """Yield the models that were registered, oldest first.

        Raises:
            RpcError: see `Chain.logs`.
        """
        for event in self.contract.find_events("ModelRegistered", from_block=from_block, to_block=to_block):
            yield _registration(event)


def _registration(event: Event) -> Registration:
    values = event.arguments
    return Registration(
        model_id=values["modelId"],
        publisher=values["publisher"],
        circuit_id=values["circuitId"],
        manifest_digest=values["manifestDigest"],
        manifest_cid=values["manifestCid"],
        name=values["name"],
        block=event.log.block,
        transaction=event.log.transaction,
    )
