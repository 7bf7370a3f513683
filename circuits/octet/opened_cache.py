"""Keep open what was opened from a bundle's files: checking it again would cost more than a proof.

It is remembered by the manifest's digest, and the files are looked at each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from circuits.bundle import Bundle
from zkml.core.digests import Digest
from zkml.core.manifest import FileRole

T = TypeVar("T")


@dataclass
class _Gate:
    """Lets one thread at a time open a bundle.

    Attributes:
        lock: held while it is opened.
        threads: how many open it or wait to.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class OpenedCache(Generic[T]):
    """The things opened last. Thread-safe; two threads never open the same one twice.

    Nobody waits for the opening of another thing than the one asked for: a bundle of a stranger that takes
    long to open delays only those who want it.
    """

    def __init__(self, roles: tuple[FileRole, ...], size: int) -> None:
        """Remember nothing yet.

        Args:
            roles: the files that a thing is opened from.
            size: how many things are kept.
        """
        self._roles, self._size = roles, size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Digest, T] = OrderedDict()
        self._opening: dict[Digest, _Gate] = {}

    def get(self, bundle: Bundle, make: Callable[[Bundle], T]) -> T:
        """Return what is open of a bundle, opening it the first time.

        Args:
            bundle: whose files; those that changed on disk are hashed again.
            make: opens it.

        Raises:
            ArtifactError: a file is missing or changed, or what `make` raises.
        """
        bundle.require(*self._roles)
        key = bundle.manifest_digest
        with self._lock:
            if key in self._kept:
                return self._used(key)
            gate = self._opening.setdefault(key, _Gate())
            gate.threads += 1
        try:
            with gate.lock:
                return self._made(key, bundle, make)
        finally:
            with self._lock:
                gate.threads -= 1
                if not gate.threads:
                    del self._opening[key]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def _made(self, key: Digest, bundle: Bundle, make: Callable[[Bundle], T]) -> T:
        with self._lock:  # the thread before this one at the gate may have opened it
            if key in self._kept:
                return self._used(key)
        found = make(bundle)
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return found

    def _used(self, key: Digest) -> T:
        self._kept.move_to_end(key)
        return self._kept[key]
