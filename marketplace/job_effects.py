"""What each move of a job does: money and status, from the job's facts and the deployment's terms. No I/O."""

from marketplace.effects import Change, Effects, Flow, Pocket, PocketKind, effects_of
from verifier_contracts.terms import JobTerms
from zkml.core.job_machine import JobFacts, JobStatus, check_move, payee_of, status_of
from zkml.core.pricing import Payment, collateral_for, payment_for, split_forfeit
from zkml.core.records import to_hex


def opening_effects(job_id: bytes, requester: str, escrow: int) -> Effects:
    """Return what opening a job does."""
    wallet = Pocket(PocketKind.WALLET, requester)
    return effects_of(
        [Flow(escrow, wallet, _escrow(job_id))], _status(job_id, JobStatus.NONE, JobStatus.OPEN)
    )


def claim_effects(job: JobFacts, prover: str, now: int, terms: JobTerms) -> Effects:
    """Return what claiming a job at chain time `now` does; raises as `check_move` does."""
    check_move(job, "claim", now, caller=prover)
    payment = payment_for(job.quote, job.prover_fee_at(now))
    returned = Flow(job.escrow - payment.price, _escrow(job.job_id), _credits(job.requester))
    return effects_of(
        [_lock(prover, _collateral(payment, terms)), returned],
        _status(job.job_id, JobStatus.OPEN, JobStatus.CLAIMED),
        Change("prover fee", "on offer", str(payment.prover_fee)),
        Change("claim deadline", "none", str(min(now + job.claim_seconds, job.deadline))),
    )


def reclaim_effects(job: JobFacts, prover: str, now: int, terms: JobTerms) -> Effects:
    """Return what taking a late claim over does; raises as `check_move` does."""
    check_move(job, "reclaim", now, caller=prover)
    collateral = _collateral(job.payment, terms)
    struck = _forfeit(job.previous_prover, collateral, terms) if job.has_previous_prover else []
    return effects_of(
        [*struck, _lock(prover, collateral)],
        _status(job.job_id, JobStatus.LATE, JobStatus.GRACE),
        Change("claimer", job.prover, prover),
        Change("grace of the claimer before, until", "none", str(now + terms.grace_seconds)),
        Change("claim deadline", str(job.claim_deadline), str(now + job.claim_seconds)),
    )


def settlement_effects(job: JobFacts, prover: str, now: int, terms: JobTerms) -> Effects:
    """Return what an accepted proof does; raises as `check_move` does."""
    check_move(job, "settle", now, caller=prover)
    payee, status = payee_of(job, now) or prover, status_of(job, now)
    collateral = _collateral(job.payment, terms)
    flows = [
        *payment_flows(_escrow(job.job_id), payee, job.model_id, job.payment),
        _release(payee, collateral),
    ]
    if status is JobStatus.GRACE:
        flows.append(_release(job.prover, collateral))
    elif job.has_previous_prover:
        flows += _forfeit(job.previous_prover, collateral, terms, heir=payee)
    return effects_of(flows, _status(job.job_id, status, JobStatus.SETTLED))


def cancel_effects(job: JobFacts, now: int) -> Effects:
    """Return what cancelling a job does; raises as `check_move` does."""
    check_move(job, "cancel", now)
    back = Flow(job.escrow, _escrow(job.job_id), _credits(job.requester))
    return effects_of([back], _status(job.job_id, JobStatus.OPEN, JobStatus.CANCELLED))


def refund_effects(job: JobFacts, now: int, terms: JobTerms, *, is_tombstoned: bool) -> Effects:
    """Return what refunding a job does; raises as `check_move` does."""
    check_move(job, "refund", now, is_tombstoned=is_tombstoned)
    flows = [Flow(job.escrow, _escrow(job.job_id), _credits(job.requester))]
    collateral = _collateral(job.payment, terms)
    claimers = [job.prover] if job.has_prover else []
    claimers += [job.previous_prover] if job.has_previous_prover else []
    for claimer in claimers:
        flows += [_release(claimer, collateral)] if is_tombstoned else _forfeit(claimer, collateral, terms)
    return effects_of(flows, _status(job.job_id, status_of(job, now), JobStatus.REFUNDED))


def payment_flows(source: Pocket, payee: str, model_id: int, payment: Payment) -> list[Flow]:
    """Return who gets what of the price of one settlement."""
    model = f"model {model_id:#x}"
    return [
        Flow(payment.prover_fee, source, _credits(payee)),
        Flow(payment.revenue, source, Pocket(PocketKind.REVENUE, model)),
        Flow(payment.platform_amount, source, Pocket(PocketKind.PLATFORM, model)),
    ]


def _collateral(payment: Payment, terms: JobTerms) -> int:
    return collateral_for(payment.price, int(terms.min_collateral), terms.collateral_ppm)


def _escrow(job_id: bytes) -> Pocket:
    return Pocket(PocketKind.ESCROW, f"job {to_hex(job_id)}")


def _credits(account: str) -> Pocket:
    return Pocket(PocketKind.CREDITS, account)


def _status(job_id: bytes, before: JobStatus, after: JobStatus) -> Change:
    return Change(f"status of job {to_hex(job_id)}", before.name, after.name)


def _lock(prover: str, collateral: int) -> Flow:
    return Flow(collateral, Pocket(PocketKind.FREE_STAKE, prover), Pocket(PocketKind.LOCKED_STAKE, prover))


def _release(prover: str, collateral: int) -> Flow:
    return Flow(collateral, Pocket(PocketKind.LOCKED_STAKE, prover), Pocket(PocketKind.FREE_STAKE, prover))


def _forfeit(prover: str, collateral: int, terms: JobTerms, heir: str = "") -> list[Flow]:
    split = split_forfeit(collateral, terms.bonus_ppm, terms.treasury_ppm, has_heir=bool(heir))
    locked = Pocket(PocketKind.LOCKED_STAKE, prover)
    return [
        Flow(split.bonus, locked, Pocket(PocketKind.FREE_STAKE, heir)),
        Flow(split.to_treasury, locked, Pocket(PocketKind.TO_TREASURY, "")),
        Flow(split.to_burn, locked, Pocket(PocketKind.TO_BURN, "")),
    ]
