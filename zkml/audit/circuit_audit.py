"""Rebuild a circuit from its published files, and compare it with what a chain has pinned.

    0 circuit is pinned                     3 key is rebuilt from the model
    1 bundle's manifest and files hash      4 verifier is made from the key
    2 manifest describes the circuit

This is what an attester does before vouching for a circuit. Where weights are committed the model without
them gives the key; where the key binds them and the model is closed, only its owner can rebuild it.
"""

from collections.abc import Callable
from pathlib import Path

from circuits.bundle import VERIFYING_ROLES, Bundle
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.audit.chain_reader import ChainReader
from zkml.audit.evidence import ChainEvidence, Contracts
from zkml.audit.offchain import verify_circuit
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.rebuild import VerifierSource, compare_verifier
from zkml.audit.report import Checklist, Report, Verdict
from zkml.core.digests import Digest
from zkml.core.records import to_hex
from zkml.errors import ArtifactNotFoundError, EvidenceUnavailableError

KeySource = Callable[[Bundle], Digest]
"""Rebuilds a bundle's verifying key from its model, settings and SRS, and compares; raises if it differs."""


class _CircuitCase:
    """One circuit under audit: what its steps share."""

    bundle: Bundle
    verifier: DeployedVerifier

    def __init__(self, circuit_id: bytes, reader: ChainReader, directory: Path) -> None:
        self._circuit_id = circuit_id
        self._reader = reader
        self._directory = directory

    def is_pinned(self) -> str:
        """Step 0."""
        self.verifier = self._reader.verifier(self._circuit_id)
        return f"{self.verifier.kind} verifier at {self.verifier.spec.adapter}"

    def bundle_hashes(self) -> str:
        """Step 1."""
        self.bundle = Bundle.open(self._directory, roles=VERIFYING_ROLES)
        return self.bundle.manifest.name

    def manifest_describes(self) -> str:
        """Step 2."""
        verify_circuit(self.bundle.manifest, self.verifier, self._reader.chain.chain_id)
        manifest = self.bundle.manifest
        return (
            f"weights {manifest.param_visibility}, {manifest.batch} input{'s' if manifest.batch > 1 else ''}"
        )

    def key_is_rebuilt(self, rebuild: KeySource) -> str:
        """Step 3."""
        try:
            return f"key {rebuild(self.bundle)}"
        except ArtifactNotFoundError as error:
            if self.bundle.manifest.weight_point is not None:
                raise
            raise EvidenceUnavailableError(
                f"{error.message}: the key binds the weights, so it cannot be rebuilt without the model",
                hint="of a closed model with fixed weights only the owner can rebuild the key",
            ) from error

    def verifier_is_made(self, source: VerifierSource) -> str:
        """Step 4."""
        return compare_verifier(self.bundle, self.verifier, source)


def audit_circuit(
    circuit_id: bytes,
    chain: ChainEvidence,
    contracts: Contracts,
    directory: Path,
    *,
    rebuild_key: KeySource,
    rebuild_verifier: VerifierSource,
) -> Report:
    """Audit one circuit and report every step; nothing is raised for what chain or files say or lack.

    Args:
        circuit_id: 32 bytes.
        chain: where the evidence comes from.
        contracts: the deployment.
        directory: the circuit's bundle with its model, settings and SRS.
        rebuild_key: see `KeySource`.
        rebuild_verifier: makes a bundle's verifier anew.

    Returns:
        Accepted: the published files give exactly what is pinned. Rejected: they do not. Inconclusive: it
        could not be told, e.g. because the model is closed.
    """
    case = _CircuitCase(circuit_id, ChainReader(chain, contracts), directory)
    checklist = Checklist(f"circuit {to_hex(circuit_id)} on chain {chain.chain_id}")
    checklist.run(0, "circuit is pinned", case.is_pinned)
    checklist.run(1, "bundle's manifest and files hash", case.bundle_hashes)
    checklist.run(2, "manifest describes the circuit", case.manifest_describes, needs=(0, 1))
    checklist.run(3, "key is rebuilt from the model", lambda: case.key_is_rebuilt(rebuild_key), needs=(1,))
    checklist.run(
        4, "verifier is made from the key", lambda: case.verifier_is_made(rebuild_verifier), needs=(0, 1)
    )
    if checklist.holds(1) and not case.bundle.manifest.srs.secure:
        checklist.note(INSECURE_SRS)
    return checklist.report(
        {
            Verdict.ACCEPTED: "the published files give exactly the pinned key and verifier",
            Verdict.REJECTED: "the published files do not give what is pinned",
            Verdict.INCONCLUSIVE: "it could not be rebuilt",
        }
    )
