"""`zkml prover`: a prover node, from its settings to its income."""

import click

from zkml.cli import (
    prover_drain,
    prover_earnings,
    prover_init,
    prover_measure,
    prover_run,
    prover_status,
)
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import ConfigError


@click.group("prover")
def command() -> None:
    """Run a prover node and see to its money.

    Example: zkml prover run --once
    """


for part in (
    prover_init.init,
    prover_measure.calibrate,
    prover_run.run,
    prover_drain.drain,
    prover_status.status,
    prover_earnings.earnings,
):
    command.add_command(part)


@command.command()
@sending_command
def withdraw(session: Session, dry_run: bool) -> None:
    """Take the fees that settlements have credited; stake is taken with unstake.

    Example: zkml prover withdraw
    """
    from marketplace.revenue_plans import RevenuePlans
    from zkml.cli.plans import describe_moves

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    if dry_run:
        plan = RevenuePlans(market.ledger).withdraw(account.address)
        session.console.result(*describe_moves([plan], market.token.show))
        return
    receipt = market.ledger.withdraw(account)
    [withdrawn] = market.ledger.contract.events_in(receipt.logs, "Withdrawn")
    amount = market.token.show(withdrawn.arguments["amount"])
    value = {"account": account.address, "withdrawn": amount, "transaction": receipt.transaction}
    session.console.result(value, f"{amount} withdrawn to {account.address}")


@command.command()
@click.argument("amount")
@sending_command
def stake(session: Session, amount: str, dry_run: bool) -> None:
    """Add whole tokens to the prover's stake, and register the account first where it is not.

    Claims lock a part of it until they are settled. `prover run` does the same by itself.

    Example: zkml prover stake 5 --dry-run
    """
    from zkml.cli.stakes import StakeMoves

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    moves = StakeMoves(market, account, endpoint=session.settings.api.public_url)
    units = market.token.parse(amount)
    session.console.result(*(moves.preview_stake(units) if dry_run else moves.stake(units)))


@command.command()
@click.argument("amount", required=False)
@click.option("--take", is_flag=True, help="Take what was asked back, after the delay.")
@sending_command
def unstake(session: Session, amount: str | None, take: bool, dry_run: bool) -> None:
    """Ask for free stake back, in whole tokens; once the delay is over, take it.

    What was asked back can be locked by no claim any more.

    Example: zkml prover unstake 5 && zkml prover unstake --take
    """
    from zkml.cli.stakes import StakeMoves

    if take == (amount is not None):
        raise ConfigError("expected either an amount or --take, found both or neither")
    market = open_market_of(session)
    moves = StakeMoves(market, account_of(session, "prover", market))
    units = None if amount is None else market.token.parse(amount)
    session.console.result(*(moves.preview_unstake(units) if dry_run else moves.unstake(units)))
