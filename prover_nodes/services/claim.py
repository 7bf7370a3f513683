"""Claim: lock collateral for a job, and so become its only payee before any proof is public."""

import logging

from prover_nodes.journal import Case, Purpose
from prover_nodes.outbox import Outbox
from prover_nodes.policy import is_claimed_by
from prover_nodes.ports import FoundMove, Market
from zkml.core.records import ClaimRecord, WitnessRecord, from_hex
from zkml.errors import NotFinalError

_log = logging.getLogger(__name__)


def claim_job(case: Case, witness: WitnessRecord, market: Market, outbox: Outbox) -> ClaimRecord:
    """Claim a job, or find the claim that an earlier run of this node made.

    Raises:
        InvalidTransitionError: another prover was faster, or the job is over.
        JobExpiredError: past its deadline.
        InsufficientFundsError: too few tokens for the collateral, or too little ether for gas.
        NotFinalError: the chain says that it is claimed, and not yet by which transaction.
        ChainError: see `Outbox.deliver`.
    """
    job_id = from_hex(case.request.job_id)
    if is_claimed_by(market.facts(job_id), market.account):
        move = _find_claim(case, market, outbox)
    else:
        _approve(case, market, outbox)
        receipt = outbox.deliver(case, Purpose.CLAIM, market.plan_claim(job_id))
        move = FoundMove(receipt.transaction, receipt.block)
    return ClaimRecord(
        request=case.digest,
        witness=witness.own_digest,
        prover=market.account,
        claim_number=case.claim_number,
        transaction=move.transaction,
        block=move.block,
    )


def _approve(case: Case, market: Market, outbox: Outbox) -> None:
    """Let the manager take the collateral, exactly, unless it may already."""
    collateral = int(case.request.collateral)
    if market.allowance() < collateral:
        outbox.deliver(case, Purpose.APPROVE, market.plan_approve(collateral), repeat=True)


def _find_claim(case: Case, market: Market, outbox: Outbox) -> FoundMove:
    receipt = outbox.find(case, Purpose.CLAIM)
    if receipt is not None:
        return FoundMove(receipt.transaction, receipt.block)
    found = market.claim_of(from_hex(case.request.job_id))
    if found is None:
        raise NotFinalError(f"expected the claim of job {case.request.job_id}, found no event of it yet")
    _log.info("job %s is claimed by this node already, in %s", case.request.job_id, found.transaction)
    return found
