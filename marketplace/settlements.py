"""What the job manager was given to settle a job: found by the settlement's event, and checked against it."""

from dataclasses import dataclass

from marketplace.calldata import GivenProof, given_settlements
from marketplace.places import Where, receipt_at, sent_at
from marketplace.published_proofs import published_after
from zkml.adapters.evm.rpc import Chain
from zkml.core.digests import keccak256
from zkml.core.records import to_hex
from zkml.errors import BindingError


@dataclass(frozen=True, slots=True)
class JobSettled:
    """A settlement: the output of the accepted proof, and keccak256 of the proof."""

    job_id: bytes
    prover: str
    prover_fee: int
    packed_output: bytes
    proof_digest: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class SettlementData:
    """What the contract was given to settle a job.

    Attributes:
        settled: the settlement's event.
        sender: who signed the transaction; not the prover where the prover is a contract.
        jobs: all jobs that the same proof settled, in the order of their inputs.
        circuit_id: of the batch, where calldata names it; None where the job's own circuit was used, or
            nothing but an event is left of a batch.
        packed_input: whole input tensor that was proved.
        packed_output: whole output tensor that was proved.
        proof: the proof.
        in_calldata: whether the transaction itself made the call.
    """

    settled: JobSettled
    sender: str
    jobs: tuple[bytes, ...]
    circuit_id: bytes | None
    packed_input: bytes
    packed_output: bytes
    proof: bytes
    in_calldata: bool

    @property
    def position(self) -> int:
        """Where the job stands among those of its proof."""
        return self.jobs.index(self.settled.job_id)

    @property
    def own_input(self) -> bytes:
        """The job's own part of the input."""
        return slice_of(self.packed_input, self.position, len(self.jobs))

    @property
    def own_output(self) -> bytes:
        """The job's own part of the output."""
        return slice_of(self.packed_output, self.position, len(self.jobs))


def slice_of(tensor: bytes, position: int, count: int) -> bytes:
    """Return one of `count` equal parts of a tensor, as the contract cuts a batch."""
    size = len(tensor) // count
    return tensor[position * size : (position + 1) * size]


def settlement_data(chain: Chain, manager: str, settled: JobSettled) -> SettlementData:
    """Return input, output and proof of a settlement; see `JobEvents.settlement_data`."""
    sent = sent_at(chain, settled.where)
    given = given_settlements(chain.chain_id, manager, sent)
    if given is None:
        logs = receipt_at(chain, settled.where).logs
        found = published_after(manager, logs, settled.where.log_index)
    else:
        found = _only_of(settled, given)
    if found.job_ids[:1] != (found.subject,) or found.job_ids.count(settled.job_id) != 1:
        raise _foreign(settled)
    data = SettlementData(
        settled=settled,
        sender=sent.sender,
        jobs=found.job_ids,
        circuit_id=found.circuit_id,
        packed_input=found.packed_input,
        packed_output=found.packed_output,
        proof=found.proof,
        in_calldata=given is not None,
    )
    if (data.own_output, keccak256(data.proof)) != (settled.packed_output, settled.proof_digest):
        raise _foreign(settled)
    return data


def _only_of(settled: JobSettled, given: tuple[GivenProof, ...]) -> GivenProof:
    own = [proof for proof in given if settled.job_id in proof.job_ids]
    if len(own) != 1:
        raise _foreign(settled)
    return own[0]


def _foreign(settled: JobSettled) -> BindingError:
    return BindingError(
        f"expected the bytes of the settlement of {to_hex(settled.job_id)}, found another job, output or "
        f"proof in {settled.where.transaction}"
    )
