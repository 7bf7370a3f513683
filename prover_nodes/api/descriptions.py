"""What the OpenAPI description says of answers: every status with its schema, headers and an example."""

from typing import Any

from zkml.core.api_messages import ApiProblem, InferAnswer, InferRequest, JobMessage, PaymentBody

_ZERO = "0x" + 64 * "0"
_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: ("Not of the form that is expected: no JSON, no payment.", "ZK-ART-005", "expected JSON, found ..."),
    402: (
        "No payment, or one that does not do: the header PAYMENT-REQUIRED says what would.",
        "ZK-SVC-005",
        "expected a payment in PAYMENT-SIGNATURE, found none",
    ),
    403: ("The model is closed, and this node has no access.", "ZK-MKT-006", "expected a model that ..."),
    404: ("Not known here.", "ZK-REG-002", "expected a model of this node, found ..."),
    405: ("Another method is meant.", "ZK-SVC-004", "expected another method"),
    408: ("The body took too long to arrive.", "ZK-SVC-004", "expected the body within 30 s, found ..."),
    409: (
        "Accepted before, and failed since: nothing was paid. Sign another request.",
        "ZK-MKT-008",
        "expected a proof until 1800000000, found none at ...",
    ),
    410: ("The circuit is tombstoned: no proof of it is paid any more.", "ZK-REG-004", "expected a ..."),
    413: ("The body is too large.", "ZK-SVC-004", "expected a body of at most 4194304 bytes, found ..."),
    415: ("The body is no JSON by its content type.", "ZK-SVC-004", "expected application/json, found ..."),
    422: (
        "The input, a parameter or an idempotency key is refused.",
        "ZK-VER-005",
        "expected an input with keccak256 ...",
    ),
    429: ("Too many requests of one address.", "ZK-SVC-003", "expected at most 120 requests a minute, ..."),
    500: ("A defect of the node.", "ZK-GEN-001", "expected an answer, found a defect of the node"),
    503: (
        "Busy, about to stop, or cut off from the chain: the same request may succeed later.",
        "ZK-SVC-003",
        "expected fewer than 16 requests to wait, found as many",
    ),
}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", **_TEXT}}
_ANSWER = {
    "id": _ZERO,
    "request": {
        "chain_id": 31337,
        "manager": "0x" + 40 * "0",
        "tab_id": _ZERO,
        "circuit_id": _ZERO,
        "input_commitment": _ZERO,
        "model_fee": "1000000",
        "prover_fee": "2000000",
        "expiry": 1800000600,
        "nonce": "7",
        "signature": "0x" + 130 * "0",
    },
    "prover": "0x" + 40 * "0",
    "input": "0x0001fffe",
    "output": "0x0000002a",
    "proof": "0x00",
    "prove_seconds": 4.2,
}
JOB = {
    "id": _ZERO,
    "kind": "request",
    "state": "working",
    "stages": ["witness"],
    "answer": None,
    "settlement": None,
    "problem": None,
}
"""An example of what is told of work."""
EVENTS_MEDIA = {
    "text/event-stream": {
        "schema": {"type": "string", "description": "Events `progress`, `answer`, `settled`, `error`."},
        "example": 'event: progress\ndata: {"stage": "prove", "elapsed_seconds": 1.5, '
        '"expected_seconds": 4.0, "finished": false}\n\n',
    }
}
PAYMENT_REQUIRED = {"PAYMENT-REQUIRED": {"description": "x402 PaymentRequired, JSON in base64.", **_TEXT}}
PAYMENT_RESPONSE = {"PAYMENT-RESPONSE": {"description": "x402 SettleResponse, JSON in base64.", **_TEXT}}
LOCATION = {"Location": {"description": "Where the request can be asked for.", **_TEXT}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return descriptions of answers that tell of a problem; those that every path has are added."""
    return {status: _problem(status) for status in sorted({*statuses, 413, 429, 500, 503})}


def infer_answers() -> dict[int | str, dict[str, Any]]:
    """Return descriptions of all answers of the path that is paid for."""
    return {
        200: {
            "description": "Proved: the output with its proof, or the events of the request.",
            "model": InferAnswer,
            "headers": PAYMENT_RESPONSE,
            "content": {"application/json": {"example": _ANSWER}, **EVENTS_MEDIA},
        },
        202: {
            "description": "Accepted, and not proved yet: ask for it at Location.",
            "model": JobMessage,
            "headers": LOCATION,
            "content": {"application/json": {"example": JOB}},
        },
        **problems(400, 402, 403, 404, 408, 409, 410, 415, 422),
    }


def infer_extra() -> dict[str, Any]:
    """Return what the description of that path has besides: the body, which the path parses by itself."""
    schema = InferRequest.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "description": "The packed input; strict JSON: no name twice, no unknown field.",
            "content": {
                "application/json": {"schema": schema, "example": {"input": "0x0001fffe", "circuit_id": None}}
            },
        },
    }


def add_payment(described: dict[str, Any]) -> None:
    """Add the schema of what a payment carries, which no body has: it travels in a header."""
    schema = PaymentBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = described["components"]["schemas"]
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    schemas["PaymentBody"] = schema


def _problem(status: int) -> dict[str, Any]:
    description, code, message = _PROBLEMS[status]
    example = {"code": code, "message": message, "hint": "", "retryable": status in (408, 429, 503)}
    described: dict[str, Any] = {
        "description": description,
        "model": ApiProblem,
        "content": {"application/json": {"example": example}},
    }
    if status in (429, 503):
        described["headers"] = _RETRY
    if status == 402:
        described["headers"] = PAYMENT_REQUIRED
    return described
