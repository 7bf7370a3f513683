"""Parse untrusted JSON into plain values, refusing what two readers would read differently."""

import json
import math
import re
from typing import Any

from zkml.errors import FormatError

MAX_JSON_BYTES = 64 * 1024 * 1024
"""No JSON file of ours is larger: 64 MiB."""

MAX_JSON_DEPTH = 64
"""No JSON of ours is nested deeper. Python's parser can end the process on an endless row of brackets,
because another package may raise the recursion limit (web3 does) and the C stack does not grow with it."""

_BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def _check_depth(data: bytes, where: str) -> None:
    if data.count(b"[") + data.count(b"{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(data):
        first = token.group()[:1]
        depth += 1 if first in b"[{" else -1 if first in b"]}" else 0
        if depth > MAX_JSON_DEPTH:
            raise FormatError(f"expected JSON of at most {MAX_JSON_DEPTH} levels, found more in {where}")


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise FormatError(f"expected unique names, found {name!r:.80} twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise FormatError(f"expected a finite number, found {name}")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 is good JSON, and infinity to Python
        raise FormatError(f"expected a finite number, found {text:.80}")
    return number


def parse_json(data: bytes, *, where: str) -> Any:
    """Parse UTF-8 JSON.

    Args:
        data: the bytes of one JSON text, at most 64 MiB.
        where: what the bytes are, for the error message.

    Raises:
        FormatError: not UTF-8, not JSON, a name twice in one object, NaN or infinity, too large, or
            nested deeper than 64 levels.
    """
    if len(data) > MAX_JSON_BYTES:
        raise FormatError(f"expected at most {MAX_JSON_BYTES} bytes of JSON, found {len(data)} in {where}")
    _check_depth(data, where)
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_object,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except FormatError as error:
        raise FormatError(f"{error.message} in {where}") from error
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or 4,301 digits
        raise FormatError(f"expected JSON, found {error} in {where}") from error


def parse_object(data: bytes, *, where: str) -> dict[str, Any]:
    """Parse UTF-8 JSON whose root is an object; see `parse_json`."""
    value = parse_json(data, where=where)
    if not isinstance(value, dict):
        raise FormatError(f"expected a JSON object, found {type(value).__name__} in {where}")
    return value
