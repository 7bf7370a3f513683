"""What an error means for a request: try again, or give it up and say so."""

from prover_nodes.direct.requests import RequestState
from zkml.core.api_messages import ApiProblem, told_of
from zkml.errors import (
    ArtifactError,
    ChainError,
    ConfigError,
    InconclusiveError,
    InvalidTransitionError,
    LayoutError,
    MarketError,
    PaymentRequiredError,
    RegistryError,
    RevertedError,
    ServiceBusyError,
    StakeError,
    WitnessError,
    ZkmlError,
)

MAX_FAILURES = 3
"""A request whose proof failed this often is given up."""
FIRST_PAUSE_SECONDS = 1.0
LAST_PAUSE_SECONDS = 30.0

_SURROUNDINGS = (ChainError, ConfigError, ArtifactError, InconclusiveError, ServiceBusyError)
_FINAL = (MarketError, RegistryError)


def is_surroundings(error: ZkmlError) -> bool:
    """Say whether chain, disk or configuration are to blame, so that waiting may help."""
    return isinstance(error, _SURROUNDINGS) and not isinstance(error, RevertedError)


def is_final(error: ZkmlError) -> bool:
    """Say whether the chain will never pay for the request, as things are."""
    return isinstance(error, _FINAL) and not isinstance(error, (InvalidTransitionError, StakeError))


def is_requesters(error: ZkmlError) -> bool:
    """Say whether it lies in the input, or in the payment that came with it, that nothing can be proved."""
    return isinstance(error, (WitnessError, LayoutError, PaymentRequiredError))


def pause_after(number: int) -> float:
    """Return how long to wait before trying again after so many troubles."""
    return float(min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(number, 10)))


def reason_of(error: ZkmlError) -> str:
    """Return code and words of an error on one line, as the journal keeps them."""
    return f"{error.code} {error.message}"


def problem_in(reason: str, state: RequestState) -> ApiProblem:
    """Return what a client is told of a request that was given up."""
    code, _, message = reason.partition(" ")
    owed = "nothing is owed for it" if state is RequestState.REFUSED else "nothing was paid for it"
    code = code or "ZK-SVC-001"
    return ApiProblem(code=code, message=told_of(code, message) or "given up", hint=owed)
