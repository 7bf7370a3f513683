"""What settings must be, beyond their types. Pure: finds every problem and raises nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zkml.config.redaction import is_raw_key, without_credentials

MAX_PORT = 65535
MAX_ENDPOINT_BYTES = 256
"""Longest endpoint that the prover registry takes; a constant of the contract."""
_WEB = ("http://", "https://")
_CLASSES = ("ceremony", "unvouched")


def _positive(value: Any) -> str:
    return "" if value > 0 else f"expected more than 0, found {value:g}"


def _at_least_one(value: Any) -> str:
    return "" if value >= 1 else f"expected at least 1, found {value}"


def _port(value: Any) -> str:
    return "" if value <= MAX_PORT else f"expected a port up to {MAX_PORT}, found {value}"


def _web_url(value: Any) -> str:
    if not value or value.startswith(_WEB):
        return ""
    shown = without_credentials(value) if "://" in value else "something else"
    return f"expected http:// or https://, found {shown:.80}"


def _endpoint(value: Any) -> str:
    if len(value.encode()) > MAX_ENDPOINT_BYTES:
        return f"expected at most {MAX_ENDPOINT_BYTES} bytes, found {len(value.encode())}"
    return _web_url(value)


def _path_of_key(value: Any) -> str:
    # Whoever mistakes one for the other must not read the key in a log.
    return "expected the path of a file, found what looks like a private key" if is_raw_key(value) else ""


def _one_of(*known: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        return "" if value in known else f"expected {' or '.join(known)}, found {value!r:.40}"

    return check


def _each_of(*known: str) -> Callable[[Any], str]:
    def check(values: Any) -> str:
        foreign = [value for value in values if value not in known]
        return f"expected {' or '.join(known)}, found {foreign[0]!r:.40}" if foreign else ""

    return check


_CHECKS: dict[str, Callable[[Any], str]] = {
    "chain.rpc_url": _web_url,
    "chain.timeout_seconds": _positive,
    "chain.receipt_timeout_seconds": _positive,
    "chain.max_fee_gwei": _positive,
    "chain.replace_seconds": _positive,
    "chain.accepted_classes": _each_of(*_CLASSES),
    "keys.key_file": _path_of_key,
    "keys.password_file": _path_of_key,
    "prover.poll_seconds": _positive,
    "prover.settlers": _at_least_one,
    "prover.memory_limit_mib": _at_least_one,
    "prover.time_limit_seconds": _positive,
    "prover.admin_port": _port,
    "prover.log_format": _one_of("text", "json"),
    "api.port": _port,
    "api.public_url": _endpoint,
    "api.max_body_bytes": _at_least_one,
    "api.requests_per_minute": _at_least_one,
    "api.timeout_seconds": _positive,
    "client.node": _web_url,
    "client.http_timeout_seconds": _positive,
    "client.max_response_bytes": _at_least_one,
}


def problems_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with settings, each with its key.

    Args:
        values: every setting by key, of its type.
    """
    for key, check in _CHECKS.items():
        problem = check(values[key])
        if problem:
            yield f"{key}: {problem}"
    ports = [key for key in ("prover.admin_port", "api.port") if values[key]]
    if len(ports) == 2 and values[ports[0]] == values[ports[1]]:
        yield f"{ports[0]}: expected another port than {ports[1]}, found {values[ports[0]]} for both"
