"""One node process: the market, requests on tabs with their API, metrics and health, side by side."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prover_nodes.admin_server import AdminServer
from prover_nodes.build import NodeParts, node_of
from prover_nodes.metrics import PrometheusObserver
from prover_nodes.process_file import ProcessFile, ProcessNote
from prover_nodes.readiness import node_health
from prover_nodes.registration import EndpointNotice
from prover_nodes.supervisor import Component, Supervisor
from prover_nodes.vitals import watch_gpus, watch_slots, watch_state
from zkml.adapters.gpu.nvml import NvmlCounters
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ApiSettings
from zkml.errors import StorageError

_NOTE_SECONDS = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """The components of one process, and who runs them.

    Attributes:
        parts: what the components share.
        supervisor: starts, drains and stops them.
        admin: serves metrics and health, where that is wanted.
        api: serves clients, where that is wanted.
    """

    parts: NodeParts
    supervisor: Supervisor
    admin: AdminServer | None
    api: Any

    def run(self, stop: threading.Event, now: threading.Event, *, file: ProcessFile) -> None:
        """Run until `stop` is set; see `Supervisor.run`.

        Args:
            stop: nothing new is taken then, and what was promised is done.
            now: everything ends then.
            file: tells other commands of this home what runs.

        Raises:
            ZkmlError: a component could not start, or ended unasked.
        """
        with self._told(stop, file):
            self.supervisor.run(stop, now)

    @contextlib.contextmanager
    def _told(self, stop: threading.Event, file: ProcessFile) -> Iterator[None]:
        """Keep the process's note up to date from a thread, until the process ends."""
        over = threading.Event()
        told = self._tell(file, None, draining=False)

        def tell() -> None:
            nonlocal told
            while not over.wait(_NOTE_SECONDS):
                told = self._tell(file, told, draining=stop.is_set() or self.supervisor.is_draining)

        thread = threading.Thread(target=tell, name="zkml-note", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            file.remove()

    def _tell(self, file: ProcessFile, told: ProcessNote | None, *, draining: bool) -> ProcessNote:
        note = ProcessNote(os.getpid(), _url(self.admin), _url(self.api), draining)
        if draining and not (told is not None and told.draining):
            _log.info("asked to stop: what is promised is finished, and nothing new is taken")
        if note != told:
            try:
                file.write(note)
            except StorageError as error:
                _log.warning("%s", error.message)
        return note


def build_process(
    parts: NodeParts, *, metrics: PrometheusObserver, api: ApiSettings, folder: Path
) -> NodeProcess:
    """Put the components of a process together.

    Args:
        parts: built with `metrics` as their observer.
        metrics: what /metrics shows.
        api: where clients are served; not at all where the port is 0.
        folder: where journal and witnesses lie.

    Raises:
        ConfigError: settings that contradict each other.
        StorageError: the journal cannot be used.
    """
    gpus = NvmlCounters()
    _log.info("%s", _describe_gpus(gpus))
    components: list[Component] = [node_of(parts)]
    server = None
    if api.port:
        from prover_nodes.api.server import ApiServer  # noqa: PLC0415  (a node without it loads no web server)
        from prover_nodes.direct.build import direct_of  # noqa: PLC0415

        service = direct_of(parts, api)
        server = ApiServer(service, api)
        components += [service, server]
    if (api.port or api.public_url) and parts.prover.auto_stake:
        # Stopped after the market, which ends what waits for a transaction.
        components.insert(0, EndpointNotice(parts, api.public_url))
    admin = None
    if parts.prover.admin_port:
        admin = _admin(
            parts,
            metrics=metrics,
            components=components,
            folder=folder,
            gpus=gpus,
            supervisor=lambda: supervisor,
        )
        # First to start and last to stop: a node that drains is looked at most.
        components.insert(0, admin)
    supervisor = Supervisor(components, drain_seconds=parts.prover.drain_seconds)
    return NodeProcess(parts, supervisor, admin, server)


def _admin(
    parts: NodeParts,
    *,
    metrics: PrometheusObserver,
    components: list[Component],
    folder: Path,
    gpus: NvmlCounters,
    supervisor: Callable[[], Supervisor],
) -> AdminServer:
    market, started = parts.chain_market, time.monotonic()
    health = node_health(
        components=tuple(components),
        metrics=metrics,
        journal=parts.journal,
        folder=folder,
        chain=market.chain,
        is_draining=lambda: supervisor().is_draining,
        stake=lambda: market.provers.stake_of(parts.account.address),
        auto_stake=parts.prover.auto_stake,
        clock=SystemClock(),
    )
    watch_slots(metrics, parts.slots)
    watch_gpus(metrics, lambda: gpus.report().gpus, SystemClock())
    watch_state(
        metrics,
        is_ready=lambda: health.is_ready().is_well,
        is_draining=lambda: supervisor().is_draining,
    )

    def status() -> dict[str, Any]:
        slots = parts.slots
        return {
            "pid": os.getpid(),
            "running_seconds": round(time.monotonic() - started, 1),
            "draining": supervisor().is_draining,
            "problems": dict(health.is_ready().problems),
            "components": [part.name for part in components],
            "proofs": {
                "slots": slots.count,
                "running": slots.running(),
                "waiting": slots.waiting(),
                "wait_seconds": round(slots.seconds_until_free(), 1),
            },
            "gpu": gpus.report().as_json(),
        }

    prover = parts.prover
    return AdminServer(
        prover.admin_host, prover.admin_port, render_metrics=metrics.render, health=health, status=status
    )


def _describe_gpus(gpus: NvmlCounters) -> str:
    report = gpus.report()
    if not report.gpus:
        return f"no GPU: {report.reason}"
    found = ", ".join(f"{gpu.name} with {gpu.memory_bytes >> 20} MiB" for gpu in report.gpus)
    return f"GPU driver {report.driver}: {found}"


def _url(server: Any) -> str:
    try:
        return "" if server is None else str(server.url)
    except (RuntimeError, OSError):
        # Not started yet, or stopped already.
        return ""
