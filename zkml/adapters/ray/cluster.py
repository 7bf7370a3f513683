"""A Ray cluster that runs functions for this process.

Ray knows no rights: whoever reaches a cluster's ports runs code on all its machines, and every machine of it
reads and changes what passes through. So a cluster is trusted like this machine itself: keep its ports in a
private network, and give no machine to it that may not know the inputs. What must not leave this machine,
keys above all, is never an argument. What comes back is checked like anything that a stranger sent.
"""

import contextlib
import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from zkml.core.extras import install_hint
from zkml.errors import BackendError, ConfigError, ProverLimitError, ToolchainError, ZkmlError

AUTO = "auto"
"""The cluster that this machine belongs to."""
_TICK_SECONDS = 0.2
_CLOSE_SECONDS = 10.0
_ADDRESS = re.compile(r"(?P<host>[\w.\-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_HINT = "start it with `ray start --head`, and run this node on one of its machines"

OnTick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Resources:
    """What one task occupies.

    Attributes:
        cpus: processors; 0 runs beside any number of others.
        memory_bytes: memory.
        gpus: whole devices.
    """

    cpus: int = 1
    memory_bytes: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class NodeResources:
    """What one machine of a cluster offers in all."""

    cpus: float
    memory_bytes: int
    gpus: float


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in the cluster's store. Inside another argument it travels as a reference."""

    reference: Any


class RayCluster:
    """A connection to a cluster; thread-safe. One process has at most one."""

    def __init__(self, ray: Any, address: str) -> None:
        """Take over an established connection; see `connect`."""
        self._ray = ray
        self._address = address
        self._idle = threading.Condition()
        self._running: set[Any] = set()
        self._is_closed = False

    @classmethod
    def connect(cls, address: str, *, timeout_seconds: float = 10.0) -> "RayCluster":
        """Connect to a cluster. Call it from the main thread.

        Args:
            address: `host:port` of the head, or `auto` for the cluster that this machine belongs to. Ray
                connects from machines of the cluster alone; its client server (ray://) is not supported.
            timeout_seconds: longest wait for the address to answer.

        Raises:
            ToolchainError: Ray is not installed.
            ConfigError: the address is none, or no cluster of this version answers there.
        """
        _check_address(address, timeout_seconds)
        # Else any call after `close` would quietly connect again.
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
        try:
            import ray  # noqa: PLC0415 large and optional: loaded by those who name a cluster
        except ImportError as error:
            raise ToolchainError("expected Ray, found none", hint=install_hint("ray")) from error
        with _kept_signals():
            try:
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    ignore_reinit_error=True,
                )
            except (OSError, RuntimeError, ValueError) as error:
                words = " ".join(str(error).split())
                raise ConfigError(
                    f"expected a Ray cluster at {address}, found: {words:.200}", hint=_HINT, address=address
                ) from error
        return cls(ray, address)

    def nodes(self) -> tuple[NodeResources, ...]:
        """Return what the living machines of the cluster offer."""
        return tuple(
            NodeResources(
                cpus=float(node["Resources"].get("CPU", 0)),
                memory_bytes=int(node["Resources"].get("memory", 0)),
                gpus=float(node["Resources"].get("GPU", 0)),
            )
            for node in self._ray.nodes()
            if node["Alive"]
        )

    def put(self, value: Any) -> Stored:
        """Keep an object in the cluster's store while this process holds it.

        Raises:
            BackendError: the store is full, or the cluster is gone.
        """
        try:
            return Stored(self._ray.put(value))
        except self._ray.exceptions.RayError as error:
            raise _failed("keep an object", error) from error

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        resources: Resources,
        wait_seconds: float,
        on_tick: OnTick | None = None,
        attempts: int = 2,
    ) -> Any:
        """Run a function on the cluster and return what it returns.

        A task whose worker or machine dies is begun again, wherever the cluster has a place, until `attempts`
        are used up. What ends this function in any other way ends the task: an exception of `on_tick`, too.

        Args:
            function: importable on every machine of the cluster.
            arguments: what can be pickled; large ones by `put`.
            resources: what it occupies.
            wait_seconds: longest time from asking to the end of one attempt, the wait for a place included.
            on_tick: called from this thread about five times a second with the elapsed seconds.
            attempts: how often it is begun at most.

        Raises:
            ProverLimitError: it found no place or did not end in time, or ran out of the machine's memory.
            BackendError: its workers died, it was cancelled, or it raised.
            ToolchainError: the function cannot be imported on a machine of the cluster.
        """
        started = time.monotonic()
        task = self._ray.remote(function).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=resources.memory_bytes or None,
            max_retries=0,
        )
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(task, arguments, wait_seconds, on_tick, started)
            except self._lost() as error:
                if attempt == attempts or self._is_closed:
                    raise self._gave_up(error, attempt) from error
            except self._ray.exceptions.RayError as error:
                raise _failed("run a task", error) from error
        raise ValueError("attempts must be positive")

    def close(self) -> None:
        """Cancel what is running and disconnect; doing it again changes nothing."""
        with self._idle:
            if self._is_closed:
                return
            self._is_closed = True
            # Those who wait for a task see it, cancel the task, and go.
            self._idle.wait_for(lambda: not self._running, _CLOSE_SECONDS)
        with _kept_signals():
            self._ray.shutdown()

    def _attempt(
        self,
        task: Any,
        arguments: tuple[Any, ...],
        wait_seconds: float,
        on_tick: OnTick | None,
        started: float,
    ) -> Any:
        begun = time.monotonic()
        with self._tracked(task, arguments) as reference:
            while not self._ray.wait([reference], timeout=_TICK_SECONDS)[0]:
                if self._is_closed:
                    raise BackendError("expected a task to end on the cluster, found the connection closed")
                if time.monotonic() - begun > wait_seconds:
                    raise ProverLimitError(
                        f"expected a task to end in {wait_seconds:g} seconds, found it waiting or at work",
                        hint="add machines to the cluster, or lower prover.workers",
                    )
                if on_tick is not None:
                    on_tick(time.monotonic() - started)
            return self._ray.get(reference)

    @contextlib.contextmanager
    def _tracked(self, task: Any, arguments: tuple[Any, ...]) -> Iterator[Any]:
        """Begin a task; cancel it unless it ended."""
        with self._idle:
            if self._is_closed:
                raise BackendError("expected an open connection to the cluster, found it closed")
            reference = task.remote(*arguments)
            self._running.add(reference)
        try:
            yield reference
        except BaseException:
            self._cancel(reference)
            raise
        finally:
            with self._idle:
                self._running.discard(reference)
                self._idle.notify_all()

    def _cancel(self, reference: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.cancel(reference, force=True)

    def _lost(self) -> tuple[type[Exception], ...]:
        errors = self._ray.exceptions
        return (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.LocalRayletDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        )

    def _gave_up(self, error: Exception, attempts: int) -> ZkmlError:
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return ProverLimitError(
                f"expected a task to fit into a machine's memory, found it killed {attempts} times",
                hint="add memory to the cluster's machines, or raise what a proof asks for",
            )
        return _failed(f"finish a task in {attempts} attempts", error)


def fetch(stored: Stored) -> Any:
    """Return a stored object, inside a task.

    Raises:
        BackendError: it is lost.
    """
    import ray  # noqa: PLC0415 a task runs where Ray is loaded

    try:
        return ray.get(stored.reference)
    except ray.exceptions.RayError as error:
        raise _failed("fetch an object", error) from error


def node_name() -> str:
    """Return the id of the machine that a task runs on."""
    import ray  # noqa: PLC0415

    return str(ray.get_runtime_context().get_node_id())


def _check_address(address: str, timeout_seconds: float) -> None:
    """Ray waits a minute for an address where nobody is, and says so badly."""
    if address == AUTO:
        return
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigError(
            f"expected a Ray address host:port, ray://host:port or auto, found {address!r:.80}",
            address=address,
        )
    target = (found["host"].strip("[]"), int(found["port"]))
    try:
        socket.create_connection(target, timeout_seconds).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"expected a Ray cluster at {address}, found that nobody answers there: {error}",
            hint=_HINT,
            address=address,
        ) from error


@contextlib.contextmanager
def _kept_signals() -> Iterator[None]:
    """Keep this process's own answer to SIGTERM, which Ray replaces when it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if kept is not None:
            signal.signal(signal.SIGTERM, kept)


def _failed(what: str, error: Exception) -> ZkmlError:
    words = " ".join(str(error).split())
    if "ModuleNotFoundError" in words or "No module named" in words:
        return ToolchainError(
            f"expected this zkml on every machine of the cluster, found: {words[-200:]}",
            hint="install the same version of zkml[prover,ray] on each of them",
        )
    return BackendError(f"expected the cluster to {what}, found: {type(error).__name__}: {words[:300]}")
