"""The sending lock of who is alone with his keys: over the threads of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zkml.errors import HomeLockedError

LOCK_TIMEOUT_SECONDS = 120.0
"""A slow endpoint answers a few questions while the lock is held."""


class ThreadLocks:
    """Implements `zkml.core.ports.sending_lock.SendingLock` within one process."""

    def __init__(self, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        """Wait for a lock no longer than this."""
        self._timeout_seconds = timeout_seconds
        self._guard = threading.Lock()
        self._locks: dict[tuple[int, str], threading.RLock] = {}

    @contextmanager
    def hold(self, chain_id: int, account: str) -> Iterator[None]:
        """Hold the lock of an account.

        Raises:
            HomeLockedError: another thread holds it, and does not let go in time.
        """
        with self._guard:
            lock = self._locks.setdefault((chain_id, account.lower()), threading.RLock())
        if not lock.acquire(timeout=self._timeout_seconds):
            raise still_held(account, self._timeout_seconds)
        try:
            yield
        finally:
            lock.release()


THREAD_LOCKS = ThreadLocks()
"""Those of this process."""


def still_held(account: str, seconds: float) -> HomeLockedError:
    """Return the error for a lock that nobody let go of."""
    return HomeLockedError(
        f"expected to send for {account} within {seconds:g} s, found somebody else sending all the while",
        hint="another process uses this key: wait for it, or stop it",
        account=account,
    )
