"""Verify a proof in this process with the code that the chain pins for its circuit."""

from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.client.models import CheckedCircuit
from zkml.errors import DomainError, LayoutError, ProofRejectedError
from zkml.wiring import Market


def verify_proved(
    market: Market,
    circuit: CheckedCircuit,
    *,
    context: bytes,
    packed_input: bytes,
    packed_output: bytes,
    proof: bytes,
) -> None:
    """Check a proof as the router would.

    Args:
        market: chain and contracts.
        circuit: a circuit that may be relied on.
        context: 32 bytes that the proof is bound to, where its system can.
        packed_input: whole input of the circuit.
        packed_output: whole output of the circuit.
        proof: the proof.

    Raises:
        ProofRejectedError: the verifier refuses, or a tensor does not fit the circuit.
        VerifierMismatchError: code on the chain is not the pinned code.
        RpcError: see `Chain.code`.
    """
    verifier = DeployedVerifier(circuit.spec, market.chain.code, chain_id=market.chain.chain_id)
    try:
        verifier.verify(context=context, packed_input=packed_input, packed_output=packed_output, proof=proof)
    except (LayoutError, DomainError) as error:
        raise ProofRejectedError(error.message, hint=error.hint) from error
