"""Whether a node is alive and whether it is ready, as a load balancer or a service manager asks."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zkml.core.ports.clock import Clock
from zkml.errors import ZkmlError

Check = Callable[[], str]
"""Returns an empty string where all is well, else what is not, on one line; may raise a ZkmlError."""

KEEP_SECONDS = 2.0
"""For so long an answer is given again: whoever asks in a loop must not become the chain's load."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checks found.

    Attributes:
        problems: what is wrong, by the name of the check; empty where all is well.
    """

    problems: Mapping[str, str]

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Health:
    """The checks of one node. Thread-safe."""

    def __init__(self, *, alive: Mapping[str, Check], ready: Mapping[str, Check], clock: Clock) -> None:
        """Use these checks, by name.

        Args:
            alive: of what only a restart would mend.
            ready: of what keeps the node from taking work on.
            clock: says how old an answer is.
        """
        self._alive = alive
        self._ready = ready
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[float, Verdict] | None = None

    def is_alive(self) -> Verdict:
        """Ask what a restart would mend."""
        return _ask(self._alive)

    def is_ready(self) -> Verdict:
        """Ask everything; an answer is kept for `KEEP_SECONDS`."""
        with self._lock:
            now = self._clock.monotonic()
            if self._kept is None or now - self._kept[0] >= KEEP_SECONDS:
                self._kept = now, _ask(self._alive, self._ready)
            return self._kept[1]


def _ask(*groups: Mapping[str, Check]) -> Verdict:
    problems: dict[str, str] = {}
    for name, check in (entry for group in groups for entry in group.items()):
        try:
            found = check()
        except ZkmlError as error:
            found = f"{error.code}: {error.message}"
        if found:
            problems.setdefault(name, found)
    return Verdict(problems)
