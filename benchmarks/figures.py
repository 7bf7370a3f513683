"""Sums over measured values: percentiles, slopes, thirds of a run, and the metrics that a node shows."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \d+)?$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')

PERCENT_AROUND = 5.0
"""A median this close to another one counts as equal, in percent of it."""


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the least value that `percent` of all are not above (nearest rank); NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much values grow in an hour, as the line of least squares says.

    Args:
        points: seconds, and the value then.

    Returns:
        NaN where all points are of one moment.
    """
    if len({seconds for seconds, _ in points}) < 2:
        return math.nan
    seconds, values = zip(*points, strict=True)
    return 3600 * statistics.linear_regression(seconds, values).slope


@dataclass(frozen=True)
class Spread:
    """Least, middle and greatest value of a part of a run."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Trend:
    """How a value went through a run.

    Attributes:
        thirds: its spread in each third of the time.
        per_hour: how much it grew in an hour over the last two thirds: a program that starts grows.
        is_flat: whether the medians of the last two thirds are as good as equal.
    """

    thirds: tuple[Spread, Spread, Spread]
    per_hour: float
    is_flat: bool


def trend_of(points: Sequence[tuple[float, float]], *, around: float) -> Trend:
    """Return how a value went through a run.

    Args:
        points: seconds, and the value then, in order; at least three of them.
        around: a difference of medians that counts as none, besides 5 % of them.

    Raises:
        ValueError: some third of the run has no value.
    """
    first, last = points[0][0], points[-1][0]
    length = (last - first) / 3
    parts: list[list[float]] = [[], [], []]
    for seconds, value in points:
        parts[min(2, int((seconds - first) / length)) if length else 2].append(value)
    if not all(parts):
        raise ValueError(f"expected values in each third of a run, found {[len(part) for part in parts]}")
    start, middle, end = (Spread(min(part), statistics.median(part), max(part)) for part in parts)
    allowed = max(around, abs(middle.median) * PERCENT_AROUND / 100)
    settled = [point for point in points if point[0] >= first + length]
    return Trend((start, middle, end), slope_per_hour(settled), abs(end.median - middle.median) <= allowed)


def read_metrics(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples of Prometheus' text format, by name and labels."""
    found = {}
    for line in text.splitlines():
        matched = None if line.startswith("#") else _SAMPLE.match(line)
        if matched is not None:
            labels = frozenset(_LABEL.findall(matched["labels"] or ""))
            found[matched["name"], labels] = float(matched["value"])
    return found


def total(metrics: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    """Return the sum of all samples of a name that have these labels, whatever others they have."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in metrics.items() if found == name and wanted <= has)


def show_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table whose first row is the heading: the first column left, others right."""
    assert all(len(a) == len(b) for a, b in pairwise(rows))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
