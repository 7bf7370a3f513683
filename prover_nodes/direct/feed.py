"""Where each request is, told to whoever listens: stages while they run, and changes of state.

Nothing here is remembered over a restart; the journal is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from zkml.core.progress import Progress, ProgressEvent

KEPT = 1_000
"""Requests whose last progress is kept."""

Listener = Callable[[], None]


@dataclass(slots=True)
class _Track:
    version: int = 0
    event: ProgressEvent | None = None
    listeners: list[Listener] = field(default_factory=list)


class Feed:
    """Progress by request id; thread-safe. Listeners are called from the thread that reports."""

    def __init__(self) -> None:
        self._tracks: OrderedDict[str, _Track] = OrderedDict()
        self._lock = threading.Lock()

    def reporter(self, request: str, beside: Progress) -> Progress:
        """Return a `Progress` that tells both this feed and `beside`."""

        def report(event: ProgressEvent) -> None:
            self._tell(request, event)
            beside(event)

        return report

    def changed(self, request: str) -> None:
        """Tell listeners that a request's state changed."""
        self._tell(request, None)

    def latest(self, request: str) -> tuple[int, ProgressEvent | None]:
        """Return how often there was news of a request, and where its stage is."""
        with self._lock:
            track = self._tracks.get(request)
            return (0, None) if track is None else (track.version, track.event)

    @contextmanager
    def listening(self, request: str, listener: Listener) -> Iterator[None]:
        """Have `listener` called at each news of a request."""
        with self._lock:
            self._track(request).listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                track = self._tracks.get(request)
                if track is not None and listener in track.listeners:
                    track.listeners.remove(listener)

    def _tell(self, request: str, event: ProgressEvent | None) -> None:
        with self._lock:
            track = self._track(request)
            track.version += 1
            track.event = event or track.event
            listeners = tuple(track.listeners)
        for listener in listeners:
            listener()

    def _track(self, request: str) -> _Track:
        track = self._tracks.setdefault(request, _Track())
        self._tracks.move_to_end(request)
        for old in list(self._tracks)[: max(0, len(self._tracks) - KEPT)]:
            if not self._tracks[old].listeners:
                del self._tracks[old]
        return track
