"""Step 3: a model is PROVEN by an accepted proof of an input that its publisher did not choose."""

from registry.derivations import check_model_circuit, check_model_id
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.proof_bytes import ACTIVATE, ProofBytes
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, given_proof
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, genesis_seed
from zkml.core.tensors import expand_input
from zkml.errors import BindingError, EvidenceUnavailableError, VerificationError


def verify_genesis(
    reader: ChainReader, model: int, circuit_id: bytes, spec: CircuitSpec, verifier: DeployedVerifier
) -> str:
    """Check that the model's id, circuit and genesis proof are what they should be.

    The seed is re-derived from chain, registry, model and the owner at that block; the input is expanded
    from it here; the proof is the one that the activating transaction gave to the registry.

    Args:
        reader: the chain.
        model: ERC-721 id.
        circuit_id: the job's circuit.
        spec: its entry in the router, whose id the caller has re-derived.
        verifier: its deployed code.

    Returns:
        A remark for the report.

    Raises:
        VerificationError: something is wrong.
        InconclusiveError, ChainError: something could not be had.
    """
    _check_identity(reader, model, circuit_id)
    proven = _only(reader.model_events("ModelProven", model), "ModelProven", model)
    arguments = proven.arguments
    if arguments["circuitId"] != circuit_id:
        raise BindingError(
            f"expected a genesis proof of circuit 0x{circuit_id.hex()}, found one of "
            f"0x{arguments['circuitId'].hex()} in {proven.log.transaction}"
        )
    mined = reader.transaction_of(proven)
    if not mined.receipt.succeeded:
        raise BindingError(f"expected a successful activation, found a failed {proven.log.transaction}")
    subject = model.to_bytes(32, "big")
    given = given_proof(ACTIVATE, reader.contracts.registry, subject, mined)
    owner = _owner_before(reader, model, proven)
    seed = genesis_seed(reader.chain.chain_id, reader.contracts.registry, model, owner)
    packed_input = expand_input(seed, spec.layout, spec.domain)
    _check_given(given, subject, packed_input, proven)
    verifier.verify(
        context=seed, packed_input=packed_input, packed_output=given.packed_output, proof=given.proof
    )
    return f"in block {mined.block}"


def _check_identity(reader: ChainReader, model: int, circuit_id: bytes) -> None:
    if not reader.is_proven(model):
        raise BindingError(f"expected a PROVEN model, found that the registry does not call {model:#x} so")
    commitment = reader.commitment(model)
    check_model_circuit(commitment, circuit_id)
    registered = _only(reader.model_events("ModelRegistered", model), "ModelRegistered", model)
    check_model_id(
        model,
        registered.arguments["publisher"],
        commitment,
        chain_id=reader.chain.chain_id,
        registry=reader.contracts.registry,
    )


def _check_given(given: ProofBytes, subject: bytes, packed_input: bytes, proven: Event) -> None:
    found = (given.subject, keccak256(given.packed_output), keccak256(given.proof))
    if found != (subject, proven.arguments["outputDigest"], proven.arguments["proofDigest"]):
        raise BindingError(
            "expected output and proof of the activation to hash to its event's digests, found other bytes "
            f"in {proven.log.transaction}"
        )
    if not given.in_calldata and given.packed_input != packed_input:
        raise BindingError(
            f"expected the genesis input that the seed expands to, found another in {proven.log.transaction}"
        )


def _owner_before(reader: ChainReader, model: int, proven: Event) -> str:
    """Return who owned the model when it was activated: the seed names that account."""
    owners = [
        transfer.arguments["to"]
        for transfer in reader.model_transfers(model)
        if (transfer.log.block, transfer.log.index) < (proven.log.block, proven.log.index)
    ]
    if not owners:
        raise EvidenceUnavailableError(f"expected a transfer of model {model:#x} before its activation")
    return str(owners[-1])


def _only(events: list[Event], name: str, model: int) -> Event:
    if not events:
        raise EvidenceUnavailableError(
            f"expected one event {name} of model {model:#x}, found none",
            hint="the endpoint may not keep old logs, or the deployment's first block is wrong",
        )
    if len(events) > 1:
        raise VerificationError(f"expected one event {name} of model {model:#x}, found {len(events)}")
    return events[0]
