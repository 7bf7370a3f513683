"""Requests to an HTTP API of a stranger: no redirects, no proxies, no compression, bounded in every way."""

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import httpcore
import httpx

from zkml.adapters.http.addresses import AddressPolicy, BaseUrl, parse_base_url
from zkml.adapters.http.connections import Deadline, GuardedTransport
from zkml.adapters.http.events import ServerEvent, read_events
from zkml.errors import ServiceError, ServiceUnreachableError

_PAUSE_SECONDS = 0.25
_USER_AGENT = "zkml"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much.

    Attributes:
        step_seconds: longest wait for a connection or for the next bytes.
        total_seconds: longest exchange.
        max_bytes: largest body.
        attempts: how often a request that may be repeated is sent.
    """

    step_seconds: float = 20.0
    total_seconds: float = 60.0
    max_bytes: int = 16 * 1024 * 1024
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return media_type(self.headers)


class HttpStream:
    """An answer whose body is still to be read, once."""

    def __init__(self, response: httpx.Response, limits: Limits, where: str) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._response = response
        self._limits = limits
        self._where = where

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return media_type(self.headers)

    def read(self) -> HttpAnswer:
        """Read the whole body."""
        return HttpAnswer(self.status, self.headers, b"".join(self.chunks()))

    def events(self) -> Iterator[ServerEvent]:
        """Yield the body as server-sent events."""
        yield from read_events(self.chunks(), max_event_bytes=self._limits.max_bytes)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises:
            ServiceUnreachableError: it breaks off, or is larger than the limit.
        """
        size = 0
        with _explained(self._where, self._limits.total_seconds):
            # As it comes: gathered into large pieces, the events of a stream would wait for its end.
            for chunk in self._response.iter_raw():
                size += len(chunk)
                if size > self._limits.max_bytes:
                    raise ServiceUnreachableError(
                        f"expected at most {self._limits.max_bytes} bytes, found more from {self._where}",
                        hint="client.max_response_bytes is what is read",
                    )
                yield chunk


class HttpClient:
    """The client of one API."""

    def __init__(
        self,
        base_url: str,
        *,
        private_allowed: bool,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Name the API; nothing is sent.

        Args:
            base_url: http(s)://host[:port][/path].
            private_allowed: whether it may be on this machine or in a private network, and without TLS.
            limits: of its answers.
            ssl_context: whom to trust; the public authorities when None.

        Raises:
            ConfigError: no such URL.
        """
        self.base: BaseUrl = parse_base_url(base_url, plain_allowed=private_allowed)
        self.limits = limits or Limits()
        self._policy = AddressPolicy(private_allowed=private_allowed)
        self._ssl_context = ssl_context

    def get(
        self, path: str, *, max_bytes: int | None = None, total_seconds: float | None = None
    ) -> HttpAnswer:
        """Ask for a path, more than once where there is no answer.

        Raises:
            ServiceUnreachableError: no answer, a redirect, or one over the limits.
        """
        limits = self._limits(max_bytes, total_seconds)
        attempt = 0
        while True:
            attempt += 1
            try:
                with self._exchange("GET", path, b"", {}, limits) as stream:
                    return stream.read()
            except ServiceUnreachableError as error:
                if attempt >= limits.attempts or not error.context.get("transient"):
                    raise
                time.sleep(_PAUSE_SECONDS * attempt)

    @contextlib.contextmanager
    def get_stream(
        self, path: str, headers: Mapping[str, str], *, total_seconds: float
    ) -> Iterator[HttpStream]:
        """Ask for a path once and give the answer as it comes; raises as `get` does."""
        with self._exchange("GET", path, b"", headers, self._limits(None, total_seconds)) as stream:
            yield stream

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        total_seconds: float | None = None,
    ) -> HttpAnswer:
        """Send JSON once and read the whole answer; raises as `get` does."""
        with self._exchange("POST", path, body, headers or {}, self._limits(None, total_seconds)) as stream:
            return stream.read()

    @contextlib.contextmanager
    def post_stream(
        self, path: str, body: bytes, headers: Mapping[str, str], *, total_seconds: float, step_seconds: float
    ) -> Iterator[HttpStream]:
        """Send JSON once and give the answer as it comes; raises as `get` does."""
        limits = replace(self._limits(None, total_seconds), step_seconds=step_seconds)
        with self._exchange("POST", path, body, headers, limits) as stream:
            yield stream

    def _limits(self, max_bytes: int | None, total_seconds: float | None) -> Limits:
        return replace(
            self.limits,
            max_bytes=self.limits.max_bytes if max_bytes is None else min(max_bytes, self.limits.max_bytes),
            total_seconds=self.limits.total_seconds if total_seconds is None else total_seconds,
        )

    @contextlib.contextmanager
    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], limits: Limits
    ) -> Iterator[HttpStream]:
        where = f"{self.base}{path}"
        deadline = Deadline(limits.total_seconds)
        transport = GuardedTransport(self._policy, deadline, self._ssl_context or _public_authorities())
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": _USER_AGENT,
            **({"Content-Type": "application/json"} if method == "POST" else {}),
            **headers,
        }
        with contextlib.ExitStack() as stack:
            with _explained(where, limits.total_seconds):
                client = stack.enter_context(
                    httpx.Client(
                        transport=transport,
                        timeout=httpx.Timeout(limits.step_seconds),
                        trust_env=False,
                        follow_redirects=False,
                    )
                )
                response = stack.enter_context(
                    client.stream(method, where, content=body or None, headers=sent)
                )
                _check_answer(response, where)
            yield HttpStream(response, limits, where)


def media_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def printable(text: object, limit: int = 300) -> str:
    """Return a stranger's text in one line that moves no cursor and changes no colour."""
    words = " ".join(str(text)[: 4 * limit].split())[:limit]
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in words
    )


def _check_answer(response: httpx.Response, where: str) -> None:
    status = response.status_code
    if 300 <= status < 400:
        raise ServiceUnreachableError(
            f"expected an answer, found a redirect ({status}) at {where}",
            hint="redirects are not followed: name the right base URL",
        )
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ServiceUnreachableError(f"expected an answer as it is, found a compressed one at {where}")


@contextlib.contextmanager
def _explained(where: str, total_seconds: float) -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except (httpcore.TimeoutException, httpx.TimeoutException) as error:
        raise ServiceUnreachableError(
            f"expected an answer within {total_seconds:g} s, found none at {where}", transient=True
        ) from error
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.StreamError,
        OSError,
    ) as error:
        raise ServiceUnreachableError(
            f"expected an answer, found {printable(error, 160).lower() or 'no connection'} at {where}",
            hint="is the node running, and is this its address?",
            transient=True,
        ) from error


@cache
def _public_authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context()
