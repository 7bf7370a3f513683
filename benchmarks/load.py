"""How many jobs an hour do 1, 2 and 4 nodes serve, and how many requests on tabs does one node answer?"""

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import show_table
from benchmarks.job_load import JobLoad, measure_jobs
from benchmarks.machine import describe
from benchmarks.request_load import RequestLoad, measure_requests
from benchmarks.small_market import open_small_market


def counts(text: str) -> list[int]:
    """Parse numbers that are separated by commas; an empty text is none."""
    numbers = [int(part) for part in text.split(",") if part]
    if any(number < 1 for number in numbers):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 on, found {text}")
    return numbers


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options of this question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks load", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200, help="jobs that are opened for each number of nodes")
    parser.add_argument("--nodes", type=counts, default=[1, 2, 4], help="numbers of nodes, e.g. 1,2,4")
    parser.add_argument("--workers", type=int, default=1, help="proofs that each node makes at once")
    parser.add_argument(
        "--requests", type=int, default=40, help="requests on tabs for each number of clients"
    )
    parser.add_argument("--clients", type=counts, default=[1, 4], help="numbers of clients at once, e.g. 1,4")
    parser.add_argument("--json", action="store_true", help="print one JSON object and no tables")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    """Tell whoever waits what goes on."""
    print(f"[load {os.getloadavg()[0]:.1f}] {text}", file=sys.stderr, flush=True)


def number(value: float, digits: int = 1) -> str:
    """Return a number as a table shows it."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float) -> str:
    """Return a share as a table shows it."""
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def job_tables(loads: Sequence[JobLoad]) -> str:
    """Return what is known of the jobs: pace, waiting, gas and quarrels."""
    pace = [
        [
            "nodes",
            "jobs",
            "opening s",
            "wall s",
            "jobs/h",
            "bare/h",
            "of bare",
            "slots idle",
            "outside EZKL",
            "load",
        ]
    ]
    wait = [["nodes", "open-settled p50", "p99", "claim-settled p50", "p99"]]
    gas = [
        ["nodes", "claim", "settle", "other", "left", "in vain", "reverted", "double claims", "paid twice"]
    ]
    for load in loads:
        name = str(load.nodes)
        pace.append(
            [
                name,
                str(load.jobs),
                number(load.opening_seconds),
                number(load.wall_seconds),
                number(load.per_hour, 0),
                number(load.bare_per_hour, 0),
                percent(load.per_hour / load.bare_per_hour),
                percent(load.idle_share),
                percent(load.outside_share),
                f"{load.load_before:.1f}-{load.load_after:.1f}",
            ]
        )
        wait.append([name, *map(number, (load.open_p50, load.open_p99, load.claim_p50, load.claim_p99))])
        gas.append(
            [
                name,
                *(str(each // load.jobs) for each in (load.gas.claim, load.gas.settle, load.gas.other)),
                str(load.claims_lost),
                str(load.witnesses_in_vain),
                str(load.gas.failures),
                str(load.double_claims),
                str(load.double_settlements),
            ]
        )
    return "\n\n".join(
        [
            show_table(pace),
            "seconds by this machine's clock, of all jobs, which one account opens one after the other:\n"
            + show_table(wait),
            "gas for each job, and quarrels over jobs:\n" + show_table(gas),
        ]
    )


def request_table(loads: Sequence[RequestLoad]) -> str:
    """Return what is known of requests."""
    rows = [
        [
            "clients",
            "requests",
            "wall s",
            "requests/h",
            "verified p50",
            "p99",
            "settled p50",
            "p99",
            "gas",
            "load",
        ]
    ]
    rows += [
        [
            str(load.clients),
            str(load.requests),
            *map(number, (load.wall_seconds, load.per_hour)),
            *(number(each, 2) for each in (load.verified_p50, load.verified_p99)),
            *(number(each, 2) for each in (load.settled_p50, load.settled_p99)),
            str(load.gas),
            f"{load.load_before:.1f}-{load.load_after:.1f}",
        ]
        for load in loads
    ]
    return show_table(rows)


def notes(options: argparse.Namespace, cores: int) -> list[str]:
    """Return what a reader has to know about the figures."""
    found = [
        f"jobs/h: from the first opening to the last settlement; each node proves {options.workers} at once",
        "bare/h: EZKL alone, witness + prove one after the other in one warm process, beside it in time",
        "slots idle: 1 - seconds of prove / (wall x nodes x proofs at once)",
        "outside EZKL: the same less the seconds of witness, which are made beside proofs: it may be below 0",
        "left: jobs that a node left because another had claimed them; in vain: witnesses made for such jobs",
        "the chain mines each transaction at once: no waiting for blocks is in these figures",
    ]
    most = max([*options.nodes, *options.clients], default=1)
    if most > cores // 2:
        found.append(
            f"this machine has {cores} cores, which nodes, clients, chain and this benchmark share: "
            "more nodes share them too, and show how they get on, not how the market scales"
        )
    return found


def measure(options: argparse.Namespace) -> tuple[list[JobLoad], list[RequestLoad], int]:
    """Measure what the options ask for; return what was done so far where somebody interrupts.

    Returns:
        Figures of jobs and of requests, and the logarithm of the circuit's rows.
    """
    jobs: list[JobLoad] = []
    requests: list[RequestLoad] = []
    with tempfile.TemporaryDirectory(prefix="zkml-load-") as name, open_small_market(Path(name)) as small:
        folder, rows = Path(name), small.bundle.manifest.srs.logrows
        try:
            for nodes in options.nodes if options.jobs else []:
                place = folder / f"jobs-{nodes}"
                jobs.append(
                    measure_jobs(small, place, jobs=options.jobs, nodes=nodes, workers=options.workers)
                )
                say(f"{nodes} node(s): {jobs[-1].per_hour:.0f} jobs an hour")
            for clients in options.clients if options.requests else []:
                place = folder / f"requests-{clients}"
                requests.append(measure_requests(small, place, requests=options.requests, clients=clients))
                say(f"{clients} client(s): {requests[-1].per_hour:.0f} requests an hour")
        except KeyboardInterrupt:
            say("interrupted: what follows is what was measured until then")
    return jobs, requests, rows


def main(arguments: Sequence[str] = ()) -> None:
    """Measure each number of nodes and each number of clients, and print tables or JSON."""
    options = parse(arguments)
    machine, cores = describe(), len(os.sched_getaffinity(0))
    jobs, requests, rows = measure(options)
    told = notes(options, cores)
    told += [
        f"{load.nodes} node(s) counted {load.counted_settled} settlements of {load.jobs} jobs"
        for load in jobs
        if load.counted_settled != load.jobs
    ]
    if options.json:
        found: dict[str, Any] = {
            "machine": machine,
            "logrows": rows,
            "jobs": [asdict(load) for load in jobs],
            "requests": [asdict(load) for load in requests],
            "notes": told,
        }
        print(json.dumps(found, indent=2))
        return
    print(machine)
    print(f"circuit: one linear layer and a ReLU, 2^{rows} rows")
    if jobs:
        print(f"\njobs:\n{job_tables(jobs)}")
    if requests:
        print("\nrequests on tabs, one node, over HTTP; gas is that of one settlement:")
        print(request_table(requests))
    print()
    for note in told:
        print(f"note: {note}")


if __name__ == "__main__":
    main(sys.argv[1:])
