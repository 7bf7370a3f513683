"""A proxy before an honest node, which changes or keeps back what that answers: a cheating node to its clients."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

Twist = Callable[[dict[str, Any]], None]
"""Changes the fields of an answer."""
HEADERS = ("payment-required", "payment-response", "retry-after", "location")


class CheatingProxy:
    """The proxy; set `twist` to have it lie.

    Attributes:
        url: where it listens.
        twist: changes each answer.
    """

    def __init__(self, upstream: str) -> None:
        """Listen on a free port of this machine, before the node at `upstream`."""
        self.twist: Twist | None = None
        self._client = httpx.Client(base_url=upstream, timeout=60)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Ask the node, for an answer in one piece."""
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "accept")}
        return self._client.request(
            method, path, headers={**kept, "Accept": "application/json"}, content=body
        )

    def twisted(self, path: str, answer: httpx.Response) -> bytes:
        """Return what the client gets."""
        is_told = "/infer" in path or "/v1/jobs/" in path
        if self.twist is None or not is_told or answer.status_code != httpx.codes.OK:
            return answer.content
        fields = answer.json()
        told = fields if "/infer" in path else fields["answer"]
        if told is not None:
            self.twist(told)
        return json.dumps(fields).encode()


def _handler_of(proxy: CheatingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = proxy.pass_on(self.command, self.path, dict(self.headers.items()), body)
            data = proxy.twisted(self.path, found)
            self.send_response(found.status_code)
            for name in HEADERS:
                if name in found.headers:
                    self.send_header(name, found.headers[name])
            self.send_header("Content-Type", found.headers.get("content-type", "application/json"))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler
