"""A circuit bundle: a directory of files and the manifest that names each by digest.

    <bundle>/manifest.json   canonical JSON, `zkml.core.manifest.BundleManifest`
    <bundle>/...             one file per role

A bundle is built in a directory beside its place and renamed into it when it is complete, so a half-written
one is never found. Opening hashes every file, so a half-copied one is never opened.
"""

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from circuits.file_identity import digest_file, identify_file
from circuits.srs_file import VERIFICATION_LOGROWS, identify_srs
from zkml.core.cid import Cid, cid_of
from zkml.core.digests import Digest, digest_of
from zkml.core.manifest import BundleManifest, FileEntry, FileRole
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, ManifestError, SrsError, StorageError

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
ABANDONED_SECONDS = 24 * 3600
"""A half-built bundle that nobody has touched for a day belongs to a process that was killed."""
_HINT = "rebuild or re-download the bundle"

VERIFYING_ROLES: tuple[FileRole, ...] = ("settings", "verifying_key", "verification_srs")
"""What verifying takes: some tens of kilobytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its files were there and hashed to their digests when it was opened."""

    path: Path
    manifest: BundleManifest

    @classmethod
    def open(cls, path: Path, *, roles: Iterable[FileRole] | None = None) -> Self:
        """Open a bundle after re-hashing its files.

        Args:
            path: the bundle's directory.
            roles: the files this caller needs; all of the manifest's when None.

        Raises:
            ArtifactNotFoundError: no bundle there, or a file is missing.
            ManifestError: the manifest is corrupt, of another version or contradicts its files.
            DigestMismatchError: a file's bytes are not what the manifest says; names the file.
        """
        manifest = _read_manifest(path / MANIFEST_NAME)
        bundle = cls(path, manifest)
        bundle.require(*(manifest.files if roles is None else roles))
        return bundle

    def file(self, role: FileRole) -> Path:
        """Return the path of the file of this role.

        Raises:
            ManifestError: the bundle has none.
        """
        entry = self.manifest.files.get(role)
        if entry is None:
            raise ManifestError(f"expected a file of role {role}, found none in {self.path}", hint=_HINT)
        return self.path / entry.path

    def require(self, *roles: FileRole) -> None:
        """Check files again; those unchanged since the last time in this process are not read.

        Raises:
            ArtifactNotFoundError: a file is missing.
            DigestMismatchError: a file changed; names it.
            ManifestError: the SRS is another one than the manifest says.
        """
        for role in roles:
            self.check_digest(role, digest_file(self.file(role)))
            if role in ("srs", "verification_srs"):
                self._check_srs(role)

    def check_digest(self, role: FileRole, found: Digest) -> None:
        """Check the digest that was found of the file of a role.

        Raises:
            DigestMismatchError: it is not what the manifest says; names the file.
            ManifestError: the bundle has no file of this role.
        """
        path, expected = self.file(role), self.manifest.files[role].digest
        if found != expected:
            raise DigestMismatchError(
                f"expected {expected}, found {found} in {path}",
                hint=_HINT,
                path=path,
                expected=expected,
                found=found,
            )

    @property
    def manifest_digest(self) -> Digest:
        """The digest of the manifest file, as the registry commits to it."""
        return digest_of(self.manifest.to_bytes())

    @property
    def manifest_cid(self) -> Cid:
        """The CID of the manifest file."""
        return cid_of(self.manifest.to_bytes())

    def _check_srs(self, role: FileRole) -> None:
        """A manifest that calls an insecure SRS secure would be believed by everybody after it."""
        try:
            found = identify_srs(self.file(role))
        except SrsError as error:
            raise ManifestError(error.message, hint=_HINT) from error
        stated = self.manifest.srs
        # The verifier's file serves every size, so its own logrows say nothing.
        expected_logrows = stated.logrows if role == "srs" else VERIFICATION_LOGROWS
        if found != stated.model_copy(update={"logrows": expected_logrows}):
            raise ManifestError(
                f"expected the SRS {stated.name} (secure: {stated.secure}, logrows {expected_logrows}), "
                f"found {found.name} (secure: {found.secure}, logrows {found.logrows}) in {self.file(role)}",
                hint=_HINT,
            )


def write_bundle(target: Path, build: Callable[[Path], BundleManifest]) -> Bundle:
    """Build a bundle beside `target` and rename it into place.

    Args:
        target: the bundle's directory; one that is there is replaced.
        build: fills the directory it is given and returns the manifest of what it wrote.

    Returns:
        The bundle, opened.

    Raises:
        StorageError: no space or no permission. Nothing is left behind, and what stood at `target` stays.
        ZkmlError: whatever `build` raised; nothing is left behind.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            manifest = build(staged)
            (staged / MANIFEST_NAME).write_bytes(manifest.to_bytes())
            for name in os.listdir(staged):  # noqa: PTH208 names, not paths
                _flush(staged / name)
            _flush(staged)
            staged.chmod(0o755)
            _replace(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"expected to write a bundle, found {error.strerror or error} at {target}",
            hint="free some disk space or correct the directory's permissions",
            path=target,
        ) from error
    return Bundle.open(target)


def _sweep(target: Path) -> None:
    """Remove what killed compilations of this bundle left behind; a young one may still be at work."""
    for rest in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        if time.time() - rest.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(rest, ignore_errors=True)


def describe_files(directory: Path, names: dict[FileRole, str]) -> dict[FileRole, FileEntry]:
    """Hash a bundle's files for its manifest.

    Raises:
        ArtifactNotFoundError: one is missing.
    """
    entries: dict[FileRole, FileEntry] = {}
    for role, name in names.items():
        found = identify_file(directory / name)
        entries[role] = FileEntry(path=name, digest=found.digest, cid=found.cid, size_bytes=found.size_bytes)
    return entries


def _read_manifest(path: Path) -> BundleManifest:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ManifestError(f"expected at most {MAX_MANIFEST_BYTES} bytes in {path}", hint=_HINT)
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactNotFoundError(
            f"expected a circuit bundle with a {MANIFEST_NAME}, found none at {path.parent}",
            hint="`zkml circuit compile` makes one",
            path=path,
        ) from error
    manifest = BundleManifest.parse(data, where=str(path))
    if manifest.to_bytes() != data:
        raise ManifestError(f"expected canonical JSON, found another form of it in {path}", hint=_HINT)
    return manifest


def _replace(staged: Path, target: Path) -> None:
    """Rename a directory into place; one that stands there is first moved aside, then removed."""
    if not target.exists():
        staged.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(aside)
    try:
        staged.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # A directory cannot be flushed on every file system; a file that cannot is not on disk.
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)
