"""What the stages of the direct service share."""

import threading
from dataclasses import dataclass, field

from prover_nodes.admission import Admission
from prover_nodes.direct.catalogue import Catalogue
from prover_nodes.direct.feed import Feed
from prover_nodes.direct.fees import FeePolicy
from prover_nodes.direct.journal import RequestJournal
from prover_nodes.direct.ports import Deliveries, TabMarket
from prover_nodes.halting import Halt
from prover_nodes.observer import Observer
from prover_nodes.policy import Policy
from prover_nodes.ports import Circuit
from prover_nodes.slots import Promise
from zkml.config.settings import ApiSettings
from zkml.core.ports.clock import Clock
from zkml.core.progress import Progress

WORK_KIND = "request"
"""What observers are told this work is."""


class PromiseBook:
    """The proofs that were promised to requests. Thread-safe."""

    def __init__(self, admission: Admission) -> None:
        """Begin with none."""
        self._admission = admission
        self._kept: dict[str, Promise] = {}
        self._lock = threading.Lock()

    def keep(self, request: str, promise: Promise) -> None:
        """Keep the promise that was made to a request, unless it has one already."""
        with self._lock:
            kept = self._kept.setdefault(request, promise)
        if kept is not promise:
            self._admission.slots.withdraw(promise)

    def of(self, request: str, circuit: Circuit) -> Promise:
        """Return a request's promise; after a restart it is made anew, whatever else waits."""
        with self._lock:
            promise = self._kept.get(request)
        if promise is None:
            self.keep(request, self._admission.owe(circuit))
        with self._lock:
            return self._kept[request]

    def drop(self, request: str) -> None:
        """Withdraw a request's promise, if it has one."""
        with self._lock:
            promise = self._kept.pop(request, None)
        if promise is not None:
            self._admission.slots.withdraw(promise)


@dataclass(frozen=True, slots=True)
class DirectParts:
    """What the stages work with.

    Attributes:
        market: the tabs, as this prover sees them.
        deliveries: this prover's transactions.
        journal: this node's memory of requests.
        catalogue: the models it answers for.
        fees: what it asks.
        policy: what it trusts, and how deep is deep enough.
        admission: what can be promised.
        promises: what was.
        feed: tells where each request is.
        observer: counts what happens.
        clock: for durations and waiting.
        progress: told what the feed is told.
        halt: ends everything that waits.
        api: limits and margins.
    """

    market: TabMarket
    deliveries: Deliveries
    journal: RequestJournal
    catalogue: Catalogue
    fees: FeePolicy
    policy: Policy
    admission: Admission
    promises: PromiseBook
    observer: Observer
    clock: Clock
    progress: Progress
    halt: Halt
    api: ApiSettings
    feed: Feed = field(default_factory=Feed)
