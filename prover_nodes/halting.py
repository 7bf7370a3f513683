"""The end of everything that waits: a proof, a transaction, a confirmation.

What is cut short lies in the journal up to its last stage, and the next start goes on there.
"""

import threading

from zkml.core.ports.clock import Clock
from zkml.core.progress import Progress, ProgressEvent


class Halted(BaseException):
    """The node was told to stop at once; no handler of errors may hold it up."""


class Halt:
    """A flag that ends what waits. Thread-safe."""

    def __init__(self) -> None:
        """Begin with nothing halted."""
        self._event = threading.Event()

    def set(self) -> None:
        """End everything that waits, now and until `clear`."""
        self._event.set()

    def clear(self) -> None:
        """Let work begin again."""
        self._event.clear()

    def is_set(self) -> bool:
        """Say whether everything is to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Halted if everything is to end."""
        if self._event.is_set():
            raise Halted

    def wait(self, seconds: float) -> None:
        """Wait; raise Halted as soon as everything is to end."""
        if self._event.wait(seconds):
            raise Halted


class HaltingClock:
    """This machine's clock, on which nobody sleeps beyond the halt."""

    def __init__(self, clock: Clock, halt: Halt) -> None:
        """Take time from a clock."""
        self._clock = clock
        self._halt = halt

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; raise Halted as soon as everything is to end."""
        self._halt.wait(seconds)


def halting_progress(progress: Progress, halt: Halt) -> Progress:
    """Return a `Progress` that ends the stage that reports to it once everything is to end.

    A child process reports several times a second, and dies with the call that waits for it.
    """

    def report(event: ProgressEvent) -> None:
        halt.check()
        progress(event)

    return report
