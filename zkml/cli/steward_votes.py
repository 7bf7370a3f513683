"""`zkml steward delegate`, `propose`, `vote` and `carry`: what holders of shares decide together."""

from typing import Any

import click

from zkml.cli.identifiers import parse_address
from zkml.cli.imo_session import find_offering, part_of_share
from zkml.cli.imo_steps import show_plan, show_steps
from zkml.cli.imo_times import describe_time
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.cli.steward_show import describe_motion, eligible_votes
from zkml.errors import ConfigError, MarketError, NotFinalError

_RESOLUTIONS = ("retire", "open", "fee")
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.2
_MOTION = click.argument("motion", type=click.IntRange(min=1))


@click.command()
@click.argument("offering")
@click.option("--to", metavar="ADDRESS", help="Who votes with your shares [you].")
@sending_command
def delegate(session: Session, offering: str, to: str | None, dry_run: bool) -> None:
    """Make your shares of OFFERING count in votes: shares that nobody is named for do not.

    Counts for motions that are made afterwards.

    Example: zkml steward delegate 1
    """
    from zkml.cli.plans import show_preview
    from zkml.core.offering_money import show_shares

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    target = account.address if to is None else parse_address(to, "who votes")
    shares = market.offerings.shares_of(find_offering(market, offering))
    is_so = shares.delegate_of(account.address) == target
    if dry_run and is_so:
        show_steps(session, market, account.address, [], "it is so already")
        return
    if dry_run:
        show_preview(session, market, account.address, shares.contract, "delegate", target)
        return
    receipt = None if is_so else shares.delegate(account, target)
    value = {
        "account": account.address,
        "delegate": target,
        "shares": show_shares(shares.balance_of(account.address)),
        "transaction": receipt.transaction if receipt else None,
    }
    session.console.result(value, f"{target} votes with {value['shares']} shares of {account.address}")


@click.command()
@click.argument("offering")
@click.argument("resolution", type=click.Choice(_RESOLUTIONS))
@click.option("--fee", help="The model's fee to set, in whole tokens; for `fee`.")
@sending_command
def propose(session: Session, offering: str, resolution: str, fee: str | None, dry_run: bool) -> None:
    """Ask the holders of OFFERING to retire the model, to open it, or to set its fee. Prints a number.

    While shares trade they decide about retiring alone; after a default about all three. Votes are taken for
    seven days. Interrupted and run again with the same words, it asks nothing twice.

    Example: zkml steward propose 1 retire
    """
    from marketplace.steward_plans import StewardPlans
    from marketplace.stewards import Resolution
    from zkml.cli.imo_journal import MoveJournal

    if (fee is None) == (resolution == "fee"):
        raise ConfigError("expected --fee with `fee` and with nothing else, found otherwise")
    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    wanted, units = Resolution[resolution.upper()], 0 if fee is None else market.token.parse(fee)
    if dry_run:
        show_plan(
            session, market, StewardPlans(market.offerings, facts).propose(account.address, wanted, units)
        )
        return
    steward = market.offerings.steward_of(facts)
    journal = MoveJournal(session.home.client / "offering-moves", market, steward.contract, account)
    purpose = f"propose {resolution} {units}"
    receipt = journal.resumed(purpose)
    if receipt is None:
        receipt = journal.send(purpose, "propose", int(wanted), units)
    else:
        session.console.note("note: an interrupted run had sent it already; nothing was asked again")
    motion = steward.motion(steward.proposed_in(receipt, account.address, wanted, units))
    described = describe_motion(market, steward, motion, market.chain.now())
    journal.told()
    session.console.note(f"votes are taken until {describe_time(motion.ends_at)}")
    session.console.result({**described, "transaction": receipt.transaction}, str(motion.motion_id))


@click.command()
@click.argument("offering")
@_MOTION
@sending_command
def vote(session: Session, offering: str, motion: int, dry_run: bool) -> None:
    """Vote for MOTION of OFFERING, with all the votes that you had when it was made.

    There is no vote against: a motion passes with more than half of all shares but the creator's unvested.

    Example: zkml steward vote 1 1
    """
    from marketplace.steward_plans import StewardPlans

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    steward = market.offerings.steward_of(facts)
    found = steward.motion(motion)
    if any(cast.voter == account.address for cast in steward.votes_for(motion)):
        _finish(session, market, steward, motion, None, "you voted for it before", dry_run=dry_run)
        return
    _wait_for_snapshot(market, found)
    _check_votes(market, facts, account.address, found)
    if dry_run:
        show_plan(session, market, StewardPlans(market.offerings, facts).support(account.address, motion))
        return
    receipt = steward.support(account, motion)
    _finish(session, market, steward, motion, receipt, "voted for it", dry_run=False)


def _wait_for_snapshot(market: Any, motion: Any) -> None:
    """Wait until the motion's own second is over: before, nobody can say whose votes it has (ERC-5805)."""
    from zkml.adapters.system_clock import SystemClock

    clock = SystemClock()
    began = clock.monotonic()
    while market.chain.now() <= motion.snapshot_at:
        if clock.monotonic() - began > _PATIENCE_SECONDS:
            raise NotFinalError(
                f"expected a block after the one of motion {motion.motion_id}, "
                f"found none in {_PATIENCE_SECONDS:g} s",
                hint="vote again once the chain goes on",
            )
        clock.sleep(_POLL_SECONDS)


def _check_votes(market: Any, facts: Any, voter: str, motion: Any) -> None:
    shares = market.offerings.shares_of(facts)
    if shares.past_votes(voter, motion.snapshot_at) == 0:
        raise MarketError(
            f"expected votes of {voter} when motion {motion.motion_id} was made, found none",
            hint="shares vote once they are delegated, on motions made afterwards: zkml steward delegate",
        )


@click.command()
@click.argument("offering")
@_MOTION
@sending_command
def carry(session: Session, offering: str, motion: int, dry_run: bool) -> None:
    """Carry out MOTION of OFFERING once more than half are for it. Anyone may, until its votes end.

    Example: zkml steward carry 1 1
    """
    from marketplace.steward_plans import StewardPlans

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    steward = market.offerings.steward_of(facts)
    if steward.motion(motion).is_done:
        _finish(session, market, steward, motion, None, "it was carried out before", dry_run=dry_run)
        return
    _check_majority(steward, motion)
    if dry_run:
        show_plan(session, market, StewardPlans(market.offerings, facts).carry(account.address, motion))
        return
    receipt = steward.carry(account, motion)
    _finish(session, market, steward, motion, receipt, "carried out", dry_run=False)


def _check_majority(steward: Any, number: int) -> None:
    motion, eligible = steward.motion(number), eligible_votes(steward, number)
    if eligible is not None and not motion.has_majority(eligible):
        raise MarketError(
            f"expected more than half of {part_of_share(eligible)} for motion {number}, found "
            f"{part_of_share(motion.support)}",
            hint=f"votes are taken until {describe_time(motion.ends_at)}",
        )


def _finish(
    session: Session, market: Any, steward: Any, number: int, receipt: Any, said: str, *, dry_run: bool
) -> None:
    motion, eligible = steward.motion(number), eligible_votes(steward, number)
    value = {
        **describe_motion(market, steward, motion, market.chain.now()),
        "transaction": receipt.transaction if receipt else None,
        **({"dry_run": True, "transactions": []} if dry_run else {}),
    }
    text = f"{said}: motion {number} has {part_of_share(motion.support)}"
    if eligible is not None:
        text += f" of {part_of_share(eligible)}"
    if value["majority"] and value["state"] == "OPEN":
        text += ", which carries it: zkml steward carry"
    session.console.result(value, text)
