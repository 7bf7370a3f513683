"""Steps 9 and 10: who was paid, how much, and that nobody was paid without a proof."""

from zkml.audit import payment
from zkml.audit.job_case import ENDINGS, JobCase
from zkml.core.digests import keccak256
from zkml.core.job_machine import JobStatus
from zkml.core.records import to_hex
from zkml.errors import BindingError, PaymentMismatchError


def settlement_is_this_proof(case: JobCase) -> str:
    """Step 9: event = what was proved; payee = claimer, bound before the proof was public."""
    arguments, given, where = case.ending.arguments, case.settlement, case.ending.log.transaction
    if given.subject != case.job_id:
        raise BindingError(f"expected a settlement of {to_hex(case.job_id)}, found {to_hex(given.subject)}")
    if (arguments["output"], arguments["proofDigest"]) != (given.packed_output, keccak256(given.proof)):
        raise BindingError(
            f"expected output and digest of the given proof in the event, found others in {where}"
        )
    _check_payee(case)
    claim, settlement = case.claimed.log, case.ending.log
    if (claim.block, claim.index) >= (settlement.block, settlement.index):
        raise BindingError(f"expected the claim before the settlement, found it after in {where}")
    return f"prover {case.facts.prover}"


def payment_is_right(case: JobCase) -> str:
    """Step 10: escrow and collateral came in, the fee was credited once, nothing else moved."""
    facts, reader = case.facts, case.reader
    _check_single_ending(case)
    _check_escrow(case)
    payment.verify_amounts(case.claimed, {"collateral": facts.collateral})
    payment.verify_deposit(reader, case.claimed, facts.prover, facts.collateral)
    payment.verify_amounts(case.ending, {"fee": facts.fee})
    payment.verify_payouts(reader, case.ending_transaction)
    return f"fee {facts.fee} and collateral {facts.collateral} credited"


def nobody_settled(case: JobCase) -> str:
    """Step 9 of a job that ended without a proof: no settlement, and the requester's refund."""
    settled = case.events("JobSettled")
    if settled:
        raise BindingError(
            f"expected no settlement of a {case.status.name} job, found {settled[0].log.transaction}"
        )
    found = case.ending.arguments.get("requester", case.facts.requester)
    if found != case.facts.requester:
        raise BindingError(f"expected a refund to {case.facts.requester}, found one to {found}")
    return f"requester {case.facts.requester}"


def refund_is_right(case: JobCase) -> str:
    """Step 10 of a job that ended without a proof: fee back, collateral forfeited if claimed."""
    facts = case.facts
    _check_single_ending(case)
    _check_escrow(case)
    forfeited = _check_forfeit(case)
    if case.status is JobStatus.REFUNDED:
        payment.verify_amounts(case.ending, {"fee": facts.fee, "forfeited": forfeited})
    elif forfeited:
        raise PaymentMismatchError("expected a cancelled job to be unclaimed, found a claim")
    payment.verify_payouts(case.reader, case.ending_transaction)
    return f"fee {facts.fee} back, {forfeited} forfeited"


def _check_payee(case: JobCase) -> None:
    payees = {
        "claim": case.claimed.arguments["prover"],
        "settlement": case.ending.arguments["prover"],
        "job": case.facts.prover,
    }
    # A contract that proves sends no transactions: whoever signed this one has no part in the job.
    if case.settlement.in_calldata:
        payees["sender"] = case.ending_transaction.sent.sender
    if len(set(payees.values())) != 1:
        found = ", ".join(f"{where} {account}" for where, account in payees.items())
        raise BindingError(f"expected one prover everywhere, found {found}")


def _check_escrow(case: JobCase) -> None:
    payment.verify_terms(case.reader, case.facts, case.opened)
    payment.verify_deposit(case.reader, case.opened, case.facts.requester, case.facts.fee)


def _check_forfeit(case: JobCase) -> int:
    """Return what must have been forfeited: the collateral, if anybody claimed."""
    facts = case.facts
    if int(facts.prover, 16) == 0:
        if case.events("JobClaimed"):
            raise PaymentMismatchError("expected no claim of a job without a prover, found one")
        return 0
    payment.verify_deposit(case.reader, case.claimed, facts.prover, facts.collateral)
    return facts.collateral


def _check_single_ending(case: JobCase) -> None:
    """Check that the job ended once: several endings, or one of another kind, pay twice.

    That there is one at all is not a question of payment: an endpoint may have forgotten it.
    """
    counts = {name: len(case.events(name)) for name in ENDINGS.values()}
    own = case.ending.name
    if counts != {name: int(name == own) for name in counts}:
        raise PaymentMismatchError(f"expected one {own} and no other ending, found {counts}")
