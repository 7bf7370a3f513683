"""Step 3: a model is PROVEN by accepted proofs of inputs that its publisher did not choose."""

from marketplace.calldata import GivenProof, given_activation
from registry.derivations import check_model_circuit, check_model_id
from registry.model_facts import ModelStatus
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, events_among, is_before, only_event
from zkml.core.digests import keccak256
from zkml.core.identifiers import ModelCommitment, genesis_seed
from zkml.core.records import to_hex
from zkml.core.tensors import expand_input
from zkml.errors import BindingError, EvidenceUnavailableError

PROVEN = (ModelStatus.PROVEN, ModelStatus.DEPRECATED)
"""A retired model was proven before; what was done until then stands."""


def verify_genesis(reader: ChainReader, model: int, circuit_id: bytes) -> str:
    """Check that the model's id and circuits are what they should be, and the genesis proof of each circuit.

    A seed is re-derived from chain, registry, model and the owner at that block; the input is expanded from
    it here; the proof is the one that the activating transaction gave to the registry.

    Args:
        reader: the chain.
        model: ERC-721 id.
        circuit_id: the job's circuit, one of the model's.

    Returns:
        A remark for the report.

    Raises:
        VerificationError: something is wrong.
        InconclusiveError, ChainError: something could not be had.
    """
    commitment = _check_identity(reader, model, circuit_id)
    accepted = reader.model_events("GenesisAccepted", model)
    proven = only_event(reader.model_events("ModelProven", model), "ModelProven", f"model {model:#x}")
    foreign = [event for event in accepted if event.arguments["circuitId"] not in commitment.circuit_ids]
    if foreign:
        raise BindingError(
            f"expected genesis proofs of the model's circuits, found one of "
            f"{to_hex(foreign[0].arguments['circuitId'])} in {foreign[0].log.transaction}"
        )
    for own in commitment.circuit_ids:
        events = [event for event in accepted if event.arguments["circuitId"] == own]
        event = only_event(events, "GenesisAccepted", f"circuit {to_hex(own)}")
        if not is_before(event, proven):
            raise BindingError(
                f"expected genesis before ModelProven, found it after in {event.log.transaction}"
            )
        _verify_activation(reader, model, own, event)
    count = len(commitment.circuit_ids)
    return f"in block {proven.log.block}, {count} circuit{'s' if count > 1 else ''}"


def _check_identity(reader: ChainReader, model: int, circuit_id: bytes) -> ModelCommitment:
    status = reader.model_status(model)
    if status not in PROVEN:
        raise BindingError(f"expected a PROVEN model, found that the registry calls {model:#x} {status.name}")
    commitment = reader.commitment(model)
    check_model_circuit(commitment, circuit_id)
    events = reader.model_events("ModelRegistered", model)
    registered = only_event(events, "ModelRegistered", f"model {model:#x}")
    check_model_id(
        model,
        registered.arguments["publisher"],
        commitment,
        chain_id=reader.chain.chain_id,
        registry=reader.contracts.registry,
    )
    return commitment


def _verify_activation(reader: ChainReader, model: int, circuit_id: bytes, accepted: Event) -> None:
    """Run one circuit's genesis proof again."""
    where = accepted.log.transaction
    mined, verifier = reader.transaction_of(accepted), reader.verifier(circuit_id)
    if not mined.receipt.succeeded:
        raise BindingError(f"expected a successful activation, found a failed {where}")
    given = given_activation(reader.contracts.registry, mined.sent) or _published(reader, accepted, model)
    owner = _owner_before(reader, model, accepted)
    seed = genesis_seed(reader.chain.chain_id, reader.contracts.registry, model, owner)
    packed_input = expand_input(seed, verifier.spec.layout, verifier.spec.domain)
    found = (given.subject, keccak256(given.packed_output), keccak256(given.proof))
    arguments = accepted.arguments
    if found != (
        model.to_bytes(32, "big"),
        arguments["outputDigest"],
        arguments["proofDigest"],
    ) or given.circuit_id not in (None, circuit_id):
        raise BindingError(
            f"expected circuit, output and proof of the activation to be its event's, found others in {where}"
        )
    if not given.function and given.packed_input != packed_input:
        raise BindingError(f"expected the genesis input that the seed expands to, found another in {where}")
    verifier.verify(
        context=seed, packed_input=packed_input, packed_output=given.packed_output, proof=given.proof
    )


def _published(reader: ChainReader, accepted: Event, model: int) -> GivenProof:
    """Return the proof that the registry published behind an accepted genesis proof."""
    logs, registry = reader.transaction_of(accepted).receipt.logs, reader.contracts.registry
    published = events_among(logs, "ModelRegistry", registry, "ProofPublished")
    later = [event.arguments for event in published if event.log.index > accepted.log.index]
    if not later:
        raise EvidenceUnavailableError(
            f"expected a direct activation of model {model:#x} or an event ProofPublished, found neither "
            f"in {accepted.log.transaction}",
            hint="the endpoint keeps the event back, or the contracts are of another version: ask another",
        )
    return GivenProof.from_event(later[0])


def _owner_before(reader: ChainReader, model: int, accepted: Event) -> str:
    """Return who owned the model when it was activated: the seed names that account."""
    topic = model.to_bytes(32, "big")
    transfers = reader.events("registry", "Transfer", [None, None, topic])
    owners = [transfer.arguments["to"] for transfer in transfers if is_before(transfer, accepted)]
    if not owners:
        raise EvidenceUnavailableError(f"expected a transfer of model {model:#x} before its activation")
    return str(owners[-1])
