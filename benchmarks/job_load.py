"""Jobs that are opened as quickly as possible, served by some nodes: pace, waiting, gas, and quarrels."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.chain_watch import ChainWatch, Spent, gas_spent
from benchmarks.figures import percentile, total
from benchmarks.node_processes import SETTLED, NodeProcess, run_nodes, wait_for
from benchmarks.small_market import SmallMarket
from benchmarks.throughput import run_bare

BARE_JOBS = 10
"""Proofs of bare EZKL before a run, and again after it."""
_STAGES = "zkml_prover_stage_duration_seconds"
_SKIPPED = "zkml_prover_work_skipped_total"
_LOST = ("claimed-by-other", "claim-lost", "overtaken")


@dataclass(frozen=True)
class JobLoad:
    """What a number of nodes did with the jobs. Times are seconds of this machine's clock.

    Attributes:
        nodes: how many.
        jobs: how many were opened, all of them settled.
        wall_seconds: from the first opening to the last settlement.
        opening_seconds: how long one account took to open them, while the nodes worked already.
        per_hour: jobs an hour.
        bare_per_hour: what EZKL alone does in an hour, measured before and after.
        open_p50, open_p99: from a job's opening to its settlement.
        claim_p50, claim_p99: from a job's claim to its settlement.
        witness_seconds, prove_seconds: what these stages took, of all nodes.
        idle_share: part of the slots' time in which nothing was proved.
        outside_share: the same less the time of witnesses.
        gas: of all nodes.
        claims_lost: jobs that nodes left because others had them, each counted by each node.
        witnesses_in_vain: how many of these they had made a witness for.
        counted_settled: settlements that the nodes' metrics counted: as many as there are jobs.
        double_claims: jobs that were claimed more than once.
        double_settlements: jobs that were paid more than once.
        load_before, load_after: the machine's load average of a minute.
    """

    nodes: int
    jobs: int
    wall_seconds: float
    opening_seconds: float
    per_hour: float
    bare_per_hour: float
    open_p50: float
    open_p99: float
    claim_p50: float
    claim_p99: float
    witness_seconds: float
    prove_seconds: float
    idle_share: float
    outside_share: float
    gas: Spent
    claims_lost: int
    witnesses_in_vain: int
    counted_settled: int
    double_claims: int
    double_settlements: int
    load_before: float
    load_after: float


def measure_jobs(small: SmallMarket, folder: Path, *, jobs: int, nodes: int, workers: int) -> JobLoad:
    """Open jobs as quickly as one account can, and wait until the nodes have settled all of them."""
    folder.mkdir(parents=True)
    inputs = small.pack_inputs(jobs, seed=nodes)
    before = run_bare(small.bundle, inputs[:BARE_JOBS], folder).seconds
    with (
        small.undone(),
        run_nodes(small, folder, nodes, workers=workers) as running,
        ChainWatch(small) as watch,
    ):
        load_before, counted = os.getloadavg()[0], _counted(running)
        opened = {}
        for packed in inputs:
            began = time.monotonic()
            opened[small.open_job(packed)] = began
        seen = watch.seen

        def has_moved(count: int) -> bool:
            watch.check()
            return len(seen.settled) > count

        while (count := len(seen.settled)) < jobs:
            wait_for(partial(has_moved, count), "the next settlement", *running)
        # What they say of the last job's settlement comes after it.
        wait_for(
            lambda: _counted(running)["settled"] - counted["settled"] >= jobs, "the last job's end", *running
        )
        after_counted, load_after = _counted(running), os.getloadavg()[0]
        accounts = [node.account for node in running]
        gas = gas_spent(small.chain, accounts, seen, first_block=watch.first_block)
    after = run_bare(small.bundle, inputs[:BARE_JOBS], folder).seconds
    wall = max(seen.settled.values()) - min(opened.values())
    spent = {name: after_counted[name] - counted[name] for name in counted}
    slots = wall * nodes * workers
    waited = [seen.settled[job] - moment for job, moment in opened.items()]
    worked = [seen.settled[job] - seen.claimed[job] for job in opened]
    bare_jobs = min(BARE_JOBS, len(inputs))
    return JobLoad(
        nodes=nodes,
        jobs=jobs,
        wall_seconds=wall,
        opening_seconds=max(opened.values()) - min(opened.values()),
        per_hour=3600 * jobs / wall,
        bare_per_hour=3600 * 2 * bare_jobs / (before + after),
        open_p50=percentile(waited, 50),
        open_p99=percentile(waited, 99),
        claim_p50=percentile(worked, 50),
        claim_p99=percentile(worked, 99),
        witness_seconds=spent["witness"],
        prove_seconds=spent["prove"],
        idle_share=1 - spent["prove"] / slots,
        outside_share=1 - (spent["prove"] + spent["witness"]) / slots,
        gas=gas,
        claims_lost=int(spent["lost"]),
        witnesses_in_vain=int(spent["witnesses"]) - jobs,
        counted_settled=int(spent["settled"]),
        double_claims=sum(count > 1 for count in seen.claims.values()),
        double_settlements=sum(count > 1 for count in seen.settlements.values()),
        load_before=load_before,
        load_after=load_after,
    )


def _counted(nodes: Sequence[NodeProcess]) -> dict[str, float]:
    """Return what all nodes together counted so far."""
    all_metrics = [node.metrics() for node in nodes]
    return {
        "witness": sum(total(metrics, f"{_STAGES}_sum", stage="witness") for metrics in all_metrics),
        "witnesses": sum(total(metrics, f"{_STAGES}_count", stage="witness") for metrics in all_metrics),
        "prove": sum(total(metrics, f"{_STAGES}_sum", stage="prove") for metrics in all_metrics),
        "settled": sum(total(metrics, SETTLED, kind="job") for metrics in all_metrics),
        "lost": sum(
            total(metrics, _SKIPPED, kind="job", code=code) for metrics in all_metrics for code in _LOST
        ),
    }
