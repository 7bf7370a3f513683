"""One JSON-RPC request over HTTP, bounded in time and size.

Gives back what the node answered, or raises `TransportFault` or `NodeRefusal`; `rpc` turns those into
zkml's errors. Retries nothing.
"""

import re
import time
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from zkml.core.strict_json import parse_json
from zkml.errors import FormatError

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1 << 16
_CONNECTIONS = 32
"""Threads that may ask at once without a new connection each time."""
_REVERT_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2}){0,65536}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class TransportFault(Exception):  # noqa: N818 never leaves this package
    """No usable answer came back; the same request may work later."""


class OversizedAnswer(TransportFault):
    """More came back than is read, or than can be read in time: the same request will not do better."""


class NodeRefusal(Exception):  # noqa: N818 never leaves this package
    """The node answered with an error."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def revert_data(self) -> bytes | None:
        """The data that a contract reverted with, or None when the refusal is the node's own.

        Nodes agree on the word revert, and put the data into `data`, or into an object there.
        """
        found = self.data.get("data") if isinstance(self.data, dict) else self.data
        if isinstance(found, str) and _REVERT_DATA.fullmatch(found) and (self.code == 3 or found != "0x"):
            return bytes.fromhex(found[2:])
        return b"" if "revert" in self.message.lower() else None


def redact(endpoint: str) -> str:
    """Return an endpoint without what may be secret: credentials, path and query."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class BoundedHttpProvider(JSONBaseProvider):
    """A web3 provider that reads no more than it must and waits no longer than it may."""

    def __init__(self, endpoint: str, timeout_seconds: float) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        # A proxy from the environment cannot reach this machine's own node.
        self._session.trust_env = urlsplit(endpoint).hostname not in _LOOPBACK

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one request and return the node's answer, of whatever form."""
        body = self.encode_rpc_request(method, params)
        try:
            status, answer = self._post(body)
        except requests.Timeout as error:
            raise TransportFault(f"no answer within {self._timeout_seconds:g} s") from error
        except (requests.RequestException, OSError) as error:
            raise TransportFault(_reason(error)) from error
        try:
            # Not web3's decoder, which a deeply nested answer brings down together with the process.
            return cast(RPCResponse, parse_json(answer, where="the node's answer"))
        except FormatError as error:
            found = f"HTTP status {status}" if status != requests.codes.ok else "no JSON"
            raise TransportFault(found) from error

    def request_result(self, method: str, params: list[Any]) -> Any:
        """Send one request and return its result.

        Raises:
            TransportFault: there is no answer, or it is no JSON-RPC.
            NodeRefusal: the node answered with an error.
        """
        answer: Any = self.make_request(RPCEndpoint(method), params)
        if not isinstance(answer, dict) or ("result" in answer) == bool(answer.get("error")):
            raise TransportFault("JSON that is no JSON-RPC")
        error = answer.get("error")
        if not error:
            return answer["result"]
        if not isinstance(error, dict):
            raise NodeRefusal(0, str(error)[:200], None)
        code = error.get("code")
        message = " ".join(str(error.get("message", "")).split())[:300]
        raise NodeRefusal(code if isinstance(code, int) else 0, message, error.get("data"))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _post(self, body: bytes) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_seconds
        with self._session.post(
            self._endpoint,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._timeout_seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            answer = bytearray()
            for chunk in response.iter_content(_CHUNK_BYTES):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise OversizedAnswer(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise OversizedAnswer(f"an answer longer than {self._timeout_seconds:g} s")
            return response.status_code, bytes(answer)


def _reason(error: BaseException) -> str:
    """Say in a few words why a connection failed; requests' own words span several lines."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return "nobody listening"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__ or inner
        if not isinstance(cause, BaseException):
            break
    return "no connection"
