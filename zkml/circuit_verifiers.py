"""A bundle's verifier on a chain, made from its key: publishers deploy it, all others compare with it."""

from dataclasses import dataclass
from pathlib import Path

from circuits.bundle import Bundle
from circuits.ceremony_constants import ceremony_constants
from circuits.verifier_source import (
    VerifierChoice,
    choose_verifier,
    shared_key,
    shared_verifier_source,
    verifier_source,
)
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.codegen import compile_shared_verifier, compile_verifier
from verifier_contracts.expected_verifier import ExpectedGenerated, ExpectedShared
from verifier_contracts.shared_key import SharedKey
from verifier_contracts.shared_systems import shared_system
from zkml.core.digests import digest_bytes
from zkml.errors import VerifierMismatchError


@dataclass(frozen=True, slots=True)
class MadeGenerated:
    """A verifier of one circuit alone: what is deployed, and what it has to be on chain."""

    artifact: ContractArtifact
    expected: ExpectedGenerated


@dataclass(frozen=True, slots=True)
class MadeShared:
    """A circuit's key for the verifier of all circuits of its system.

    Attributes:
        inner: the verifier that the shared contract calls, compiled; None where that verifies by itself.
        expected: what it has to be on chain.
    """

    inner: ContractArtifact | None
    expected: ExpectedShared


MadeVerifier = MadeGenerated | MadeShared


def make_verifier(bundle: Bundle, asked: VerifierChoice | None, *, cache_dir: Path) -> MadeVerifier:
    """Make a bundle's verifier of the kind that was asked for; see `make_generated` and `make_shared`.

    Args:
        bundle: opened with `circuits.verifier_source.SOURCE_ROLES` at least.
        asked: which kind; the usual one of the bundle's system when None.
        cache_dir: folder of compiled verifiers.

    Raises:
        UnsuitableCircuitError: the bundle's system has none of that kind.
        ZkmlError: see there.
    """
    if choose_verifier(bundle.manifest, asked) == "generated":
        return make_generated(bundle, cache_dir=cache_dir)
    return make_shared(bundle, cache_dir=cache_dir)


def make_generated(bundle: Bundle, *, cache_dir: Path) -> MadeGenerated:
    """Generate and compile a verifier for a bundle alone.

    Args:
        bundle: opened with `circuits.verifier_source.SOURCE_ROLES` at least.
        cache_dir: folder of compiled verifiers.

    Raises:
        CompileError, ToolchainError: it cannot be generated or compiled.
        UnsuitableCircuitError: the bundle's system generates none.
    """
    manifest = bundle.manifest
    artifact = compile_verifier(verifier_source(bundle), cache_dir=cache_dir)
    expected = ExpectedGenerated(
        layout=manifest.tensor_layout,
        weight_commitment=manifest.weight_commitment,
        key_digest=digest_bytes(manifest.verifying_key),
        code=artifact.runtime_code,
    )
    return MadeGenerated(artifact, expected)


def make_shared(bundle: Bundle, *, cache_dir: Path) -> MadeShared:
    """Make a bundle's key for the shared verifier of its system.

    Args:
        bundle: opened with `circuits.verifier_source.SOURCE_ROLES` at least.
        cache_dir: folder of compiled verifiers.

    Raises:
        CompileError, ToolchainError, ArtifactError: the key cannot be made, or what takes it not compiled.
        VerifierMismatchError: the key is of another ceremony than the bundle's SRS.
        UnsuitableCircuitError: the circuit is too large for a contract.
    """
    manifest = bundle.manifest
    source = shared_verifier_source(bundle)
    inner = None if source is None else compile_shared_verifier(source, cache_dir=cache_dir)
    key = make_shared_key(bundle)
    if key.ceremony_constants != ceremony_constants(bundle.file("verification_srs")):
        raise VerifierMismatchError(
            f"expected a key of the ceremony {manifest.srs.name}, found one of another",
            hint="rebuild the bundle",
        )
    expected = ExpectedShared(
        layout=manifest.tensor_layout,
        weight_commitment=manifest.weight_commitment,
        key_digest=key.digest,
        system=shared_system(manifest.system),
        key=key,
        inner_code=None if inner is None else inner.runtime_code,
    )
    return MadeShared(inner, expected)


def make_shared_key(bundle: Bundle) -> SharedKey:
    """Make the key that the shared verifier takes for a bundle.

    Args:
        bundle: opened with `circuits.verifier_source.SOURCE_ROLES` at least.

    Raises:
        CompileError, ToolchainError, ArtifactError: it cannot be made.
        UnsuitableCircuitError: the circuit is too large for a contract.
        CircuitError: this version does not know the bundle's system.
    """
    return shared_system(bundle.manifest.system).key.parse(shared_key(bundle))
