"""A steady stream of jobs and requests for one node, until told to end."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.node_processes import NodeProcess
from benchmarks.request_load import Client, wait_for_offer
from benchmarks.small_market import SmallMarket
from benchmarks.traded_model import TradedModel
from zkml.core.job_machine import JobStatus
from zkml.errors import ServiceError

MOST_OPEN = 4
"""Jobs that wait at once: a node that falls behind gets no more."""
MOST_CALLS = 10_000


class SteadyWork:
    """Opens a job and asks a request every few seconds; use it in a `with` statement.

    Attributes:
        jobs: opened so far.
        requests: answered and verified so far.
        troubles: requests that the node put off or did not answer.
    """

    def __init__(self, small: SmallMarket, node: NodeProcess, home: Path, *, every_seconds: float) -> None:
        """Prepare it: a client opens its tab."""
        self.jobs = self.requests = self.troubles = 0
        self._small, self._node, self._every = small, node, every_seconds
        self._inputs = _Inputs(small.model)
        self._open: set[bytes] = set()
        wait_for_offer(node)
        self._client = Client(small, node, home, calls=MOST_CALLS)
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._repeat, args=(step,), name=name, daemon=True)
            for name, step in (("jobs", self._open_job), ("requests", self._ask))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def check(self) -> None:
        """Raise what ended a thread."""
        if self._failure is not None:
            raise self._failure

    def _repeat(self, step: Callable[[], Any]) -> None:
        try:
            while not self._over.wait(self._every):
                step()
        except BaseException as error:  # noqa: BLE001 whoever measures raises it
            self._failure = error

    def _open_job(self) -> None:
        manager = self._small.market.manager
        self._open = {job for job in self._open if manager.status(job) is not JobStatus.SETTLED}
        if len(self._open) < MOST_OPEN:
            packed = self._small.system.quantize_input(self._small.bundle, next(self._inputs))
            self._open.add(self._small.open_job(packed))
            self.jobs += 1

    def _ask(self) -> None:
        try:
            self._client.ask(next(self._inputs))
            self.requests += 1
        except ServiceError:
            self.troubles += 1


class _Inputs(Iterator[np.ndarray]):
    """Inputs of the model without end, for several threads."""

    def __init__(self, model: TradedModel) -> None:
        self._model, self._seeds, self._lock = model, itertools.count(23), threading.Lock()

    def __next__(self) -> np.ndarray:
        with self._lock:
            [drawn] = self._model.draw(1, seed=next(self._seeds))
            return drawn
