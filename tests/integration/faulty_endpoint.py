"""A JSON-RPC endpoint that passes requests on to a real one, and fails or lies when it is told to.

    with FaultyEndpoint(node.endpoint) as endpoint:
        chain = Chain(endpoint.url)
        endpoint.go_down() ... endpoint.come_up()
        endpoint.answer_after(5.0)
        endpoint.refuse("eth_sendRawTransaction", -32005, "limit exceeded")
        endpoint.alter("eth_getTransactionReceipt", lambda params, result: None)
        endpoint.call_before("eth_sendRawTransaction", kill_the_node)
        endpoint.tell_the_truth()

It runs in threads of the test's process, so that a node in another process can use it, too.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import requests

Alteration = Callable[[list[Any], Any], Any]
"""Takes a request's parameters and the true result, and returns what is answered."""
Hook = Callable[[list[Any]], None]
"""Takes a request's parameters."""


class FaultyEndpoint:
    """The endpoint; thread-safe.

    Attributes:
        url: where it listens.
        asked: how often each method was asked for, failed or not.
    """

    def __init__(self, upstream: str) -> None:
        """Listen on a free port of this machine, in front of `upstream`."""
        self._upstream = upstream
        self._session = requests.Session()
        self._session.trust_env = False
        self._lock = threading.RLock()
        self._is_down = False
        self._seconds = 0.0
        self._alterations: dict[str, Alteration] = {}
        self._refusals: dict[str, tuple[int, str]] = {}
        self._before: dict[str, Hook] = {}
        self._after: dict[str, Hook] = {}
        self._ended = threading.Event()
        self.asked: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._session.close()

    def go_down(self) -> None:
        """Cut each connection without an answer, from now on."""
        self._is_down = True

    def come_up(self) -> None:
        """Answer again."""
        self._is_down = False

    def answer_after(self, seconds: float) -> None:
        """Wait before each answer."""
        self._seconds = seconds

    def refuse(self, method: str, code: int, message: str) -> None:
        """Answer a method with an error, and do not pass it on."""
        self._refusals[method] = (code, message)

    def alter(self, method: str, alteration: Alteration) -> None:
        """Answer a method with something else than the truth."""
        self._alterations[method] = alteration

    def call_before(self, method: str, hook: Hook) -> None:
        """Call something when a method is asked for, before it is passed on."""
        self._before[method] = hook

    def call_after(self, method: str, hook: Hook) -> None:
        """Call something when a method was passed on, before it is answered."""
        self._after[method] = hook

    def tell_the_truth(self) -> None:
        """Undo everything: up, fast, honest, without hooks."""
        self._is_down, self._seconds = False, 0.0
        for table in (self._alterations, self._refusals, self._before, self._after):
            table.clear()

    def respond(self, body: bytes) -> bytes | None:
        """Return the answer to one request; None for none at all."""
        asked = json.loads(body)
        method, params = asked["method"], asked.get("params", [])
        with self._lock:
            self.asked[method] += 1
        if self._is_down:
            return None
        if self._seconds:
            self._ended.wait(self._seconds)
        if method in self._refusals:
            code, message = self._refusals[method]
            error = {"code": code, "message": message}
            return json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "error": error}).encode()
        self._before.get(method, _nothing)(params)
        with self._lock:
            answer = self._session.post(
                self._upstream, data=body, headers={"Content-Type": "application/json"}, timeout=60
            ).json()
        self._after.get(method, _nothing)(params)
        if self._is_down:
            return None
        if "result" in answer and method in self._alterations:
            answer["result"] = self._alterations[method](params, answer["result"])
        return json.dumps(answer).encode()


def in_another_block(params: list[Any], receipt: Any) -> Any:
    """Say that a transaction was mined in a block that is not in the chain."""
    if receipt is None:
        return None
    elsewhere = "0x" + "ab" * 32
    logs = [{**log, "blockHash": elsewhere} for log in receipt["logs"]]
    return {**receipt, "blockHash": elsewhere, "logs": logs}


def of_another_transaction(params: list[Any], receipt: Any) -> Any:
    """Give the receipt of something else."""
    return None if receipt is None else {**receipt, "transactionHash": "0x" + "cd" * 32}


def of_another_contract(params: list[Any], logs: list[Any]) -> list[Any]:
    """Give logs that nobody asked for."""
    return [{**log, "address": "0x" + "ef" * 20} for log in logs]


def _nothing(params: list[Any]) -> None:
    """Do nothing."""


def _handler_of(endpoint: FaultyEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = endpoint.respond(body)
            self.close_connection = answer is None
            if answer is None:
                return
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                # Whoever asked is gone: killed, or out of patience.
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler
