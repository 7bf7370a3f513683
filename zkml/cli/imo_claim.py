"""`zkml imo claim`: everything that an offering owes its caller, found and taken in one command."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from zkml.cli.imo_session import find_offering
from zkml.cli.imo_steps import Step, send_steps, show_steps
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command

_NOTHING = "nothing: whatever the offering owed this account was taken"


@click.command()
@click.argument("offering")
@click.option(
    "--role",
    type=click.Choice(["requester", "publisher"]),
    default="requester",
    show_default=True,
    help="Who takes: the role's key file of a local chain.",
)
@sending_command
def claim(session: Session, offering: str, role: str, dry_run: bool) -> None:
    """Take everything that OFFERING owes you, as holder or creator, into your wallet.

    Holders: money back after a failure or default, with their part of bond and held income; what their
    shares have earned; what resales brought. The creator: model and bond back after a failure; income from
    before the sale; from the release on the bond, what has vested, the income of the vault's shares and,
    once it is unlocked, the pool's liquidity. All your credits, here and in the ledger, come along.

    Example: zkml imo claim 1 --dry-run
    """
    market = open_market_of(session)
    account = account_of(session, role, market)
    facts = find_offering(market, offering)
    steps = list(claims_of(market, facts, account.address))
    if dry_run:
        show_steps(session, market, account.address, steps, _NOTHING)
        return
    before = market.token.balance_of(account.address)
    receipts = send_steps(session, market, account, steps)
    session.console.result(*_described(market, facts, account.address, before, steps, receipts))


def claims_of(market: Any, facts: Any, account: str) -> Iterator[Step]:
    """Yield what an account can take of an offering now, in an order in which it all works.

    Args:
        market: chain and contracts.
        facts: of the offering.
        account: who takes.
    """
    is_creator, bond = account == facts.creator, 0
    if is_creator:
        yield from _owner_income(market, facts)
    if _can_close(market, facts, account):
        yield _closing(market, facts)
        bond, facts = facts.bond if is_creator else 0, _closed(facts)
    if is_creator:
        yield from _of_vault(market, facts)
    credited = yield from _repayment(market, facts, account)
    yield from _withdrawal(market, account, credited + bond)
    yield from _share_income(market, facts, account)


def _owner_income(market: Any, facts: Any) -> Iterator[Step]:
    """Yield what pays the creator the owner's income from before the soft lock."""
    from marketplace.offering_effects import Income
    from marketplace.share_effects import owner_income_effects

    ledger = market.ledger
    is_owner = market.registry.owner_of(facts.model_id) == facts.steward
    due = ledger.holders_due(facts.model_id) if is_owner and not facts.is_sold_out else 0
    held = Income(due, ledger.credits_of(facts.steward))
    if held.due + held.credited:
        effects = owner_income_effects(facts, held)
        yield Step(market.offerings.steward_of(facts).contract, "payOwnerIncome", (), effects)


def _can_close(market: Any, facts: Any, account: str) -> bool:
    """Say whether closing gives an account something: a sale that failed, or whose circuit is tombstoned."""
    from zkml.core.offering_machine import OfferingOutcome, OfferingStatus, status_of

    status = status_of(facts, market.deployment.offering_rules, market.chain.now())
    if status is OfferingStatus.FAILED:
        return account == facts.creator and facts.outcome is OfferingOutcome.NONE
    has_part = account == facts.creator or market.offerings.reservation_of(facts.offering_id, account)
    return status is OfferingStatus.OPEN and bool(has_part) and bool(market.offerings.is_tombstoned(facts))


def _closing(market: Any, facts: Any) -> Step:
    from marketplace.offering_effects import close_effects

    rules, now = market.deployment.offering_rules, market.chain.now()
    effects = close_effects(facts, rules, now, is_tombstoned=market.offerings.is_tombstoned(facts))
    return Step(market.offerings.contract, "close", (facts.offering_id,), effects)


def _closed(facts: Any) -> Any:
    """Return the facts as they will be once the offering is closed."""
    from zkml.core.offering_machine import OfferingOutcome

    return replace(facts, outcome=OfferingOutcome.FAILED)


def _of_vault(market: Any, facts: Any) -> Iterator[Step]:
    """Yield what pays the creator what has vested, the vault's income, and the unlocked liquidity."""
    from marketplace.offering_plans import OfferingPlans
    from marketplace.share_effects import liquidity_effects, vault_income_effects, vested_effects
    from zkml.core.offering_machine import OfferingOutcome

    if facts.outcome is not OfferingOutcome.TRADING:
        return
    vault, now = market.offerings.vault_of(facts), market.chain.now()
    state, held = vault.vesting(), OfferingPlans(market.offerings).income_of(facts, facts.vault)
    if any(state.due_at(now)):
        yield Step(vault.contract, "payVested", (), vested_effects(facts, state.due_at(now)))
    if held.due + held.credited:
        yield Step(vault.contract, "payIncome", (), vault_income_effects(facts, held))
    liquidity = market.offerings.pool_of(facts).liquidity_of(facts.vault)
    if liquidity and now >= state.liquidity_at:
        yield Step(vault.contract, "payLiquidity", (), liquidity_effects(facts, liquidity))


def _repayment(market: Any, facts: Any, account: str) -> Any:
    """Yield what credits a holder after a failure or default; return how much that is."""
    from marketplace.offering_effects import repay_effects
    from zkml.core.offering_machine import OfferingStatus, status_of
    from zkml.core.offering_money import repayment

    rules, now = market.deployment.offering_rules, market.chain.now()
    status = status_of(facts, rules, now)
    count = market.offerings.reservation_of(facts.offering_id, account)
    if count == 0 or status not in (OfferingStatus.FAILED, OfferingStatus.DEFAULTED):
        return 0
    effects = repay_effects(facts, rules, account, count, now)
    yield Step(market.offerings.contract, "repay", (facts.offering_id, account), effects)
    return repayment(facts, count, is_default=status is OfferingStatus.DEFAULTED)


def _withdrawal(market: Any, account: str, credited: int) -> Iterator[Step]:
    """Yield what sends all of an account's credits with the offerings, those of this run included."""
    from marketplace.offering_effects import withdraw_effects

    amount = market.offerings.credits_of(account) + credited
    if amount:
        effects = withdraw_effects(account, account, amount)
        yield Step(market.offerings.contract, "withdraw", (account,), effects)


def _share_income(market: Any, facts: Any, account: str) -> Iterator[Step]:
    """Yield what credits an account's shares, and what sends all its credits in the ledger."""
    from marketplace.effects import Flow, Pocket, PocketKind, effects_of
    from marketplace.share_effects import claim_effects

    ledger = market.ledger
    due = ledger.shares_due(facts.model_id, account) if facts.is_sold_out else 0
    if due:
        effects = claim_effects(facts.model_id, account, due)
        yield Step(ledger.contract, "claimShares", (facts.model_id, account), effects)
    amount = ledger.credits_of(account) + due
    if amount:
        flow = Flow(amount, Pocket(PocketKind.CREDITS, account), Pocket(PocketKind.WALLET, account))
        yield Step(ledger.contract, "withdraw", (account,), effects_of([flow]))


def _described(
    market: Any, facts: Any, account: str, before: int, steps: list[Step], receipts: list[Any]
) -> tuple[dict[str, Any], str]:
    show = market.token.show
    taken = [
        {"move": step.name, "transaction": receipt.transaction, "effects": step.effects.as_json()}
        for step, receipt in zip(steps, receipts, strict=True)
    ]
    after = market.token.balance_of(account)
    value = {
        "offering": facts.offering_id,
        "account": account,
        "taken": taken,
        "received": show(after - before),
        "balance": show(after),
    }
    lines = []
    for step in steps:
        lines += [step.name, *(f"    {line}" for line in step.effects.lines(show))]
    lines.append(f"received {value['received']}; {account} has {value['balance']}" if steps else _NOTHING)
    return value, "\n".join(lines)
