"""What verifiers on a chain are made from: Solidity source, or a key for one that serves all circuits."""

from typing import Literal

from circuits.bundle import Bundle
from zkml.core.manifest import BundleManifest, FileRole
from zkml.errors import CircuitError, UnsuitableCircuitError

VerifierChoice = Literal["generated", "shared"]
"""A verifier of the circuit's own, or the chain's shared one: the benchmark `verifiers` compares them."""

SOURCE_ROLES: tuple[FileRole, ...] = ("verifying_key", "settings", "verification_srs")

_CHOICES: dict[str, tuple[VerifierChoice, ...]] = {"ezkl": ("generated", "shared"), "octet": ("shared",)}
"""By system: which verifiers its circuits can have, the usual one first."""


def verifier_choices(manifest: BundleManifest) -> tuple[VerifierChoice, ...]:
    """Return which verifiers a circuit can have, the usual one first.

    Raises:
        CircuitError: this version does not know the bundle's system.
    """
    try:
        return _CHOICES[manifest.system]
    except KeyError as error:
        raise CircuitError(
            f"expected a known proof system, found {manifest.system}", hint="a newer zkml may know it"
        ) from error


def choose_verifier(manifest: BundleManifest, asked: VerifierChoice | None) -> VerifierChoice:
    """Return the verifier that a circuit gets.

    Args:
        manifest: of the circuit.
        asked: which one is wanted; None takes the usual one.

    Raises:
        UnsuitableCircuitError: circuits of this system have no such verifier.
        CircuitError: this version does not know the bundle's system.
    """
    choices = verifier_choices(manifest)
    if asked is None:
        return choices[0]
    if asked not in choices:
        raise UnsuitableCircuitError(
            f"expected a {' or '.join(choices)} verifier for a circuit of {manifest.system}, found {asked}",
            hint="leave the choice out",
        )
    return asked


def check_chain_verifier(bundle: Bundle) -> None:
    """Check that a circuit's proofs can be verified on a chain, before anything is sent or proved for one.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Raises:
        UnsuitableCircuitError: the circuit is too large for a contract.
        ArtifactError: a file of it is not what its role says.
        CircuitError: this version does not know the bundle's system.
    """
    if "generated" not in verifier_choices(bundle.manifest):
        shared_key(bundle)


def verifier_source(bundle: Bundle) -> str:
    """Generate the verifier of a bundle's key; equal bundles give equal text.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Raises:
        CompileError: the proof system wrote none.
        UnsuitableCircuitError: the system generates none.
        CircuitError: this version does not know the bundle's system.
    """
    choose_verifier(bundle.manifest, "generated")
    return _ezkl_source(bundle, reusable=False)


def shared_verifier_source(bundle: Bundle) -> str | None:
    """Generate the verifier that takes its key with every call; every bundle of one system gives equal text.

    Args:
        bundle: any, opened with `SOURCE_ROLES` at least.

    Returns:
        The text; None where the system's shared contract verifies by itself, which is shipped with zkml.

    Raises:
        CompileError: the proof system wrote none.
        CircuitError: this version does not know the bundle's system.
    """
    choose_verifier(bundle.manifest, "shared")
    return None if bundle.manifest.system == "octet" else _ezkl_source(bundle, reusable=True)


def shared_key(bundle: Bundle) -> bytes:
    """Make the key that the shared verifier takes for a bundle; equal bundles give equal bytes.

    Args:
        bundle: opened with `SOURCE_ROLES` at least.

    Returns:
        The system's own format, see `verifier_contracts.shared_systems`.

    Raises:
        CompileError, ArtifactError: the key could not be made.
        UnsuitableCircuitError: the circuit is too large for a contract.
        CircuitError: this version does not know the bundle's system.
    """
    choose_verifier(bundle.manifest, "shared")
    bundle.require(*SOURCE_ROLES)
    # Each system is imported only when it is asked for.
    if bundle.manifest.system == "octet":
        from circuits.octet.chain.chain_key import chain_key  # noqa: PLC0415
        from circuits.octet.opened_key import open_key  # noqa: PLC0415

        return b"".join(chain_key(open_key(bundle)))
    from zkml.adapters.ezkl.client import create_vka  # noqa: PLC0415

    return create_vka(
        verifying_key=bundle.file("verifying_key"),
        settings=bundle.file("settings"),
        srs=bundle.file("verification_srs"),
    )


def _ezkl_source(bundle: Bundle, *, reusable: bool) -> str:
    bundle.require(*SOURCE_ROLES)
    from zkml.adapters.ezkl.client import create_verifier_source  # noqa: PLC0415 only when it is asked for

    return create_verifier_source(
        verifying_key=bundle.file("verifying_key"),
        settings=bundle.file("settings"),
        srs=bundle.file("verification_srs"),
        reusable=reusable,
    )
