"""The application: paths, their answers, and what stands before them."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from prover_nodes.api import descriptions, problems, streams
from prover_nodes.api.envelopes import REQUIRED, RESPONSE, SIGNATURE, Envelopes
from prover_nodes.api.guards import BODY_SECONDS, BodyLimits, RateLimits, SecurityHeaders
from prover_nodes.api.paths import DidPath
from prover_nodes.api.problems import one_line
from prover_nodes.api.reads import reads_of
from prover_nodes.api.requests import idempotency_key, is_json, parse_body, wants_events, wants_no_wait
from prover_nodes.direct.desk import Asked
from prover_nodes.direct.requests import RequestCase, RequestState
from prover_nodes.direct.service import DirectService
from prover_nodes.direct.troubles import problem_in
from zkml.core.api_messages import VERSION_PREFIX, JobMessage, ModelOffer
from zkml.core.records import from_hex
from zkml.errors import PaymentRequiredError, ZkmlError

PREFERENCE = "respond-async"


def create_app(service: DirectService, *, body_seconds: float = BODY_SECONDS) -> FastAPI:
    """Return the application of a node.

    Args:
        service: what answers.
        body_seconds: how long a request's body may take to arrive.
    """
    api, market = service.parts.api, service.parts.market
    app = FastAPI(
        title="zkML prover node",
        version="1",
        description="Inferences of models that are registered on a chain, each with its proof. One is paid "
        "for in the transaction in which its proof is accepted: scheme accepted-proof of x402.",
        docs_url=None,
        redoc_url=None,
    )
    envelopes = Envelopes(
        chain_id=market.chain_id,
        prover=market.account,
        token=market.token,
        timeout_seconds=api.timeout_seconds,
    )
    app.include_router(_paid_path(service, envelopes))
    app.include_router(reads_of(service, envelopes.network))
    _add_handlers(app)
    descriptions.add_payment(app.openapi())
    # The last one added stands first.
    app.add_middleware(BodyLimits, max_bytes=api.max_body_bytes, seconds=body_seconds)
    app.add_middleware(RateLimits, requests_per_minute=api.requests_per_minute)
    app.add_middleware(SecurityHeaders)
    return app


def _paid_path(service: DirectService, envelopes: Envelopes) -> APIRouter:
    router = APIRouter(prefix=VERSION_PREFIX, tags=["inference"])

    @router.post(
        "/models/{did}/infer",
        summary="Infer with a proof",
        operation_id="infer",
        responses=descriptions.infer_answers(),
        openapi_extra=descriptions.infer_extra(),
    )
    async def infer(
        did: DidPath,
        request: Request,
        _payment: Annotated[
            str | None,
            Header(
                alias=SIGNATURE,
                description="x402 PaymentPayload, JSON in base64; its payload is a PaymentBody.",
            ),
        ] = None,
        _key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                description="The same key with the same request gets the same answer, once paid.",
                min_length=1,
                max_length=128,
                pattern=r"^[\x21-\x7e]+$",
            ),
        ] = None,
        _prefer: Annotated[
            str | None, Header(alias="Prefer", description="respond-async: 202 at once.")
        ] = None,
    ) -> Response:
        """Take a packed input, and answer with the model's output and its proof.

        Without a payment, 402 says what it costs. With one, the answer comes once the proof is made and the
        node has checked that its settlement would be accepted; the settlement follows by itself.
        """
        if not is_json(request):
            return problems.answer_problem(
                415, "ZK-SVC-004", "expected a body of type application/json, found another or none"
            )
        body, header = parse_body(await request.body()), request.headers.get(SIGNATURE)
        circuit_id = None if body.circuit_id is None else from_hex(body.circuit_id)
        if header is None:
            await run_in_threadpool(service.check_open)
            offer = await run_in_threadpool(service.offer, did, circuit_id)
            missing = PaymentRequiredError(
                f"expected a payment in {SIGNATURE}, found none", hint="see docs/x402.md"
            )
            return _required(request, envelopes, offer, missing)
        try:
            asked = Asked(did, body, envelopes.body(header), idempotency_key(request))
            case = await run_in_threadpool(service.submit, asked)
        except ZkmlError as error:
            if problems.status_of(error) != 402:
                raise
            offer = await run_in_threadpool(service.offer, did, None)
            return _required(request, envelopes, offer, error)
        return await _answer(service, envelopes, request, case)

    return router


async def _answer(
    service: DirectService, envelopes: Envelopes, request: Request, case: RequestCase
) -> Response:
    """Answer an accepted request as its client would have it."""
    seconds = service.parts.api.timeout_seconds
    if wants_no_wait(request):
        return await _accepted(service, request, case, {"Preference-Applied": PREFERENCE})
    if wants_events(request):
        return StreamingResponse(streams.events(service, case.id, seconds), media_type=streams.MEDIA_TYPE)
    case = await streams.wait_for_proof(service, case.id, seconds, request.is_disconnected)
    if case.state in (RequestState.WAITING, RequestState.WORKING):
        return await _accepted(service, request, case, {})
    if case.state in (RequestState.REFUSED, RequestState.FAILED):
        status = 422 if case.state is RequestState.REFUSED else 409
        return problems.answer(status, problem_in(case.reason, case.state))
    answer = await run_in_threadpool(service.views.answer, case)
    settlement = await run_in_threadpool(service.views.settlement, case)
    return Response(
        answer.model_dump_json(),
        media_type="application/json",
        headers={RESPONSE: envelopes.response(case, settlement)},
    )


async def _accepted(
    service: DirectService, request: Request, case: RequestCase, headers: dict[str, str]
) -> Response:
    message: JobMessage = await run_in_threadpool(service.views.request, case)
    location = f"{request.scope.get('root_path', '')}{VERSION_PREFIX}/jobs/{case.id}"
    return Response(
        message.model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers={"Location": location, **headers},
    )


def _required(request: Request, envelopes: Envelopes, offer: ModelOffer, error: ZkmlError) -> Response:
    header = envelopes.required(offer, str(request.url), error.message)
    return problems.answer_error(error, {REQUIRED: header})


def _add_handlers(app: FastAPI) -> None:
    async def on_error(_: Request, error: Any) -> Response:
        return problems.answer_error(error)

    async def on_http(_: Request, error: Any) -> Response:
        retry = {"Retry-After": "1"} if error.status_code == 503 else {}
        return problems.answer_problem(
            error.status_code,
            "ZK-SVC-004",
            str(error.detail).lower(),
            headers={**(error.headers or {}), **retry},
        )

    async def on_invalid(_: Request, error: Any) -> Response:
        found = "; ".join(
            f"{one_line('.'.join(str(part) for part in problem['loc']))}: {one_line(problem['msg'].lower())}"
            for problem in error.errors()[:5]
        )
        return problems.answer_problem(422, "ZK-SVC-004", f"expected valid parameters, found {found}")

    async def on_defect(_: Request, __: Any) -> Response:
        return problems.answer_problem(500, "ZK-GEN-001", "expected an answer, found a defect of the node")

    app.add_exception_handler(ZkmlError, on_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_defect)
