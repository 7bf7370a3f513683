"""Does a node that serves jobs and requests for half an hour need more and more memory?"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Trend, percentile, show_table, total, trend_of
from benchmarks.machine import describe
from benchmarks.node_processes import NodeProcess, run_nodes
from benchmarks.process_samples import Sample, SampleFile, Sampler
from benchmarks.small_market import SmallMarket, open_small_market
from benchmarks.steady_work import SteadyWork

_NEW_LINE_SECONDS = 60.0

MEASURED = {
    "rss_mib": ("node's memory, MiB", 5.0),
    "children_mib": ("children's memory, MiB", 5.0),
    "children": ("children", 1.0),
    "descriptors": ("open descriptors", 2.0),
    "threads": ("threads", 2.0),
    "journal_mib": ("journal, MiB", 0.0),
}
"""What is shown of each sample, and which difference of medians counts as none."""
MUST_BE_FLAT = ("rss_mib", "descriptors", "threads")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options of this question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long, after a node has warmed up")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two jobs, and two requests")
    parser.add_argument("--sample", type=float, default=2.0, help="seconds between two looks at the node")
    parser.add_argument("--csv", type=Path, help="file for all samples")
    parser.add_argument("--json", action="store_true", help="print one JSON object and no tables")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    """Tell whoever waits what goes on."""
    print(f"[soak {os.getloadavg()[0]:.1f}] {text}", file=sys.stderr, flush=True)


def watch(node: NodeProcess, work: SteadyWork, options: argparse.Namespace) -> list[Sample]:
    """Look at the node until the time is over; scrape its metrics as often, as Prometheus would."""
    sampler, file = Sampler(node.pid, node.home.journal), SampleFile(options.csv)
    began = told = time.monotonic()
    samples: list[Sample] = []
    before = _settled(node)
    while (now := time.monotonic()) < began + 60 * options.minutes:
        work.check()
        samples.append(sampler.sample(settled=_settled(node) - before))
        file.add(samples[-1])
        if now - told >= _NEW_LINE_SECONDS:
            told, last = now, samples[-1]
            say(f"{last.seconds:.0f} s: {last.settled} settled, {last.rss_mib:.1f} MiB in the node")
        time.sleep(max(0.0, options.sample - (time.monotonic() - now)))
    return samples


def _settled(node: NodeProcess) -> int:
    return int(total(node.metrics(), "zkml_prover_work_settled_total"))


def trends_of(samples: Sequence[Sample]) -> dict[str, Trend]:
    """Return how each value went."""
    return {
        name: trend_of([(sample.seconds, getattr(sample, name)) for sample in samples], around=around)
        for name, (_, around) in MEASURED.items()
    }


def trend_table(trends: dict[str, Trend]) -> str:
    """Return least, middle and greatest values of each third, the slope, and the verdict."""
    rows = [["", "first third", "second third", "last third", "slope per hour", "verdict"]]
    for name, trend in trends.items():
        thirds = [f"{part.least:.1f} / {part.median:.1f} / {part.most:.1f}" for part in trend.thirds]
        verdict = "flat" if trend.is_flat else "NOT FLAT"
        rows.append(
            [MEASURED[name][0], *thirds, f"{trend.per_hour:+.1f}", verdict if name in MUST_BE_FLAT else ""]
        )
    return show_table(rows)


def journal_growth(samples: Sequence[Sample]) -> float:
    """Return how many KiB the journal keeps of each job or request, over the last two thirds; NaN if none."""
    late = [sample for sample in samples if sample.seconds >= samples[-1].seconds / 3]
    points = [(float(sample.settled), 1024 * sample.journal_mib) for sample in late]
    if len({settled for settled, _ in points}) < 2:
        return float("nan")
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def main(arguments: Sequence[str] = ()) -> None:
    """Let one node work for a while, and print how its memory went."""
    options = parse(arguments)
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="zkml-soak-") as name, open_small_market(Path(name)) as small:
        samples, found = _soak(small, Path(name), options)
    trends = trends_of(samples)
    is_flat = all(trends[each].is_flat for each in MUST_BE_FLAT)
    growth = journal_growth(samples)
    if options.json:
        told = {
            "machine": machine,
            **found,
            "journal_kib_per_piece": growth,
            "is_flat": is_flat,
            "trends": {name: asdict(trend) for name, trend in trends.items()},
        }
        print(json.dumps(told, indent=2))
        return
    print(machine)
    for key, value in found.items():
        print(f"{key.replace('_', ' ')}: {value}")
    print(f"\nleast / median / greatest value of {len(samples)} samples:\n{trend_table(trends)}")
    print(f"\nthe journal grows by {growth:.1f} KiB with each job or request: it keeps all of them")
    print("slope: over the last two thirds; flat: medians of the last two thirds within 5 % or a small step")
    print(f"verdict: {'flat' if is_flat else 'NOT FLAT'}")


def _soak(
    small: SmallMarket, folder: Path, options: argparse.Namespace
) -> tuple[list[Sample], dict[str, Any]]:
    with run_nodes(small, folder, 1, api=True) as [node]:
        say("the node is warm")
        with SteadyWork(small, node, folder / "client", every_seconds=options.every) as work:
            samples = watch(node, work, options)
    loads = [sample.load for sample in samples]
    return samples, {
        "minutes": options.minutes,
        "jobs_opened": work.jobs,
        "requests_answered": work.requests,
        "pieces_settled": samples[-1].settled,
        "request_troubles": work.troubles,
        "load_average_p50": percentile(loads, 50),
        "load_average_most": max(loads),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
