"""Gather the files that verifying takes, and verify with the proof system itself.

Nothing here can prove: of a bundle only settings, verifying key and a small SRS are fetched. The proof
system runs in a child process; where it is not installed, that is a ToolchainError.
"""

import shutil
from pathlib import Path
from typing import Protocol

from circuits.bundle import MANIFEST_NAME, MAX_MANIFEST_BYTES, VERIFYING_ROLES, Bundle
from circuits.srs import SrsStore
from circuits.srs_file import identify_srs
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.shared_systems import shared_system
from zkml.circuit_verifiers import make_shared_key
from zkml.core.cid import parse_cid
from zkml.core.digests import digest_bytes, digest_of
from zkml.core.identifiers import (
    LOCAL_CHAIN_IDS,
    ModelCommitment,
    proof_system_id,
)
from zkml.core.manifest import BundleManifest, FileRole
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import ProofFile
from zkml.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    BindingError,
    DigestMismatchError,
    EvidenceUnavailableError,
    FormatError,
    ManifestError,
    SrsError,
    StorageError,
    VerifierMismatchError,
)

MAX_VERIFYING_FILE_BYTES = 64 * 1024 * 1024
"""No settings, verifying key or verification SRS is larger: 64 MiB."""


class OffChainVerifier(Protocol):
    """Verifies a proof with its own system, or raises; `circuits.verification.verify_proof` is one."""

    def __call__(self, bundle: Bundle, proof: ProofFile, *, context: bytes) -> None:
        """Verify that a proof holds and is bound to a context of 32 bytes."""


def fetch_manifest(commitment: ModelCommitment, store: ArtifactStore) -> tuple[bytes, BundleManifest]:
    """Return the manifest that a model's publisher committed to.

    Raises:
        EvidenceUnavailableError: it is not in the store, or the store's copy is damaged; names the CID.
        BindingError: the publisher's CID and digest name different bytes, or bytes that are no manifest.
    """
    try:
        cid = parse_cid(commitment.manifest_cid)
    except FormatError as error:
        raise BindingError(f"{error.message} as the model's manifest CID") from error
    try:
        data = store.read(cid, limit_bytes=MAX_MANIFEST_BYTES)
    except (ArtifactNotFoundError, DigestMismatchError, StorageError) as error:
        raise _unavailable(cid, "manifest", error) from error
    except FormatError as error:
        raise BindingError(f"{error.message} as the model's manifest") from error
    found = digest_of(data)
    if digest_bytes(found) != commitment.manifest_digest:
        raise BindingError(
            f"expected a manifest of digest sha256:{commitment.manifest_digest.hex()}, "
            f"found {found} under {cid}"
        )
    try:
        return data, BundleManifest.parse(data, where=cid)
    except ManifestError as error:
        raise BindingError(f"expected a manifest, found: {error.message}") from error


def verify_manifest(
    manifest: BundleManifest, commitment: ModelCommitment, verifier: DeployedVerifier, chain_id: int
) -> None:
    """Check that manifest, registry and router speak of one circuit.

    Args:
        manifest: the committed one.
        commitment: what the model's publisher committed to.
        verifier: of the model's first circuit.
        chain_id: EIP-155 id.

    Raises:
        BindingError: digests, layout, domain or proof system differ.
        VerifierMismatchError: key or weights differ, or its SRS is insecure on a public chain.
    """
    registered: tuple[tuple[FileRole, bytes], ...] = (
        ("onnx", commitment.onnx_digest),
        ("settings", commitment.settings_digest),
    )
    for role, expected in registered:
        found = digest_bytes(manifest.files[role].digest)
        if found != expected:
            raise BindingError(
                f"expected {role} of digest 0x{expected.hex()} as registered, "
                f"found 0x{found.hex()} in the manifest"
            )
    verify_circuit(manifest, verifier, chain_id)


def verify_circuit(manifest: BundleManifest, verifier: DeployedVerifier, chain_id: int) -> None:
    """Check that a manifest describes a pinned circuit; of a shared verifier's key see `verify_key`.

    Raises:
        BindingError, VerifierMismatchError: see `verify_manifest`.
    """
    spec = verifier.spec
    key = digest_bytes(manifest.verifying_key)
    if verifier.kind != "shared" and key != spec.verifying_key_digest:
        raise VerifierMismatchError(
            f"expected a verifying key of digest 0x{spec.verifying_key_digest.hex()} as in the router, "
            f"found 0x{key.hex()} in the manifest"
        )
    if manifest.weight_commitment != spec.weight_commitment:
        raise VerifierMismatchError(
            f"expected the weight commitment 0x{spec.weight_commitment.hex()} as in the router, "
            f"found 0x{manifest.weight_commitment.hex()} in the manifest"
        )
    stated = (manifest.tensor_layout, manifest.input_domain, proof_system_id(manifest.proof_system))
    routed = (spec.layout, spec.domain, spec.proof_system_id)
    if stated != routed:
        raise BindingError(
            f"expected layout, domain and proof system {routed}, found {stated} in the manifest"
        )
    if not manifest.srs.secure and chain_id not in LOCAL_CHAIN_IDS:
        raise VerifierMismatchError(
            f"expected a ceremony's SRS on chain {chain_id}, found the insecure {manifest.srs.name}",
            hint="whoever made it can forge proofs",
        )


def verify_key(bundle: Bundle, verifier: DeployedVerifier) -> None:
    """Check that system, key, weights and layout of the adapter's own code are the bundle's and the router's.

    The digests in a router entry are what whoever added it says; the adapter is what verifies.

    Raises:
        VerifierMismatchError: they are not.
        CompileError, ToolchainError: the proof system could not say what the key is.
    """
    shared, spec = verifier.shared, verifier.spec
    if shared is None:
        return
    # A key is words, which the adapter of another system would read as something else.
    if verifier.system is not shared_system(bundle.manifest.system):
        raise VerifierMismatchError(
            f"expected the shared verifier of {bundle.manifest.system}, "
            f"found that the adapter at {spec.adapter} is of another system"
        )
    key = make_shared_key(bundle).digest
    found = (shared.key_digest, shared.weight_commitment, shared.layout)
    if (key, bundle.manifest.weight_commitment, spec.layout) != found or key != spec.verifying_key_digest:
        raise VerifierMismatchError(
            f"expected the shared verifier to be given the key 0x{key.hex()}, found that the adapter pins "
            f"0x{shared.key_digest.hex()} and the router 0x{spec.verifying_key_digest.hex()}"
        )


def open_own_bundle(
    directory: Path, base: BundleManifest, verifier: DeployedVerifier, chain_id: int
) -> Bundle:
    """Open the auditor's own bundle of another circuit of the same model, e.g. of a batch.

    Args:
        directory: where it is.
        base: manifest of the model's first circuit.
        verifier: of the circuit.
        chain_id: EIP-155 id.

    Raises:
        EvidenceUnavailableError: it is damaged, of another model, or of another circuit: the wrong bundle
            says nothing about the job.
    """
    try:
        bundle = Bundle.open(directory, roles=VERIFYING_ROLES)
        _verify_sibling(bundle.manifest, base)
        verify_circuit(bundle.manifest, verifier, chain_id)
    except (BindingError, VerifierMismatchError, ArtifactError) as error:
        raise EvidenceUnavailableError(f"{error.message} at {directory}", hint=error.hint) from error
    return bundle


def gather_bundle(data: bytes, manifest: BundleManifest, store: ArtifactStore, directory: Path) -> Bundle:
    """Put the files that verifying takes into `directory`, and open them as a bundle.

    Args:
        data: the manifest's bytes.
        manifest: the same, parsed.
        store: where the files come from.
        directory: empty.

    Raises:
        EvidenceUnavailableError: a file is not in the store, or damaged there; names the CID.
        BindingError: a file's CID and digest name different bytes, or its SRS is not what it is called.
        StorageError: no space.
    """
    for role in VERIFYING_ROLES:
        entry = manifest.files[role]
        try:
            path = store.path_of(parse_cid(entry.cid))
            if path.stat().st_size > MAX_VERIFYING_FILE_BYTES:
                raise BindingError(f"expected at most {MAX_VERIFYING_FILE_BYTES} bytes of {role}")
            shutil.copyfile(path, directory / entry.path)
        except (ArtifactNotFoundError, DigestMismatchError) as error:
            raise _unavailable(entry.cid, role, error) from error
        except OSError as error:
            raise StorageError(f"expected to copy {role}, found {error.strerror} at {directory}") from error
    try:
        (directory / MANIFEST_NAME).write_bytes(data)
        return Bundle.open(directory, roles=VERIFYING_ROLES)
    except OSError as error:
        raise StorageError(f"expected to write a manifest, found {error.strerror} at {directory}") from error
    except (ManifestError, DigestMismatchError) as error:
        raise BindingError(error.message) from error


def find_srs(manifest: BundleManifest, store: ArtifactStore, srs: SrsStore) -> Path:
    """Return the SRS that a circuit's key was made with: a ceremony's, or one that came with the files.

    Raises:
        EvidenceUnavailableError: it is neither among the SRS files nor in the store.
        BindingError: what the manifest names is another SRS than it says.
    """
    entry = manifest.files["srs"]
    try:
        return srs.stored(manifest.srs)
    except SrsError as error:
        missing = error
    try:
        path = store.path_of(parse_cid(entry.cid))
        found = identify_srs(path)
    except (ArtifactNotFoundError, DigestMismatchError, SrsError) as error:
        raise EvidenceUnavailableError(missing.message, hint=missing.hint, cid=entry.cid) from error
    if found != manifest.srs:
        raise BindingError(f"expected the SRS {manifest.srs.name}, found {found.name} as {entry.cid}")
    return path


def _verify_sibling(manifest: BundleManifest, base: BundleManifest) -> None:
    if manifest.files["onnx"].digest != base.files["onnx"].digest:
        raise BindingError(f"expected a bundle of {base.name}, found one of another model")


def _unavailable(cid: str, what: str, error: Exception) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"expected the {what} {cid} in the artifact store, found: {error}",
        hint=f"fetch {cid} from IPFS or from the publisher and store it",
        cid=cid,
    )
