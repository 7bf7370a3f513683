"""Audit a circuit bundle without a chain: is its key the one that its model gives?

    0 bundle's manifest and files hash
    1 key is rebuilt from the model

What `zkml.audit.circuit_audit` does beside a chain, this does before there is one, or where a circuit has
none. Whoever takes over a bundle should do it once: a key says nothing about the ONNX file beside it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.bundle import Bundle
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.report import Checklist, Report, Verdict
from zkml.errors import BindingError, DigestMismatchError, ManifestError

if TYPE_CHECKING:
    from zkml.audit.circuit_audit import KeySource


class _BundleCase:
    """One bundle under audit."""

    bundle: Bundle

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def files_hash(self) -> str:
        """Step 0. A bundle that contradicts itself is wrong; one that is not whole could not be checked."""
        try:
            self.bundle = Bundle.open(self._directory)
        except (DigestMismatchError, ManifestError) as error:
            raise BindingError(error.message, hint=error.hint) from error
        manifest = self.bundle.manifest
        return f"{manifest.name}, {manifest.system} {manifest.system_version}"

    def key_is_rebuilt(self, rebuild: "KeySource") -> str:
        """Step 1."""
        return f"key {rebuild(self.bundle)}"


def audit_bundle(directory: Path, *, rebuild_key: "KeySource") -> Report:
    """Audit one bundle and report every step; nothing is raised for what its files say or lack.

    Args:
        directory: the bundle's, with all of its files.
        rebuild_key: makes the verifying key anew, and compares it.

    Returns:
        Accepted: the key is that of the bundle's model, settings and SRS.
    """
    case, checklist = _BundleCase(directory), Checklist(f"bundle {directory}")
    checklist.run(0, "bundle's manifest and files hash", case.files_hash)
    checklist.run(1, "key is rebuilt from the model", lambda: case.key_is_rebuilt(rebuild_key), needs=(0,))
    facts = {}
    if checklist.holds(0):
        facts = {"circuit": case.bundle.manifest.circuit, "system": case.bundle.manifest.system}
        if not case.bundle.manifest.srs.secure:
            checklist.note(INSECURE_SRS)
    return checklist.report(
        {
            Verdict.ACCEPTED: "the key is that of the bundle's model",
            Verdict.REJECTED: "the bundle contradicts itself",
            Verdict.INCONCLUSIVE: "could not tell whether the key is that of the bundle's model",
        },
        facts,
    )
