"""How long from a request or a job to its settlement, with each proof system beside the other?

One node, one client, one thing at a time: nobody waits for anybody else. The chain mines each transaction at
once, so that what is measured is the work of client and node, not the pace of blocks.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chain_watch import ChainWatch, gas_spent
from benchmarks.figures import percentile, show_table, total
from benchmarks.machine import describe
from benchmarks.node_processes import NodeProcess, run_nodes, wait_for
from benchmarks.request_load import measure_requests
from benchmarks.small_market import SmallMarket, open_small_market
from benchmarks.traded_model import MODELS

SYSTEMS = ("ezkl", "octet")
STAGES = "zkml_prover_stage_duration_seconds"


@dataclass(frozen=True)
class JobLatency:
    """Jobs opened one after the other, each when the one before was settled. Times in seconds.

    Attributes:
        jobs: how many.
        settled_p50, settled_p99: from the opening to the settlement as the chain shows it.
        prove_mean: of them the node's proof.
        gas: of one settlement.
    """

    jobs: int
    settled_p50: float
    settled_p99: float
    prove_mean: float
    gas: int


@dataclass(frozen=True)
class Latency:
    """One model and one proof system. Times in seconds.

    Attributes:
        model: its name.
        system: the proof system.
        rows: of its circuit.
        answered_p50, answered_p99: of requests over HTTP, from the question to the verified output.
        paid_p50, paid_p99: of the same requests, from the question to the settlement.
        request_gas: of one such settlement.
        job: of jobs.
    """

    model: str
    system: str
    rows: int
    answered_p50: float
    answered_p99: float
    paid_p50: float
    paid_p99: float
    request_gas: int
    job: JobLatency


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options of this question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="jobs, and as many requests, for each figure")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--json", action="store_true", help="print one JSON object and no table")
    return parser.parse_args(arguments)


def measure(model: str, system: str, count: int) -> Latency:
    """Measure one model with one proof system on a chain of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="zkml-latency-") as name,
        open_small_market(Path(name), MODELS[model], system) as small,
    ):
        asked = measure_requests(small, Path(name) / "requests", requests=count, clients=1)
        return Latency(
            model=model,
            system=system,
            rows=1 << small.bundle.manifest.srs.logrows,
            answered_p50=asked.verified_p50,
            answered_p99=asked.verified_p99,
            paid_p50=asked.settled_p50,
            paid_p99=asked.settled_p99,
            request_gas=asked.gas,
            job=measure_one_by_one(small, Path(name) / "jobs", count),
        )


def measure_one_by_one(small: SmallMarket, folder: Path, count: int) -> JobLatency:
    """Open a job, wait until it is settled, and open the next."""
    took: list[float] = []
    with small.undone(), run_nodes(small, folder, 1) as [node], ChainWatch(small) as watch:
        before = _proved(node)
        for packed in small.pack_inputs(count, seed=7):
            began = time.monotonic()
            job = small.open_job(packed)

            def is_settled(job: bytes = job) -> bool:
                watch.check()
                return job in watch.seen.settled

            wait_for(is_settled, "a settled job", node)
            took.append(watch.seen.settled[job] - began)
        after = _proved(node)
        gas = gas_spent(small.chain, [node.account], watch.seen, first_block=watch.first_block)
    return JobLatency(
        jobs=count,
        settled_p50=percentile(took, 50),
        settled_p99=percentile(took, 99),
        prove_mean=(after[0] - before[0]) / (after[1] - before[1]),
        gas=gas.settle // count,
    )


def _proved(node: NodeProcess) -> tuple[float, float]:
    """Return how long all proofs of a node took together, and how many they were."""
    metrics = node.metrics()
    return total(metrics, f"{STAGES}_sum", stage="prove"), total(metrics, f"{STAGES}_count", stage="prove")


def table(found: Sequence[Latency]) -> str:
    """Return the figures as a table."""
    rows = [
        [
            "model",
            "system",
            "rows",
            "prove s",
            "answered p50",
            "p99",
            "paid p50",
            "p99",
            "job settled p50",
            "p99",
            "gas request",
            "gas job",
        ]
    ]
    rows += [
        [
            each.model,
            each.system,
            f"2^{each.rows.bit_length() - 1}",
            f"{each.job.prove_mean:.3f}",
            *(f"{seconds:.2f}" for seconds in (each.answered_p50, each.answered_p99)),
            *(f"{seconds:.2f}" for seconds in (each.paid_p50, each.paid_p99)),
            *(f"{seconds:.2f}" for seconds in (each.job.settled_p50, each.job.settled_p99)),
            str(each.request_gas),
            str(each.job.gas),
        ]
        for each in found
    ]
    return show_table(rows)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure each model with each proof system, and print a table or JSON."""
    options = parse(arguments)
    found = [measure(model, system, options.count) for model in options.models for system in options.systems]
    if options.json:
        print(json.dumps({"machine": describe(), "latency": [asdict(each) for each in found]}, indent=2))
        return
    print(describe())
    for name in options.models:
        print(f"{name}: {MODELS[name].what}")
    print(f"\n{table(found)}\n")
    print(f"note: {options.count} requests and as many jobs for each line, one at a time; seconds")
    print("note: answered: from the question to the verified output; paid: to its settlement, which follows")
    print("note: the chain mines at once and is looked at every 0.05 s: a chain with blocks adds its pace")


if __name__ == "__main__":
    main(sys.argv[1:])
