"""What stands before the application: how much and how long a body may be, how often an address may ask."""

import asyncio
import ipaddress
import time
from collections import Counter

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prover_nodes.api.problems import answer_problem

BODY_SECONDS = 30.0
"""How long a request's body may take to arrive."""

AT_ONCE = 64
"""How many requests one address may have open: a few of them must not keep all others out."""

CLOSE = {"Connection": "close"}
"""Of answers that come before the body was read: what is left of it must not be taken for a request."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds headers to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def network_of(host: str) -> str:
    """Return what a client is counted by: its address, or the /64 of an IPv6 one, which is one customer's."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


class RateLimits:
    """Refuses an address that asks too often or too much at once: the peer's, or a trusted proxy's word."""

    def __init__(self, app: ASGIApp, requests_per_minute: int, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._limit = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._at_once = at_once
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = network_of(scope["client"][0]) if scope.get("client") else "unknown"
        if not self._limiter.hit(self._limit, address):
            again = max(1.0, self._limiter.get_window_stats(self._limit, address).reset_time - time.time())
            refusal = _too_many(f"at most {self._limit.amount} requests a minute", again)
            await refusal(scope, receive, send)
        elif self._open[address] >= self._at_once:
            await _too_many(f"at most {self._at_once} requests at once", 1.0)(scope, receive, send)
        else:
            await self._pass_on(address, scope, receive, send)

    async def _pass_on(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._open[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


def _too_many(expected: str, again_seconds: float) -> Response:
    return answer_problem(
        429,
        "ZK-SVC-003",
        f"expected {expected}, found more from this address",
        headers={"Retry-After": str(round(again_seconds)), **CLOSE},
    )


class BodyLimits:
    """Ends a body that is too long, or takes too long, while it arrives; nothing has parsed it yet."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a watched body, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            refusal = answer_problem(413, "ZK-SVC-004", self._too_large(), headers=CLOSE)
            await refusal(scope, receive, send)
            return
        await self._app(scope, self._watched(receive), send)

    def _watched(self, receive: Receive) -> Receive:
        received, is_complete = 0, False
        deadline = asyncio.get_running_loop().time() + self._seconds

        async def watched() -> Message:
            nonlocal received, is_complete
            if is_complete:
                # What comes now is the end of the connection, however long that takes.
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"expected the body within {self._seconds:g} s, found a part of it", CLOSE
                ) from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                is_complete = not message.get("more_body", False)
                if received > self._max_bytes:
                    raise HTTPException(413, self._too_large(), CLOSE)
            return message

        return watched

    def _too_large(self) -> str:
        return f"expected a body of at most {self._max_bytes} bytes, found a larger one"
