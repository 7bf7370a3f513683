"""Inspect: compare a circuit's verifier on chain with the one that the node's own key generates.

A router entry's key digest is the word of whoever added it. Behind it may be code that accepts a genesis
proof and refuses everything later, and then each claim is a gift to that stranger. No sample proof can
show that, since hostile code may tell a sample from a job. So the code itself must be the right one,
byte for byte: the adapter is ours and holds no state, and so is what it calls.
"""

from collections.abc import Callable

from prover_nodes.policy import Skip, SkipCode
from prover_nodes.ports import Circuit
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.core.identifiers import CircuitSpec
from zkml.core.progress import Progress
from zkml.errors import CompileError, ToolchainError, UnsuitableCircuitError


def inspect_verifier(
    spec: CircuitSpec, circuit: Circuit, *, code_of: Callable[[str], bytes], chain_id: int
) -> Skip | None:
    """Decide whether the chain would verify a circuit with exactly the code and key that the node knows.

    Args:
        spec: what the circuit is pinned to; its id was re-derived.
        circuit: the node's circuit with that verifying key, layout and domain.
        code_of: returns the code that the chain has at an address.
        chain_id: EIP-155 id.

    Returns:
        Why its jobs are left alone, or None when nothing about the verifier is foreign.

    Raises:
        VerifierMismatchError: code on the chain is not the pinned code, or the endpoint lags behind.
        RpcError: the endpoint does not answer.
    """
    if spec.proof_system_id != circuit.proof_system_id:
        return _foreign(f"proof system 0x{spec.proof_system_id.hex()} is not that of {circuit.name}'s bundle")
    deployed = DeployedVerifier(spec, code_of, chain_id=chain_id)
    if not deployed.is_shipped_adapter:
        return _foreign(f"the adapter at {spec.adapter} is not the one of this version of zkml")
    try:
        expected = circuit.expected_verifier(spec.verifying_key_digest)
    except (ToolchainError, CompileError, UnsuitableCircuitError) as error:
        # Whoever runs the node can mend that.
        return Skip(SkipCode.FOREIGN_VERIFIER, f"nothing to compare with: {error.message}")
    difference = expected.difference_from(deployed)
    return None if difference is None else _foreign(difference)


def inspect_gas_limit(spec: CircuitSpec, circuit: Circuit, *, progress: Progress) -> Skip | None:
    """Decide whether the circuit's gas limit lets a true proof through; the verifier was inspected.

    Raises:
        ProvingError: a sample had to be proved, and could not be.
    """
    least = circuit.least_gas_limit(spec.verifying_key_digest, progress=progress)
    if spec.gas_limit < least:
        return _foreign(f"gas limit {spec.gas_limit}, {least} needed")
    return None


def _foreign(note: str) -> Skip:
    return Skip(SkipCode.FOREIGN_VERIFIER, note, is_final=True)
