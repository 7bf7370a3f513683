"""How long does `zkml demo` take with each proof system: with nothing cached, and with artifacts cached?"""

import json
import os
import subprocess
import sys
import tempfile
import time

from benchmarks.machine import describe

LIMITS_SECONDS = {"first": 150.0, "cached": 75.0}
SYSTEMS = ("ezkl", "octet")


def run_demo(home: str, system: str) -> tuple[float, dict]:
    """Run the demo with a proof system in `home`; return its wall time in seconds and what it printed."""
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "zkml.cli", "demo", "--system", system, "--json", "--quiet"],
        env={**os.environ, "ZKML_HOME": home},
        stdout=subprocess.PIPE,
        check=True,
    )
    return time.perf_counter() - began, json.loads(run.stdout)


def main() -> None:
    """Print both times beside the limits that were set for 2 cores."""
    print(describe())
    print(f"{'system':<8}{'run':<8}{'wall s':>9}{'limit s':>9}{'prove s (median)':>18}{'gas per settle':>16}")
    for system in SYSTEMS:
        with tempfile.TemporaryDirectory() as home:
            results = {name: run_demo(home, system) for name in LIMITS_SECONDS}
        for name, (seconds, report) in results.items():
            jobs = report["jobs"]
            prove = sorted(job["prove_seconds"] for job in jobs)[len(jobs) // 2]
            gas = max(job["gas"] for job in jobs)
            limit = LIMITS_SECONDS[name]
            print(f"{system:<8}{name:<8}{seconds:>9.1f}{limit:>9.0f}{prove:>18.2f}{gas:>16}")
        print(f"{system}: cached / first: {results['cached'][0] / results['first'][0]:.2f}")
