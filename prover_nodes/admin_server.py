"""A small server for the operator's own machines: /metrics, /healthz, /readyz and /status.

It holds no secret and changes nothing, and still belongs on a private address: it tells what the node earns.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from prover_nodes.health import Health, Verdict
from zkml.errors import ConfigError

_REQUEST_SECONDS = 5.0
_POLL_SECONDS = 0.1
_JSON = "application/json"

_log = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, str, bytes]


class AdminServer:
    """Serves metrics and health. Implements `prover_nodes.supervisor.Component`."""

    name = "admin"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        render_metrics: Callable[[], tuple[bytes, str]],
        health: Health,
        status: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Prepare to listen.

        Args:
            host: address to listen at.
            port: port to listen at; any free one where it is 0.
            render_metrics: returns the metrics and their media type.
            health: answers /healthz and /readyz.
            status: answers /status.
        """
        self._address = (host, port)
        self._routes: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: _metrics(render_metrics),
            "/healthz": lambda: _verdict(health.is_alive()),
            "/readyz": lambda: _verdict(health.is_ready()),
            "/status": lambda: (HTTPStatus.OK, _JSON, _json(status())),
        }
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, once it has started."""
        if self._server is None:
            raise RuntimeError("the admin server has not started")
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def start(self) -> None:
        """Listen, in a thread of its own.

        Raises:
            ConfigError: the address is taken or is not this machine's.
        """
        handler = type("BoundHandler", (_Handler,), {"routes": self._routes})
        try:
            self._server = _Server(self._address, handler)
        except OSError as error:
            raise ConfigError(
                f"expected to serve metrics at {self._address[0]}:{self._address[1]}, "
                f"found {error.strerror or error}",
                hint="set prover.admin_host and prover.admin_port",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="admin", daemon=True
        )
        self._thread.start()

    def drain(self) -> None:
        """Go on serving: a draining node is looked at more than any other."""

    def is_idle(self) -> bool:
        """Say that nothing is ever promised here."""
        return True

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def failure(self) -> BaseException | None:
        """Say that nothing has ended it: without metrics a node can still work."""
        return None

    def problem(self) -> str:
        """Say whether its thread has ended by itself."""
        alive = self._thread is not None and self._thread.is_alive()
        return "" if alive else "the admin server's thread is not running"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A restarted node takes its port again at once.
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log in one line instead of writing a traceback to stderr."""
        _log.debug("a reader of the admin server went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    routes: ClassVar[Mapping[str, Callable[[], Answer]]] = {}
    timeout = _REQUEST_SECONDS
    server_version = "zkml"
    sys_version = ""

    def do_GET(self) -> None:
        self._serve(with_body=True)

    def do_HEAD(self) -> None:
        self._serve(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: a scraper comes every few seconds."""

    def _serve(self, *, with_body: bool) -> None:
        route = self.routes.get(self.path.partition("?")[0])
        if route is None:
            known = _json({"found": "no such page", "pages": sorted(self.routes)})
            status, kind, body = HTTPStatus.NOT_FOUND, _JSON, known
        else:
            status, kind, body = _answer(route)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _answer(route: Callable[[], Answer]) -> Answer:
    try:
        return route()
    except Exception:  # noqa: BLE001  (whatever it is, the other pages go on)
        _log.exception("a page of the admin server failed")
        return HTTPStatus.INTERNAL_SERVER_ERROR, _JSON, _json({"found": "a defect of zkml; see the log"})


def _metrics(render: Callable[[], tuple[bytes, str]]) -> Answer:
    body, kind = render()
    return HTTPStatus.OK, kind, body


def _verdict(verdict: Verdict) -> Answer:
    status = HTTPStatus.OK if verdict.is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _JSON, _json({"ok": verdict.is_well, "problems": dict(verdict.problems)})


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value) + "\n").encode()
