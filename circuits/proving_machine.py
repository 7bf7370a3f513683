"""What a machine has for proving beside its processors and memory."""

from dataclasses import dataclass
from pathlib import Path

from circuits.fast_keys import FastKeys
from zkml.core.ports.gpu import GpuCounters


@dataclass(frozen=True, slots=True)
class ProvingMachine:
    """What proofs may use on this machine.

    Attributes:
        spares: processes started ahead of their work; 0 starts each when it is needed.
        threads: processor threads of one proof; all when None.
        fast_keys: copies of proving keys in memory; None reads the bundles' own.
        gpu_binary: program of the system that proves on a GPU; None proves on the processor.
        require_gpu: refuse a proof that no GPU was seen to make.
        gpu_counters: the devices' own counters; NVML's when None.
    """

    spares: int = 0
    threads: int | None = None
    fast_keys: FastKeys | None = None
    gpu_binary: Path | None = None
    require_gpu: bool = False
    gpu_counters: GpuCounters | None = None


PLAIN_MACHINE = ProvingMachine()
