"""How many proofs a node makes at once."""

import os

from zkml.config.settings import ProverSettings

_ON_PROCESSORS = 2
"""EZKL leaves processors idle where it has work for one thread alone: a second proof fills the gaps, and a
third finds none left (`python -m benchmarks throughput`)."""


def proofs_at_once(prover: ProverSettings) -> int:
    """Return how many proofs are made at once: what the settings say, or what suits the machine."""
    if prover.workers:
        return prover.workers
    is_elsewhere = bool(prover.ray_address or prover.gpu_binary)
    return 1 if is_elsewhere or _processors() == 1 else _ON_PROCESSORS


def _processors() -> int:
    # Containers and `taskset` give a process fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
