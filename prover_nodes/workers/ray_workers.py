"""Compute and prove on a Ray cluster: `prover_nodes.workers.port.Worker` for each bundle.

A task that loses its worker or its machine is begun once more, wherever there is a place; a second loss is
the job's failure, and the node's to judge. Nothing is settled twice by that: settling is not the cluster's
work, and a proof that comes back is checked before anybody pays gas for it.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import zkml.errors
from circuits.bundle import Bundle
from circuits.measurements import CPU, GPU, Measured, Measurements
from circuits.stages import OnTick, run_stage
from prover_nodes.workers.count import proofs_at_once
from prover_nodes.workers.port import Computed, Proved
from prover_nodes.workers.ray_task import CHUNK_BYTES, PROVING_ROLES, Order, TravellingBundle, carry_out
from zkml.adapters.process.child import Limits
from zkml.adapters.ray.cluster import NodeResources, RayCluster, Resources, Stored
from zkml.config.settings import ProverSettings
from zkml.core.progress import Progress, ProgressEvent
from zkml.errors import BackendError, ConfigError, GpuError, ZkmlError

ON_CLUSTER = "ray-"
"""Stands before a device's name in the measurements of a cluster: its machines are not this one."""
_PEAK_MARGIN = 1.5
_QUEUE_FACTOR = 3.0
_START_SECONDS = 120.0


class RayWorker:
    """Computes and proves one circuit on a cluster; thread-safe."""

    def __init__(
        self,
        bundle: Bundle,
        cluster: RayCluster,
        measurements: Measurements,
        *,
        prover: ProverSettings,
        limits: Limits,
        share: Resources,
    ) -> None:
        """Prove a bundle on a cluster.

        Args:
            bundle: opened with all roles.
            cluster: where.
            measurements: remembers what stages take there.
            prover: the GPU program of the cluster's machines.
            limits: memory and time of each child process there.
            share: what a proof occupies at most, until its memory is known.
        """
        self._bundle = bundle
        self._cluster = cluster
        self._measurements = measurements
        self._prover = prover
        self._limits = limits
        self._share = share
        self._lock = threading.Lock()
        self._travelling: TravellingBundle | None = None

    def witness(self, packed_input: bytes, *, progress: Progress) -> Computed:
        """Compute the circuit on an input; the witness itself stays on the machine that made it, and goes."""
        # It occupies no processor, so that it is computed beside a proof and not after it.
        order = self._order("witness", packed_input)
        done = self._carry_out(order, Resources(cpus=0), progress)
        made = Computed(**done)
        self._record("witness", CPU, made.seconds, made.peak_bytes)
        return made

    def prove(self, packed_input: bytes, *, context: bytes, progress: Progress) -> Proved:
        """Prove what the circuit makes of an input; its witness is computed again where it is proved."""
        order = self._order("prove", packed_input, context)
        made = Proved(**self._carry_out(order, self._occupied(), progress))
        self._record("prove", made.device, made.seconds, made.peak_bytes)
        if made.note:
            progress(ProgressEvent("prove", made.seconds, note=f"made on a processor: {made.note}"))
        return made

    def measured(self, stage: str) -> Measured | None:
        """Return what a stage took on the cluster, or None when it never ran there."""
        circuit = self._bundle.manifest.circuit
        on_gpu = None
        if self._prover.gpu_binary and stage == "prove":
            on_gpu = self._measurements.find(circuit, stage, ON_CLUSTER + GPU)
        return on_gpu or self._measurements.find(circuit, stage, ON_CLUSTER + CPU)

    def forget_measured(self) -> None:
        """Forget what the stages took on the cluster."""
        self._measurements.forget(self._bundle.manifest.circuit, ON_CLUSTER)

    def close(self) -> None:
        """Cancel what runs on the cluster and disconnect; doing it again changes nothing."""
        self._cluster.close()

    def _order(self, stage: str, packed_input: bytes, context: bytes = b"") -> Order:
        return Order(
            stage=stage,
            packed_input=packed_input,
            context=context,
            limits=self._limits,
            threads=self._share.cpus or None,
            gpu_binary=self._prover.gpu_binary,
            require_gpu=self._prover.require_gpu,
        )

    def _carry_out(self, order: Order, resources: Resources, progress: Progress) -> dict[str, Any]:
        found = self.measured(order.stage)
        with run_stage(progress, order.stage, None if found is None else found.seconds) as on_tick:
            answer = self._run(order, resources, on_tick)
            if "lost" in answer:
                self._travelling = None
                answer = self._run(order, resources, on_tick)
        if "lost" in answer:
            raise BackendError(
                "expected the cluster to keep a bundle, found it lost twice", node=answer["node"]
            )
        if "error" in answer:
            raise _rebuilt(answer["error"], str(answer.get("node", "")))
        done: dict[str, Any] = answer["done"]
        return done

    def _run(self, order: Order, resources: Resources, on_tick: OnTick) -> dict[str, Any]:
        answer: dict[str, Any] = self._cluster.run(
            carry_out,
            order,
            self._travel(),
            resources=resources,
            wait_seconds=_QUEUE_FACTOR * self._limits.wall_seconds + _START_SECONDS,
            on_tick=on_tick,
        )
        return answer

    def _travel(self) -> TravellingBundle:
        """Put the bundle into the cluster's store, once."""
        with self._lock:
            if self._travelling is None:
                self._bundle.require(*PROVING_ROLES)
                self._travelling = TravellingBundle(
                    manifest=self._bundle.manifest.to_bytes(),
                    digest=self._bundle.manifest_digest,
                    files={role: self._put(self._bundle.file(role)) for role in PROVING_ROLES},
                )
            return self._travelling

    def _put(self, path: Path) -> list[Stored]:
        if path.stat().st_size == 0:
            return []
        whole = np.memmap(path, dtype=np.uint8, mode="r")
        return [
            self._cluster.put(np.asarray(whole[start : start + CHUNK_BYTES]))
            for start in range(0, len(whole), CHUNK_BYTES)
        ]

    def _occupied(self) -> Resources:
        """Return what a proof occupies: a processor share, and its measured memory as soon as it is known."""
        found = self.measured("prove")
        memory = self._share.memory_bytes
        if found is not None and found.peak_bytes:
            memory = min(memory, int(_PEAK_MARGIN * found.peak_bytes))
        return Resources(self._share.cpus, memory, self._share.gpus)

    def _record(self, stage: str, device: str, seconds: float, peak_bytes: int) -> None:
        self._measurements.record(
            self._bundle.manifest.circuit, stage, seconds, peak_bytes=peak_bytes, device=ON_CLUSTER + device
        )


def open_ray_workers(
    bundles: Sequence[Bundle], *, prover: ProverSettings, limits: Limits, measurements: Path | None
) -> list[RayWorker]:
    """Connect to a cluster and return a worker for each bundle.

    Raises:
        ConfigError: nobody answers at `prover.ray_address`, or no machine there can make a proof.
        ToolchainError: Ray is not installed.
        GpuError: a GPU is required, and no program is named that uses one.
    """
    if prover.require_gpu and not prover.gpu_binary:
        raise GpuError(
            "expected a program that proves on a GPU, found none named",
            hint="set prover.gpu_binary to EZKL's GPU build on the cluster's machines",
        )
    cluster = RayCluster.connect(prover.ray_address)
    try:
        share = share_of(cluster.nodes(), prover, limits)
    except ConfigError:
        cluster.close()
        raise
    known = Measurements(measurements)
    return [
        RayWorker(bundle, cluster, known, prover=prover, limits=limits, share=share) for bundle in bundles
    ]


def share_of(nodes: Sequence[NodeResources], prover: ProverSettings, limits: Limits) -> Resources:
    """Return what one proof occupies, so that as many as are made at once fill the cluster's processors.

    Raises:
        ConfigError: no machine has a processor, or a GPU where one is asked for.
    """
    able = [node for node in nodes if node.cpus >= 1 and (node.gpus >= 1 or not prover.gpu_binary)]
    if not able:
        wanted = "a processor and a GPU" if prover.gpu_binary else "a processor"
        raise ConfigError(
            f"expected a machine with {wanted} in the cluster at {prover.ray_address}, found none",
            hint="see what its machines offer with `ray status`",
        )
    largest = max(int(node.cpus) for node in able)
    cpus = max(1, min(largest, int(sum(node.cpus for node in able)) // proofs_at_once(prover)))
    memory = min(limits.memory_bytes, max(node.memory_bytes for node in able if node.cpus >= cpus))
    return Resources(cpus, memory, 1 if prover.gpu_binary else 0)


def _rebuilt(told: dict[str, str], node: str) -> ZkmlError:
    """Return the error that a task met, as if it had been met here."""
    kind = getattr(zkml.errors, told["type"], BackendError)
    if not (isinstance(kind, type) and issubclass(kind, ZkmlError)):
        kind = BackendError
    return kind(told["message"], hint=told["hint"], node=node)
