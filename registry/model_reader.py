"""What a model registry says, read only: models, their status, their terms, and their genesis."""

from collections.abc import Iterator

from registry.model_facts import (
    Genesis,
    ModelFacts,
    ModelStatus,
    Registration,
    commitment_from_abi,
    registration_from_event,
    status_from_abi,
)
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.core import identifiers, tensors
from zkml.core.identifiers import DerivativeTerms, FeeTerms, ModelCommitment
from zkml.errors import BindingError, NotRegisteredError


class ModelReader:
    """The registry at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("ModelRegistry"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

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
            found = self.contract.call("commitmentOf", model_id, block=block)
        except NotRegisteredError as error:
            raise NotRegisteredError(
                f"expected a registered model, found none with id {model_id:#066x}",
                hint="list them: zkml registry list",
                **error.context,
            ) from error
        return commitment_from_abi(found, self.address)

    def status_of(self, model_id: int, *, block: BlockTag = "latest") -> ModelStatus:
        """Return a model's status; NONE where there is no such model.

        Raises:
            RpcError: a number that is no status; see also `Chain.request`.
        """
        return status_from_abi(self.contract.call("statusOf", model_id, block=block), self.address)

    def owner_of(self, model_id: int) -> str:
        """Return who owns a model, checksummed.

        Raises:
            NotRegisteredError: no such model.
            RpcError: see `Chain.request`.
        """
        if self.status_of(model_id) is ModelStatus.NONE:
            raise NotRegisteredError(f"expected a registered model, found none with id {model_id:#066x}")
        return str(self.contract.call("ownerOf", model_id))

    def may_take(self, spender: str, model_id: int) -> bool:
        """Say whether an account may take a model from its owner; raises as `owner_of` does."""
        owner = self.owner_of(model_id)
        if self.contract.call("getApproved", model_id) == spender:
            return True
        return bool(self.contract.call("isApprovedForAll", owner, spender))

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

    def publisher_of(self, model_id: int) -> str:
        """Return who registered a model, checksummed; raises as `facts` does."""
        return str(self.contract.call("publisherOf", model_id))

    def account_of(self, model_id: int) -> str:
        """Return a model's ERC-6551 account, checksummed, whether it has been created or not."""
        return str(self.contract.call("accountOf", model_id))

    def fee_terms_of(self, model_id: int, *, block: BlockTag = "latest") -> FeeTerms:
        """Return what a model asks for; raises as `facts` does."""
        return FeeTerms(*self.contract.call("feeTermsOf", model_id, block=block))

    def derivative_terms_of(self, model_id: int) -> DerivativeTerms:
        """Return what derivatives of a model owe; raises as `facts` does."""
        return DerivativeTerms(*self.contract.call("derivativeTermsOf", model_id))

    def is_closed(self, model_id: int) -> bool:
        """Say whether only provers with access may prove a model; raises as `facts` does."""
        return bool(self.contract.call("isClosed", model_id))

    def may_prove(self, model_id: int, prover: str, *, block: BlockTag = "latest") -> bool:
        """Say whether a prover may prove a model: it is open, or access was granted."""
        return bool(self.contract.call("mayProve", model_id, prover, block=block))

    def batch_of(self, model_id: int, circuit_id: bytes) -> int:
        """Return how many inputs a circuit proves for a model at once; 0 if it is none of the model's."""
        return int(self.contract.call("batchOf", model_id, circuit_id))

    def missing_genesis(self, model_id: int) -> tuple[bytes, ...]:
        """Return the circuits whose genesis proofs are still missing; raises as `facts` does."""
        return tuple(self.contract.call("missingGenesis", model_id))

    def commitment_ages(self) -> tuple[int, int]:
        """Return least and greatest age of a commitment when it is revealed, in blocks."""
        minimum, maximum = self.contract.call("commitmentAges")
        return int(minimum), int(maximum)

    def facts(self, model_id: int) -> ModelFacts:
        """Return all that the registry says of a model.

        Raises:
            NotRegisteredError: no such model.
            RpcError: an answer that no registry of ours gives; see also `Chain.request`.
        """
        return ModelFacts(
            model_id=model_id,
            commitment=self.commitment_of(model_id),
            status=self.status_of(model_id),
            owner=self.owner_of(model_id),
            publisher=self.publisher_of(model_id),
            account=self.account_of(model_id),
            fees=self.fee_terms_of(model_id),
            derivatives=self.derivative_terms_of(model_id),
            is_closed=self.is_closed(model_id),
            missing_genesis=self.missing_genesis(model_id),
        )

    def genesis(self, model_id: int, circuit_id: bytes | None = None) -> Genesis:
        """Return seed and input of a circuit's genesis proof: computed here, and equal to the chain's.

        Args:
            model_id: ERC-721 id.
            circuit_id: one of the model's circuits; the first when None.

        Raises:
            NotRegisteredError: no such model, or no such circuit.
            BindingError: the chain computes something else; its contracts are not ours.
            RpcError: see `Chain.request`.
        """
        circuit_id = self.commitment_of(model_id).circuit_id if circuit_id is None else circuit_id
        seed = identifiers.genesis_seed(self.chain.chain_id, self.address, model_id, self.owner_of(model_id))
        spec = self.router().circuit(circuit_id)
        packed_input = tensors.expand_input(seed, spec.layout, spec.domain)
        found = (
            self.contract.call("genesisSeed", model_id),
            self.contract.call("genesisInput", model_id, circuit_id),
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
            return registration_from_event(event)
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
            yield registration_from_event(event)
