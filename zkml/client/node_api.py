"""One prover node's HTTP API: what it says, parsed, and its refusals as errors. Nothing is believed here."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from zkml.adapters.http.client import HttpAnswer, HttpClient, HttpStream, Limits, printable
from zkml.config.settings import ClientSettings
from zkml.core.api_messages import (
    IDEMPOTENCY_HEADER,
    VERSION_PREFIX,
    ApiProblem,
    InferRequest,
    JobMessage,
    ModelList,
)
from zkml.core.digests import canonical_json
from zkml.core.records import explain
from zkml.core.strict_json import parse_json
from zkml.errors import (
    FormatError,
    PaymentRequiredError,
    RequestRefusedError,
    ServiceBusyError,
    ServiceError,
    ServiceUnreachableError,
)

M = TypeVar("M", bound=BaseModel)

STREAM = "text/event-stream"
JSON = "application/json"
_STEP_SECONDS = 60.0
"""Longest silence in a stream: a node says something at least this often while it proves."""
_BUSY = frozenset({408, 425, 429, 503})


class NodeApi:
    """The API of one node.

    Attributes:
        endpoint: its base URL.
        private_allowed: whether that may be on this machine or in a private network.
    """

    def __init__(self, endpoint: str, settings: ClientSettings, *, private_allowed: bool) -> None:
        """Name the node; nothing is sent.

        Raises:
            ConfigError: no base URL of an API.
        """
        seconds = settings.http_timeout_seconds
        self.private_allowed = private_allowed
        self._http = HttpClient(
            endpoint,
            private_allowed=private_allowed,
            limits=Limits(step_seconds=seconds, total_seconds=seconds, max_bytes=settings.max_response_bytes),
        )
        self.endpoint = str(self._http.base)

    def models(self) -> ModelList:
        """Return what the node offers.

        Raises:
            ServiceUnreachableError: it does not answer, or with something else.
            ServiceError: it refuses.
        """
        return self._get("/models", ModelList)

    def job(self, request_id: str) -> JobMessage:
        """Return what the node knows of a request; raises as `models` does."""
        return self._get(f"/jobs/{request_id}", JobMessage)

    def fetch(self, path: str, max_bytes: int) -> bytes:
        """Return the bytes of a path of the API; raises as `models` does."""
        answer = self._http.get(path, max_bytes=max_bytes)
        if answer.status != 200:
            raise refusal(answer, self.endpoint)
        return answer.body

    def ask_price(self, did: str, request: InferRequest) -> str:
        """Ask for an inference without paying, and return the header PAYMENT-REQUIRED of the refusal.

        Raises:
            ServiceUnreachableError: it does not answer, or without that header.
            ServiceError: it refuses for another reason.
        """
        answer = self._http.post(_path(did), _body(request))
        if answer.status != 402:
            if answer.status == 200:
                raise ServiceUnreachableError(
                    f"expected a price, found an answer without one at {self.endpoint}"
                )
            raise refusal(answer, self.endpoint)
        found = answer.headers.get("payment-required", "")
        if not found:
            raise ServiceUnreachableError(
                f"expected a price in PAYMENT-REQUIRED, found no such header at {self.endpoint}"
            )
        return found

    @contextlib.contextmanager
    def pay(
        self, did: str, request: InferRequest, *, payment: str, key: str, total_seconds: float
    ) -> Iterator[HttpStream]:
        """Ask for an inference with a payment; the answer is read as it comes.

        Args:
            did: the model.
            request: what is asked for.
            payment: header PAYMENT-SIGNATURE.
            key: idempotency key: the same one for the same request.
            total_seconds: the longest wait for the whole answer.

        Raises:
            ServiceUnreachableError: it does not answer in time.
            PaymentRequiredError: it does not take the payment.
            ServiceError: it refuses.
        """
        headers = {
            "Accept": f"{STREAM}, {JSON}",
            "PAYMENT-SIGNATURE": payment,
            IDEMPOTENCY_HEADER: key,
        }
        with self._http.post_stream(
            _path(did),
            _body(request),
            headers,
            total_seconds=total_seconds,
            step_seconds=min(_STEP_SECONDS, total_seconds),
        ) as stream:
            if stream.status not in (200, 202):
                raise refusal(stream.read(), self.endpoint)
            yield stream

    def _get(self, path: str, kind: type[M]) -> M:
        answer = self._http.get(VERSION_PREFIX + path)
        if answer.status != 200:
            raise refusal(answer, self.endpoint)
        return read_message(answer.body, kind, self.endpoint)


def read_message(data: bytes, kind: type[M], where: str) -> M:
    """Parse a message of a node.

    Raises:
        ServiceUnreachableError: it is something else.
    """
    try:
        # Parsed strictly first: pydantic would take the last of two equal names, and any depth.
        return kind.model_validate(parse_json(data, where="its answer"))
    except FormatError as error:
        raise ServiceUnreachableError(f"{printable(error.message)} from {where}") from error
    except ValidationError as error:
        raise ServiceUnreachableError(
            f"expected a {kind.__name__}, found {explain(error)} from {where}",
            hint="is it a prover node, of this version?",
        ) from error


def refusal(answer: HttpAnswer, where: str) -> ServiceError:
    """Return what a node's refusal means, in words that move no cursor."""
    try:
        problem = ApiProblem.model_validate(parse_json(answer.body, where="its answer"))
    except (FormatError, ValidationError):
        problem = None
    said = f": {printable(problem.message)} [{printable(problem.code, 20)}]" if problem else ""
    hint = printable(problem.hint) if problem else ""
    message = f"expected an answer of {where}, found HTTP status {answer.status}{said}"
    if answer.status == 402:
        return PaymentRequiredError(message, hint=hint)
    if answer.status in _BUSY:
        return ServiceBusyError(message, hint=hint or "ask again later")
    if problem is not None and problem.retryable:
        return ServiceBusyError(message, hint=hint)
    if 400 <= answer.status < 500:
        return RequestRefusedError(message, hint=hint)
    return ServiceUnreachableError(message, hint=hint)


def problem_error(problem: ApiProblem, where: str) -> ServiceError:
    """Return what a problem that a node reports in a stream or of a job means."""
    message = (
        f"expected an answer of {where}, found {printable(problem.message)} [{printable(problem.code, 20)}]"
    )
    kind = ServiceBusyError if problem.retryable else RequestRefusedError
    return kind(message, hint=printable(problem.hint))


def _path(did: str) -> str:
    return f"{VERSION_PREFIX}/models/{quote(did, safe=':')}/infer"


def _body(request: InferRequest) -> bytes:
    return canonical_json(request.model_dump(mode="json", exclude_none=True))
