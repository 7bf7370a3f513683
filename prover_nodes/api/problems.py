"""Errors of ours as HTTP answers: one status per class, one body for all, no word of the code behind."""

import logging
from collections.abc import Mapping

from starlette.responses import Response

from zkml.core.api_messages import ApiProblem, problem_of
from zkml.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    BindingError,
    ChainError,
    FormatError,
    InconclusiveError,
    JobNotFoundError,
    LayoutError,
    MarketError,
    NotRegisteredError,
    PaymentRequiredError,
    ProverRefusedError,
    ProvingError,
    RegistryError,
    RequestRefusedError,
    ServiceBusyError,
    TabRefusedError,
    TombstonedError,
    WitnessError,
    WrongChainError,
    ZkmlError,
)

STATUSES: tuple[tuple[type[ZkmlError], int], ...] = (
    (ArtifactNotFoundError, 404),
    (FormatError, 400),
    (PaymentRequiredError, 402),
    (TabRefusedError, 402),
    (WrongChainError, 402),
    (ProverRefusedError, 403),
    (NotRegisteredError, 404),
    (JobNotFoundError, 404),
    (TombstonedError, 410),
    (BindingError, 422),
    (LayoutError, 422),
    (WitnessError, 422),
    (RequestRefusedError, 422),
    (RegistryError, 422),
    (MarketError, 402),
    (ServiceBusyError, 503),
    (InconclusiveError, 503),
    (ChainError, 503),
    (ProvingError, 503),
    (ArtifactError, 503),
)
"""The first row whose class fits decides; anything else is a defect of the node, and 500."""

RETRY_AFTER_SECONDS = 5
MEDIA_TYPE = "application/json"

_log = logging.getLogger(__name__)


def status_of(error: ZkmlError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def answer_error(error: ZkmlError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that tells a client of an error."""
    status = status_of(error)
    given = dict(headers or {})
    if status == 503:
        given.setdefault("Retry-After", str(error.context.get("retry_after", RETRY_AFTER_SECONDS)))
    if status == 500:
        _log.error("an error that has no status: %s", error.message)
        return answer_problem(500, "ZK-GEN-001", "expected an answer, found a defect of the node")
    return answer(status, problem_of(error), given)


def answer_problem(
    status: int, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer that tells of a problem which is no error of ours."""
    problem = ApiProblem(code=code, message=message, hint=hint, retryable=status in (408, 429, 503))
    return answer(status, problem, headers)


def answer(status: int, problem: ApiProblem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as JSON."""
    return Response(
        problem.model_dump_json(), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def one_line(text: str) -> str:
    """Cut and escape text that came from outside."""
    return text[:200].encode("unicode_escape").decode()
