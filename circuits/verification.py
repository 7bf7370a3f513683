"""Verify a portable proof against a bundle, whatever system made it. Imports no proving code."""

from circuits.bundle import Bundle
from zkml.adapters.process.child import Limits
from zkml.core.records import ProofFile
from zkml.errors import BindingError, CircuitError


def verify_proof(bundle: Bundle, proof: ProofFile, *, limits: Limits | None = None) -> None:
    """Verify that `proof` is one of this circuit, for exactly its own input and output.

    Args:
        bundle: opened with `circuits.bundle.VERIFYING_ROLES` at least.
        proof: from anybody.
        limits: memory and time of the child process; a default when None.

    Raises:
        BindingError: the proof is of another circuit or system.
        VerifierMismatchError: it names another verifying key.
        InstanceMismatchError: its tensors do not fit the circuit's layout or domain.
        ProofRejectedError: it does not hold.
        ArtifactError: the bundle's files are not what its manifest says.
        BackendError, ProverLimitError: no verdict: the system failed.
        CircuitError: this version does not know the bundle's system.
    """
    if proof.system != bundle.manifest.system:
        raise BindingError(
            f"expected a proof of system {bundle.manifest.system}, found one of {proof.system}"
        )
    if bundle.manifest.system != "ezkl":
        raise CircuitError(f"expected a known proof system, found {bundle.manifest.system}")
    from circuits.ezkl.verify import verify_proof_file  # noqa: PLC0415 each system is imported only when needed

    verify_proof_file(bundle, proof, limits=limits)
