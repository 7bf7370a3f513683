"""Parse untrusted JSON into plain values, refusing what two readers would read differently."""

import json
from typing import Any

from zkml.errors import FormatError

MAX_JSON_BYTES = 64 * 1024 * 1024
"""No JSON file of ours is larger: 64 MiB."""


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise FormatError(f"expected unique names, found {name!r:.80} twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise FormatError(f"expected a finite number, found {name}")


def parse_json(data: bytes, *, where: str) -> Any:
    """Parse UTF-8 JSON.

    Args:
        data: the bytes of one JSON text, at most 64 MiB.
        where: what the bytes are, for the error message.

    Raises:
        FormatError: not UTF-8, not JSON, a name twice in one object, NaN or infinity, or too large.
    """
    if len(data) > MAX_JSON_BYTES:
        raise FormatError(f"expected at most {MAX_JSON_BYTES} bytes of JSON, found {len(data)} in {where}")
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique_object, parse_constant=_refuse_constant
        )
    except FormatError as error:
        raise FormatError(f"{error.message} in {where}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"expected JSON, found {error} in {where}") from error


def parse_object(data: bytes, *, where: str) -> dict[str, Any]:
    """Parse UTF-8 JSON whose root is an object; see `parse_json`."""
    value = parse_json(data, where=where)
    if not isinstance(value, dict):
        raise FormatError(f"expected a JSON object, found {type(value).__name__} in {where}")
    return value
