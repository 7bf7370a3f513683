"""`zkml imo reserve`, `resell` and `buy`: whole shares at the price, from the creator or a holder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from zkml.cli.imo_sealed import check_for_buyer, sealed_option
from zkml.cli.imo_session import check_offering, check_settled, find_offering, whole_shares
from zkml.cli.imo_steps import Step, payment_approval, rehearsed, send_steps, show_plan, show_steps
from zkml.cli.imo_times import describe_time
from zkml.cli.imo_warnings import warn_buyer
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import MarketError

_SHARES = click.option(
    "--shares", "count", required=True, type=click.IntRange(min=1), help="How many whole shares."
)
_UNCHECKED = click.option(
    "--unchecked", is_flag=True, help="Buy without having the sealed file; it is checked otherwise."
)


@dataclass(frozen=True, slots=True)
class _Deal:
    """What somebody buys, and of whom.

    Attributes:
        session, market, account, facts: of the command.
        move: as `check_offering` names it.
        purpose: what was asked for, word for word.
        steps: checks what was asked for, and returns the transactions; the last is the purchase.
        describe: returns what a receipt says, as JSON and as text.
    """

    session: Session
    market: Any
    account: Any
    facts: Any
    move: str
    purpose: str
    steps: Callable[[], list[Step]]
    describe: Callable[[Any], tuple[dict[str, Any], str]]

    def make(self, sealed: Path | None, *, unchecked: bool, dry_run: bool) -> None:
        """Buy, or show what buying would do; what an interrupted run bought is not bought again."""
        journal = _journal(self.session, self.market, self.account)
        made = None if dry_run else journal.resumed(self.purpose)
        if made is not None:
            self.session.console.note("note: an interrupted run had sent it; nothing was bought again")
            self._tell(journal, made)
            return
        check_offering(self.market, self.facts, self.move)
        check_settled(self.market, self.facts)
        steps = self.steps()
        check_for_buyer(self.session, self.market, self.facts, sealed, unchecked=unchecked)
        warn_buyer(self.session, self.market, self.facts)
        if dry_run:
            show_steps(self.session, self.market, self.account.address, steps)
            return
        *approvals, move = steps
        rehearsed(self.market, self.account.address, steps)
        send_steps(self.session, self.market, self.account, approvals)
        self._tell(journal, journal.send(self.purpose, move.function, *move.arguments))

    def _tell(self, journal: Any, receipt: Any) -> None:
        described = self.describe(receipt)
        journal.told()
        self.session.console.result(*described)


def _journal(session: Session, market: Any, account: Any) -> Any:
    from zkml.cli.imo_journal import MoveJournal

    return MoveJournal(session.home.client / "offering-moves", market, market.offerings.contract, account)


@click.command()
@click.argument("offering")
@_SHARES
@click.option("--at-least", type=click.IntRange(min=1), help="The fewest, if fewer are left [all or none].")
@sealed_option
@_UNCHECKED
@sending_command
def reserve(
    session: Session,
    offering: str,
    count: int,
    at_least: int | None,
    sealed: Path | None,
    unchecked: bool,
    dry_run: bool,
) -> None:
    """Reserve and pay for shares of OFFERING (a number, or its model's id), for good.

    Before that, the sealed file is held against the offering; get it with `zkml model fetch`. Interrupted and
    run again with the same words, it buys nothing twice. A reservation cannot be withdrawn, only passed on:
    zkml imo resell.

    Example: zkml imo reserve 1 --shares 100
    """
    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts, asked = find_offering(market, offering), (count, at_least or count)
    purpose = f"reserve {count} at least {asked[1]} of {facts.offering_id}"
    deal = _Deal(
        session,
        market,
        account,
        facts,
        "reserve",
        purpose,
        steps=lambda: _reserving(market, account.address, facts, asked),
        describe=lambda receipt: _reserved(market, account.address, facts.offering_id, receipt),
    )
    deal.make(sealed, unchecked=unchecked, dry_run=dry_run)


def _reserving(market: Any, buyer: str, facts: Any, asked: tuple[int, int]) -> list[Step]:
    from marketplace.offering_plans import OfferingPlans

    number, (most, least) = facts.offering_id, asked
    taken = min(most, facts.left)
    if taken < least or least > most:
        raise MarketError(
            f"expected {whole_shares(least)} at least, and {most} at most, found {facts.left} left of "
            f"offering {number}",
            hint="take fewer with --at-least, or what holders offer: zkml imo buy",
        )
    market.token.require(buyer, taken * facts.price, "pay for the shares")
    effects = OfferingPlans(market.offerings).reserving(buyer, number, taken)
    move = Step(market.offerings.contract, "reserve", (number, *asked), effects)
    return [*payment_approval(market, buyer, taken * facts.price), move]


def _reserved(market: Any, buyer: str, number: int, receipt: Any) -> tuple[dict[str, Any], str]:
    facts = market.offerings.facts(number)
    count = market.offerings.reserved_in(receipt, number, buyer)
    value = {
        **_holding(market, facts, buyer),
        "reserved": count,
        "cost": market.token.show(count * facts.price),
        "left": facts.left,
        "unlock_at": facts.unlock_at or None,
        "transaction": receipt.transaction,
    }
    text = f"{whole_shares(count)} reserved for {value['cost']}; {value['reservation']} in all"
    text += f", {facts.left} left"
    if facts.unlock_at:
        text += f"\nsold out: locked until {describe_time(facts.unlock_at)}"
    return value, text


def _holding(market: Any, facts: Any, account: str) -> dict[str, Any]:
    offerings, number = market.offerings, facts.offering_id
    return {
        "offering": number,
        "account": account,
        "status": offerings.status(number).name,
        "reservation": offerings.reservation_of(number, account),
        "on_resale": offerings.resale_of(number, account),
    }


@click.command()
@click.argument("offering")
@click.option(
    "--shares",
    "count",
    required=True,
    type=click.IntRange(min=0),
    help="How many whole shares, in place of what you offered before; 0 takes the offer back.",
)
@sending_command
def resell(session: Session, offering: str, count: int, dry_run: bool) -> None:
    """Offer your reserved shares of OFFERING to anybody at exactly the price.

    Who takes them pays into your credits; `zkml imo claim` sends those to you.

    Example: zkml imo resell 1 --shares 40
    """
    from marketplace.offering_plans import OfferingPlans

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts, offerings = find_offering(market, offering), market.offerings
    number = facts.offering_id
    check_offering(market, facts, "offer_resale")
    has = offerings.reservation_of(number, account.address)
    if count > has:
        raise MarketError(
            f"expected at most the {whole_shares(has)} that you reserved, found {count}",
            hint=f"zkml imo show {number} --account {account.address}",
        )
    is_offered = offerings.resale_of(number, account.address) == count
    if dry_run and is_offered:
        show_steps(session, market, account.address, [], "they are offered so already")
        return
    if dry_run:
        show_plan(session, market, OfferingPlans(offerings).offer_resale(account.address, number, count))
        return
    receipt = None if is_offered else offerings.offer_resale(account, number, count)
    value = {
        **_holding(market, facts, account.address),
        "price": market.token.show(facts.price),
        "transaction": receipt.transaction if receipt else None,
    }
    session.console.result(value, f"{whole_shares(count)} on resale at {value['price']} each")


@click.command()
@click.argument("offering")
@_SHARES
@click.option("--from", "holder", metavar="ADDRESS", help="Whose [the first who offers as many].")
@sealed_option
@_UNCHECKED
@sending_command
def buy(
    session: Session,
    offering: str,
    count: int,
    holder: str | None,
    sealed: Path | None,
    unchecked: bool,
    dry_run: bool,
) -> None:
    """Take over reserved shares of OFFERING that a holder offers, at exactly the price.

    Possible until the release is decided, in the lock as well. The sealed file is checked as by `reserve`.

    Example: zkml imo buy 1 --shares 40 --from 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    from zkml.cli.identifiers import parse_address

    seller = None if holder is None else parse_address(holder, "a holder")
    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    deal = _Deal(
        session,
        market,
        account,
        facts,
        "buy_resale",
        f"buy {count} of {facts.offering_id} from {seller or 'anybody'}",
        steps=lambda: _taking_over(market, facts, account.address, seller, count),
        describe=lambda receipt: _bought(market, account.address, facts, receipt),
    )
    deal.make(sealed, unchecked=unchecked, dry_run=dry_run)


def _taking_over(market: Any, facts: Any, buyer: str, holder: str | None, count: int) -> list[Step]:
    from marketplace.offering_plans import OfferingPlans

    number, seller = facts.offering_id, holder or _seller(market, facts, buyer, count)
    market.token.require(buyer, count * facts.price, "pay for the shares")
    effects = OfferingPlans(market.offerings).buying(buyer, number, seller, count)
    move = Step(market.offerings.contract, "buyResale", (number, seller, count), effects)
    return [*payment_approval(market, buyer, count * facts.price), move]


def _seller(market: Any, facts: Any, buyer: str, count: int) -> str:
    resales = market.offerings.open_resales(facts.offering_id)
    offered = {holder: found for holder, found in resales.items() if holder != buyer}
    for holder, found in offered.items():
        if found >= count:
            return str(holder)
    most = max(offered.values(), default=0)
    raise MarketError(
        f"expected a holder who offers {whole_shares(count)}, found {most} at most in offering "
        f"{facts.offering_id}",
        hint="take fewer" if most else "nobody offers any: zkml imo reserve, while shares are left",
    )


def _bought(market: Any, buyer: str, facts: Any, receipt: Any) -> tuple[dict[str, Any], str]:
    passed = market.offerings.passed_on_in(receipt, facts.offering_id, buyer)
    count, cost = passed["count"], market.token.show(passed["cost"])
    value = {
        **_holding(market, facts, buyer),
        "bought": count,
        "seller": passed["from"],
        "cost": cost,
        "transaction": receipt.transaction,
    }
    text = f"{whole_shares(count)} bought of {value['seller']} for {cost}; {value['reservation']} in all"
    return value, text
