"""Make a portable proof of packed tensors and proof bytes, wherever these come from."""

from circuits.proof_binding import binds_context
from zkml.core.manifest import BundleManifest
from zkml.core.records import NO_CONTEXT, ProofFile, to_hex


def portable_proof(
    manifest: BundleManifest, packed_input: bytes, packed_output: bytes, proof: bytes, *, context: bytes
) -> ProofFile:
    """Return the proof as a file of this circuit. Nothing is verified here.

    Args:
        manifest: of the circuit's bundle.
        packed_input: whole input of the circuit.
        packed_output: whole output of the circuit.
        proof: the proof's bytes.
        context: 32 bytes that it is bound to, where its system binds any; else they are left out.

    Raises:
        CircuitError: this version does not know the manifest's system.
    """
    return ProofFile(
        system=manifest.system,
        system_version=manifest.system_version,
        circuit=manifest.circuit,
        verifying_key=manifest.verifying_key,
        input=to_hex(packed_input),
        output=to_hex(packed_output),
        proof=to_hex(proof),
        context=to_hex(context) if binds_context(manifest.system) else NO_CONTEXT,
    )
