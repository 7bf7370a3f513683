"""What a node process uses, now and again: memory, descriptors, threads, and the size of its journal."""

import contextlib
import csv
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Sample:
    """One look at a process.

    Attributes:
        seconds: since the run began.
        rss_mib: resident memory of the node itself.
        children_mib: resident memory of all its children together: what they share counts for each.
        children: how many there are.
        descriptors: files, sockets and pipes that the node has open.
        threads: of the node itself.
        journal_mib: the journal with its log.
        journal_kib_per_piece: the same for each job and request that was settled; 0 before the first.
        settled: jobs and requests that were settled since the run began.
        load: the machine's load average of a minute.
    """

    seconds: float
    rss_mib: float
    children_mib: float
    children: int
    descriptors: int
    threads: int
    journal_mib: float
    journal_kib_per_piece: float
    settled: int
    load: float


class Sampler:
    """Looks at one process."""

    def __init__(self, pid: int, journal: Path) -> None:
        """Look at the process `pid`, and at the journal's files."""
        self._process = psutil.Process(pid)
        self._journal = journal
        self._began = time.monotonic()
        self._journal_began = self._journal_bytes()

    def sample(self, *, settled: int) -> Sample:
        """Look once.

        Args:
            settled: what was settled since the run began.

        Raises:
            psutil.NoSuchProcess: the node has ended.
        """
        seconds, process = time.monotonic() - self._began, self._process
        with process.oneshot():
            rss, threads, descriptors = process.memory_info().rss, process.num_threads(), process.num_fds()
        children = self._children()
        journal = self._journal_bytes()
        return Sample(
            seconds=round(seconds, 2),
            rss_mib=rss / MEBIBYTE,
            children_mib=sum(children) / MEBIBYTE,
            children=len(children),
            descriptors=descriptors,
            threads=threads,
            journal_mib=journal / MEBIBYTE,
            journal_kib_per_piece=(journal - self._journal_began) / 1024 / settled if settled else 0.0,
            settled=settled,
            load=psutil.getloadavg()[0],
        )

    def _children(self) -> list[int]:
        sizes = []
        for child in self._process.children(recursive=True):
            # It may have ended since it was listed.
            with contextlib.suppress(psutil.Error):
                sizes.append(child.memory_info().rss)
        return sizes

    def _journal_bytes(self) -> int:
        total = 0
        for path in self._journal.parent.glob(f"{self._journal.name}*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total


class SampleFile:
    """Samples as comma-separated values, written as they come; nowhere where no path is given."""

    def __init__(self, path: Path | None) -> None:
        """Write the heading."""
        self._path = path
        if path is not None:
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(field.name for field in fields(Sample))

    def add(self, sample: Sample) -> None:
        """Write one line."""
        if self._path is not None:
            values: Sequence[float] = list(asdict(sample).values())
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(f"{value:.6g}" for value in values)
