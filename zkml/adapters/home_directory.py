"""Make the home, and keep a second process out of it."""

import contextlib
import os
from collections.abc import Iterator

from filelock import FileLock, Timeout

from zkml.config.home import Home
from zkml.errors import ConfigError, HomeLockedError, StorageError


def create_home(home: Home) -> None:
    """Make the directory, and the one for keys, which only its owner may enter.

    Raises:
        StorageError: no space or no permission.
        ConfigError: a file stands there.
    """
    if home.root.exists() and not home.root.is_dir():
        raise ConfigError(f"expected a directory, found a file at {home.root}", hint="set ZKML_HOME")
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        home.keys.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"expected a writable directory, found {error.strerror} at {home.root}") from error


def is_locked(home: Home, purpose: str) -> bool:
    """Say whether a process holds `<purpose>.lock` in the home.

    Raises:
        StorageError: the lock file cannot be opened.
    """
    path = home.root / f"{purpose}.lock"
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError as error:
        raise StorageError(f"expected a readable {path}, found {error.strerror}") from error
    lock.release()
    return False


@contextlib.contextmanager
def lock_home(home: Home, purpose: str) -> Iterator[None]:
    """Hold `<purpose>.lock` in the home; the system frees it when the process dies.

    Raises:
        HomeLockedError: another process holds it.
        StorageError: the lock file cannot be written.
    """
    create_home(home)
    path = home.root / f"{purpose}.lock"
    holder = home.root / f"{purpose}.pid"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        pid = holder.read_text().strip() if holder.exists() else "unknown"
        raise HomeLockedError(
            f"expected to be alone in {home.root}, found another zkml {purpose} at work (pid {pid})",
            hint="wait for it, stop it, or use another home: ZKML_HOME=DIR",
        ) from error
    except OSError as error:
        raise StorageError(f"expected a writable {path}, found {error.strerror}") from error
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
