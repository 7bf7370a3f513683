"""What there is to see of the market on paper at a time: the sums that the chain must show, under the same names."""

from collections.abc import Sequence

from paper_law import Law
from paper_offering import NOBODY, PaperOfferings, Sale

Picture = dict[str, int | str]


def status_of(sale: Sale, law: Law, at: int) -> str:
    """Return what an offering is at a time, by the rules."""
    if sale.outcome:
        return sale.outcome
    if not sale.sold_at:
        return "OPEN" if at <= sale.closes_at else "FAILED"
    if not sale.revealed_at:
        return "SOFT_LOCKED" if at <= sale.unlock_at + law.grace_seconds else "OVERDUE"
    if at < releasable_at(sale, law):
        return "REVEALED"
    return "RELEASABLE" if at <= releasable_at(sale, law) + law.grace_seconds else "OVERDUE"


def releasable_at(sale: Sale, law: Law) -> int:
    """Return when an offering can be released; 0 before the reveal."""
    return max(sale.unlock_at, sale.revealed_at + law.challenge_seconds) if sale.revealed_at else 0


def draw(paper: PaperOfferings, people: Sequence[str], holders: Sequence[str], at: int) -> Picture:
    """Return all that can be seen at a time.

    Args:
        paper: the market.
        people: everybody's names, without the accounts of offerings.
        holders: those of them who may have shares.
        at: chain time in seconds.
    """
    picture: Picture = {
        "money of the ledger": paper.ledger_holds(),
        "money of the stakes": paper.stakes_hold(),
        "money of the offerings": paper.wallets["offerings"],
        "platform": paper.platform,
    }
    accounts = [*people, NOBODY]
    for sale in paper.sales.values():
        accounts += [sale.vault, sale.pool, sale.steward]
    for account in accounts:
        picture[f"money of {account}"] = paper.wallets[account]
        picture[f"the ledger owes {account}"] = paper.owed.get(account, 0)
        picture[f"the offerings owe {account}"] = paper.till.get(account, 0)
    for model in paper.models:
        picture |= _model(paper, model)
    for sale in paper.sales.values():
        picture |= _terms(paper, sale, at) | _shares(paper, sale, holders)
        if sale.outcome == "TRADING":
            picture |= _trading(paper, sale, at)
    return picture


def _model(paper: PaperOfferings, model: str) -> Picture:
    picture: Picture = {
        f"owner of {model}": paper.models[model].owner,
        f"fee of {model}": paper.models[model].fee,
        f"revenue of {model}": paper.models[model].earned,
        f"inherited by {model}": paper.inherited[model],
        f"to claim of {model}": paper.unclaimed[model],
    }
    for ancestor in paper.shares(model):
        picture[f"{ancestor} of {model}"] = paper.lineage_due(model, ancestor)
    return picture


def _terms(paper: PaperOfferings, sale: Sale, at: int) -> Picture:
    return {
        f"status of {sale.name}": status_of(sale, paper.law, at),
        f"creator's shares of {sale.name}": sale.creator_shares,
        f"public shares of {sale.name}": sale.public,
        f"close of {sale.name}": sale.closes_at,
        f"sale of {sale.name}": sale.sold_at,
        f"unlocking of {sale.name}": sale.unlock_at,
        f"release of {sale.name}": releasable_at(sale, paper.law),
        f"bonus of {sale.name}": sale.bonus,
        f"unpaid of {sale.name}": sale.unpaid,
    }


def _shares(paper: PaperOfferings, sale: Sale, holders: Sequence[str]) -> Picture:
    everywhere = sum(sale.register.units.values()) - sale.register.units[NOBODY]
    picture: Picture = {f"supply of {sale.name}": everywhere}
    for holder in holders:
        picture[f"{sale.name} reserved by {holder}"] = sale.reserved.get(holder, 0)
        picture[f"{sale.name} on offer by {holder}"] = sale.on_offer.get(holder, 0)
    for holder in [*holders, sale.vault, sale.pool, NOBODY]:
        if holder != NOBODY:
            picture[f"{sale.name} held by {holder}"] = sale.register.units.get(holder, 0)
        due = sale.register.due(holder) if sale.model in paper.registers else 0
        picture[f"{sale.name} earned by {holder}"] = due
    return picture


def _trading(paper: PaperOfferings, sale: Sale, at: int) -> Picture:
    money, units = paper.vested_due(sale.name, at)
    return {
        f"vested money of {sale.name}": money,
        f"vested shares of {sale.name}": units,
        f"money in the pool of {sale.name}": paper.wallets[sale.pool],
        f"shares in the pool of {sale.name}": sale.register.units[sale.pool],
        f"liquidity of {sale.name}": sum(sale.liquidity.values()),
        f"locked liquidity of {sale.name}": sale.liquidity[sale.vault],
        f"creator's liquidity of {sale.name}": sale.liquidity[sale.creator],
    }
