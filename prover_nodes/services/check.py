"""Check: verify the node's own proof before anybody sees it, here and by the chain's own code."""

from prover_nodes.ports import Circuit, Market, Transactions
from zkml.core.records import JobRequest, ProofRecord, WitnessRecord, from_hex


def check_proof(
    request: JobRequest,
    witness: WitnessRecord,
    proof: ProofRecord,
    *,
    circuit: Circuit,
    market: Market,
    transactions: Transactions,
) -> ProofRecord:
    """Verify a proof off chain, then simulate its settlement.

    The first tells a bad proof from a bad job; the second sees what only the chain knows: the pinned
    verifier, the claim and the deadline.

    Returns:
        The proof, now checked.

    Raises:
        VerificationError: the proof does not hold, or the chain's verifier refuses it.
        MarketError: the job cannot be settled any more.
        RpcError: the endpoint does not answer.
    """
    packed_input, packed_output = from_hex(witness.input), from_hex(witness.output)
    job_id = from_hex(request.job_id)
    circuit.verify(packed_input, packed_output, from_hex(proof.proof), context=market.context_of(job_id))
    call = market.plan_settle(job_id, packed_input, packed_output, from_hex(proof.proof))
    transactions.simulate(call)
    return proof
