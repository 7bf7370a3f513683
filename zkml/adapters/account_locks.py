"""Sending locks over all processes of this machine that use one key: files, freed when a process dies."""

import functools
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zkml.adapters.evm.thread_locks import LOCK_TIMEOUT_SECONDS, ThreadLocks, still_held
from zkml.errors import StorageError


class AccountLocks:
    """Implements `zkml.core.ports.sending_lock.SendingLock` by one file per chain id and account."""

    def __init__(self, folder: Path, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        """Keep the files in a folder, which is made when the first lock is held."""
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadLocks(timeout_seconds)
        self._depth = threading.local()

    @contextmanager
    def hold(self, chain_id: int, account: str) -> Iterator[None]:
        """Hold the lock of an account, over threads and processes.

        Raises:
            HomeLockedError: somebody else holds it, and does not let go in time.
            StorageError: its file cannot be written, or the folder is another user's.
        """
        name = f"{chain_id}-{account.lower()}.lock"
        held: set[str] = self._depth.__dict__.setdefault("held", set())
        with self._threads.hold(chain_id, account):
            if name in held:
                yield
                return
            lock = self._acquire(name, account)
            held.add(name)
            try:
                yield
            finally:
                held.discard(name)
                lock.release()

    def _acquire(self, name: str, account: str) -> FileLock:
        path = self._folder / name
        lock = FileLock(path, mode=0o600)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            lock.acquire(timeout=self._timeout_seconds, poll_interval=0.02)
        except Timeout as error:
            raise still_held(account, self._timeout_seconds) from error
        except OSError as error:
            raise StorageError(f"expected a writable {path}, found {error.strerror}") from error
        return lock

    def _check_owner(self) -> None:
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise StorageError(
                f"expected a folder of this user at {self._folder}, found something of another's",
                hint="remove it, or set TMPDIR to a folder of yours",
            )


@functools.cache
def machine_locks() -> AccountLocks:
    """Return the locks that all processes of this user on this machine share, whatever their homes."""
    return AccountLocks(Path(tempfile.gettempdir()) / f"zkml-locks-{os.getuid()}")
