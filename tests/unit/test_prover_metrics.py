"""A node's metrics: what the observer hears is what a scraper reads, and no label grows with the work."""

import inspect
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from prover_nodes.metrics import MAX_VALUES, OTHER, PrometheusObserver
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.slots import ProvingSlots
from prover_nodes.vitals import watch_gpus, watch_slots, watch_state
from zkml.adapters.system_clock import SystemClock
from zkml.core.ports.gpu import Gpu

GPU = Gpu(0, "GPU-1", "a device", memory_bytes=80, used_bytes=20, utilisation_percent=25)


@pytest.fixture
def metrics():
    return PrometheusObserver(clock=lambda: 1_000.0)


def samples(metrics) -> dict[tuple[str, tuple], float]:
    """Return every sample of a scrape by name and labels, read as Prometheus reads it."""
    body, kind = metrics.render()
    assert kind.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(metrics, name, **labels) -> float:
    """Return one sample."""
    return samples(metrics)[f"zkml_prover_{name}", tuple(sorted(labels.items()))]


def test_observer__has_every_method_of_the_protocol():
    """Whatever a node tells an observer, the metrics hear, with the same arguments."""
    for name, method in inspect.getmembers(SilentObserver, inspect.isfunction):
        assert inspect.signature(method) == inspect.signature(getattr(PrometheusObserver, name)), name
        assert hasattr(Observer, name)


def test_observer__what_is_told__is_counted(metrics):
    """Work, fees, gas, stages and the chain's head are in the scrape, in their units."""
    metrics.work_seen("job")
    metrics.work_skipped("job", "fee-too-low")
    metrics.work_failed("request", "ZK-PRV-004", given_up=True)
    metrics.work_settled("job", fee=2_000_000, gas=400_000, seconds=31.0)
    metrics.stage_finished("prove", "digits@01234567", 2.5)
    metrics.queue_changed("settle", 3)
    metrics.transaction_sent("claim", replacement=True)
    metrics.gas_spent("claim", gas=100_000, wei=2 * 10**15, succeeded=True)
    metrics.chain_read(77, 990)
    metrics.chain_failed("ZK-CHN-002")
    metrics.reorg_seen(3)
    metrics.proof_made("digits@01234567", device="gpu", seconds=2.0, peak_bytes=5 << 30)
    assert value(metrics, "work_seen_total", kind="job") == 1
    assert value(metrics, "work_skipped_total", kind="job", code="fee-too-low") == 1
    assert value(metrics, "work_failures_total", kind="request", code="ZK-PRV-004", given_up="true") == 1
    assert value(metrics, "fees_token_units_total", kind="job") == 2_000_000
    assert value(metrics, "settlement_gas_total", kind="job") == 400_000
    assert value(metrics, "work_duration_seconds_sum", kind="job") == 31.0
    assert value(metrics, "stage_duration_seconds_count", stage="prove", circuit="digits@01234567") == 1
    assert value(metrics, "queue_length", stage="settle") == 3
    assert value(metrics, "transactions_sent_total", purpose="claim", replacement="true") == 1
    assert value(metrics, "gas_cost_ether_total", purpose="claim", succeeded="true") == pytest.approx(0.002)
    assert value(metrics, "chain_head_block") == 77
    assert value(metrics, "chain_last_answer_timestamp_seconds") == 1_000.0
    assert value(metrics, "chain_failures_total", code="ZK-CHN-002") == 1
    assert value(metrics, "reorg_depth_blocks_sum") == 3
    assert value(metrics, "proof_duration_seconds_sum", circuit="digits@01234567", device="gpu") == 2.0
    assert value(metrics, "proof_peak_memory_bytes", circuit="digits@01234567") == 5 << 30


@pytest.mark.parametrize("circuit", ["0x" + "ab" * 32, "a" * 81, "two\nlines", "", "0x" + "12" * 20])
def test_labels__an_id_or_a_strange_text__is_other(metrics, circuit):
    """Ids of jobs and accounts, and what a stranger might write, never become a label's value."""
    metrics.stage_finished("prove", circuit, 1.0)
    assert value(metrics, "stage_duration_seconds_count", stage="prove", circuit=OTHER) == 1


def test_labels__more_values_than_allowed__are_one(metrics):
    """A label takes a bounded number of values, so that a stranger cannot fill Prometheus."""
    for number in range(MAX_VALUES + 10):
        metrics.work_skipped("job", f"code-{number}")
    codes = {dict(labels)["code"] for name, labels in samples(metrics) if name.endswith("work_skipped_total")}
    assert len(codes) == MAX_VALUES + 1
    assert value(metrics, "work_skipped_total", kind="job", code=OTHER) == 10


def test_vitals__are_read_at_each_scrape(metrics):
    """Slots, readiness and GPUs show the state of the moment, and a GPU that is gone shows nothing."""
    clock, gpus, ready = SystemClock(), [GPU], [True]
    slots = ProvingSlots(2, 10, clock)
    watch_slots(metrics, slots)
    watch_state(metrics, is_ready=lambda: ready[0], is_draining=lambda: not ready[0])
    watch_gpus(metrics, lambda: tuple(gpus), Ticking())
    assert value(metrics, "gpu_utilisation_ratio", gpu="0") == 0.25
    slots.promise(5.0, 1)
    ready[0] = False
    gpus.clear()
    assert value(metrics, "proofs_waiting") == 1
    assert (value(metrics, "ready"), value(metrics, "draining")) == (0, 1)
    assert value(metrics, "gpu_memory_used_bytes", gpu="0") != value(
        metrics, "gpu_memory_used_bytes", gpu="0"
    )


class Ticking:
    """A clock on which every look is long after the one before."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 60
        return self.now


def test_names__follow_prometheus_conventions(metrics):
    """Every name has the prefix and, where it counts, `_total`; base units only."""
    for name in metrics.names():
        assert re.fullmatch(r"zkml_prover_[a-z0-9_]+", name)
        assert not re.search(r"_(ms|millis|minutes|mib|kb|percent|gwei)(_|$)", name)
