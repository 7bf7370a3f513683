"""Children started ahead of their requests, so that nobody waits for an interpreter to start.

A child still serves one request and ends: what it used of memory goes back to the machine, and killing it
harms nobody else. Only its start is taken out of the way.
"""

import contextlib
import threading
import weakref

from zkml.adapters.ezkl.process import EzklChild, Flavour
from zkml.errors import ZkmlError


class SpareChildren:
    """Keeps some children waiting; thread-safe. They die with this process, or at `close`."""

    def __init__(self, count: int) -> None:
        """Keep none yet: the first request of a flavour starts its spares.

        Args:
            count: children to keep waiting for each flavour.
        """
        self._count = count
        self._shelf = _Shelf()
        self._finalizer = weakref.finalize(self, self._shelf.close)

    def take(self, flavour: Flavour) -> EzklChild:
        """Return a child that waits, or start one; another is started in its place meanwhile.

        Raises:
            ToolchainError: it cannot be started.
        """
        child = self._shelf.pop(flavour)
        self._refill(flavour)
        return EzklChild(flavour) if child is None else child

    def warm(self, flavour: Flavour) -> None:
        """Start spares of a flavour that will be asked for; returns at once."""
        self._refill(flavour)

    def waiting(self, flavour: Flavour) -> int:
        """Return how many children of a flavour wait."""
        return self._shelf.waiting(flavour)

    def close(self) -> None:
        """End all that wait; doing it again changes nothing. Children that were taken are their takers'."""
        self._finalizer()

    def _refill(self, flavour: Flavour) -> None:
        # A machine that cannot start a spare will not start a child either: that error is the taker's.
        with contextlib.suppress(RuntimeError):
            threading.Thread(
                target=self._shelf.fill, args=(flavour, self._count), name="zkml-spares", daemon=True
            ).start()


class _Shelf:
    """The waiting children, apart from their keeper: when nobody holds the keeper any more, they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._waiting: dict[Flavour, list[EzklChild]] = {}
        self._is_closed = False

    def pop(self, flavour: Flavour) -> EzklChild | None:
        while True:
            with self._lock:
                children = self._waiting.get(flavour)
                if not children:
                    return None
                child = children.pop(0)
            if child.is_alive:
                return child
            child.close()

    def fill(self, flavour: Flavour, count: int) -> None:
        with self._filling:
            while self._wants(flavour, count):
                try:
                    child = EzklChild(flavour)
                except (ZkmlError, OSError):
                    return
                with self._lock:
                    if not self._is_closed:
                        self._waiting.setdefault(flavour, []).append(child)
                        continue
                child.close()

    def waiting(self, flavour: Flavour) -> int:
        with self._lock:
            return len(self._waiting.get(flavour, []))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            children = [child for shelf in self._waiting.values() for child in shelf]
            self._waiting.clear()
        for child in children:
            child.close()
        # A child that is being started right now is ended by whoever starts it: not before that is it over.
        with self._filling:
            pass

    def _wants(self, flavour: Flavour, count: int) -> bool:
        with self._lock:
            return not self._is_closed and len(self._waiting.get(flavour, [])) < count
