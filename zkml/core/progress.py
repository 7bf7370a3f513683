"""How long work tells its caller where it is: one event, one callback, no printing."""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """Where a stage is.

    Attributes:
        stage: what is going on, e.g. `prove`.
        elapsed_seconds: time since the stage began.
        expected_seconds: how long it should take in all, or None when nobody knows.
        finished: True once, when the stage ends.
        note: a short remark, e.g. a measured figure.
    """

    stage: str
    elapsed_seconds: float = 0.0
    expected_seconds: float | None = None
    finished: bool = False
    note: str = ""


Progress = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Ignore an event: the default of every function that takes a `Progress`."""


def labelled(progress: Progress, label: Callable[[], str]) -> Progress:
    """Return a `Progress` that puts the label of the moment before each stage's name."""

    def report(event: ProgressEvent) -> None:
        progress(replace(event, stage=f"{label()}: {event.stage}" if label() else event.stage))

    return report
