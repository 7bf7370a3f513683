"""Tell a caller where a stage is while a child process works on it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zkml.core.progress import Progress, ProgressEvent

OnTick = Callable[[float], None]


@contextmanager
def run_stage(progress: Progress, stage: str, expected_seconds: float | None = None) -> Iterator[OnTick]:
    """Report a stage's start, its ticks and its end; a stage that raises has no end.

    Yields:
        What a child process calls with its elapsed seconds. They are counted from the stage's start, since
        one stage may run several children.
    """
    started = time.monotonic()

    def report(*, finished: bool) -> None:
        elapsed = time.monotonic() - started
        progress(ProgressEvent(stage, elapsed, expected_seconds, finished))

    report(finished=False)
    yield lambda _elapsed: report(finished=False)
    report(finished=True)
