"""Read a job's output: the one in the proof's instances, and only after the proof was verified here.

The event says what the chain accepted, and an endpoint can say anything. So everything is derived from the
job's id, which the reader knows: it is the hash of a request that names model and circuit; the model's id is
the hash of a commitment to its circuits; the circuit's id is the hash of a pin of the verifier's code. That
code verifies the proof of the settling transaction here, in this process. A batch circuit is not the one that
the request names: it has to be another one of the same commitment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.derivations import find_nonce
from marketplace.settlements import SettlementData
from zkml.client.inputs import real_values
from zkml.client.models import CheckedCircuit, check_circuit, checked_commitment
from zkml.client.proofs import verify_proved
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex
from zkml.core.tensors import TensorLayout, input_commitment, unpack_output
from zkml.errors import BindingError, InvalidTransitionError, ProofRejectedError
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class JobOutput:
    """A proved output.

    Attributes:
        job_id: 32 bytes.
        circuit_id: of the proof; the job's own, or a batch circuit of the same model.
        packed: as it is on chain.
        elements: integers of the circuit, row-major.
        values: the same as real numbers; None where the manifest is not in the store.
        prover: who was paid.
        prover_fee: what the prover got, in the token's smallest unit.
        price: what the requester paid in all.
        transaction: the settlement.
        jobs_of_proof: how many jobs the same proof settled.
    """

    job_id: bytes
    circuit_id: bytes
    packed: bytes
    elements: tuple[int, ...]
    values: tuple[float, ...] | None
    prover: str
    prover_fee: int
    price: int
    transaction: str
    jobs_of_proof: int


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
        UnsuitableCircuitError: the verifier's class is not accepted, or the circuit is tombstoned.
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
    own = check_circuit(market, commitment, facts.circuit_id, accepted_classes)
    data = _settlement(market, facts)
    used = _verify(market, data, own, accepted_classes)
    elements = unpack_output(own.spec.layout, data.own_output)
    return JobOutput(
        job_id=job_id,
        circuit_id=used.circuit_id,
        packed=data.own_output,
        elements=elements,
        values=real_values(commitment, elements, store),
        prover=_paid_prover(facts),
        prover_fee=facts.payment.prover_fee,
        price=facts.price,
        transaction=data.settled.where.transaction,
        jobs_of_proof=len(data.jobs),
    )


def _check_request(market: Market, facts: JobFacts) -> None:
    """Check that the job's id is the hash of what the endpoint says was asked for."""
    asked = market.manager.events.request(facts.job_id)
    spec = asked.as_spec()
    find_nonce(
        facts.job_id,
        asked.requester,
        spec,
        market.manager.nonces_of(asked.requester),
        chain_id=market.chain.chain_id,
        manager=market.manager.address,
    )
    expected = (asked.requester, spec.model_id, spec.circuit_id, spec.input_commitment, spec.deadline)
    found = (facts.requester, facts.model_id, facts.circuit_id, facts.input_commitment, facts.deadline)
    fees = (facts.min_prover_fee, facts.max_prover_fee) == (spec.min_prover_fee, spec.max_prover_fee)
    if found != expected or not fees or facts.price > spec.max_total:
        raise BindingError(f"expected the request of {to_hex(facts.job_id)}, found other facts of the job")


def _paid_prover(facts: JobFacts) -> str:
    """Return who was paid: a claimer who was replaced and came in time, or the last one."""
    return facts.previous_prover if facts.has_previous_prover else facts.prover


def _settlement(market: Market, facts: JobFacts) -> SettlementData:
    """Return the bytes of a job's one settlement, whose input is the job's."""
    settlements = market.manager.events.settlements_of(facts.job_id)
    if len(settlements) != 1:
        raise BindingError(f"expected one settlement of {to_hex(facts.job_id)}, found {len(settlements)}")
    data = market.manager.events.settlement_data(settlements[0])
    if input_commitment(data.own_input) != facts.input_commitment:
        raise BindingError(
            f"expected the input of job {to_hex(facts.job_id)}, found another in the settlement"
        )
    if data.settled.prover != _paid_prover(facts):
        raise BindingError(
            f"expected {_paid_prover(facts)} to settle {to_hex(facts.job_id)}, found {data.settled.prover}"
        )
    return data


def _verify(
    market: Market, data: SettlementData, own: CheckedCircuit, accepted_classes: frozenset[int]
) -> CheckedCircuit:
    """Verify the proof of a settlement and return the circuit that accepts it."""
    refusal: ProofRejectedError | None = None
    for circuit_id, context in _ways(market, data, own):
        circuit = check_circuit(market, own.commitment, circuit_id, accepted_classes)
        _check_shape(own, circuit, len(data.jobs))
        try:
            verify_proved(
                market,
                circuit,
                context=context,
                packed_input=data.packed_input,
                packed_output=data.packed_output,
                proof=data.proof,
            )
        except ProofRejectedError as error:
            refusal = refusal or error
        else:
            return circuit
    raise refusal or BindingError(
        f"expected a circuit of the model for {len(data.jobs)} inputs, found none for the proof of "
        f"{to_hex(data.settled.job_id)}"
    )


def _check_shape(own: CheckedCircuit, circuit: CheckedCircuit, inputs: int) -> None:
    """Check that a circuit is the job's own `inputs` times over, so that equal parts are the jobs'."""
    one = own.spec.layout
    expected = TensorLayout(
        one.input_count * inputs, one.input_bytes, one.output_count * inputs, one.output_bytes
    )
    if circuit.spec.layout != expected:
        raise BindingError(
            f"expected a circuit of {expected} for {inputs} jobs, found {circuit.spec.layout} "
            f"of {to_hex(circuit.circuit_id)}"
        )


def _ways(market: Market, data: SettlementData, own: CheckedCircuit) -> Iterator[tuple[bytes, bytes]]:
    """Yield the circuits, with their contexts, by which the contract can have verified a settlement.

    Calldata tells which one it was. Where a contract settled, only an event is left, which tells no circuit:
    then it is any of the model's that takes so many inputs.
    """
    manager, prover = market.manager, data.settled.prover
    together = manager.batch_context_of(data.jobs, prover)
    if data.circuit_id is not None:
        yield data.circuit_id, together
        return
    if len(data.jobs) == 1:
        yield own.circuit_id, manager.context_of(data.jobs[0], prover)
    if not data.in_calldata:
        for circuit_id in own.commitment.circuit_ids:
            layout = market.router.circuit(circuit_id).layout
            if layout.input_length_bytes == len(data.packed_input):
                yield circuit_id, together
