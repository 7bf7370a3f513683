"""Get the answer of a paid call: asked for as often as it takes, with one signature, and verified here.

A node that keeps silent gets nothing: it can settle with a proof alone, and a proof on chain is an answer.
"""

import math

from x402.schemas import PaymentRequirements

from zkml.adapters.http.client import HttpStream, printable
from zkml.client.answers import Proved, TabAnswer, read_answer, verify_answer
from zkml.client.call_journal import CallRecord
from zkml.client.node_api import STREAM, NodeApi, problem_error, read_message
from zkml.client.payment_terms import payment_header
from zkml.client.requester import Requester
from zkml.core.api_messages import (
    ApiProblem,
    InferAnswer,
    InferRequest,
    JobMessage,
    PaymentBody,
    ProgressMessage,
)
from zkml.core.progress import Progress, ProgressEvent
from zkml.core.records import from_hex, to_hex
from zkml.errors import (
    BindingError,
    RpcError,
    ServiceBusyError,
    ServiceError,
    ServiceUnreachableError,
    TabRefusedError,
)

_FAILURES = 4
_PAUSE_SECONDS = (0.25, 1.0, 3.0)
_BUSY_SECONDS = 2.0
_POLL_SECONDS = 1.0
_TAB_SECONDS = 30.0


def receive(
    requester: Requester, call: CallRecord, api: NodeApi, *, timeout_seconds: float, progress: Progress
) -> tuple[TabAnswer, Proved]:
    """Return a call's answer after verifying it in this process.

    Args:
        requester: who asks.
        call: what was signed.
        api: the node.
        timeout_seconds: the longest wait; never past the signed request's expiry.
        progress: told what the node says it does.

    Raises:
        VerificationError: the answer is not the request's, or its proof does not hold.
        ServiceError: no answer came; the same call can be resumed.
        RpcError: see `Chain.request`.
    """
    end = requester.clock.monotonic() + _time_left(requester, call, timeout_seconds)
    failures = 0
    while True:
        left = end - requester.clock.monotonic()
        try:
            answer = _ask(requester, call, api, max(left, 1.0), progress)
            return _verified(requester, call, answer)
        except ServiceError as error:
            on_chain = settled_answer(requester, call)
            if on_chain is not None:
                return on_chain
            is_busy = isinstance(error, ServiceBusyError)
            failures = 0 if is_busy else failures + 1
            pause = _BUSY_SECONDS if is_busy else _PAUSE_SECONDS[min(failures, len(_PAUSE_SECONDS)) - 1]
            is_over = requester.clock.monotonic() + pause >= end
            if not error.retryable or failures >= _FAILURES or is_over:
                raise _unfinished(error, call) from error
        requester.clock.sleep(pause)


def settled_answer(requester: Requester, call: CallRecord) -> tuple[TabAnswer, Proved] | None:
    """Return a call's answer from the chain, verified here, if it was settled.

    Raises:
        VerificationError: what the chain shows is no proof of the request.
        RpcError: see `Chain.request`.
    """
    market = requester.market
    settled = market.tabs.events.request_settled(from_hex(call.request_id))
    if settled is None:
        return None
    answer = read_answer(market, call.request, accepted_classes=requester.trusted, store=requester.store)
    data = market.tabs.events.request_data(settled)
    return answer, Proved(data.packed_input, data.packed_output, data.proof)


def _time_left(requester: Requester, call: CallRecord, timeout_seconds: float) -> float:
    # From the expiry on nobody can be paid for an answer any more.
    left = max(call.request.expiry - requester.market.chain.now(), 0)
    return min(float(left), timeout_seconds if timeout_seconds > 0 else math.inf)


def _ask(
    requester: Requester, call: CallRecord, api: NodeApi, seconds: float, progress: Progress
) -> InferAnswer:
    request = InferRequest(input=call.input, circuit_id=call.request.circuit_id)
    terms = PaymentRequirements.model_validate_json(call.terms)
    payment = payment_header(terms, PaymentBody(request=call.request, opening=call.opening))
    with api.pay(
        call.did, request, payment=payment, key=call.idempotency_key, total_seconds=seconds
    ) as stream:
        if stream.media_type == STREAM:
            return _from_events(stream, api, progress)
        body = stream.read().body
        if stream.status == 200:
            return read_message(body, InferAnswer, api.endpoint)
    return _from_job(requester, call, api, seconds, progress)


def _from_events(stream: HttpStream, api: NodeApi, progress: Progress) -> InferAnswer:
    ended = set[str]()
    for event in stream.events():
        if event.name == "progress":
            message = read_message(event.data, ProgressMessage, api.endpoint)
            if message.stage in ended:
                continue
            ended |= {message.stage} if message.finished else set()
            _tell(
                progress, message.stage, message.elapsed_seconds, message.expected_seconds, message.finished
            )
        elif event.name == "answer":
            return read_message(event.data, InferAnswer, api.endpoint)
        elif event.name == "error":
            raise problem_error(read_message(event.data, ApiProblem, api.endpoint), api.endpoint)
    raise ServiceUnreachableError(
        f"expected an answer, found the end of the stream at {api.endpoint}", transient=True
    )


def _from_job(
    requester: Requester, call: CallRecord, api: NodeApi, seconds: float, progress: Progress
) -> InferAnswer:
    """Ask for the state of a request until its answer is there."""
    start = requester.clock.monotonic()
    while True:
        job: JobMessage = api.job(call.request_id)
        elapsed = requester.clock.monotonic() - start
        if job.answer is not None:
            return job.answer
        if job.problem is not None:
            raise problem_error(job.problem, api.endpoint)
        if elapsed + _POLL_SECONDS >= seconds:
            raise ServiceUnreachableError(
                f"expected an answer within {seconds:g} s, found the request {job.state} at {api.endpoint}",
                transient=True,
            )
        _tell(progress, job.stages[-1] if job.stages else job.state, elapsed, None, finished=False)
        requester.clock.sleep(_POLL_SECONDS)


def _tell(
    progress: Progress,
    stage: str,
    elapsed: float,
    expected: float | None,
    finished: bool,  # noqa: FBT001
) -> None:
    def number(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) and 0 <= value < 1e6 else None

    progress(ProgressEvent(printable(stage, 40), number(elapsed) or 0.0, number(expected), finished))


def _verified(requester: Requester, call: CallRecord, answer: InferAnswer) -> tuple[TabAnswer, Proved]:
    """Verify an answer: it is this request's, of this input, and the chain's verifier accepts its proof."""
    found = (answer.id, answer.request, answer.prover.lower(), answer.input)
    if found != (call.request_id, call.request, call.prover.lower(), call.input):
        raise BindingError(
            f"expected the answer to request {call.request_id}, found one to another request, of another "
            "prover or input",
            hint="nothing was shown, and nobody is paid without a proof of your own input",
        )
    proved = Proved(from_hex(call.input), from_hex(answer.output), from_hex(answer.proof))
    _await_tab(requester, call)
    verified = verify_answer(
        requester.market,
        call.request,
        proved,
        accepted_classes=requester.trusted,
        store=requester.store,
    )
    if to_hex(verified.digest) != call.request_id:
        raise BindingError(f"expected request {call.request_id}, found {to_hex(verified.digest)} verified")
    return verified, proved


def _await_tab(requester: Requester, call: CallRecord) -> None:
    """Wait until a tab that the prover opened is seen here too: its endpoint may be ahead of ours."""
    if call.opening is None:
        return
    start = requester.clock.monotonic()
    while True:
        try:
            requester.market.tabs.facts(from_hex(call.request.tab_id))
        except (TabRefusedError, RpcError) as error:
            if requester.clock.monotonic() - start > _TAB_SECONDS:
                raise ServiceUnreachableError(
                    f"expected tab {call.request.tab_id} to be opened by its prover, found it is not"
                ) from error
        else:
            return
        requester.clock.sleep(_POLL_SECONDS)


def _unfinished(error: ServiceError, call: CallRecord) -> ServiceError:
    """Say with an error what becomes of the money."""
    return type(error)(
        f"{error.message}; request {call.request_id} is signed and may be settled, with a proof alone, "
        f"until {call.request.expiry}",
        hint=error.hint
        or "ask again with the same input: the same request is sent, and nothing is paid twice",
        **error.context,
    )
