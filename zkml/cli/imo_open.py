"""`zkml imo open`: what a creator offers, what that comes to, and what it takes to offer it."""

from typing import Any

import click

from zkml.cli.identifiers import parse_model
from zkml.cli.imo_sealed import sold_artifact
from zkml.cli.imo_steps import Step, model_approval, payment_approval, send_steps
from zkml.cli.imo_terms import WrittenTerms, complete_terms, terms_options
from zkml.cli.imo_times import describe_span, describe_time
from zkml.cli.imo_warnings import percent, unclaimed_lineage, warnings_of
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import InvalidTransitionError, MarketError, NotOwnerError, UnsuitableCircuitError


@click.command(name="open")
@click.argument("model")
@terms_options
@sending_command
def command(
    session: Session,
    model: str,
    written: WrittenTerms,
    dry_run: bool,
) -> None:
    """Offer shares of MODEL, a proven and sealed model of yours. Prints the offering's number.

    Takes your bond, and the model, which a steward keeps for the holders from now on; both come back if not
    all shares are sold. What the terms come to is printed before anything is sent. Run again, it opens
    nothing twice.

    Example: zkml imo open 0x1f... --total-shares 1000 --price 2.5 --guardian 0x70... --dry-run
    """
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    number = parse_model(model)
    _check_model(market, number, account.address)
    artifact = sold_artifact(session, market, number)
    terms = complete_terms(written, market, number, artifact)
    before = _offered_before(market, account.address, terms)
    if before is not None:
        session.console.note("note: it was opened before; `zkml imo show` prints it")
        session.console.result(*_described(market, before, None))
        return
    market.token.require(account.address, terms.bond, "post the bond")
    warnings = _warn(session, market, account.address, terms)
    summary, text = describe_terms(terms, market.token.show)
    steps = _steps(market, account.address, terms)
    if dry_run:
        _show(session, market, account.address, steps, {"terms": summary, "warnings": warnings}, text)
        return
    session.console.note(text)
    receipts = send_steps(session, market, account, steps)
    opened = market.offerings.opened_in(receipts[-1], account.address, terms)
    value, line = _described(market, opened, receipts[-1].transaction)
    session.console.result({**value, "terms": summary, "warnings": warnings}, line)


def describe_terms(terms: Any, show: Any) -> tuple[dict[str, Any], str]:
    """Return what terms come to, as JSON and as text.

    Args:
        terms: `OfferingTerms`.
        show: writes an amount for people; see `PaymentToken.show`.
    """
    from zkml.core.offering_money import SHARE, show_shares

    seed = terms.seed
    value = {
        "total_shares": terms.total_shares,
        "creator_shares": terms.creator_shares,
        "public_shares": terms.public_shares,
        "price": show(terms.price),
        "raise": show(terms.raise_total),
        "bond": show(terms.bond),
        "window_seconds": terms.window_seconds,
        "seed_ppm": terms.seed_ppm,
        "seed_money": show(seed.money),
        "seed_shares": show_shares(seed.shares),
        "vesting_seconds": terms.vesting_seconds,
        "vesting_money": show(terms.raise_total - seed.money),
        "vesting_shares": show_shares(terms.creator_shares * SHARE - seed.shares),
        "lp_lock_seconds": terms.lp_lock_seconds,
        "model_fee": show(terms.fees.model_fee),
        "min_model_fee": show(terms.fees.min_model_fee),
        "min_model_fee_ppm": terms.fees.min_model_fee_ppm,
        "max_model_fee": show(terms.max_model_fee),
        "successor_rate_ppm": terms.successor_rate_ppm,
        "guardian": terms.guardian,
        "name": terms.name,
        "symbol": terms.symbol,
        "artifact_bytes": terms.artifact.size_bytes,
    }
    return value, _terms_text(value, terms)


def _terms_text(value: dict[str, Any], terms: Any) -> str:
    seed_part, fees = percent(terms.seed_ppm), terms.fees
    vesting = describe_span(terms.vesting_seconds)
    rows = {
        "shares": f"{terms.total_shares} {terms.symbol}: {terms.creator_shares} yours, the rest on sale",
        "on sale": f"{terms.public_shares} for {describe_span(terms.window_seconds)}",
        "price": f"{value['price']} for a share",
        "raise": f"{value['raise']} if all are sold; else model, bond and money go back",
        "bond": f"{value['bond']}; yours again at the release, the holders' if you do not deliver",
        "pool": f"{value['seed_money']} and {value['seed_shares']} shares, {seed_part} of the raise",
        "liquidity": f"yours {describe_span(terms.lp_lock_seconds)} after the release",
        "vesting": f"{value['vesting_money']} and {value['vesting_shares']} shares over {vesting}",
        "model fee": f"{value['model_fee']}, from {value['min_model_fee']} to {value['max_model_fee']}",
        "fee part": f"at least {fees.min_model_fee_ppm} millionths of the price",
        "successors": f"owe {terms.successor_rate_ppm} millionths at least",
        "guardian": terms.guardian,
        "artifact": f"{terms.artifact.size_bytes} bytes, {terms.artifact.chunk_count} chunks",
    }
    return "\n".join(f"{name:<12} {text}" for name, text in rows.items())


def _check_model(market: Any, model: int, creator: str) -> None:
    """Check that a model is the creator's to offer, or offered by it already.

    Raises:
        NotRegisteredError: no such model.
        NotOwnerError: it is another account's.
        UnsuitableCircuitError: it is not PROVEN.
        MarketError: it allows no derivatives, and so could have no successors.
    """
    from registry.models import ModelStatus

    owner, number = market.registry.owner_of(model), market.offerings.last_offering_of(model)
    facts = market.offerings.facts(number) if number else None
    if facts is not None and (facts.creator, facts.steward) == (creator, owner):
        return
    if owner != creator:
        raise NotOwnerError(
            f"expected a model of {creator}, found {model:#x} to be of {owner}",
            hint="offer it with its owner's key: --key-file",
        )
    status = market.registry.status_of(model)
    if status is not ModelStatus.PROVEN:
        raise UnsuitableCircuitError(
            f"expected a PROVEN model, found {model:#x} {status.name}",
            hint="file its genesis proofs: zkml registry register BUNDLE --seal",
        )
    if not market.registry.derivative_terms_of(model).derivatives_allowed:
        raise MarketError(
            f"expected a model that allows derivatives, found {model:#x} to refuse them",
            hint=f"its successors are some: zkml registry set-derivatives {model:#x} --allow",
        )


def _offered_before(market: Any, creator: str, terms: Any) -> int | None:
    """Return the number of the creator's offering of this model that is under way on these terms.

    Raises:
        InvalidTransitionError: it is under way on other terms, or failed and is not closed.
    """
    from zkml.core.offering_machine import OfferingOutcome, OfferingStatus

    number: int = market.offerings.last_offering_of(terms.model_id)
    facts = market.offerings.facts(number) if number else None
    if facts is None or facts.creator != creator or facts.outcome is OfferingOutcome.FAILED:
        return None
    status = market.offerings.status(number)
    if status is OfferingStatus.FAILED:
        raise InvalidTransitionError(
            f"expected a model of your own, found that its offering {number} failed and is not closed",
            hint=f"take model and bond back first: zkml imo claim {number}",
        )
    if market.offerings.events.opened(number).terms != terms:
        raise InvalidTransitionError(
            f"expected a model that is not offered, found offering {number} of it on other terms",
            hint=f"an offering's terms never change: zkml imo show {number}",
        )
    return number


def _warn(session: Session, market: Any, creator: str, terms: Any) -> list[str]:
    circuit = market.router.circuit(market.registry.commitment_of(terms.model_id).circuit_id)
    fixed = not any(circuit.weight_commitment)
    found = warnings_of(market, creator, terms.guardian, terms.model_id, fixed=fixed)
    due = unclaimed_lineage(market, terms.model_id)
    if due:
        found.append(
            f"{market.token.show(due)} of your descendants' income are not claimed, and the shares' once all "
            f"are sold: zkml revenue claim {terms.model_id:#x} --from DESCENDANT"
        )
    for warning in found:
        session.console.note(f"warning: {warning}")
    return found


def _steps(market: Any, creator: str, terms: Any) -> list[Step]:
    from marketplace.offering_plans import OfferingPlans

    effects = OfferingPlans(market.offerings).opening(creator, terms)
    return [
        *model_approval(market, terms.model_id),
        *payment_approval(market, creator, terms.bond),
        Step(market.offerings.contract, "open", (terms.as_abi(),), effects),
    ]


def _show(
    session: Session, market: Any, sender: str, steps: list[Step], said: dict[str, Any], text: str
) -> None:
    from zkml.cli.imo_steps import describe_steps

    value, lines = describe_steps(market, sender, steps)
    session.console.result({**value, **said}, f"{lines}\n{text}")


def _described(market: Any, number: int, transaction: str | None) -> tuple[dict[str, Any], str]:
    facts = market.offerings.facts(number)
    value = {
        "offering": number,
        "model_id": f"{facts.model_id:#066x}",
        "opened_now": transaction is not None,
        "transaction": transaction,
        "shares": facts.shares,
        "vault": facts.vault,
        "steward": facts.steward,
        "closes_at": facts.closes_at,
        "closes": describe_time(facts.closes_at),
    }
    return value, str(number)
