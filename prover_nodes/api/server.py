"""The API as a component: a server in a thread, and connections that say nothing for long are ended."""

import asyncio
import logging
import socket
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from prover_nodes.api.app import create_app
from prover_nodes.direct.service import DirectService
from zkml.config.settings import ApiSettings
from zkml.errors import ConfigError

MAX_HEADER_BYTES = 32_768
MAX_CONNECTIONS = 512
HEADER_SECONDS = 10.0
"""How long the head of a request may take to arrive."""
READ_SECONDS = 30.0
"""How long a client may leave what it was sent unread."""
_KEEP_ALIVE_SECONDS = 10
_GRACE_SECONDS = 3

_log = logging.getLogger(__name__)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on a connection whose head arrives in time, or which is closed."""

    header_seconds = HEADER_SECONDS
    read_seconds = READ_SECONDS
    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first of a later head begin its time."""
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        super().data_received(data)

    def handle_events(self) -> None:
        """Handle what has arrived; once that is a whole head, nothing is waited for."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._forget_head()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._forget_reading()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers with the connection."""
        self._forget_head()
        self._forget_reading()
        super().connection_lost(exc)

    def _forget_reading(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.header_seconds, self._too_late)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


class ApiServer:
    """Implements `prover_nodes.supervisor.Component`.

    Attributes:
        app: the application.
    """

    name = "api"

    def __init__(self, service: DirectService, settings: ApiSettings, **changes: Any) -> None:
        """Make a server that does not listen yet.

        Args:
            service: what answers; the supervisor runs it.
            settings: host, port and limits; port 0 takes a free one.
            changes: `body_seconds`, `header_seconds`, `read_seconds`: how long a client may take.
        """
        times = {
            "header_seconds": changes.pop("header_seconds", HEADER_SECONDS),
            "read_seconds": changes.pop("read_seconds", READ_SECONDS),
        }
        self.app: FastAPI = create_app(service, **changes)
        self._settings = settings
        self._protocol = type("Protocol", (PatientProtocol,), times)
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._defect: BaseException | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._socket is None:
            return ""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address is taken, or none of this machine's.
        """
        self._socket = _listen(self._settings.host, self._settings.port)
        proxies = list(self._settings.trusted_proxies)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                http=self._protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            )
        )
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)
        self._thread.start()
        _log.info("the API listens at %s", self.url)

    def drain(self) -> None:
        """Go on answering: the service refuses what is new by itself."""

    def is_idle(self) -> bool:
        """Say that nothing is left to do here; what was accepted is the service's."""
        return True

    def stop(self) -> None:
        """Stop listening; requests under way have a few seconds."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()

    def problem(self) -> str:
        """Return why nobody is answered; empty where everybody is."""
        if self._thread is None or not self._thread.is_alive():
            return "the API does not listen"
        return ""

    def failure(self) -> BaseException | None:
        """Return what ended the server by itself, or None."""
        return self._defect

    def _run(self) -> None:
        assert self._server is not None
        assert self._socket is not None
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # noqa: BLE001 the supervisor ends the node with it
            self._defect = error


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(
            f"expected an address of this machine, found {host!r} ({error.strerror}) in api.host"
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"expected to listen at {host}:{port}, found {error.strerror}", hint="set api.host and api.port"
        ) from error
    return listening
