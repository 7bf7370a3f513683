"""Which machines a stranger's URL may lead to.

A name is resolved once, every address that it has is checked, and the connection goes to one that was
checked: a name that points elsewhere a moment later changes nothing.
"""

import ipaddress
import queue
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from zkml.errors import ConfigError, ServiceUnreachableError

MAX_URL_BYTES = 256
_MAX_ADDRESSES = 16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """The base URL of an API: scheme, host, port and path without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_base_url(text: str, *, plain_allowed: bool) -> BaseUrl:
    """Read the base URL of an API.

    Args:
        text: http(s)://host[:port][/path], without credentials, query or fragment.
        plain_allowed: whether http:// is one; else https:// alone.

    Raises:
        ConfigError: something else.
    """
    wanted = "http(s)://host[:port]" if plain_allowed else "https://host[:port]"
    problem = ConfigError(f"expected a URL {wanted}, found {text!r:.120}", hint="an API's base URL")
    if len(text) > MAX_URL_BYTES or not text.isascii() or not text.isprintable() or " " in text:
        raise problem
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise problem from error
    is_known = parts.scheme == "https" or (plain_allowed and parts.scheme == "http")
    if not is_known or not host or port == 0 or "@" in parts.netloc or parts.query or parts.fragment:
        raise problem
    return BaseUrl(
        parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme], parts.path.rstrip("/")
    )


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses may be connected to.

    Attributes:
        private_allowed: this machine and private networks too. Link-local addresses, where clouds keep their
            credentials, multicast and the like are refused all the same.
    """

    private_allowed: bool

    def addresses_of(self, host: str, port: int, *, timeout_seconds: float) -> list[str]:
        """Return the addresses of a host, all of which may be connected to.

        Raises:
            ServiceUnreachableError: it has none, or one that is refused.
        """
        found = list(dict.fromkeys(_resolve(host, port, timeout_seconds)))
        if not found:
            raise ServiceUnreachableError(f"expected an address of {host}, found none")
        for text in found:
            if not self.allows(text):
                raise ServiceUnreachableError(
                    f"expected {host} at a public address, found {text}",
                    hint="name the node yourself (--node) if it is one of your own network",
                )
        return found[:_MAX_ADDRESSES]

    def allows(self, text: str) -> bool:
        """Say whether an address may be connected to; an IPv4 address inside an IPv6 one counts as itself."""
        try:
            address = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        if address.is_multicast or address.is_unspecified or address.is_link_local:
            return False
        if address.is_loopback:
            return self.private_allowed
        if address.is_reserved:
            return False
        return address.is_global or (self.private_allowed and address.is_private)


def _unwrapped(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _resolve(host: str, port: int, timeout_seconds: float) -> list[str]:
    # The system's resolver has no timeout of its own: a thread waits for it, and is left behind if it hangs.
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(row[4][0]) for row in rows])
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError("no host name"))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        found = answers.get(timeout=max(timeout_seconds, 0.0))
    except queue.Empty:
        raise ServiceUnreachableError(f"expected an address of {host}, found no answer in time") from None
    if isinstance(found, OSError):
        reason = (found.strerror or str(found)).lower()
        raise ServiceUnreachableError(f"expected an address of {host}, found {reason}") from found
    return found
