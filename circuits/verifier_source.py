"""What verifiers on a chain are made from: Solidity source, or a key for one that serves all circuits."""

from circuits.bundle import Bundle
from zkml.core.manifest import BundleManifest, FileRole
from zkml.errors import CircuitError, UnsuitableCircuitError

SOURCE_ROLES: tuple[FileRole, ...] = ("verifying_key", "settings", "verification_srs")


def verifier_source(bundle: Bundle) -> str:
    """Generate the verifier of a bundle's key; equal bundles give equal text.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Raises:
        CompileError: the proof system wrote none.
        UnsuitableCircuitError: the system has no verifier on a chain.
        CircuitError: this version does not know the bundle's system.
    """
    return _create_source(bundle, reusable=False)


def shared_verifier_source(bundle: Bundle) -> str:
    """Generate the verifier that takes its key with every call; every bundle of one system gives equal text.

    Args:
        bundle: any, opened with `SOURCE_ROLES` at least.

    Raises:
        CompileError, UnsuitableCircuitError, CircuitError: as in `verifier_source`.
    """
    return _create_source(bundle, reusable=True)


def shared_key(bundle: Bundle) -> bytes:
    """Make the key that the shared verifier takes for a bundle; equal bundles give equal bytes.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Returns:
        The system's own format; for EZKL see `verifier_contracts.shared_key`.

    Raises:
        CompileError, UnsuitableCircuitError, CircuitError: as in `verifier_source`.
    """
    _check_system(bundle)
    from zkml.adapters.ezkl.client import create_vka  # noqa: PLC0415 only when it is asked for

    return create_vka(
        verifying_key=bundle.file("verifying_key"),
        settings=bundle.file("settings"),
        srs=bundle.file("verification_srs"),
    )


def _create_source(bundle: Bundle, *, reusable: bool) -> str:
    _check_system(bundle)
    from zkml.adapters.ezkl.client import create_verifier_source  # noqa: PLC0415 only when it is asked for

    return create_verifier_source(
        verifying_key=bundle.file("verifying_key"),
        settings=bundle.file("settings"),
        srs=bundle.file("verification_srs"),
        reusable=reusable,
    )


def check_chain_verifier(manifest: BundleManifest) -> None:
    """Check that a circuit's proofs can be verified on a chain, before anything is sent or proved for one.

    Raises:
        UnsuitableCircuitError: its proof system has no verifier there.
        CircuitError: this version does not know the bundle's system.
    """
    if manifest.system == "octet":
        raise UnsuitableCircuitError(
            "expected a proof system with a verifier on a chain, found octet, whose contracts come with the "
            "next release",
            hint="compile with --system ezkl for now",
        )
    if manifest.system != "ezkl":
        raise CircuitError(f"expected a known proof system, found {manifest.system}")


def _check_system(bundle: Bundle) -> None:
    check_chain_verifier(bundle.manifest)
    bundle.require(*SOURCE_ROLES)
