"""Steps 9 and 10 of a signed request's audit: who was paid, when, how much, and from what was reserved."""

from marketplace.answers import payment
from zkml.adapters.evm.abi import Event
from zkml.audit import payment as money
from zkml.audit.asked_price import verify_quote
from zkml.audit.chain_reader import is_before, only_event
from zkml.audit.request_case import RequestCase
from zkml.core.digests import keccak256
from zkml.core.pricing import least_model_fee
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError, PaymentMismatchError


def settlement_is_this_proof(case: RequestCase) -> str:
    """Step 9: event = what was proved; payee = the tab's prover, who settled itself and in time."""
    told, proof, where = case.ending.arguments, case.settlement, case.ending.log.transaction
    if (told["output"], told["proofDigest"]) != (proof.own_output, keccak256(proof.given.proof)):
        raise BindingError(
            f"expected output and digest of the given proof in the event, found others in {where}"
        )
    request, facts = case.signed.request, case.facts
    if (told["tabId"], told["nonce"]) != (request.tab_id, request.nonce):
        raise BindingError(f"expected the request's tab and nonce in the event, found others in {where}")
    payees = {"tab": facts.prover, "settlement": told["prover"]}
    # A contract that proves sends no transactions: whoever signed this one has no part in the request.
    if proof.in_calldata:
        payees["sender"] = case.ending_transaction.sent.sender
    if len(set(payees.values())) != 1:
        found = ", ".join(f"{name} {account}" for name, account in payees.items())
        raise BindingError(f"expected one payee everywhere, found {found}")
    _check_time(case)
    return f"prover {facts.prover}"


def payment_is_right(case: RequestCase) -> str:
    """Step 10: what was signed was paid, once, from a tab that was filled, and what is left lacks it."""
    facts, request = case.facts, case.signed.request
    _check_once(case)
    verify_quote(case.reader, facts.model_id, facts.quote, case.opened)
    money.verify_deposit(case.reader, case.opened, facts.requester, case.tab_spec.amount)
    least = least_model_fee(facts.quote, request.prover_fee)
    if request.model_fee < least:
        raise PaymentMismatchError(f"expected a model fee of at least {least}, found {request.model_fee}")
    due, paid = facts.payment_for(request), payment(case.ending.arguments["payment"])
    if paid != due:
        raise PaymentMismatchError(f"expected {due} as signed, found {paid} in {case.ending.log.transaction}")
    money.verify_effects(case.reader, case.ending, [money.settled(facts.model_id, facts.prover, due)])
    money.verify_payouts(case.reader, case.ending_transaction)
    _check_rest(case)
    fee, revenue, platform = due
    return f"{fee} to the prover, {revenue} to the model, {platform} to the platform"


def _check_time(case: RequestCase) -> None:
    """Check that the tab was open: after its opening, before its end, before request and tab expired."""
    ending, time = case.ending, case.reader.time_of(case.ending)
    if not is_before(case.opened, ending):
        raise BindingError(f"expected a settlement after the tab's opening, found {ending.log.transaction}")
    expiry = min(case.signed.request.expiry, case.facts.expiry)
    if time > expiry:
        raise BindingError(f"expected a settlement at {expiry} at the latest, found one at {time}")
    if any(is_before(closing, ending) for closing in case.closings):
        raise BindingError(f"expected a settlement from an open tab, found it closed before {time}")


def _check_once(case: RequestCase) -> None:
    """Check that neither the request nor its nonce was paid twice."""
    nonce = case.signed.request.nonce
    only_event(case.settlements, "RequestSettled", f"request {to_hex(case.digest)}")
    same = [draw for draw in case.draws if draw.arguments["nonce"] == nonce]
    if len(same) > 1:
        raise PaymentMismatchError(
            f"expected nonce {nonce} to be paid once on tab {to_hex(case.tab_id)}, found {len(same)} times"
        )
    (is_used,) = case.reader.view("manager", "isNonceUsed", case.tab_id, nonce)
    if not is_used:
        raise PaymentMismatchError(f"expected nonce {nonce} used up by its payment, found it unused")


def _check_rest(case: RequestCase) -> None:
    """Check that what is left of the tab is its amount less what its settlements drew."""
    if case.facts.closed:
        _check_closing(case, only_event(case.closings, "TabClosed", f"tab {to_hex(case.tab_id)}"))
        return
    lefts = _lefts(case, case.draws)
    if case.facts.balance in lefts:
        return
    if case.facts.balance > lefts[0]:
        raise PaymentMismatchError(
            f"expected at most {lefts[0]} left on tab {to_hex(case.tab_id)}, found {case.facts.balance}"
        )
    raise _withheld(case, f"{lefts[-1]} left", case.facts.balance)


def _check_closing(case: RequestCase, closing: Event) -> None:
    requester, amount = case.facts.requester, closing.arguments["amount"]
    money.verify_effects(case.reader, closing, [money.credited(requester, amount)])
    late = [draw for draw in case.draws if is_before(closing, draw)]
    left = _lefts(case, case.draws)[-1]
    if late or case.facts.balance or amount > left:
        raise PaymentMismatchError(
            f"expected {left} back at most, and nothing from the closed tab {to_hex(case.tab_id)} later, "
            f"found {amount} back, {len(late)} later settlements and {case.facts.balance} left"
        )
    if amount < left:
        raise _withheld(case, f"{left} back", amount)


def _lefts(case: RequestCase, draws: list[Event]) -> list[int]:
    """Return what was left of the tab after each of its settlements, from the audited one on.

    Others may have been settled since the tab was read: what it said then is one of these.
    """
    left, found = case.tab_spec.amount, []
    for draw in draws:
        left -= payment(draw.arguments["payment"]).price
        if not is_before(draw, case.ending):
            found.append(left)
    if not found:
        raise _withheld(case, "its settlement among the tab's", "none")
    if left < 0:
        raise PaymentMismatchError(
            f"expected at most {case.tab_spec.amount} drawn from tab {to_hex(case.tab_id)}, "
            f"found {case.tab_spec.amount - left}"
        )
    return found


def _withheld(case: RequestCase, expected: str, found: object) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"expected {expected} as the events of tab {to_hex(case.tab_id)} say, found {found}",
        hint="the endpoint keeps logs back, or contradicts itself: ask another",
    )
