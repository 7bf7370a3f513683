"""Watch: read newly opened jobs off the chain into the journal, and undo what a reorg undid.

The journal keeps the hashes of the latest blocks. Where the chain has other hashes now, the blocks from
there on are read again, and a job that was opened in one of those that are gone is closed, unless it was
opened again.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from prover_nodes.journal import KEPT_BLOCKS, UNFINISHED, Case, CaseState, Journal
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.ports import Market
from zkml.adapters.evm.answers import Block
from zkml.core.digests import Digest
from zkml.core.records import JobRequest, from_hex, to_hex
from zkml.errors import JobNotFoundError, RpcError

REORG_BLOCKS = 64
"""Blocks whose openings are asked for again each time: some endpoints know a block before its logs."""
REORGED = "reorged"

_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look at the chain found.

    Attributes:
        new: how many jobs were not in the journal.
        depth: how many blocks that were read before are gone.
        reorged: the cases that were closed with them.
        head: height of the latest block.
        chain_seconds: its time, in seconds since 1970.
    """

    new: int
    depth: int
    reorged: tuple[Case, ...]
    head: int
    chain_seconds: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What changed on the chain since the last look."""

    head: Block
    fork: int
    depth: int
    hashes: dict[int, str]


class _MovedError(Exception):
    """The chain moved while it was read; never leaves this module."""


def watch_market(market: Market, journal: Journal) -> int:
    """Read what is new, and return how many jobs are; see `follow_market`."""
    return follow_market(market, journal).new


def follow_market(market: Market, journal: Journal, observer: Observer | None = None) -> Watched:
    """Read the blocks since the last time, undo those that are gone, and keep each job that was opened.

    Args:
        market: the chain.
        journal: keeps all that was read, or nothing of it.
        observer: told of reorgs.

    Raises:
        RpcError: the endpoint does not answer, or contradicts itself; the next call begins where this did.
    """
    observer = observer or SilentObserver()
    for _ in range(_ATTEMPTS):
        try:
            watched = _follow(market, journal)
        except _MovedError:
            continue
        if watched.depth:
            observer.reorg_seen(watched.depth)
        return watched
    raise RpcError(
        "expected a chain that stands still for a moment, found other blocks at each look",
        hint="the endpoint may be several nodes that disagree: use another one",
    )


def look_up(job_id: bytes, market: Market, journal: Journal) -> JobRequest:
    """Read one job off the chain into the journal.

    Raises:
        JobNotFoundError: no such job.
        RpcError: the endpoint does not answer.
    """
    request = market.request(job_id)
    journal.add(request)
    return request


def _follow(market: Market, journal: Journal) -> Watched:
    head, kept, cursor = market.block(), journal.blocks(), journal.cursor
    if cursor is not None and kept.get(head.number) == head.block_hash:
        # Nothing new; or the endpoint fell behind what it said before, and will catch up.
        return Watched(0, 0, (), head.number, head.timestamp)
    _check_height(head, kept)
    reading = _read_hashes(market, head, kept, cursor)
    # A fork below all kept hashes means that any block may be another one now.
    start = max(market.first_block, min(reading.fork + 1, head.number + 1 - REORG_BLOCKS))
    requests = list(market.requests(start, head.number))
    if market.block(head.number).block_hash != head.block_hash:
        raise _MovedError
    _check_openings(requests, {**kept, **reading.hashes}, head)
    gone = _orphans(market, journal, requests, reading) if reading.depth else []
    changes = {case.digest: (CaseState.CLOSED, f"{REORGED}: {_why(case, requests)}") for case in gone}
    changes |= {case.digest: (CaseState.WAITING, "") for case in _restored(journal, requests)}
    if cursor is None:
        changes |= dict.fromkeys(_claimed(market, journal, requests), (CaseState.WORKING, ""))
    new = journal.advance(
        head.number,
        hashes=reading.hashes,
        above=reading.fork,
        requests=requests,
        changes=changes,
    )
    if new:
        _log.info("%d new jobs up to block %d", new, head.number)
    if reading.depth:
        _log.warning("a reorg undid %d blocks and the openings of %d jobs", reading.depth, len(gone))
    return Watched(new, reading.depth, tuple(gone), head.number, head.timestamp)


def _check_height(head: Block, kept: dict[int, str]) -> None:
    """Refuse to take the word of an endpoint that has not read the chain yet for a reorg."""
    if kept and head.number < min(kept):
        raise RpcError(
            f"expected a chain of {max(kept)} blocks or about as many, found {head.number}",
            hint="the endpoint is still reading the chain: wait, or use another one",
        )


def _read_hashes(market: Market, head: Block, kept: dict[int, str], cursor: int | None) -> _Reading:
    """Read the hashes from the last common block on, each the parent of the next."""
    lowest = max(market.first_block, head.number + 1 - KEPT_BLOCKS)
    hashes, block = {head.number: head.block_hash}, head
    while block.number > lowest and kept.get(block.number - 1) != block.parent_hash:
        below = market.block(block.number - 1)
        if below.block_hash != block.parent_hash:
            raise _MovedError
        block = below
        hashes[block.number] = block.block_hash
    fork = block.number - 1
    if kept.get(fork) == block.parent_hash:
        return _Reading(head, fork, sum(number > fork for number in kept), hashes)
    if not kept:
        # A first look, or the journal of a version that kept no hashes.
        return _Reading(head, market.first_block - 1 if cursor is None else min(cursor, fork), 0, hashes)
    return _below_kept(market, kept, hashes, head)


def _below_kept(market: Market, kept: dict[int, str], hashes: dict[int, str], head: Block) -> _Reading:
    """Find the last common block where more blocks are new than hashes are kept."""
    older = sorted((number for number in kept if number < min(hashes)), reverse=True)
    still = (number for number in older if market.block(number).block_hash == kept[number])
    fork = next(still, market.first_block - 1)
    return _Reading(head, fork, sum(number > fork for number in kept), hashes)


def _check_openings(requests: Sequence[JobRequest], hashes: dict[int, str], head: Block) -> None:
    """Check that each opening lies in the block that the chain has at its height, as far as that is known."""
    for request in requests:
        known = hashes.get(request.opened_block, request.opened_block_hash)
        if request.opened_block_hash != known or request.opened_block > head.number:
            raise RpcError(
                f"expected the opening of job {request.job_id} in block {known} at {request.opened_block}, "
                f"found it in {request.opened_block_hash}",
                hint="the endpoint contradicts itself: use another one",
            )


def _orphans(
    market: Market, journal: Journal, requests: Sequence[JobRequest], reading: _Reading
) -> list[Case]:
    """Return unfinished cases whose opening is gone.

    One that is worked on and opened again goes on: its collateral and its proof are for the job, in
    whatever block it was opened.
    """
    found = {request.own_digest for request in requests}
    reopened = {request.job_id for request in requests}
    gone = []
    for case in journal.cases(UNFINISHED):
        if case.request.opened_block <= reading.fork or case.digest in found:
            continue
        is_reopened = case.request.job_id in reopened
        if is_reopened and case.state is CaseState.WORKING:
            continue
        if is_reopened or not _exists(market, case):
            gone.append(case)
    return gone


def _restored(journal: Journal, requests: Sequence[JobRequest]) -> list[Case]:
    """Return cases that a reorg closed and another one brought back."""
    found = {request.own_digest for request in requests}
    closed = journal.cases((CaseState.CLOSED,)) if found else []
    return [case for case in closed if case.digest in found and case.reason.startswith(f"{REORGED}:")]


def _exists(market: Market, case: Case) -> bool:
    """Say whether the contract knows a job whose opening was not found: logs may come late."""
    try:
        market.facts(from_hex(case.request.job_id))
    except JobNotFoundError:
        return False
    return True


def _why(case: Case, requests: Sequence[JobRequest]) -> str:
    again = any(request.job_id == case.request.job_id for request in requests)
    return "opened again in another block" if again else "a reorg undid its opening"


def _claimed(market: Market, journal: Journal, requests: Sequence[JobRequest]) -> list[Digest]:
    """Return what this prover claimed under a journal that is lost: collateral is at stake there."""
    claimed = {to_hex(job_id) for job_id in market.claimed_jobs()}
    known = {case.digest for case in journal.cases() if case.state is not CaseState.WAITING}
    mine = [request.own_digest for request in requests if request.job_id in claimed]
    return [digest for digest in mine if digest not in known]
