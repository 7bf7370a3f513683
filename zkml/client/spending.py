"""A limit on what a program spends on its own, kept on disk over its runs.

A request counts from its signature on, before it is sent: whether it is paid is not known until it expires.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from zkml.adapters.atomic_write import write_atomically
from zkml.client.call_journal import CallRecord
from zkml.core.records import Amount, Hex32, Record
from zkml.errors import HomeLockedError, PaymentRequiredError, StorageError

_LOCK_SECONDS = 30.0


class SpendingRecord(Record):
    """What was signed, by the requests' digests, in the payment token's smallest unit."""

    tag: ClassVar[str] = "zkml.spending/1"

    spent: dict[Hex32, Amount]


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in all.

    Attributes:
        path: the file that remembers what was spent; without it nothing was.
        limit: in the payment token's smallest unit.
    """

    path: Path
    limit: int

    def left(self) -> int:
        """Return what may still be spent; 0 when it is used up.

        Raises:
            FormatError: the file is damaged.
            StorageError: it cannot be read.
        """
        return max(self.limit - self._total(self._read()), 0)

    def spend(self, call: CallRecord) -> None:
        """Count a request that is about to be sent.

        Raises:
            PaymentRequiredError: it would be more than is left; nothing was counted.
            FormatError, StorageError, HomeLockedError: the file is damaged, or cannot be written.
        """
        with self._alone():
            record = self._read()
            price = int(call.price)
            if self._total(record) + price > self.limit:
                raise PaymentRequiredError(
                    f"expected to spend at most {self.limit} units in all, found {self._total(record)} spent "
                    f"and {price} asked for",
                    hint=f"raise the limit (--max-total), or remove {self.path} to begin anew",
                )
            changed = SpendingRecord(spent={**record.spent, call.request_id: call.price})
            write_atomically(self.path, changed.to_bytes(), mode=0o600)

    def _read(self) -> SpendingRecord:
        try:
            return SpendingRecord.from_bytes(self.path.read_bytes(), where=str(self.path))
        except FileNotFoundError:
            return SpendingRecord(spent={})
        except OSError as error:
            raise StorageError(f"expected a readable file, found {error.strerror} at {self.path}") from error

    @staticmethod
    def _total(record: SpendingRecord) -> int:
        return sum(map(int, record.spent.values()))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self.path.with_suffix(".lock"))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise HomeLockedError(f"expected {self.path} to be free, found another process at it") from error
        except OSError as error:
            raise StorageError(f"expected a writable {self.path.parent}, found {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()
