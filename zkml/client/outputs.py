"""Read a job's output: the one in the proof's instances, and only after the proof was verified here.

The event says what the chain accepted, and an endpoint can say anything. So everything is derived from the
job's id, which the reader knows: it is the hash of a request that names the model; the model's id is the
hash of a commitment that names the circuit; the circuit's id is the hash of a pin of the verifier's code.
That code verifies the proof of the settling transaction here, in this process.
"""

from dataclasses import dataclass

from marketplace.derivations import find_nonce
from marketplace.events import SettlementData
from registry.derivations import check_model_circuit
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.client.inputs import fetch_manifest
from zkml.client.models import checked_commitment
from zkml.core.fixed_point import dequantize
from zkml.core.identifiers import JobSpec, ModelCommitment
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import from_hex, to_hex
from zkml.core.tensors import input_commitment, unpack_output
from zkml.core.verifier_classes import check_class
from zkml.errors import (
    ArtifactNotFoundError,
    BindingError,
    DomainError,
    InvalidTransitionError,
    LayoutError,
    VerificationError,
)
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class JobOutput:
    """A proved output.

    Attributes:
        job_id: 32 bytes.
        packed: as it is on chain.
        elements: integers of the circuit, row-major.
        values: the same as real numbers; None where the manifest is not in the store.
        prover: who was paid.
        fee: what was paid, in the token's smallest unit.
        transaction: the settlement.
    """

    job_id: bytes
    packed: bytes
    elements: tuple[int, ...]
    values: tuple[float, ...] | None
    prover: str
    fee: int
    transaction: str


def read_output(
    market: Market,
    job_id: bytes,
    *,
    accepted_classes: frozenset[int],
    store: ArtifactStore | None = None,
) -> JobOutput:
    """Return the output of a settled job after verifying its proof in this process.

    Who proved it, and in which transaction, stay the endpoint's word; what was proved does not.

    Args:
        market: chain and contracts.
        job_id: 32 bytes, from `open_job` or somebody you trust.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        store: where the model's manifest is looked up, for the scale of real numbers.

    Raises:
        JobNotFoundError, InvalidTransitionError: no such job, or it is not settled.
        UnsuitableCircuitError: the verifier's class is not accepted.
        BindingError: request, model or circuit are not those that the job's id is the hash of.
        FormatError: the request breaks a bound of ours; see `JobEvents.request`.
        VerificationError: what the chain shows is not a proof of this job's input and that output.
        EvidenceUnavailableError: the settling transaction cannot be had.
        RpcError: see `Chain.request`.
    """
    facts = market.manager.facts(job_id)
    status = status_of(facts, market.chain.now())
    if status is not JobStatus.SETTLED:
        raise InvalidTransitionError(
            f"expected a settled job, found {to_hex(job_id)} {status.name}", hint="wait: zkml job wait"
        )
    _check_request(market, facts)
    commitment = checked_commitment(market, facts.model_id)
    check_model_circuit(commitment, facts.circuit_id)
    settlements = market.manager.events.settlements_of(job_id)
    if len(settlements) != 1:
        raise BindingError(f"expected one settlement of {to_hex(job_id)}, found {len(settlements)}")
    data = market.manager.events.settlement_data(settlements[0])
    spec = market.router.circuit(facts.circuit_id)
    check_class(spec.verifier_class, accepted_classes, market.chain.chain_id)
    if input_commitment(data.packed_input) != facts.input_commitment:
        raise BindingError(f"expected the input of job {to_hex(job_id)}, found another in the settlement")
    verifier = DeployedVerifier(spec, market.chain.code, chain_id=market.chain.chain_id)
    _verify(verifier, market.manager.context_of(job_id, facts.prover), data)
    elements = unpack_output(spec.layout, data.packed_output)
    return JobOutput(
        job_id=job_id,
        packed=data.packed_output,
        elements=elements,
        values=_real_values(commitment, elements, store),
        prover=facts.prover,
        fee=facts.fee,
        transaction=settlements[0].where.transaction,
    )


def _check_request(market: Market, facts: JobFacts) -> None:
    """Check that the job's id is the hash of what the endpoint says was asked for."""
    asked = market.manager.events.request(facts.job_id)
    spec = JobSpec(
        int(asked.model_id),
        from_hex(asked.input_commitment),
        asked.input_uri,
        int(asked.fee),
        asked.deadline,
    )
    find_nonce(
        facts.job_id,
        asked.requester,
        spec,
        market.manager.nonces_of(asked.requester),
        chain_id=market.chain.chain_id,
        manager=market.manager.address,
    )
    stated = (facts.requester, facts.model_id, facts.input_commitment, facts.fee, facts.deadline)
    if stated != (asked.requester, spec.model_id, spec.input_commitment, spec.fee, spec.deadline):
        raise BindingError(f"expected the request of {to_hex(facts.job_id)}, found other facts of the job")


def _verify(verifier: DeployedVerifier, context: bytes, data: SettlementData) -> None:
    try:
        verifier.verify(
            context=context,
            packed_input=data.packed_input,
            packed_output=data.packed_output,
            proof=data.proof,
        )
    except (LayoutError, DomainError) as error:
        raise VerificationError(error.message, hint=error.hint) from error


def _real_values(
    commitment: ModelCommitment, elements: tuple[int, ...], store: ArtifactStore | None
) -> tuple[float, ...] | None:
    if store is None:
        return None
    try:
        manifest = fetch_manifest(commitment, store)
    except ArtifactNotFoundError:
        return None
    return tuple(float(value) for value in dequantize(elements, manifest.output_scale_bits))
