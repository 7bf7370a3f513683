"""Write a file so that a reader finds the whole of it or nothing."""

import contextlib
import os
import tempfile
from pathlib import Path

from zkml.errors import StorageError


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` beside `path`, flush it to disk, and rename it into place.

    Args:
        path: the file; folders above it are made if missing.
        data: all of its bytes.
        mode: its permissions.

    Raises:
        StorageError: no space or no permission; an older file stays as it was.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise StorageError(
            f"expected to write {len(data)} bytes to {path}, found {error.strerror or error}",
            hint="free some space, or choose a folder that you may write to",
            path=path,
        ) from error
