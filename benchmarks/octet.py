"""How fast is OCTET beside EZKL at its defaults: time, memory, each phase, and growth with the rows?"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import octet_batches, octet_growth, octet_phases
from benchmarks.figures import show_table
from benchmarks.machine import describe
from benchmarks.octet_cases import cases
from benchmarks.octet_runs import Measured, measure
from benchmarks.process_samples import MEBIBYTE

THREADS = 2
CACHE = Path(tempfile.gettempdir()) / "zkml-benchmarks" / "octet"
LENET = "lenet_5"
REPEATS = {"ezkl": 2, "octet": 9}


def comparison(found: Sequence[tuple[str, Measured | None, Measured]]) -> str:
    """Return the table of both systems; EZKL's columns are empty where it was left out."""
    heading = "network|rows|EZKL rows|s|EZKL s|ratio|MiB|EZKL MiB|ratio|verify ms|EZKL ms"
    rows = [heading.split("|")]
    for name, ezkl, octet in found:
        own = [f"2^{octet.log_rows}", f"{octet.seconds:.3f}", f"{octet.peak_bytes / MEBIBYTE:.0f}"]
        verify = f"{median(octet.verify) * 1e3:.1f}"
        if ezkl is None:
            rows.append([name, own[0], "-", own[1], "-", "-", own[2], "-", "-", verify, "-"])
            continue
        rows.append(
            [
                name,
                own[0],
                f"2^{ezkl.log_rows}",
                own[1],
                f"{ezkl.seconds:.1f}",
                f"1/{ezkl.seconds / octet.seconds:.0f}",
                own[2],
                f"{ezkl.peak_bytes / MEBIBYTE:.0f}",
                f"1/{ezkl.peak_bytes / octet.peak_bytes:.1f}",
                verify,
                f"{median(ezkl.verify) * 1e3:.0f}",
            ]
        )
    return show_table(rows)


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options that follow the question's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks octet")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--skip-ezkl-lenet", action="store_true", help="EZKL needs 10 GB and minutes for it")
    parser.add_argument("--skip-ezkl", action="store_true", help="measure OCTET alone")
    parser.add_argument("--examples", type=Path, help="folder of EZKL's example networks")
    parser.add_argument("--growth", type=int, default=20, metavar="K", help="up to 2^K rows; 0 leaves it out")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the growth as SVG")
    parser.add_argument("--batches", action="store_true", help="proofs of several inputs, and nothing else")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the networks with both systems, OCTET's phases against the rates, and the growth."""
    options = read_options(arguments)
    CACHE.mkdir(parents=True, exist_ok=True)
    if options.batches:
        _show_batches(as_json=options.json)
        return
    found = []
    for case in cases(CACHE, options.examples):
        skipped = options.skip_ezkl or (options.skip_ezkl_lenet and case.name == LENET)
        octet = measure("octet", case, CACHE, repeats=REPEATS["octet"], threads=THREADS)
        repeats = 1 if case.name == LENET else REPEATS["ezkl"]
        ezkl = None if skipped else measure("ezkl", case, CACHE, repeats=repeats, threads=THREADS)
        found.append((case.name, ezkl, octet))
    largest = max(octet.log_rows for _, _, octet in found)
    phases = octet_phases.compare(
        {name: (octet.program, octet.phases) for name, _, octet in found}, CACHE / "srs", largest
    )
    grown = octet_growth.measure_growth(CACHE, options.growth, THREADS) if options.growth else []
    if options.json:
        print(json.dumps(as_json(found, phases, grown)))
        return
    print(describe())
    load = f"load average of the last minute {os.getloadavg()[0]:.2f}"
    print(f"{load}; {THREADS} threads; witness and proof, the middle run; memory of that process")
    print(comparison(found), phases.show(), sep="\n\n")
    if grown:
        print("", octet_growth.show(grown), sep="\n")
    if options.plot and grown:
        options.plot.write_text(octet_growth.plot(grown), encoding="utf-8")


def _show_batches(*, as_json: bool) -> None:
    """Measure proofs of several inputs and print them."""
    batches = octet_batches.measure_batches(CACHE / "srs")
    if as_json:
        fields = [vars(item) for item in batches]
        print(json.dumps({"machine": describe(), "batches": fields}))
        return
    print(describe())
    print("processor time of one thread, the middle run")
    print(octet_batches.show(batches))


def as_json(
    found: Sequence[tuple[str, Measured | None, Measured]],
    phases: octet_phases.Phases,
    grown: Sequence[octet_growth.Grown],
) -> dict[str, Any]:
    """Return everything that was measured, for another program."""
    return {
        "machine": describe(),
        "threads": THREADS,
        "networks": [
            {
                "name": name,
                "octet": _summary(octet),
                "ezkl": None if ezkl is None else _summary(ezkl),
            }
            for name, ezkl, octet in found
        ],
        "phases": phases.as_json(),
        "growth": [vars(item) for item in grown],
    }


def _summary(item: Measured) -> dict[str, Any]:
    return {
        "log_rows": item.log_rows,
        "seconds": item.seconds,
        "witness": item.witness,
        "prove": item.prove,
        "verify": item.verify,
        "peak_bytes": item.peak_bytes,
    }
