"""Whether a proof file is of a bundle's circuit and key at all: the first thing every system checks."""

from zkml.core.manifest import BundleManifest
from zkml.core.records import ProofFile
from zkml.errors import BindingError, VerifierMismatchError


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
