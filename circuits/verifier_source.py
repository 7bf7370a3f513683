"""The Solidity source of a circuit's own verifier, whatever system it is of."""

from circuits.bundle import Bundle
from zkml.core.manifest import FileRole
from zkml.errors import CircuitError

SOURCE_ROLES: tuple[FileRole, ...] = ("verifying_key", "settings", "verification_srs")


def verifier_source(bundle: Bundle) -> str:
    """Generate the verifier of a bundle's key; equal bundles give equal text.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Raises:
        CompileError: the proof system wrote none.
        CircuitError: this version does not know the bundle's system.
    """
    if bundle.manifest.system != "ezkl":
        raise CircuitError(f"expected a known proof system, found {bundle.manifest.system}")
    from zkml.adapters.ezkl.client import create_verifier_source  # noqa: PLC0415 only when it is asked for

    bundle.require(*SOURCE_ROLES)
    return create_verifier_source(
        verifying_key=bundle.file("verifying_key"),
        settings=bundle.file("settings"),
        srs=bundle.file("verification_srs"),
    )
