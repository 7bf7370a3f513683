"""The port of the lock under which transactions of an account are sent, one at a time."""

from contextlib import AbstractContextManager
from typing import Protocol


class SendingLock(Protocol):
    """Held from the reading of an account's nonce until what took it is broadcast."""

    def hold(self, chain_id: int, account: str) -> AbstractContextManager[None]:
        """Return the lock of an account, to hold in a `with` statement; whoever holds it may hold it again.

        Raises:
            HomeLockedError: somebody else holds it, and does not let go in time.
            StorageError: its file cannot be written.
        """
