"""`zkml steward set-fee`, `grant`, `successor` and `return-income`: the creator's settings, and chores."""

from collections.abc import Callable
from typing import Any

import click

from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.imo_session import find_offering
from zkml.cli.imo_steps import Step, send_steps, show_plan, show_steps
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command


@click.command(name="set-fee")
@click.argument("offering")
@click.option("--model-fee", required=True, help="What each output costs, in whole tokens.")
@sending_command
def set_fee(session: Session, offering: str, model_fee: str, dry_run: bool) -> None:
    """Set the fee of OFFERING's model within the offering's band, as its creator.

    Example: zkml steward set-fee 1 --model-fee 1.5
    """
    market = open_market_of(session)
    fee = market.token.parse(model_fee)
    _make(
        session,
        market,
        offering,
        f"the model's fee is {market.token.show(fee)}",
        plan=lambda plans, sender: plans.set_fee(sender, fee),
        send=lambda steward, account: steward.set_fee(account, fee),
        dry_run=dry_run,
    )


@click.command()
@click.argument("offering")
@click.argument("prover")
@sending_command
def grant(session: Session, offering: str, prover: str, dry_run: bool) -> None:
    """Let PROVER prove OFFERING's closed model, as its creator.

    Example: zkml steward grant 1 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    address = parse_address(prover, "a prover")
    _make(
        session,
        open_market_of(session),
        offering,
        f"{address} may prove the model",
        plan=lambda plans, sender: plans.grant_access(sender, address),
        send=lambda steward, account: steward.grant_access(account, address),
        dry_run=dry_run,
    )


@click.command()
@click.argument("offering")
@click.argument("model")
@sending_command
def successor(session: Session, offering: str, model: str, dry_run: bool) -> None:
    """Record MODEL as a successor version of OFFERING's model. Anyone may.

    It must be PROVEN, published by the offering's creator or by the offered model's publisher, and name that
    model as its parent at the offering's rate.

    Example: zkml steward successor 1 0x2a...
    """
    number = parse_model(model)
    _make(
        session,
        open_market_of(session),
        offering,
        f"{number:#066x} is a recognised successor",
        plan=lambda plans, sender: plans.record_successor(sender, number),
        send=lambda steward, account: steward.record_successor(account, number),
        dry_run=dry_run,
    )


@click.command(name="return-income")
@click.argument("offering")
@sending_command
def return_income(session: Session, offering: str, dry_run: bool) -> None:
    """Make what OFFERING's pooled and burned shares earned income of all shares again. Anyone may.

    A pool cannot withdraw, and nobody holds what was burned: their income waits until somebody does this.

    Example: zkml steward return-income 1
    """
    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    steps = _returns(market, facts)
    if dry_run:
        show_steps(session, market, account.address, steps, "the ledger owes those shares nothing")
        return
    receipts = send_steps(session, market, account, steps)
    moved = [
        event.arguments["amount"]
        for receipt in receipts
        for event in market.ledger.contract.events_in(receipt.logs, "SharesReturned")
    ]
    value = {
        "offering": facts.offering_id,
        "returned": market.token.show(sum(moved)),
        "transactions": [receipt.transaction for receipt in receipts],
    }
    session.console.result(value, f"{value['returned']} are income of all shares again")


def _returns(market: Any, facts: Any) -> list[Step]:
    from marketplace.offering_plans import OfferingPlans
    from marketplace.share_effects import returned_effects
    from zkml.core.job_machine import ZERO_ADDRESS, is_zero

    shares, plans = market.offerings.shares_of(facts), OfferingPlans(market.offerings)
    pool, steps = shares.pool(), []
    for holder, function in ((pool, "returnPoolIncome"), (ZERO_ADDRESS, "returnBurnedIncome")):
        held = plans.income_of(facts, holder)
        is_pool = function == "returnPoolIncome"
        if held.due + held.credited and not (is_pool and is_zero(pool)):
            effects = returned_effects(facts.model_id, holder, held)
            steps.append(Step(shares.contract, function, (), effects))
    return steps


def _make(
    session: Session,
    market: Any,
    offering: str,
    said: str,
    *,
    plan: Callable[[Any, str], Any],
    send: Callable[[Any, Any], Any],
    dry_run: bool,
) -> None:
    """Make one move of the steward's, or show what it would do."""
    from marketplace.steward_plans import StewardPlans

    account = account_of(session, "publisher", market)
    facts = find_offering(market, offering)
    if dry_run:
        show_plan(session, market, plan(StewardPlans(market.offerings, facts), account.address))
        return
    receipt = send(market.offerings.steward_of(facts), account)
    value = {"offering": facts.offering_id, "steward": facts.steward, "transaction": receipt.transaction}
    session.console.result(value, f"{said}: transaction {receipt.transaction}")
