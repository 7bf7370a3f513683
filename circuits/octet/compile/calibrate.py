"""Ranges: which real numbers each tensor takes on calibration data (octet.md 3.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.real_graph import RealGraph, evaluate
from zkml.errors import CalibrationError

MAX_KEPT = 1 << 22
"""Cells of one tensor that are kept for a percentile; beyond them every second one is dropped."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The range of every tensor by its name: (lowest, highest), lowest <= highest."""

    bounds: dict[str, tuple[float, float]]
    samples: int


def calibrate(
    graph: RealGraph, samples: Iterable[Mapping[str, NDArray[Any]]], percentile: float = 100.0
) -> Ranges:
    """Return the ranges that a network's tensors take on samples.

    Args:
        graph: the network in reals.
        samples: for every input, reals of its shape. At least one sample.
        percentile: share of the cells that the range must hold, in percent, the rest cut off in equal
            parts below and above; 100 takes the lowest and the highest cell. Range: above 50 to 100.

    Raises:
        CalibrationError: no sample, or a tensor that is not finite.
    """
    if not 50.0 < percentile <= 100.0:
        raise ValueError(f"expected a percentile above 50 to 100, found {percentile}")
    seen: dict[str, list[NDArray[np.float64]]] = {}
    count = 0
    for sample in samples:
        count += 1
        for name, values in evaluate(graph, sample).items():
            if not np.isfinite(values).all():
                raise CalibrationError(
                    f"expected finite numbers, found NaN or infinity in {name!r:.120} at sample {count - 1}",
                    hint="calibrate with inputs of the model's domain",
                )
            cells = values.ravel()
            if percentile == 100.0:
                cells = np.array([cells.min(), cells.max()])
            seen.setdefault(name, []).append(cells)
    if count == 0:
        raise CalibrationError("expected at least one sample to calibrate with, found none")
    return Ranges({name: _range(cells, percentile) for name, cells in seen.items()}, count)


def _range(parts: list[NDArray[np.float64]], percentile: float) -> tuple[float, float]:
    cells = np.concatenate(parts)
    while cells.size > MAX_KEPT:
        cells = cells[::2]
    outside = (100.0 - percentile) / 2
    low, high = np.percentile(cells, [outside, 100.0 - outside])
    return float(low), float(high)
