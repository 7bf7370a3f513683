"""Verify a portable proof against a bundle, whatever system made it. Imports no proving code."""

from circuits.bundle import Bundle
from zkml.adapters.process.child import Limits
from zkml.core.progress import Progress, silent
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex
from zkml.errors import BindingError, CircuitError


def verify_proof(
    bundle: Bundle,
    proof: ProofFile,
    *,
    context: bytes = from_hex(NO_CONTEXT),
    limits: Limits | None = None,
    progress: Progress = silent,
) -> None:
    """Verify that a proof is one of this circuit, for its own input and output and the given context.

    Args:
        bundle: opened with `circuits.bundle.VERIFYING_ROLES` at least.
        proof: from anybody.
        context: 32 bytes that it has to be bound to where its system binds any, e.g. a job's; derive them,
            never take them from the proof. Zeros: to nothing.
        limits: memory and time of the child process, where the system needs one; a default when None.
        progress: hears of the stage `kernels` where a system builds its verifier first.

    Raises:
        BindingError: the proof is of another circuit or system, or bound to something else.
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
    # Each system is imported only when it is needed.
    if bundle.manifest.system == "ezkl":
        from circuits.ezkl import verify as ezkl  # noqa: PLC0415

        ezkl.verify_proof_file(bundle, proof, limits=limits)
    elif bundle.manifest.system == "octet":
        from circuits.octet import verify as octet  # noqa: PLC0415

        octet.verify_proof_file(bundle, proof, context=context, progress=progress)
    else:
        raise CircuitError(
            f"expected a known proof system, found {bundle.manifest.system}",
            hint="a newer zkml may know it",
        )
