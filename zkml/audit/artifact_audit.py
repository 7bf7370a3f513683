"""Open what was sold, and see whether it is what was proved.

    0 circuit is pinned                       4 every chunk opens to what was promised
    1 manifest is the committed one           5 the plaintext is the registered model
    2 published file is the one offered       6 key is rebuilt from the plaintext
    3 revealed key is the committed one       7 verifier is made from the key

Until the reveal steps 0 to 2 and 7 can be had, which is what a buyer looks at before paying. A damaged file
says nothing against the creator: that is inconclusive. What the chain cannot check are steps 5 to 7; the
guardian of an offering acts on them. A wrong chunk, step 4, is proved on chain by anyone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from circuits.bundle import Bundle
from circuits.file_identity import digest_file
from marketplace.opening import open_sealed_file
from marketplace.sealed_files import check_sealed_file
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.audit.chain_reader import ChainReader
from zkml.audit.circuit_steps import check_contracts
from zkml.audit.evidence import ChainEvidence, Contracts
from zkml.audit.offchain import fetch_manifest, gather_bundle, verify_manifest
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.rebuild import VerifierSource, compare_verifier
from zkml.audit.report import Checklist, Report, Verdict
from zkml.core.artifact_encryption import Artifact, ArtifactKey
from zkml.core.digests import Digest, digest_bytes
from zkml.core.identifiers import ModelCommitment
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.records import to_hex
from zkml.errors import (
    BindingError,
    DigestMismatchError,
    EvidenceUnavailableError,
    NotOnnxError,
    VerifierMismatchError,
)
from zkml.export.reading import MAX_MODEL_BYTES, read_model

FileSource = Callable[[ModelCommitment, Artifact], Path]
"""Finds the published file of a model's artifact, or raises."""

ModelKeySource = Callable[[Bundle, Path], Digest]
"""Makes key and weight commitment from a revealed model, and raises unless they are a bundle's."""


@dataclass(frozen=True, slots=True)
class SoldArtifact:
    """What the chain says was sold.

    Attributes:
        model_id: the model that proofs were about.
        artifact: as the offering has it.
        key: as revealed; None before that.
    """

    model_id: int
    artifact: Artifact
    key: ArtifactKey | None


@dataclass(frozen=True, slots=True)
class OpeningTools:
    """What opening and rebuilding take.

    Attributes:
        find_file: finds the published file.
        rebuild_key: makes the key from the plaintext.
        rebuild_verifier: makes the verifier from the key.
        scratch: an empty folder for the bundle.
        target: the plaintext appears here, once every chunk is right.
        progress: told of the stages.
    """

    find_file: FileSource
    rebuild_key: ModelKeySource
    rebuild_verifier: VerifierSource
    scratch: Path
    target: Path
    progress: Progress = silent


class _ArtifactCase:
    """One artifact under audit: what its steps share."""

    commitment: ModelCommitment
    verifier: DeployedVerifier
    bundle: Bundle
    published: Path

    def __init__(
        self, sold: SoldArtifact, reader: ChainReader, store: ArtifactStore, tools: OpeningTools
    ) -> None:
        self._sold = sold
        self._reader = reader
        self._store = store
        self._tools = tools

    def is_pinned(self) -> str:
        """Step 0."""
        check_contracts(self._reader)
        self.commitment = self._reader.commitment(self._sold.model_id)
        self.verifier = self._reader.verifier(self.commitment.circuit_id)
        return f"{self.verifier.kind} verifier at {self.verifier.spec.adapter}"

    def manifest_is_committed(self) -> str:
        """Step 1."""
        data, manifest = fetch_manifest(self.commitment, self._store)
        verify_manifest(manifest, self.commitment, self.verifier, self._reader.chain.chain_id)
        self.bundle = gather_bundle(data, manifest, self._store, self._tools.scratch)
        return f"{manifest.name}, weights {manifest.param_visibility}"

    def file_is_offered(self) -> str:
        """Step 2."""
        self.published = self._tools.find_file(self.commitment, self._sold.artifact)
        check_sealed_file(self.published, self._sold.artifact, progress=self._tools.progress)
        return f"{self._sold.artifact.size_bytes} bytes in {self._sold.artifact.chunk_count} chunks"

    def key_is_committed(self) -> str:
        """Step 3."""
        if self._sold.key is None:
            raise EvidenceUnavailableError(
                "expected the revealed key, found that it is not revealed yet",
                hint="the creator reveals it after the shares are sold; ask again then",
            )
        if not self._sold.key.opens(self.commitment.key_commitment):
            raise BindingError(
                f"expected the key of the commitment {to_hex(self.commitment.key_commitment)}, found one of "
                f"{to_hex(self._sold.key.commitment)}"
            )
        return to_hex(self.commitment.key_commitment)

    def chunks_open(self) -> str:
        """Step 4."""
        assert self._sold.key is not None  # step 3 held
        try:
            open_sealed_file(
                self.published,
                self._sold.artifact,
                self._sold.key,
                self._tools.target,
                progress=self._tools.progress,
            )
        except DigestMismatchError as error:
            if "index" not in error.context:
                raise
            raise BindingError(error.message, hint=error.hint, **error.context) from error
        return ""

    def is_registered_model(self) -> str:
        """Step 5."""
        found = digest_file(self._tools.target)
        if digest_bytes(found) != self.commitment.onnx_digest:
            raise BindingError(
                f"expected the registered model sha256:{self.commitment.onnx_digest.hex()}, found {found}"
            )
        return found

    def key_is_rebuilt(self) -> str:
        """Step 6."""
        require_one_piece(self._tools.target)
        return f"key {self._tools.rebuild_key(self.bundle, self._tools.target)}"

    def verifier_is_made(self) -> str:
        """Step 7."""
        return compare_verifier(self.bundle, self.verifier, self._tools.rebuild_verifier)


def audit_artifact(
    sold: SoldArtifact,
    chain: ChainEvidence,
    contracts: Contracts,
    store: ArtifactStore,
    tools: OpeningTools,
) -> Report:
    """Open an artifact and compare it with what was proved; nothing is raised for what others say or lack.

    Args:
        sold: what the chain says.
        chain: where the evidence comes from.
        contracts: the deployment.
        store: where the manifest and its files are.
        tools: finds the published file, and rebuilds.

    Returns:
        Accepted: what was sold is what was proved. Rejected: it differs, or does not open. Inconclusive: it
        could not be told, e.g. because the key is not revealed.
    """
    case = _ArtifactCase(sold, ChainReader(chain, contracts), store, tools)
    checklist = Checklist(f"artifact of model {sold.model_id:#066x} on chain {chain.chain_id}")
    checklist.run(0, "circuit is pinned", case.is_pinned)
    checklist.run(1, "manifest is the committed one", case.manifest_is_committed, needs=(0,))
    checklist.run(2, "published file is the one offered", case.file_is_offered, needs=(0,))
    checklist.run(3, "revealed key is the committed one", case.key_is_committed, needs=(0,))
    checklist.run(4, "every chunk opens to what was promised", case.chunks_open, needs=(2, 3))
    checklist.run(5, "plaintext is the registered model", case.is_registered_model, needs=(4,))
    checklist.run(6, "key is rebuilt from the plaintext", case.key_is_rebuilt, needs=(1, 4))
    checklist.run(7, "verifier is made from the key", case.verifier_is_made, needs=(1,))
    _add_notes(checklist, case)
    return checklist.report(
        {
            Verdict.ACCEPTED: "what was sold is what was proved",
            Verdict.REJECTED: "what was sold differs from what was proved",
            Verdict.INCONCLUSIVE: "could not tell whether what was sold is what was proved",
        }
    )


def require_one_piece(onnx: Path) -> None:
    """Check that a stranger's model has all of its weights in itself, before a proof system opens it.

    A model may name other files of this machine for its weights. Then it is not what was sold, whatever those
    files hold here; and nobody else's model decides which files are read.

    Raises:
        VerifierMismatchError: it is no ONNX model, or names other files.
        EvidenceUnavailableError: it is larger than what is read.
        ToolchainError: the package onnx is missing.
    """
    size = onnx.stat().st_size
    if size > MAX_MODEL_BYTES:
        raise EvidenceUnavailableError(f"expected a model of at most {MAX_MODEL_BYTES} bytes, found {size}")
    try:
        read_model(onnx.read_bytes())
    except NotOnnxError as error:
        raise VerifierMismatchError(f"{error.message}: no such model was proved") from error


def _add_notes(checklist: Checklist, case: _ArtifactCase) -> None:
    if checklist.holds(1) and not case.bundle.manifest.srs.secure:
        checklist.note(INSECURE_SRS)
    others = len(case.commitment.circuit_ids) - 1 if checklist.holds(0) else 0
    if others:
        checklist.note(f"the circuit for one input was rebuilt; {others} for several inputs were not")
