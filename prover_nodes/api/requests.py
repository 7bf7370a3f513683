"""Read what clients send: content types, strict JSON, and what answer they would rather have."""

import re

from pydantic import ValidationError
from starlette.requests import Request

from zkml.core.api_messages import IDEMPOTENCY_HEADER, InferRequest
from zkml.core.digests import canonical_json
from zkml.core.records import explain
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
EVENTS = "text/event-stream"


def parse_body(data: bytes) -> InferRequest:
    """Return the body of a request for an inference.

    Raises:
        FormatError: not JSON, or not of that form.
    """
    fields = parse_object(data, where="the body")
    try:
        return InferRequest.model_validate_json(canonical_json(fields))
    except ValidationError as error:
        raise FormatError(f"expected an inference request, found {explain(error)} in the body") from error


def idempotency_key(request: Request) -> str:
    """Return the client's idempotency key, or an empty string.

    Raises:
        FormatError: it is not of 1 to 128 visible ASCII characters.
    """
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise FormatError(f"expected 1 to 128 visible ASCII characters, found others in {IDEMPOTENCY_HEADER}")
    return key


def is_json(request: Request) -> bool:
    """Say whether a body's content type is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"


def wants_events(request: Request) -> bool:
    """Say whether the client names server-sent events in Accept, and does not rather have JSON."""
    weights = {"application/json": 0.0, EVENTS: 0.0}
    for part in request.headers.get("accept", "").split(","):
        kind, _, rest = part.partition(";")
        if kind.strip().lower() in weights:
            weights[kind.strip().lower()] = _weight(rest)
    return weights[EVENTS] > 0 and weights[EVENTS] >= weights["application/json"]


def wants_no_wait(request: Request) -> bool:
    """Say whether the client prefers an answer at once over the proof (RFC 7240)."""
    preferences = request.headers.get("prefer", "").split(",")
    return any(part.partition(";")[0].strip().lower() == "respond-async" for part in preferences)


def _weight(parameters: str) -> float:
    match = re.search(r"q\s*=\s*([01](?:\.\d{0,3})?)", parameters)
    return float(match[1]) if match else 1.0
