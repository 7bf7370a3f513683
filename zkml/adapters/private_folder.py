"""A folder that this user alone may enter."""

import os
import stat
from pathlib import Path

from zkml.errors import ConfigError


def make_private_folder(folder: Path, *, purpose: str) -> None:
    """Make a folder of mode 0700, or check one that is there.

    Args:
        folder: the folder; those above it are made when missing.
        purpose: what it is for, in the error's words.

    Raises:
        ConfigError: it cannot be made, is no folder, belongs to somebody else, or others may enter it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"expected a writable folder for {purpose}, found {error.strerror} at {folder}", path=folder
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"expected a folder of this user alone for {purpose}, found another at {folder}",
            hint="name a folder of its own, with mode 0700",
            path=folder,
        )
