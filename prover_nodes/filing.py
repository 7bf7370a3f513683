"""File what a stage gave before the next begins, and say how long it took."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from prover_nodes.journal import AnyRecord, Case, Journal, Stage
from prover_nodes.observer import Observer
from prover_nodes.ports import Circuit
from prover_nodes.work import label_of
from zkml.core.progress import Progress, ProgressEvent


@dataclass(frozen=True, slots=True)
class Filing:
    """What every stage does alike.

    Attributes:
        journal: keeps what stages gave.
        progress: told where each stage is.
        observer: told what each stage took.
    """

    journal: Journal
    progress: Progress
    observer: Observer

    def filed(
        self,
        case: Case,
        circuit: Circuit | None,
        stage: Stage,
        kind: type[AnyRecord],
        make: Callable[[], AnyRecord],
    ) -> AnyRecord:
        """Return the filed output of a stage, or run the stage and file what it gives."""
        found = self.journal.read(case, stage, kind)
        if found is not None:
            return found
        record = self.timed(stage, circuit, make)
        self.journal.file(case, stage, record)
        return record

    def timed(self, stage: str, circuit: Circuit | None, make: Callable[[], AnyRecord]) -> AnyRecord:
        """Run a stage and tell what it took."""
        # The proof system reports on its own stages, and knows how long they should take.
        reports = stage not in (Stage.WITNESS, Stage.PROVE)
        started = time.monotonic()
        if reports:
            self.progress(ProgressEvent(str(stage)))
        record = make()
        seconds = time.monotonic() - started
        if reports:
            self.progress(ProgressEvent(str(stage), seconds, finished=True))
        self.observer.stage_finished(str(stage), "" if circuit is None else label_of(circuit), seconds)
        return record
