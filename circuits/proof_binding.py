"""What a proof is bound to: a circuit and its key always, a context where the system binds one."""

from zkml.core.manifest import BundleManifest
from zkml.core.records import ProofFile, to_hex
from zkml.errors import BindingError, CircuitError, VerifierMismatchError

_BINDS_CONTEXT = {"ezkl": False, "octet": True}
"""By system: EZKL's proofs are about their input and output alone."""


def binds_context(system: str) -> bool:
    """Say whether the proofs of a system are bound to 32 bytes besides their input and output.

    Raises:
        CircuitError: this version does not know the system.
    """
    try:
        return _BINDS_CONTEXT[system]
    except KeyError as error:
        raise CircuitError(
            f"expected a known proof system, found {system}", hint="a newer zkml may know it"
        ) from error


def check_binding(manifest: BundleManifest, proof: ProofFile) -> None:
    """Check that a proof names the circuit, the key and the version of a manifest.

    Raises:
        BindingError: it is of another circuit, system or version.
        VerifierMismatchError: it names another verifying key.
    """
    if (proof.system, proof.system_version) != (manifest.system, manifest.system_version):
        raise BindingError(
            f"expected a proof of {manifest.system} {manifest.system_version}, "
            f"found one of {proof.system} {proof.system_version}"
        )
    if proof.verifying_key != manifest.verifying_key:
        raise VerifierMismatchError(
            f"expected a proof for the verifying key {manifest.verifying_key}, found {proof.verifying_key}"
        )
    if proof.circuit != manifest.circuit:
        raise BindingError(f"expected a proof of circuit {manifest.circuit}, found {proof.circuit}")


def check_context(proof: ProofFile, context: bytes) -> None:
    """Check that a proof says that it is bound to what it has to be bound to.

    Args:
        proof: of a system that binds contexts.
        context: 32 bytes, as whoever verifies derives them.

    Raises:
        BindingError: it is bound to something else: made for another job, payee or chain.
    """
    if proof.context != to_hex(context):
        raise BindingError(
            f"expected a proof bound to the context {to_hex(context)}, found {proof.context}",
            hint="the proof was made for something else, such as another job, payee or chain",
        )
