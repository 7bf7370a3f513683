"""Verify a proof file against a bundle. Imports nothing that proves.

The statement is built here from the packed tensors and the verifier's own context, and the key from the
bundle's files with every check of `opened_key`: neither a proof nor a bundle of anybody's can mean another
thing than it says.
"""

from circuits.bundle import Bundle
from circuits.octet.native.build import VERIFIER, must_build
from circuits.octet.native_choice import choose_verifier, give_notice
from circuits.octet.opened_key import open_key
from circuits.octet.packed_statement import statement_of
from circuits.octet.proof_length import words_from_bytes
from circuits.octet.verifier_engine import open_verifier
from circuits.proof_binding import check_binding, check_context
from circuits.stages import run_stage
from zkml.core.progress import Progress, silent
from zkml.core.records import ProofFile, from_hex
from zkml.errors import DomainError, InstanceMismatchError, LayoutError, ProofRejectedError


def verify_proof_file(
    bundle: Bundle, proof: ProofFile, *, context: bytes, progress: Progress = silent
) -> None:
    """Verify that a proof is one of this circuit, for exactly its own input and output and this context.

    (1) the bundle's files hash to the manifest and make a key that means what the manifest says; (2) the
    proof names this circuit, this key and this context; (3) its tensors fit the layout and the domain; (4) it
    has the exact length; (5) the verifier accepts it.

    Args:
        bundle: opened with the verifying roles at least.
        proof: from anybody.
        context: 32 bytes that it has to be bound to.
        progress: hears of the stage `kernels` when the verifier is built, and why it is not.

    Raises:
        ArtifactError, CircuitError: (1) fails.
        BindingError, VerifierMismatchError: (2) fails.
        InstanceMismatchError: (3) fails.
        ProofRejectedError: (4) or (5) fails.
    """
    key = open_key(bundle)
    check_binding(bundle.manifest, proof)
    check_context(proof, context)
    try:
        statement = statement_of(key.settings, from_hex(proof.input), from_hex(proof.output), context)
    except (LayoutError, DomainError) as error:
        raise InstanceMismatchError(f"{error.message} in the proof", hint=error.hint) from error
    data = from_hex(proof.proof)
    if len(data) != bundle.manifest.proof_bytes:
        raise ProofRejectedError(
            f"expected a proof of {bundle.manifest.proof_bytes} bytes, found {len(data)}"
        )
    prepare_verifier(progress)
    open_verifier(key).verify(statement, words_from_bytes(data))


def prepare_verifier(progress: Progress) -> None:
    """Build the verifier as a stage of its own if need be, and say once why it is slow without."""
    if choose_verifier.cache_info().currsize == 0 and must_build(VERIFIER):
        with run_stage(progress, "kernels"):
            choose_verifier()
    give_notice(progress, choose_verifier().reason)
