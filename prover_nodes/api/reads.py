"""The paths that only read: models, jobs, attestations, artifacts, and the prover itself."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from prover_nodes.api import descriptions, streams
from prover_nodes.api.paths import CidPath, DidPath, IdPath
from prover_nodes.api.requests import wants_events
from prover_nodes.direct.service import DirectService
from zkml.core.api_messages import (
    VERSION_PREFIX,
    AttestationMessage,
    JobMessage,
    ModelList,
    ModelOffer,
    ProverMessage,
)


def reads_of(service: DirectService, network: str) -> APIRouter:
    """Return the paths that only read.

    Args:
        service: what answers.
        network: CAIP-2 id of the chain.
    """
    router = APIRouter(prefix=VERSION_PREFIX)
    _add_models(router, service, network)
    _add_work(router, service)

    @router.get(
        "/artifacts/{cid}",
        summary="A public artifact",
        operation_id="artifact",
        tags=["models"],
        response_class=Response,
        responses={
            200: {
                "description": "The file; it hashes to its identifier.",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            },
            **descriptions.problems(404, 422),
        },
    )
    async def artifact(cid: CidPath) -> Response:
        """Return a manifest of a model served here, or a file that its owner publishes."""
        data = await run_in_threadpool(service.artifacts.read, cid)
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{cid}"'}
        return Response(data, media_type="application/octet-stream", headers=headers)

    return router


def _add_models(router: APIRouter, service: DirectService, network: str) -> None:
    market = service.parts.market

    @router.get(
        "/models",
        summary="Models of this node",
        operation_id="models",
        tags=["models"],
        responses=descriptions.problems(),
    )
    async def models() -> ModelList:
        """List the models this node answers for, with what one inference of each costs now."""
        offers = await run_in_threadpool(service.offers)
        return ModelList(prover=market.account, network=network, asset=market.token, models=offers)

    @router.get(
        "/models/{did}",
        summary="One model",
        operation_id="model",
        tags=["models"],
        responses=descriptions.problems(404, 422),
    )
    async def model(did: DidPath) -> ModelOffer:
        """Return what one inference of a model costs now, and what it is checked by."""
        return await run_in_threadpool(service.offer, did)

    @router.get(
        "/prover",
        summary="Who answers here",
        operation_id="prover",
        tags=["models"],
        responses=descriptions.problems(),
    )
    async def prover() -> ProverMessage:
        """Return the prover's account, where it is paid, and how busy it is."""
        return ProverMessage(
            prover=market.account,
            network=network,
            manager=market.manager,
            asset=market.token,
            models=len(service.parts.catalogue.models()),
            waiting=service.waiting(),
            wait_seconds=service.parts.admission.slots.seconds_until_free(),
            draining=service.is_draining,
        )


def _add_work(router: APIRouter, service: DirectService) -> None:
    @router.get(
        "/jobs/{id}",
        summary="Where work is",
        operation_id="job",
        tags=["work"],
        response_class=Response,
        responses={
            200: {
                "description": "What this node knows of it, or the events of a request.",
                "model": JobMessage,
                "content": {
                    "application/json": {"example": descriptions.JOB},
                    **descriptions.EVENTS_MEDIA,
                },
            },
            **descriptions.problems(404, 422),
        },
    )
    async def job(id: IdPath, request: Request) -> Response:  # noqa: A002 the name in the path
        """Return a job of the market or a request on a tab, as this node knows it."""
        found = await run_in_threadpool(service.views.find, id)
        if found.kind == "request" and wants_events(request):
            seconds = service.parts.api.timeout_seconds
            return StreamingResponse(streams.events(service, id, seconds), media_type=streams.MEDIA_TYPE)
        return Response(found.model_dump_json(), media_type="application/json")

    @router.get(
        "/attestations/{id}",
        summary="Where the proof of settled work is",
        operation_id="attestation",
        tags=["work"],
        responses=descriptions.problems(404, 422),
    )
    async def attestation(id: IdPath) -> AttestationMessage:  # noqa: A002 the name in the path
        """Return the transaction in which the chain accepted the proof, and the digests to find it by."""
        return await run_in_threadpool(service.views.attestation, id)
