"""Rebuild a bundle's verifying key from its published files, whatever system made it, and compare."""

from circuits.bundle import Bundle
from zkml.core.digests import Digest
from zkml.errors import CircuitError


def verify_keys(bundle: Bundle) -> Digest:
    """Rebuild a bundle's verifying key from its model, settings and SRS, and compare.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the settings or the key are not those of the model.
        CompileError, KeygenError, ProverLimitError, ArtifactError: it could not be rebuilt.
        CircuitError: this version does not know the bundle's system.
    """
    # Each system is imported only when it is needed.
    if bundle.manifest.system == "ezkl":
        from circuits.ezkl.keygen import verify_keys as rebuild_ezkl  # noqa: PLC0415

        return rebuild_ezkl(bundle)
    if bundle.manifest.system == "octet":
        from circuits.octet.rebuild import verify_keys as rebuild_octet  # noqa: PLC0415

        return rebuild_octet(bundle)
    raise CircuitError(f"expected a known proof system, found {bundle.manifest.system}")
