"""What this machine's kernels do, measured now: products of field elements, and multi-scalar products."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.octet_model import FULL_BITS
from circuits.octet.native.kernels import Native, Points
from circuits.octet.native.words import Words

REPEATS = 5


class Rates:
    """Rates of one thread by its processor time, measured when they are first asked for.

    Attributes:
        products_per_second: of the scalar field.
        base_products_per_second: the same of the field of the coordinates.
    """

    def __init__(self, native: Native, points: Points) -> None:
        """Measure the products.

        Args:
            native: the kernels.
            points: enough for every size that will be asked for.
        """
        self.products_per_second = max(native.multiply_rate("Fr") for _ in range(REPEATS))
        self.base_products_per_second = max(native.multiply_rate("Fq") for _ in range(REPEATS))
        self._points = points
        self._found: dict[tuple[int, int], float] = {}

    def msm_seconds(self, count: int, bits: int) -> float:
        """Return the least time of some multiplications of random scalars of so many bits."""
        if not count:
            return 0.0
        if (count, bits) not in self._found:
            self._found[count, bits] = self._measure(count, bits)
        return self._found[count, bits]

    def _measure(self, count: int, bits: int) -> float:
        if bits == FULL_BITS:
            return best_seconds(partial(self._points.multiply, random_words(count, count)))
        scalars = np.random.default_rng(count).integers(0, 1 << bits, count, dtype=np.uint64)
        return best_seconds(partial(self._points.multiply_small, scalars, bits))


def random_words(count: int, seed: int) -> Words:
    """Return field elements below 2^252, the same in each run."""
    words = np.random.default_rng(seed).integers(0, 1 << 63, (count, 4), dtype=np.uint64)
    words[:, 3] >>= np.uint64(3)
    return words


def best_seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the shortest processor time of some runs: others on the machine disturb it least."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)
