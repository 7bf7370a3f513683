"""The bytes that the job manager was given to settle one job: alone, among many, or as part of a batch."""

from dataclasses import dataclass

from marketplace.calldata import GivenProof, given_settlements
from marketplace.published_proofs import published_after
from marketplace.settlements import slice_of
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader
from zkml.core.identifiers import ModelCommitment
from zkml.core.market_identifiers import batch_context, context_of
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError


@dataclass(frozen=True, slots=True)
class SettledProof:
    """A proof that settled a job, perhaps with others.

    Attributes:
        job_id: the job under audit, 32 bytes.
        given: the whole proof.
        in_calldata: whether the transaction itself made the call.
    """

    job_id: bytes
    given: GivenProof
    in_calldata: bool

    @property
    def is_batch(self) -> bool:
        """Whether one proof settled several jobs, or came as a batch."""
        return self.given.function == "settleBatch" or len(self.given.job_ids) > 1

    @property
    def position(self) -> int:
        """Where the job stands among those of its proof."""
        return self.given.job_ids.index(self.job_id)

    @property
    def own_input(self) -> bytes:
        """The job's own part of the input that was proved."""
        return slice_of(self.given.packed_input, self.position, len(self.given.job_ids))

    @property
    def own_output(self) -> bytes:
        """The job's own part of the output that was proved."""
        return slice_of(self.given.packed_output, self.position, len(self.given.job_ids))

    def context(self, chain_id: int, manager: str, payee: str) -> bytes:
        """Return what the proof had to be bound to."""
        contexts = [context_of(chain_id, manager, job, payee) for job in self.given.job_ids]
        return batch_context(contexts) if self.is_batch else contexts[0]


def settled_proof(reader: ChainReader, job_id: bytes, settled: Event) -> SettledProof:
    """Return the proof that settled a job, from calldata or from the event in its place.

    Args:
        reader: the chain.
        job_id: 32 bytes.
        settled: the job's event JobSettled.

    Raises:
        EvidenceUnavailableError: it is no direct call, and its receipt does not hold the event; or calldata
            that can be read in two ways.
        BindingError: calldata that does not decode, or proofs of other jobs alone.
        RpcError: an event that does not decode.
    """
    mined, manager = reader.transaction_of(settled), reader.contracts.manager
    given = given_settlements(reader.chain.chain_id, manager, mined.sent)
    found = given or (published_after(manager, mined.receipt.logs, settled.log.index),)
    own = [proof for proof in found if job_id in proof.job_ids]
    if len(own) != 1 or own[0].job_ids.count(job_id) != 1 or own[0].subject != own[0].job_ids[0]:
        raise BindingError(
            f"expected one proof of {to_hex(job_id)} in its settlement, found {len(own)} "
            f"in {settled.log.transaction}"
        )
    return SettledProof(job_id, own[0], given is not None)


def proving_circuit(
    reader: ChainReader, proof: SettledProof, own_circuit: bytes, commitment: ModelCommitment
) -> bytes:
    """Return the circuit that a settlement's proof is of: the job's, or for a batch one of the same model.

    Raises:
        BindingError: a batch circuit of another model, class, proof system or size.
        EvidenceUnavailableError: a contract settled the batch, and several circuits would fit.
    """
    if not proof.is_batch:
        return own_circuit
    named = proof.given.circuit_id
    candidates = commitment.circuit_ids if named is None else (named,)
    fitting = [circuit for circuit in candidates if circuit in commitment.circuit_ids]
    fitting = [circuit for circuit in fitting if _is_batch_of(reader, circuit, own_circuit, proof)]
    if not fitting:
        raise BindingError(
            f"expected a circuit of the model for {len(proof.given.job_ids)} inputs and of the job's class, "
            f"found {'none' if named is None else to_hex(named)} for the batch of {to_hex(proof.job_id)}"
        )
    if len(fitting) > 1:
        raise EvidenceUnavailableError(
            f"expected one circuit for {len(proof.given.job_ids)} inputs, found {len(fitting)}",
            hint="a contract settled this batch, and its event does not say with which circuit",
        )
    return fitting[0]


def _is_batch_of(reader: ChainReader, circuit: bytes, own_circuit: bytes, proof: SettledProof) -> bool:
    whole, one = reader.verifier(circuit).spec, reader.verifier(own_circuit).spec
    count, layout = len(proof.given.job_ids), one.layout
    expected = (
        count * layout.input_count,
        layout.input_bytes,
        count * layout.output_count,
        layout.output_bytes,
    )
    return (whole.layout.as_abi(), whole.domain, whole.verifier_class) == (
        expected,
        one.domain,
        one.verifier_class,
    )
