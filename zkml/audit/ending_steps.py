"""Steps 9 and 10: who was paid, how much, and that nobody was paid without a proof."""

from marketplace.answers import fee_quote, payment
from zkml.adapters.evm.abi import Event
from zkml.audit import payment as money
from zkml.audit.asked_price import verify_quote
from zkml.audit.job_case import ENDINGS, JobCase
from zkml.audit.payment import Effect
from zkml.core.digests import keccak256
from zkml.core.job_machine import ZERO_ADDRESS, JobStatus, status_of
from zkml.core.pricing import Forfeit, collateral_for, escrow_for, payment_for, split_forfeit
from zkml.core.records import to_hex
from zkml.errors import BindingError, PaymentMismatchError


def settlement_is_this_proof(case: JobCase) -> str:
    """Step 9: event = what was proved; payee = who held the claim then, bound before the proof was public."""
    arguments, proof, where = case.ending.arguments, case.settlement, case.ending.log.transaction
    if (arguments["output"], arguments["proofDigest"]) != (proof.own_output, keccak256(proof.given.proof)):
        raise BindingError(
            f"expected output and digest of the given proof in the event, found others in {where}"
        )
    history, prover = case.history, arguments["prover"]
    payees = {"claim": history.payee, "settlement": prover}
    # A contract that proves sends no transactions: whoever signed this one has no part in the job.
    if proof.in_calldata:
        payees["sender"] = case.ending_transaction.sent.sender
    if len(set(payees.values())) != 1:
        found = ", ".join(f"{name} {account}" for name, account in payees.items())
        raise BindingError(f"expected one payee everywhere, found {found}")
    takeovers = len(history.turns) - 1
    return f"prover {prover}" + (f", takeovers: {takeovers}" if takeovers > 0 else "")


def payment_is_right(case: JobCase) -> str:
    """Step 10: price follows from quote and offer, it was paid once, and collateral went where it belongs."""
    facts, history = case.facts, case.history
    _check_single_ending(case)
    _check_opening(case)
    collateral = _check_claims(case)
    prover, forfeiter = case.ending.arguments["prover"], history.forfeiter
    money.verify_amounts(case.ending, {"proverFee": facts.payment.prover_fee})
    effects = [money.released(prover, collateral)]
    if forfeiter:
        effects.append(money.forfeited(forfeiter, _split(case, collateral, has_heir=True), prover))
    elif history.standing.has_previous_prover:
        effects.append(money.released(history.standing.prover, collateral))
    effects.append(money.settled(facts.model_id, prover, facts.payment))
    money.verify_effects(case.reader, case.ending, effects)
    money.verify_payouts(case.reader, case.ending_transaction)
    fee, revenue, platform = facts.payment
    return f"{fee} to the prover, {revenue} to the model, {platform} to the platform" + (
        f", collateral of {forfeiter} forfeited" if forfeiter else ""
    )


def nobody_settled(case: JobCase) -> str:
    """Step 9 of a job that ended without a proof: no settlement, and the requester's refund in its time."""
    settled = case.events("JobSettled")
    if settled:
        raise BindingError(
            f"expected no settlement of a {case.status.name} job, found {settled[0].log.transaction}"
        )
    found = case.ending.arguments.get("requester", case.facts.requester)
    if found != case.facts.requester:
        raise BindingError(f"expected a refund to {case.facts.requester}, found one to {found}")
    history = case.history
    was, allowed = status_of(history.standing, history.time), _ended_from(case)
    if not case.is_excused and was is not allowed:
        raise BindingError(
            f"expected a job that is {allowed.name} at {case.ending.name}, found it {was.name} "
            f"in {case.ending.log.transaction}"
        )
    return f"requester {case.facts.requester}" + (", circuit tombstoned" if case.is_excused else "")


def refund_is_right(case: JobCase) -> str:
    """Step 10 of a job that ended without a proof: escrow back, collateral forfeited where a claim broke."""
    facts, standing = case.facts, case.history.standing
    _check_single_ending(case)
    _check_opening(case)
    collateral = _check_claims(case)
    holders = [standing.prover] if standing.has_prover else []
    if standing.has_previous_prover:
        holders.append(standing.previous_prover)
    if case.is_excused:
        forfeited, effects = 0, [money.released(holder, collateral) for holder in holders]
    else:
        lost = _split(case, collateral, has_heir=False)
        forfeited = collateral * len(holders)
        effects = [money.forfeited(holder, lost, ZERO_ADDRESS) for holder in holders]
    escrow = facts.price if holders else escrow_for(facts.quote, facts.max_prover_fee)
    if case.status is JobStatus.REFUNDED:
        money.verify_amounts(case.ending, {"amount": escrow, "forfeited": forfeited})
    money.verify_effects(case.reader, case.ending, [*effects, money.credited(facts.requester, escrow)])
    money.verify_payouts(case.reader, case.ending_transaction)
    return f"{escrow} back, {forfeited} forfeited"


def _ended_from(case: JobCase) -> JobStatus:
    return JobStatus.OPEN if case.status is JobStatus.CANCELLED else JobStatus.EXPIRED


def _check_opening(case: JobCase) -> None:
    """Check that the quote is what was asked then, and that the greatest price was taken."""
    facts, arguments = case.facts, case.opened.arguments
    quote = fee_quote(arguments["quote"], where=f"in {case.opened.log.transaction}")
    if quote != facts.quote:
        raise PaymentMismatchError(f"expected the opening's quote {quote}, found {facts.quote} in the job")
    verify_quote(case.reader, facts.model_id, quote, case.opened)
    escrow = escrow_for(quote, facts.max_prover_fee)
    money.verify_amounts(case.opened, {"escrow": escrow})
    money.verify_deposit(case.reader, case.opened, facts.requester, escrow)


def _check_claims(case: JobCase) -> int:
    """Check what every claim fixed, locked and forfeited; return the collateral of each, 0 if none."""
    turns = case.history.turns
    if not turns:
        if case.facts.price:
            raise PaymentMismatchError(f"expected no price without a claim, found {case.facts.price}")
        return 0
    collateral = _check_first_claim(case, turns[0].event, turns[0].time)
    for turn in turns[1:]:
        effects = [money.locked(turn.prover, collateral)]
        if turn.forfeiter:
            lost = _split(case, collateral, has_heir=False)
            effects.insert(0, money.forfeited(turn.forfeiter, lost, ZERO_ADDRESS))
        money.verify_effects(case.reader, turn.event, effects)
    return collateral


def _check_first_claim(case: JobCase, claimed: Event, time: int) -> int:
    facts = case.facts
    price = payment_for(facts.quote, facts.prover_fee_at(time))
    found = payment(claimed.arguments["payment"])
    if found != price or facts.payment != price:
        raise PaymentMismatchError(
            f"expected {price} as the offer was at {time}, found {found} in the claim of "
            f"{to_hex(case.job_id)} and {facts.payment} in the job"
        )
    terms = case.reader.terms()
    collateral = collateral_for(price.price, int(terms.min_collateral), terms.collateral_ppm)
    returned = escrow_for(facts.quote, facts.max_prover_fee) - price.price
    money.verify_amounts(claimed, {"collateral": collateral, "returned": returned})
    effects: list[Effect] = [money.locked(claimed.arguments["prover"], collateral)]
    if returned:
        effects.append(money.credited(facts.requester, returned))
    money.verify_effects(case.reader, claimed, effects)
    return collateral


def _split(case: JobCase, collateral: int, *, has_heir: bool) -> Forfeit:
    terms = case.reader.terms()
    return split_forfeit(collateral, terms.bonus_ppm, terms.treasury_ppm, has_heir=has_heir)


def _check_single_ending(case: JobCase) -> None:
    """Check that the job ended once: several endings, or one of another kind, pay twice.

    That there is one at all is not a question of payment: an endpoint may have forgotten it.
    """
    counts = {name: len(case.events(name)) for name in ENDINGS.values()}
    own = case.ending.name
    if counts != {name: int(name == own) for name in counts}:
        raise PaymentMismatchError(f"expected one {own} and no other ending, found {counts}")
