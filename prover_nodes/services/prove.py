"""Prove: the work that is paid for."""

from prover_nodes.ports import Circuit
from zkml.core.progress import Progress
from zkml.core.records import ClaimRecord, ProofRecord, WitnessRecord, from_hex, to_hex


def prove_claim(
    claim: ClaimRecord, witness: WitnessRecord, circuit: Circuit, *, context: bytes, progress: Progress
) -> ProofRecord:
    """Prove that the circuit maps the claimed job's input to the witnessed output.

    Args:
        claim: of the job.
        witness: of its input.
        circuit: of the job.
        context: what the settlement will verify the proof with; see `Market.context_of`.
        progress: hears of the stages.

    Raises:
        ProvingError: no proof could be made.
        InstanceMismatchError: the proof is of another output.
    """
    proof, seconds = circuit.prove(
        from_hex(witness.input), from_hex(witness.output), context=context, progress=progress
    )
    return ProofRecord(claim=claim.own_digest, proof=to_hex(proof), wall_seconds=seconds)
