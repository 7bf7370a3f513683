"""Audit a portable proof against a circuit bundle, without a chain.

    0 proof file parses                          4 instances are built from the tensors
    1 bundle's manifest and files hash           5 proof system accepts
    2 proof names circuit, key and context       6 generated verifier accepts (if one is given)
    3 tensors fit layout and domain

The bundle is the auditor's: a damaged one is no verdict about the proof. Without the proof system and
without a compiled verifier nobody has verified anything, which is inconclusive.
"""

from pathlib import Path

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.proof_binding import check_context
from circuits.verification import verify_proof
from circuits.verifier_source import verifier_choices
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.local_verification import verify_in_local_evm
from zkml.audit.offchain import OffChainVerifier
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.report import Checklist, Report, Verdict
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex
from zkml.core.tensors import instances_of, unpack_input, unpack_output
from zkml.errors import (
    ArtifactNotFoundError,
    BindingError,
    EvidenceUnavailableError,
    FormatError,
    ProofRejectedError,
    StorageError,
    VerifierMismatchError,
)

MAX_FILE_BYTES = 16 * 1024 * 1024
"""No proof file or compiled verifier is larger: 16 MiB."""

ONLY_GIVEN_VERIFIER = (
    "the proof was checked with the given verifier alone: that it belongs to the bundle's key was not"
)


class _ProofCase:
    """One proof under audit: what its steps share."""

    proof: ProofFile
    bundle: Bundle

    def __init__(self, proof_path: Path, bundle_path: Path, context: bytes | None) -> None:
        self._proof_path = proof_path
        self._bundle_path = bundle_path
        self._context = context

    def file_parses(self) -> str:
        """Step 0."""
        data = _read(self._proof_path, "a proof file")
        try:
            self.proof = ProofFile.from_bytes(data, where=str(self._proof_path))
        except FormatError as error:
            raise ProofRejectedError(error.message) from error
        return f"{len(from_hex(self.proof.proof))} bytes of proof"

    def bundle_hashes(self) -> str:
        """Step 1."""
        self.bundle = Bundle.open(self._bundle_path, roles=VERIFYING_ROLES)
        srs = self.bundle.manifest.srs
        return f"{self.bundle.manifest.name}, " + (f"SRS of {srs.name}" if srs.secure else INSECURE_SRS)

    def proof_names_circuit(self) -> str:
        """Step 2."""
        proof, manifest = self.proof, self.bundle.manifest
        if proof.verifying_key != manifest.verifying_key:
            raise VerifierMismatchError(
                f"expected verifying key {manifest.verifying_key}, found {proof.verifying_key} in the proof"
            )
        found = (proof.circuit, proof.system, proof.system_version)
        expected = (manifest.circuit, manifest.system, manifest.system_version)
        if found != expected:
            raise BindingError(f"expected a proof of {' '.join(expected)}, found one of {' '.join(found)}")
        if self._context is not None:
            check_context(proof, self._context)
        return manifest.circuit if proof.context == NO_CONTEXT else f"{manifest.circuit}, for {proof.context}"

    def tensors_fit(self) -> str:
        """Step 3."""
        proof, manifest = self.proof, self.bundle.manifest
        elements = unpack_input(manifest.tensor_layout, from_hex(proof.input))
        unpack_output(manifest.tensor_layout, from_hex(proof.output))
        manifest.input_domain.check(elements)
        found = len(from_hex(proof.proof))
        if found != manifest.proof_bytes:
            raise ProofRejectedError(f"expected a proof of {manifest.proof_bytes} bytes, found {found}")
        return f"{len(elements)} elements"

    def instances_are_built(self) -> str:
        """Step 4: inputs, then outputs, each below r because the packed form cannot say otherwise."""
        layout = self.bundle.manifest.tensor_layout
        return (
            f"{len(instances_of(layout, from_hex(self.proof.input), from_hex(self.proof.output)))} instances"
        )

    def system_accepts(self, verify: OffChainVerifier) -> str:
        """Step 5: of a file that nothing more is known about, its own context is the one to be proved."""
        verify(self.bundle, self.proof, context=from_hex(self.proof.context))
        return f"{self.proof.system} {self.proof.system_version}"

    def verifier_accepts(self, path: Path) -> str:
        """Step 6."""
        if "generated" not in verifier_choices(self.bundle.manifest):
            raise EvidenceUnavailableError(
                f"expected a circuit with a verifier of its own, found one of {self.bundle.manifest.system}",
                hint="leave --verifier out: step 5 verifies the proof",
            )
        artifact = ContractArtifact.from_bytes(_read(path, "a compiled verifier"), where=str(path))
        gas = verify_in_local_evm(
            artifact.runtime_code,
            self.bundle.manifest.tensor_layout,
            packed_input=from_hex(self.proof.input),
            packed_output=from_hex(self.proof.output),
            proof=from_hex(self.proof.proof),
            weight_commitment=self.bundle.manifest.weight_commitment,
        )
        return f"{gas.verifier} gas"


def audit_proof(
    proof_path: Path,
    bundle_path: Path,
    *,
    verifier_path: Path | None = None,
    context: bytes | None = None,
    verify: OffChainVerifier = verify_proof,
) -> Report:
    """Audit one proof file and report every step; nothing is raised for what the files say or lack.

    Args:
        proof_path: a `zkml.proof/1` file.
        bundle_path: the circuit's bundle; settings, verifying key and verification SRS are enough.
        verifier_path: a compiled verifier of that circuit, for step 6.
        context: 32 bytes that the proof must be bound to; any when None.
        verify: the proof system's own verification, for step 5.

    Returns:
        Accepted: the proof holds for its input and output under the bundle's key.
    """
    case, checklist = _ProofCase(proof_path, bundle_path, context), Checklist(f"proof {proof_path}")
    checklist.run(0, "proof file parses", case.file_parses)
    checklist.run(1, "bundle's manifest and files hash", case.bundle_hashes)
    checklist.run(2, "proof names this circuit and key", case.proof_names_circuit, needs=(0, 1))
    checklist.run(3, "tensors and proof fit the circuit", case.tensors_fit, needs=(0, 1))
    checklist.run(4, "instances are built from the tensors", case.instances_are_built, needs=(3,))
    has_verifier = verifier_path is not None
    checklist.run(
        5, "proof system accepts", lambda: case.system_accepts(verify), needs=(2, 4), optional=has_verifier
    )
    name = "generated verifier accepts"
    if verifier_path is None:
        checklist.skip(6, name, "no compiled verifier given")
    else:
        checklist.run(6, name, lambda: case.verifier_accepts(verifier_path), needs=(2, 4))
    if checklist.holds(6) and checklist.was_skipped(5):
        checklist.note(ONLY_GIVEN_VERIFIER)
    if checklist.holds(1) and not case.bundle.manifest.srs.secure:
        checklist.note(INSECURE_SRS)
    return checklist.report(
        {
            Verdict.ACCEPTED: "the output is the circuit's on this input",
            Verdict.REJECTED: "the proof is wrong",
            Verdict.INCONCLUSIVE: "the proof could not be checked",
        }
    )


def _read(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"expected at most {MAX_FILE_BYTES} bytes in {path}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected {what}, found none at {path}", path=path) from error
    except OSError as error:
        raise StorageError(f"expected {what} that can be read, found {error.strerror} at {path}") from error
