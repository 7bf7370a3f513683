"""One network, one proof system: set up, by EZKL once a machine, and proved in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.octet_cases import Case

CALIBRATED = 8
"""Samples that EZKL calibrates on: it takes seconds for each, and none of it is timed here."""


@dataclass(frozen=True)
class Measured:
    """What one system needs for one network.

    Attributes:
        log_rows: log2 of the circuit's rows.
        prove: seconds of each proof, the first one first.
        witness: seconds of each witness.
        verify: seconds of each verification, the verifier loaded.
        peak_bytes: resident memory of the process that proved, at most, its interpreter included.
        phases: processor seconds by phase of proofs on one thread; empty where the system does not say.
        program: OCTET's statement as JSON, else "".
    """

    log_rows: int
    prove: tuple[float, ...]
    witness: tuple[float, ...]
    verify: tuple[float, ...]
    peak_bytes: int
    phases: tuple[Mapping[str, float], ...] = ()
    program: str = ""

    @property
    def seconds(self) -> float:
        """Witness and proof together: the middle one of all runs."""
        return median(witness + prove for witness, prove in zip(self.witness, self.prove, strict=True))


def measure(system: str, case: Case, cache: Path, *, repeats: int, threads: int) -> Measured:
    """Set a network up, by EZKL once a machine, and prove it in a process of its own.

    Args:
        system: `ezkl` or `octet`.
        case: the network.
        cache: where setups and SRS files are kept.
        repeats: how many proofs.
        threads: of a proof.

    Raises:
        SystemExit: a step failed; what it said is passed on.
    """
    folder = cache / f"{system}-{case.name.replace(' ', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "folder": str(folder),
        "srs": str(cache / "srs"),
        "model": str(case.model),
        "samples": case.samples.tolist(),
        "calibrated": CALIBRATED,
        "repeats": repeats,
        "threads": threads,
    }
    kept = folder / "setup.json"
    # EZKL's setup of a large network takes minutes. OCTET's takes seconds, and its compiler changes.
    if system == "octet" or not kept.exists():
        kept.write_text(json.dumps(run_step(f"{system} setup", given, threads)))
    made, found = json.loads(kept.read_text()), run_step(f"{system} prove", given, threads)
    return Measured(
        made["log_rows"],
        tuple(found["prove"]),
        tuple(found["witness"]),
        tuple(found["verify"]),
        found["peak_bytes"],
        tuple(found.get("phases", ())),
        made.get("program", ""),
    )


def run_step(step: str, given: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Run a step of `benchmarks.proof_child` in a new process and return its answer."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.proof_child"],
        input=json.dumps({"step": step, **given}),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if ran.returncode:
        raise SystemExit(f"error: expected {step!r} of {given['model']} to end well, found\n{ran.stderr}")
    answer: dict[str, Any] = json.loads(ran.stderr.splitlines()[-1])
    return answer
