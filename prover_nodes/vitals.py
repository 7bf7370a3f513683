"""Gauges that are read when somebody scrapes: slots, readiness, GPUs. Nothing here waits for the chain."""

import functools
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from prover_nodes.metrics import PrometheusObserver
from prover_nodes.slots import ProvingSlots
from zkml.core.ports.clock import Clock
from zkml.core.ports.gpu import Gpu

KEEP_SECONDS = 1.0
"""One scrape reads the driver once."""


def watch_slots(metrics: PrometheusObserver, slots: ProvingSlots) -> None:
    """Show how many proofs are made at once, and how many are promised."""
    metrics.watch("proving_slots", "Proofs that may be made at once.", lambda: slots.count)
    metrics.watch("proofs_running", "Proofs being made.", slots.running)
    metrics.watch("proofs_waiting", "Promised proofs that have not begun.", slots.waiting)
    metrics.watch("proof_wait_seconds", "How long a proof promised now would wait.", slots.seconds_until_free)


def watch_state(
    metrics: PrometheusObserver, *, is_ready: Callable[[], bool], is_draining: Callable[[], bool]
) -> None:
    """Show whether the node takes work on; neither function may wait for long."""
    metrics.watch("ready", "Whether the node takes work on, as /readyz says: 1 or 0.", is_ready)
    metrics.watch("draining", "Whether the node only finishes what it promised: 1 or 0.", is_draining)


def watch_gpus(metrics: PrometheusObserver, read: Callable[[], tuple[Gpu, ...]], clock: Clock) -> None:
    """Show what the driver says of each GPU that is there now."""
    driver = _Driver(read, clock)
    names = [str(gpu.index) for gpu in driver.gpus()]

    def watch(name: str, meaning: str, of: Callable[[Gpu], float | None]) -> None:
        metrics.watch_many(name, meaning, "gpu", names, functools.partial(driver.figure, of))

    watch("gpu_memory_bytes", "Memory of the GPU.", lambda gpu: gpu.memory_bytes)
    watch("gpu_memory_used_bytes", "Memory of the GPU in use, by anybody.", lambda gpu: gpu.used_bytes)
    watch("gpu_utilisation_ratio", "Share of time in which the GPU worked, 0 to 1.", _utilisation)


@dataclass(eq=False)
class _Driver:
    """The GPU driver, asked once for all figures of a scrape."""

    read: Callable[[], tuple[Gpu, ...]]
    clock: Clock
    _kept: tuple[float, tuple[Gpu, ...]] | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def gpus(self) -> tuple[Gpu, ...]:
        with self._lock:
            now = self.clock.monotonic()
            if self._kept is None or now - self._kept[0] >= KEEP_SECONDS:
                self._kept = now, self.read()
            return self._kept[1]

    def figure(self, of: Callable[[Gpu], float | None], name: str) -> float:
        found = next((of(gpu) for gpu in self.gpus() if str(gpu.index) == name), None)
        return math.nan if found is None else float(found)


def _utilisation(gpu: Gpu) -> float | None:
    return None if gpu.utilisation_percent is None else gpu.utilisation_percent / 100
