"""Watch: read newly opened jobs off the chain into the journal."""

import logging

from prover_nodes.journal import CaseState, Journal
from prover_nodes.ports import Market
from zkml.core.records import JobRequest, to_hex

REORG_BLOCKS = 64
"""Blocks that are read again each time, because a reorg may have changed them."""

_log = logging.getLogger(__name__)


def watch_market(market: Market, journal: Journal) -> int:
    """Read the blocks since the last time, and keep each job they opened.

    Returns:
        How many jobs are new.

    Raises:
        RpcError: the endpoint does not answer; the next call begins where this one did.
    """
    head = market.height()
    start = market.first_block
    if journal.cursor is not None:
        start = max(start, min(journal.cursor, head) + 1 - REORG_BLOCKS)
    new = sum(journal.add(request) for request in market.requests(start, head))
    if journal.cursor is None:
        _find_claims(market, journal)
    journal.move_cursor(head)
    if new:
        _log.info("%d new jobs up to block %d", new, head)
    return new


def look_up(job_id: bytes, market: Market, journal: Journal) -> JobRequest:
    """Read one job off the chain into the journal.

    Raises:
        JobNotFoundError: no such job.
        RpcError: the endpoint does not answer.
    """
    request = market.request(job_id)
    journal.add(request)
    return request


def _find_claims(market: Market, journal: Journal) -> None:
    """Mark what this prover claimed under a journal that is lost: collateral is at stake there."""
    claimed = {to_hex(job_id) for job_id in market.claimed_jobs()}
    for case in journal.cases((CaseState.WAITING,)):
        if case.request.job_id in claimed:
            journal.mark(case, CaseState.WORKING)
