"""Prove: the work that is paid for."""

from prover_nodes.ports import Circuit
from zkml.core.progress import Progress
from zkml.core.records import ClaimRecord, ProofRecord, WitnessRecord, from_hex, to_hex


def prove_claim(
    claim: ClaimRecord, witness: WitnessRecord, circuit: Circuit, *, progress: Progress
) -> ProofRecord:
    """Prove that the circuit maps the claimed job's input to the witnessed output.

    Raises:
        ProvingError: no proof could be made.
        InstanceMismatchError: the proof is of another output.
    """
    proof, seconds = circuit.prove(from_hex(witness.input), from_hex(witness.output), progress=progress)
    return ProofRecord(claim=claim.own_digest, proof=to_hex(proof), wall_seconds=seconds)
