"""How OCTET's time and memory grow with the rows: two convolutions over ever larger images."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from statistics import linear_regression, median

import numpy as np
from onnx import helper

from benchmarks.figures import show_table
from benchmarks.octet_cases import Case, convolution, write_network
from benchmarks.octet_runs import measure
from benchmarks.plot import Series, log_plot
from benchmarks.process_samples import MEBIBYTE

FIRST_LOG_ROWS = 10
STEP = 2
CHANNELS = 8
REPEATS = 3
FITTED_FROM = 14
"""The exponent is of these rows and more: below, what every proof costs is most of it."""


@dataclass(frozen=True)
class Grown:
    """What proofs of one size cost.

    Attributes:
        log_rows: log2 of the rows.
        seconds: witness and proof, the middle run.
        prove: the proof alone.
        peak_bytes: of the process that proved, its interpreter included.
    """

    log_rows: int
    seconds: float
    prove: float
    peak_bytes: int


def measure_growth(cache: Path, largest: int, threads: int) -> list[Grown]:
    """Prove networks of 2^10 rows, 2^12 and so on.

    Args:
        cache: where setups are kept.
        largest: log2 of the most rows.
        threads: of a proof.
    """
    found = []
    for log_rows in range(FIRST_LOG_ROWS, largest + 1, STEP):
        run = measure("octet", images(cache, log_rows), cache, repeats=REPEATS, threads=threads)
        found.append(Grown(run.log_rows, run.seconds, median(run.prove), run.peak_bytes))
    return found


def images(folder: Path, log_rows: int) -> Case:
    """Return a network whose two layers of eight channels fill 2^log_rows rows between them.

    Args:
        folder: to write to.
        log_rows: even, at least 8.
    """
    side = 1 << (log_rows - 4) // 2
    draw = np.random.default_rng(log_rows)
    weights = {
        "w1": draw.normal(size=(CHANNELS, 1, 3, 3)) / 3,
        "w2": draw.normal(size=(CHANNELS, CHANNELS, 3, 3)) / 9,
    }
    nodes = [
        convolution("input", "w1", "c1", kernel=3, pad=1),
        helper.make_node("Relu", ["c1"], ["r1"]),
        convolution("r1", "w2", "c2", kernel=3, pad=1),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["output"]),
    ]
    name = f"growth-{log_rows}"
    path = write_network(folder / f"{name}.onnx", nodes, weights, (1, 1, side, side), (1, CHANNELS, 1, 1))
    samples = np.random.default_rng(1).uniform(0, 1, (2, side * side)).astype(np.float32)
    return Case(name, path, samples)


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Return p of value ~ rows^p, by least squares of the logarithms.

    Args:
        points: log2 of the rows, and the value; at least two.
    """
    logs, values = zip(*points, strict=True)
    return linear_regression(logs, [log2(value) for value in values]).slope


def show(grown: Sequence[Grown]) -> str:
    """Return the table, and the exponents of its upper part."""
    table = [["rows", "s", "prove s", "us a row", "MiB", "bytes a row"]]
    for item in grown:
        rows = 1 << item.log_rows
        table.append(
            [
                f"2^{item.log_rows}",
                f"{item.seconds:.3f}",
                f"{item.prove:.3f}",
                f"{item.prove / rows * 1e6:.2f}",
                f"{item.peak_bytes / MEBIBYTE:.0f}",
                f"{item.peak_bytes / rows:.0f}",
            ]
        )
    lines = [show_table(table)]
    upper = [item for item in grown if item.log_rows >= FITTED_FROM]
    if len(upper) > 1:
        time = exponent([(item.log_rows, item.prove) for item in upper])
        memory = exponent([(item.log_rows, item.peak_bytes) for item in upper])
        lines.append(
            f"from 2^{upper[0].log_rows} on: time of a proof ~ rows^{time:.2f}, memory ~ rows^{memory:.2f}"
        )
    return "\n".join(lines)


def plot(grown: Sequence[Grown]) -> str:
    """Return both curves as SVG, each beside a line of slope one through its last point."""
    logs = [item.log_rows for item in grown]
    last = grown[-1]
    time = [item.prove for item in grown]
    memory = [item.peak_bytes / MEBIBYTE for item in grown]
    linear = [2.0 ** (log_rows - last.log_rows) for log_rows in logs]
    return log_plot(
        logs,
        [
            Series("proof, s", time),
            Series("linear", [last.prove * share for share in linear], dashed=True),
            Series("memory, MiB", memory),
            Series("linear", [memory[-1] * share for share in linear], dashed=True),
        ],
        title="OCTET: time and memory of a proof by rows",
        across="log2 of the rows",
    )
