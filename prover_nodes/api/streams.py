"""Where a request is, while its client waits: until it is done, or as server-sent events.

A client that goes away ends its own waiting, and nothing else.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from prover_nodes.direct.requests import RequestCase, RequestState
from prover_nodes.direct.service import DirectService
from prover_nodes.direct.troubles import problem_in
from zkml.core.api_messages import InferAnswer, ProgressMessage, problem_of
from zkml.core.progress import ProgressEvent
from zkml.errors import NotFinalError, ZkmlError

_ENDED = (RequestState.SETTLED, RequestState.REFUSED, RequestState.FAILED)
_LEAST_PAUSE_SECONDS = 0.1
PING_SECONDS = 15.0
HUNG_UP_SECONDS = 2.0
"""How often a client that waits in silence is looked at."""
MEDIA_TYPE = "text/event-stream"


@contextlib.asynccontextmanager
async def news_of(service: DirectService, request: str) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set at each news of a request."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        # The loop may have ended in the moment before this listener was taken off.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(event.set)

    with service.parts.feed.listening(request, wake):
        yield event


async def wait_for_proof(
    service: DirectService, request: str, seconds: float, has_hung_up: Callable[[], Awaitable[bool]]
) -> RequestCase:
    """Return a request once it is proved or given up, or as it stands when nobody waits any more.

    Args:
        service: what knows of it.
        request: its id.
        seconds: how long to wait.
        has_hung_up: says whether its client went away; asked every few seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    waiting = (RequestState.WAITING, RequestState.WORKING)
    async with news_of(service, request) as news:
        while True:
            news.clear()
            case = await run_in_threadpool(service.case, request)
            if case.state not in waiting or loop.time() >= deadline or await has_hung_up():
                return case
            await _news_by(news, min(deadline, loop.time() + HUNG_UP_SECONDS))
            await asyncio.sleep(_LEAST_PAUSE_SECONDS)


async def events(service: DirectService, request: str, seconds: float) -> AsyncIterator[bytes]:
    """Yield the events of a request until it is settled or given up, or the time is over.

    Each `progress` has where its stage is, `answer` the proved output, `settled` the transaction that paid,
    `error` why there is none.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    told, is_answered = 0, False
    async with news_of(service, request) as news:
        while loop.time() < deadline:
            news.clear()
            version, progress = service.parts.feed.latest(request)
            if progress is not None and version != told:
                yield _event("progress", _progress(progress))
            told = version
            try:
                case = await run_in_threadpool(service.case, request)
                if not is_answered and case.state in (RequestState.PROVED, RequestState.SETTLED):
                    answer = await run_in_threadpool(_answer, service, case)
                    if answer is not None:
                        is_answered = True
                        yield _event("answer", answer)
            except ZkmlError as error:
                yield _event("error", problem_of(error))
                return
            if case.state in _ENDED:
                yield await run_in_threadpool(_end, service, case)
                return
            await asyncio.sleep(_LEAST_PAUSE_SECONDS)
            if not await _news_by(news, min(deadline, loop.time() + PING_SECONDS)):
                yield b": still at work\n\n"


def _answer(service: DirectService, case: RequestCase) -> InferAnswer | None:
    """Return the answer of a proved request; None where it is told once it is paid for."""
    try:
        return service.views.answer(case)
    except NotFinalError:
        return None


def _end(service: DirectService, case: RequestCase) -> bytes:
    if case.state is not RequestState.SETTLED:
        return _event("error", problem_in(case.reason, case.state))
    settlement = service.views.settlement(case)
    assert settlement is not None  # filed before the state changes
    return _event("settled", settlement)


def _progress(event: ProgressEvent) -> ProgressMessage:
    return ProgressMessage(
        stage=event.stage,
        elapsed_seconds=event.elapsed_seconds,
        expected_seconds=event.expected_seconds,
        finished=event.finished,
    )


async def _news_by(news: asyncio.Event, deadline: float) -> bool:
    """Wait for news; say whether there was some in time."""
    try:
        async with asyncio.timeout_at(deadline):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _event(name: str, message: BaseModel) -> bytes:
    return f"event: {name}\ndata: {message.model_dump_json()}\n\n".encode()
