"""Proving keys on a memory file system, so that a proof never waits for a disk.

    <folder>/<digest>.key    a key's bytes, named by what they hash to
    <folder>/<digest>.used   its time says when the key was last asked for

A copy is hashed while it is made and again whenever the file changed, so it is worth as much as the bundle's
own file. Whatever goes wrong, the bundle's own file is used: this folder makes nothing possible, only faster.
"""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path

from circuits.bundle import Bundle
from circuits.file_identity import digest_file
from zkml.adapters.private_folder import make_private_folder
from zkml.core.digests import Digest
from zkml.errors import ZkmlError

STALE_SECONDS = 24 * 3600.0
"""A key that nobody asked for in a day goes."""
_SPARE_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20


class FastKeys:
    """Copies of keys in one folder; several threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Use a folder that belongs to this user alone; made when missing.

        Raises:
            ConfigError: it cannot be made, belongs to somebody else, or others may enter it.
        """
        self._folder = folder
        self._lock = threading.Lock()
        make_private_folder(folder, purpose="prover.fast_key_dir")

    def proving_key(self, bundle: Bundle) -> Path:
        """Return a file with the bundle's proving key: the copy here, or the bundle's own where none fits."""
        entry = bundle.manifest.files["proving_key"]
        own = bundle.file("proving_key")
        copy = self._folder / f"{_name_of(entry.digest)}.key"
        with self._lock:
            try:
                if self._is_there(copy, entry.digest) or self._make(
                    own, copy, entry.digest, entry.size_bytes
                ):
                    copy.with_suffix(".used").touch(mode=0o600)
                    return copy
            except (OSError, ZkmlError):
                return own
        return own

    def remove_stale(self) -> list[Path]:
        """Remove keys that nobody asked for lately, and what killed copies left; return what went."""
        gone: list[Path] = []
        now = time.time()
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.iterdir()):
                if path.suffix not in {".key", ".partial"}:
                    continue
                with contextlib.suppress(OSError):
                    if now - _last_use(path) > STALE_SECONDS:
                        path.unlink()
                        path.with_suffix(".used").unlink(missing_ok=True)
                        gone.append(path)
        return gone

    @staticmethod
    def _is_there(copy: Path, digest: Digest) -> bool:
        if not copy.is_file():
            return False
        if digest_file(copy) == digest:
            return True
        copy.unlink()
        return False

    def _make(self, own: Path, copy: Path, digest: Digest, size_bytes: int) -> bool:
        """Copy a key if it fits; say whether it is there now."""
        self.remove_stale()
        if shutil.disk_usage(self._folder).free < size_bytes + _SPARE_BYTES:
            return False
        descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".partial")
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target, own.open("rb") as source:
                hasher = sha256()
                while chunk := source.read(_CHUNK_BYTES):
                    hasher.update(chunk)
                    target.write(chunk)
            if f"sha256:{hasher.hexdigest()}" != digest:
                return False
            partial.replace(copy)
        finally:
            partial.unlink(missing_ok=True)
        return self._is_there(copy, digest)


def _last_use(path: Path) -> float:
    marker = path.with_suffix(".used")
    return (marker if marker.exists() else path).stat().st_mtime


def _name_of(digest: Digest) -> str:
    return digest.removeprefix("sha256:")


def read_ahead(*paths: Path) -> None:
    """Ask the kernel to have files in memory soon; returns at once, and does nothing where it cannot ask."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is None:
        return
    for path in paths:
        with contextlib.suppress(OSError), path.open("rb") as stream:
            advise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
