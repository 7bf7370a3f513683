"""The port of wall-clock time. Deadlines are chain time and never come from here."""

from typing import Protocol


class Clock(Protocol):
    """Time on this machine."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
