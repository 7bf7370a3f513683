"""A node's metrics: what the observer hears, counted for Prometheus. The one door to prometheus_client.

Names, units and help are below, once; a dashboard is tested against them. No label takes a value that
grows with the work: ids of jobs, requests and accounts never become one.
"""

import functools
import importlib.metadata
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

PREFIX = "zkml_prover"
OTHER = "other"
"""Stands for a label value that is of no known form, or one too many."""
MAX_VALUES = 64
"""How many values one label takes."""

_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,79}")
_IDENTIFIER = re.compile(r"(?:0x)?[0-9a-fA-F]{40,}")
_WEI = 10**18

STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
WAIT_BUCKETS = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400)


class LabelValues:
    """The values that one label has taken so far; whatever is one too many becomes `other`."""

    def __init__(self, limit: int = MAX_VALUES) -> None:
        """Take at most `limit` values."""
        self._limit = limit
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, value: str) -> str:
        """Return the value, or `other` where it is too many, malformed or an id of something."""
        with self._lock:
            if value in self._known:
                return value
            if len(self._known) >= self._limit or not _VALUE.fullmatch(value) or _IDENTIFIER.search(value):
                return OTHER
            self._known.add(value)
            return value


@dataclass(frozen=True, slots=True)
class ChainRead:
    """The latest answer of the chain: when, by this machine's clock, and its latest block."""

    at: float
    head: int
    chain_seconds: int


class PrometheusObserver:
    """Counts what a node does, in a registry of its own. Implements `prover_nodes.observer.Observer`.

    Attributes:
        registry: of these metrics alone.
        last_chain_read: the latest answer of the chain, or None before the first.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Begin at nothing; `clock` gives seconds since 1970."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self.last_chain_read: ChainRead | None = None
        self._labels: dict[str, LabelValues] = {}
        ProcessCollector(namespace=PREFIX, registry=self.registry)
        self._count_work()
        self._count_stages()
        self._count_chain()
        info = self._gauge("build_info", "Version of the node; always 1.", "version")
        info.labels(version=importlib.metadata.version("zkml")).set(1)

    def _count_work(self) -> None:
        kind = "kind"
        self._seen = self._counter("work_seen", "Jobs opened and requests that arrived.", kind)
        self._skipped = self._counter("work_skipped", "Work that was left alone, by reason.", kind, "code")
        self._failed = self._counter(
            "work_failures", "Stages that failed, by error.", kind, "code", "given_up"
        )
        self._settled = self._counter("work_settled", "Work that was paid for.", kind)
        self._fees = self._counter(
            "fees_token_units", "Fees of settled work in the payment token's smallest unit.", kind
        )
        self._settled_gas = self._counter("settlement_gas", "Gas used by settling transactions.", kind)
        self._waited = self._histogram(
            "work_duration_seconds", "From opening or arrival to settlement.", WAIT_BUCKETS, kind
        )

    def _count_stages(self) -> None:
        self._stages = self._histogram(
            "stage_duration_seconds", "Stages that ended well.", STAGE_BUCKETS, "stage", "circuit"
        )
        self._queues = self._gauge("queue_length", "Work that waits for a stage or is in it.", "stage")
        self._proofs = self._histogram(
            "proof_duration_seconds",
            "Proofs made, by the device that worked.",
            STAGE_BUCKETS,
            "circuit",
            "device",
        )
        self._peak = self._gauge(
            "proof_peak_memory_bytes", "Peak resident memory of the latest proof.", "circuit"
        )

    def _count_chain(self) -> None:
        self._sent = self._counter(
            "transactions_sent", "Transactions broadcast for the first time.", "purpose", "replacement"
        )
        self._gas = self._counter("gas_used", "Gas of mined transactions.", "purpose", "succeeded")
        self._ether = self._counter("gas_cost_ether", "Ether paid for gas.", "purpose", "succeeded")
        self._head = self._gauge("chain_head_block", "Height of the latest block.")
        self._head_time = self._gauge("chain_head_timestamp_seconds", "Time of the latest block.")
        self._answered = self._gauge(
            "chain_last_answer_timestamp_seconds", "When the endpoint last answered, by this machine's clock."
        )
        self._chain_failures = self._counter("chain_failures", "Failures of the endpoint.", "code")
        self._reorgs = self._histogram(
            "reorg_depth_blocks", "Blocks that were replaced at once.", (1, 2, 3, 5, 8, 13, 32, 64)
        )

    # --- what the observer hears --------------------------------------------------------------------

    def work_seen(self, kind: str) -> None:
        """Count it."""
        self._seen.labels(self._value("kind", kind)).inc()

    def work_skipped(self, kind: str, code: str) -> None:
        """Count it by reason."""
        self._skipped.labels(self._value("kind", kind), self._value("code", code)).inc()

    def work_failed(self, kind: str, code: str, *, given_up: bool) -> None:
        """Count it by error."""
        self._failed.labels(self._value("kind", kind), self._value("code", code), str(given_up).lower()).inc()

    def work_settled(self, kind: str, *, fee: int, gas: int, seconds: float) -> None:
        """Count it, its fee and gas, and how long it took."""
        kind = self._value("kind", kind)
        self._settled.labels(kind).inc()
        self._fees.labels(kind).inc(fee)
        self._settled_gas.labels(kind).inc(gas)
        self._waited.labels(kind).observe(seconds)

    def stage_finished(self, stage: str, circuit: str, seconds: float) -> None:
        """Note how long it took."""
        self._stages.labels(self._value("stage", stage), self._value("circuit", circuit)).observe(seconds)

    def queue_changed(self, stage: str, length: int) -> None:
        """Note the length."""
        self._queues.labels(self._value("stage", stage)).set(length)

    def transaction_sent(self, purpose: str, *, replacement: bool) -> None:
        """Count it."""
        self._sent.labels(self._value("purpose", purpose), str(replacement).lower()).inc()

    def gas_spent(self, purpose: str, *, gas: int, wei: int, succeeded: bool) -> None:
        """Add it up."""
        labels = self._value("purpose", purpose), str(succeeded).lower()
        self._gas.labels(*labels).inc(gas)
        self._ether.labels(*labels).inc(wei / _WEI)

    def chain_read(self, head: int, chain_seconds: int) -> None:
        """Note the head, and that the endpoint answered."""
        self.last_chain_read = ChainRead(self._clock(), head, chain_seconds)
        self._head.set(head)
        self._head_time.set(chain_seconds)
        self._answered.set(self.last_chain_read.at)

    def chain_failed(self, code: str) -> None:
        """Count it by error."""
        self._chain_failures.labels(self._value("code", code)).inc()

    def reorg_seen(self, depth: int) -> None:
        """Note how deep it was."""
        self._reorgs.observe(depth)

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        """Note how long it took, and its memory."""
        circuit = self._value("circuit", circuit)
        self._proofs.labels(circuit, self._value("device", device)).observe(seconds)
        self._peak.labels(circuit).set(peak_bytes)

    # --- what is asked for when somebody scrapes ------------------------------------------------------

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever the metrics are; `name` without the prefix, with its unit."""
        self._gauge(name, meaning).set_function(read)

    def watch_many(
        self, name: str, meaning: str, label: str, values: Iterable[str], read: Callable[[str], float]
    ) -> None:
        """Add a gauge with one label, whose few values are known; see `watch`."""
        gauge = self._gauge(name, meaning, label)
        for value in values:
            gauge.labels(self._value(label, value)).set_function(functools.partial(read, value))

    def render(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def names(self) -> set[str]:
        """Return the name of every series that these metrics have, or can have once something happened."""
        found: set[str] = set()
        for family in self.registry.collect():
            suffixes = {
                "counter": ("_total",),
                "histogram": ("_bucket", "_count", "_sum"),
            }.get(family.type, ("",))
            found |= {family.name + suffix for suffix in suffixes}
        return found

    # --- how a metric is made -------------------------------------------------------------------------

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", meaning, labels, buckets=tuple(buckets), registry=self.registry)

    def _value(self, label: str, value: str) -> str:
        return self._labels.setdefault(label, LabelValues())(value)
