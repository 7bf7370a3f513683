"""What runs beside each other in one node process, and how it ends: drained first, then stopped."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

_POLL_SECONDS = 0.2

_log = logging.getLogger(__name__)


class Component(Protocol):
    """A part of a node that runs in threads of its own."""

    @property
    def name(self) -> str:
        """What people call it."""

    def start(self) -> None:
        """Begin; returns at once.

        Raises:
            ZkmlError: it cannot begin.
        """

    def drain(self) -> None:
        """Take nothing new from now on; returns at once. What was promised is still done."""

    def is_idle(self) -> bool:
        """Say whether nothing that was promised is left to do."""

    def stop(self) -> None:
        """End, done or not; returns when its threads have ended. Stopping again changes nothing."""

    def problem(self) -> str:
        """Return why it cannot do its work now, on one line; empty where it can."""

    def failure(self) -> BaseException | None:
        """Return what ended it for good, unasked; None while it works."""


class Supervisor:
    """Runs components until it is asked to stop, or one of them ends unasked."""

    def __init__(self, components: Sequence[Component], *, drain_seconds: float) -> None:
        """Take charge.

        Args:
            components: in the order of their start.
            drain_seconds: longest wait for what was promised.
        """
        self._components = tuple(components)
        self._drain_seconds = drain_seconds
        self._asked = threading.Event()

    @property
    def is_draining(self) -> bool:
        """Whether it was asked to take nothing new."""
        return self._asked.is_set()

    def drain(self) -> None:
        """Finish what was promised, and end; returns at once."""
        self._asked.set()

    def problems(self) -> dict[str, str]:
        """Return why components cannot do their work now, by name; nothing of those that can."""
        found = {component.name: component.problem() for component in self._components}
        return {name: problem for name, problem in found.items() if problem}

    def run(self, stop: threading.Event, now: threading.Event | None = None) -> None:
        """Run until somebody asks for the end.

        Args:
            stop: asks for it: nothing new is taken, and what was promised is done first.
            now: asks for it at once; what is not done lies in the journal.

        Raises:
            ZkmlError: a component could not start, or ended unasked.
        """
        now = now or threading.Event()
        started: list[Component] = []
        try:
            for component in self._components:
                started.append(component)
                component.start()
            while not (stop.is_set() or now.is_set() or self._asked.is_set() or self._failed()):
                stop.wait(_POLL_SECONDS)
            self._asked.set()
            self._drain(now)
        finally:
            self._asked.set()
            for component in reversed(started):
                component.stop()
        failed = self._failed()
        if failed is not None:
            raise failed

    def _drain(self, now: threading.Event) -> None:
        for component in self._components:
            component.drain()
        deadline = time.monotonic() + self._drain_seconds
        while not (now.is_set() or self._failed()):
            busy = [component.name for component in self._components if not component.is_idle()]
            if not busy:
                return
            if time.monotonic() >= deadline:
                _log.warning("stopping after %.0f s with work left: %s", self._drain_seconds, ", ".join(busy))
                return
            now.wait(_POLL_SECONDS)

    def _failed(self) -> BaseException | None:
        return next((error for part in self._components if (error := part.failure()) is not None), None)
