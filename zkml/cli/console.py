"""What a command prints: data on stdout, everything else on stderr."""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.errors import ZkmlError


class Console:
    """One command's voice.

    Args:
        as_json: print exactly one JSON object on stdout, also on failure.
        quiet: print nothing on stderr but errors.
        verbose: 0, 1 (remarks of programs underneath) or 2 (tracebacks).
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: int = 0) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self._rich = RichConsole(stderr=True, highlight=False, soft_wrap=True)

    def result(self, value: Mapping[str, Any], text: str) -> None:
        """Print the command's result: `value` as JSON, or `text` for people."""
        sys.stdout.write((json.dumps(value, indent=2) if self.as_json else harmless(text)) + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a remark on stderr."""
        if not self.quiet:
            self._rich.print(harmless(text), markup=False)

    def failure(self, error: ZkmlError) -> None:
        """Print an error in one line, and the next step in another."""
        if self.as_json:
            sys.stdout.write(json.dumps({"error": error.as_json()}, indent=2) + "\n")
            sys.stdout.flush()
        self._rich.print(f"error: {_one_line(error.message)} [{error.code}]", markup=False)
        if error.hint:
            self._rich.print(f"hint: {_one_line(error.hint)}", markup=False)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show the stages of long work on stderr: a bar on a terminal, a line each elsewhere."""
        if self.quiet:
            yield silent
            return
        if not self._rich.is_terminal:
            yield self._line
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=self._rich, transient=True) as bars:
            yield _Bars(bars, self._line)

    def _line(self, event: ProgressEvent) -> None:
        if event.finished:
            note = f"  {event.note}" if event.note else ""
            self._rich.print(f"  {event.stage:<44} {event.elapsed_seconds:6.1f} s{note}", markup=False)


class _Bars:
    """A bar for each stage at work; a stage that has ended leaves its line above them."""

    def __init__(self, bars: RichProgress, finish: Progress) -> None:
        self._bars = bars
        self._finish = finish
        self._tasks: dict[str, Any] = {}
        # A node's lanes report from several threads, and stages of two jobs may have one name.
        self._lock = threading.Lock()

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        with self._lock:
            self._show(event)

    def _show(self, event: ProgressEvent) -> None:
        if event.finished:
            if event.stage in self._tasks:
                self._bars.remove_task(self._tasks.pop(event.stage))
            self._finish(event)
            return
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(event.stage, total=None, note="")
        task = self._tasks[event.stage]
        if event.expected_seconds:
            # An estimate is no promise: the bar waits at 99 % for the work to end.
            done = min(event.elapsed_seconds / event.expected_seconds, 0.99)
            self._bars.update(task, total=1, completed=done, note=event.note)
        else:
            self._bars.update(task, note=event.note)


def harmless(text: str) -> str:
    """Escape what moves a terminal's cursor or changes its colours: names and files come from strangers."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _one_line(text: str) -> str:
    return harmless(text.replace("\n", " "))


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Lay out a table as plain text, numbers to the right."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]

    def is_number(text: str) -> bool:
        return text[:1].isdigit() or text[:1] in "-+."

    def line(cells: list[str], *, head: bool = False) -> str:
        parts = []
        for i, cell in enumerate(cells):
            right = all(is_number(row[i]) for row in rows) if head else is_number(cell)
            parts.append(cell.rjust(widths[i]) if right else cell.ljust(widths[i]))
        return "  ".join(parts).rstrip()

    return "\n".join([line(headers, head=True), *(line(row) for row in rows)])
