"""The names of everything below the home, the one directory of all state. No I/O."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below the home; nothing else in zkml knows their names."""

    root: Path

    @property
    def artifacts(self) -> Path:
        """Content-addressed files."""
        return self.root / "artifacts"

    @property
    def sealed(self) -> Path:
        """Records of encrypted artifacts by key commitment; they travel with the artifacts."""
        return self.artifacts / "sealed"

    @property
    def artifact_keys(self) -> Path:
        """Keys of encrypted artifacts until they are revealed, mode 0700; a lost one loses its bond."""
        return self.root / "artifact-keys"

    @property
    def sealing(self) -> Path:
        """Files that are being encrypted or fetched, mode 0700."""
        return self.root / "sealing"

    @property
    def bundles(self) -> Path:
        """Circuit bundles by name."""
        return self.root / "bundles"

    @property
    def models(self) -> Path:
        """Exported ONNX models."""
        return self.root / "models"

    @property
    def srs(self) -> Path:
        """Structured reference strings by size."""
        return self.root / "srs"

    @property
    def verifiers(self) -> Path:
        """Compiled verifiers by digest of their source."""
        return self.root / "verifiers"

    @property
    def chain(self) -> Path:
        """State and pid file of the embedded node."""
        return self.root / "chain"

    @property
    def deployments(self) -> Path:
        """Deployment records by chain."""
        return self.root / "deployments"

    @property
    def keys(self) -> Path:
        """Key files of local chains, mode 0700."""
        return self.root / "keys"

    @property
    def client(self) -> Path:
        """Signed openings of jobs, kept until they are mined."""
        return self.root / "client"

    @property
    def measurements(self) -> Path:
        """How long stages take on this machine."""
        return self.root / "measurements.json"

    @property
    def publisher(self) -> Path:
        """Witnesses of sample and genesis proofs in the making; proofs of a release until they are sent."""
        return self.root / "publisher"

    @property
    def journal(self) -> Path:
        """The prover node's database."""
        return self.root / "prover" / "journal.sqlite"

    @property
    def prover_work(self) -> Path:
        """Witnesses and proofs in progress; private."""
        return self.root / "prover" / "work"
