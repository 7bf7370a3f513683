"""Open a node's circuits with the workers that its settings ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from circuits.bundle import Bundle
from circuits.fast_keys import FastKeys
from circuits.proving_machine import ProvingMachine
from circuits.systems import open_system
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.workers.count import proofs_at_once
from prover_nodes.workers.port import Worker
from zkml.adapters.process.child import Limits
from zkml.config.settings import ProverSettings
from zkml.core.ports.gpu import GpuCounters
from zkml.errors import ZkmlError

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class OpenCircuits:
    """The circuits of a node, and whoever works for them. Close it, or use `with`.

    Attributes:
        circuits: one for each bundle, in their order.
        notes: why proofs will not be made where the settings want them; empty when all is as it should be.
    """

    circuits: tuple[BundleCircuit, ...]
    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """End what is under way and processes that wait for work; doing it again changes nothing."""
        for circuit in self.circuits:
            circuit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_circuits(
    bundles: Sequence[Bundle],
    *,
    prover: ProverSettings,
    work: Path,
    verifiers: Path,
    measurements: Path | None = None,
    observer: Observer | None = None,
    gpu_counters: GpuCounters | None = None,
) -> OpenCircuits:
    """Open the circuits of bundles. Call it from the main thread: Ray takes a signal over there.

    Args:
        bundles: opened with all roles.
        prover: memory and time of a proving process, workers, devices, cluster.
        work: private directory for witnesses.
        verifiers: folder of compiled verifiers.
        measurements: file that remembers how long proofs take; in memory when None.
        observer: hears of each proof.
        gpu_counters: the devices' own counters; NVML's when None.

    Raises:
        CircuitError: a bundle of a proof system that this version does not know.
        ConfigError: the folder for keys is not this user's; the cluster does not answer or is too small.
        ToolchainError: the GPU program is missing or of another version; Ray is not installed.
        GpuError: a GPU is required, and there is none.
    """
    limits = Limits(prover.memory_limit_mib * _MEBIBYTE, prover.time_limit_seconds)
    is_remote = bool(prover.ray_address)
    machine = ProvingMachine() if is_remote else machine_of(prover, gpu_counters)
    systems = {
        name: open_system(name, limits=limits, measurements=measurements, machine=machine)
        for name in dict.fromkeys(bundle.manifest.system for bundle in bundles)
    }
    remote = _remote_workers(bundles, prover, limits, measurements) if is_remote else []
    workers: Sequence[Worker | None] = remote or [None] * len(bundles)
    circuits = tuple(
        BundleCircuit(
            bundle,
            systems[bundle.manifest.system],
            work=work,
            verifiers=verifiers,
            limits=limits,
            observer=observer or SilentObserver(),
            worker=worker,
        )
        for bundle, worker in zip(bundles, workers, strict=True)
    )
    opened = OpenCircuits(circuits)
    try:
        notes = dict.fromkeys(systems[bundle.manifest.system].check_device(bundle) for bundle in bundles)
    except ZkmlError:
        opened.close()
        raise
    return replace(opened, notes=tuple(note for note in notes if note))


def machine_of(prover: ProverSettings, gpu_counters: GpuCounters | None = None) -> ProvingMachine:
    """Return what proofs may use on this machine.

    Raises:
        ConfigError: the folder for keys is not this user's alone.
    """
    fast_keys = FastKeys(Path(prover.fast_key_dir)) if prover.fast_key_dir else None
    if fast_keys is not None:
        fast_keys.remove_stale()
    return ProvingMachine(
        # A proof and the witness of the next one begin at once.
        spares=proofs_at_once(prover) + 1,
        fast_keys=fast_keys,
        gpu_binary=Path(prover.gpu_binary) if prover.gpu_binary else None,
        require_gpu=prover.require_gpu,
        gpu_counters=gpu_counters,
    )


def _remote_workers(
    bundles: Sequence[Bundle], prover: ProverSettings, limits: Limits, measurements: Path | None
) -> Sequence[Worker]:
    from prover_nodes.workers.ray_workers import open_ray_workers  # noqa: PLC0415 only clusters need Ray

    return open_ray_workers(bundles, prover=prover, limits=limits, measurements=measurements)
