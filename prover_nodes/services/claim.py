"""Claim: lock collateral for a job, and so become its only payee before any proof is public."""

import logging

from prover_nodes.journal import Case, Purpose
from prover_nodes.outbox import Outbox
from prover_nodes.policy import holds_claim
from prover_nodes.ports import FoundMove, Market
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.records import ClaimRecord, WitnessRecord, from_hex
from zkml.errors import NotFinalError

_log = logging.getLogger(__name__)


def claim_job(case: Case, witness: WitnessRecord, market: Market, outbox: Outbox) -> ClaimRecord:
    """Claim a job, take a late claim over, or find the claim that an earlier run of this node made.

    Raises:
        InvalidTransitionError: another prover was faster, or the job is over.
        JobExpiredError: past its deadline.
        ProverRefusedError: this prover may not claim it.
        StakeError: too little free stake.
        InsufficientFundsError: too little ether for gas.
        TombstonedError: the circuit is tombstoned.
        NotFinalError: the chain says that it is claimed, and not yet by which transaction.
        ChainError: see `Outbox.deliver`.
    """
    job_id = from_hex(case.request.job_id)
    facts, now = market.facts(job_id), market.now()
    if holds_claim(facts, market.account, now):
        move = _find_claim(case, market, outbox)
    else:
        if status_of(facts, now) is JobStatus.LATE:
            _log.info("job %s: its claimer %s is late", case.request.job_id, facts.prover)
            receipt = outbox.deliver(case, Purpose.RECLAIM, market.plan_reclaim(job_id))
        else:
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


def _find_claim(case: Case, market: Market, outbox: Outbox) -> FoundMove:
    # Of both, the takeover came later.
    for purpose in (Purpose.RECLAIM, Purpose.CLAIM):
        receipt = outbox.find(case, purpose)
        if receipt is not None:
            return FoundMove(receipt.transaction, receipt.block)
    found = market.claim_of(from_hex(case.request.job_id))
    if found is None:
        raise NotFinalError(f"expected the claim of job {case.request.job_id}, found no event of it yet")
    _log.info("job %s is claimed by this node already, in %s", case.request.job_id, found.transaction)
    return found
