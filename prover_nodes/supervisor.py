"""What runs beside each other in one node process, and how it ends: drained first, then stopped."""

from typing import Protocol


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
        """End, done or not; returns when its threads have ended."""

    def problem(self) -> str:
        """Return why it cannot do its work now, on one line; empty where it can."""
