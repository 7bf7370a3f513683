"""This machine's clock."""

import time


class SystemClock:
    """Implements `zkml.core.ports.clock.Clock`."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
