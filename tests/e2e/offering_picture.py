"""What there is to see of the market on chain at a time: the sums of `paper_picture`, under the same names."""

from typing import NamedTuple

from economy_moves import Move
from offering_moves import OfferingDesk
from offering_world import HOLDERS, OWNERS, PARENTS, PEOPLE
from paper_offering import NOBODY
from paper_picture import Picture

from zkml.core.offering_machine import OfferingFacts, OfferingOutcome, OfferingStatus


class Sighting(NamedTuple):
    """What was seen of the chain, and what the paper market had been told by then.

    Attributes:
        when: in words.
        at: chain time in seconds.
        picture: what was seen.
        notes: all moves so far.
    """

    when: str
    at: int
    picture: Picture
    notes: tuple[Move, ...]


def look(desk: OfferingDesk, when: str, *, at: int = 0) -> Sighting:
    """Look at everything.

    Args:
        desk: where moves are noted.
        when: in words.
        at: exactly this chain time, in seconds; now when 0.
    """
    chain = desk.world.market.chain
    if at:
        chain.send_once("evm_setNextBlockTimestamp", [at])
    chain.send_once("evm_mine", [])
    block = chain.block("latest")
    camera = _Camera(desk, block.number)
    return Sighting(when, block.timestamp, camera.picture(), tuple(desk.notes))


class _Camera:
    """Reads the state and time of one block."""

    def __init__(self, desk: OfferingDesk, block: int) -> None:
        self.desk, self.market, self.block = desk, desk.world.market, block

    def picture(self) -> Picture:
        market = self.market
        picture: Picture = {
            "money of the ledger": self._money(market.ledger.address),
            "money of the stakes": self._money(market.provers.address),
            "money of the offerings": self._money(market.offerings.address),
            "platform": sum(self._income(model).platform for model in OWNERS),
        }
        accounts = [*PEOPLE, NOBODY]
        for name in self.desk.ids:
            accounts += [f"vault of {name}", f"pool of {name}", f"steward of {name}"]
        for who in accounts:
            address = self.desk.account(who)
            picture[f"money of {who}"] = self._money(address)
            picture[f"the ledger owes {who}"] = market.ledger.credits_of(address)
            picture[f"the offerings owe {who}"] = market.offerings.credits_of(address)
        for model in OWNERS:
            picture |= self._model(model)
        for name in self.desk.ids:
            facts = self.desk.facts(name)
            picture |= self._terms(name, facts) | self._shares(name, facts)
            if facts.outcome is OfferingOutcome.TRADING:
                picture |= self._trading(name)
        return picture

    def _model(self, model: str) -> Picture:
        market, number = self.market, self.desk.world.model_id(model)
        income = self._income(model)
        picture: Picture = {
            f"owner of {model}": self._name_of(market.registry.owner_of(number)),
            f"fee of {model}": market.registry.fee_terms_of(number).model_fee,
            f"revenue of {model}": income.revenue,
            f"inherited by {model}": income.inherited,
            f"to claim of {model}": market.ledger.holders_due(number),
        }
        for ancestor in ancestors_of(model):
            due = market.ledger.lineage_due(number, self.desk.world.model_id(ancestor))
            picture[f"{ancestor} of {model}"] = due
        return picture

    def _terms(self, name: str, facts: OfferingFacts) -> Picture:
        offerings, number = self.market.offerings, self.desk.ids[name]
        status = offerings.contract.call("statusOf", number, block=self.block)
        return {
            f"status of {name}": OfferingStatus(status).name,
            f"creator's shares of {name}": facts.creator_shares,
            f"public shares of {name}": facts.public_shares,
            f"close of {name}": facts.closes_at,
            f"sale of {name}": facts.soft_locked_at,
            f"unlocking of {name}": facts.unlock_at,
            f"release of {name}": offerings.releasable_at(number),
            f"bonus of {name}": facts.bonus,
            f"unpaid of {name}": facts.unpaid,
        }

    def _shares(self, name: str, facts: OfferingFacts) -> Picture:
        offerings, number, shares = self.market.offerings, self.desk.ids[name], self.desk.shares(name)
        picture: Picture = {f"supply of {name}": shares.total_supply()}
        for holder in HOLDERS:
            address = self.desk.account(holder)
            picture[f"{name} reserved by {holder}"] = offerings.reservation_of(number, address)
            picture[f"{name} on offer by {holder}"] = offerings.resale_of(number, address)
        for holder in (*HOLDERS, f"vault of {name}", f"pool of {name}", NOBODY):
            address = self.desk.account(holder)
            if holder != NOBODY:
                picture[f"{name} held by {holder}"] = shares.balance_of(address)
            due = self.market.ledger.shares_due(facts.model_id, address) if facts.soft_locked_at else 0
            picture[f"{name} earned by {holder}"] = due
        return picture

    def _trading(self, name: str) -> Picture:
        money, units = self.desk.vault(name).contract.call("vestedDue", block=self.block)
        reserves, pair = self.desk.pool(name).reserves(), self.desk.pair(name)
        return {
            f"vested money of {name}": money,
            f"vested shares of {name}": units,
            f"money in the pool of {name}": reserves.money,
            f"shares in the pool of {name}": reserves.shares,
            f"liquidity of {name}": pair.call("totalSupply"),
            f"locked liquidity of {name}": pair.call("balanceOf", self.desk.vault(name).address),
            f"creator's liquidity of {name}": pair.call("balanceOf", self.desk.vault(name).creator()),
        }

    def _money(self, address: str) -> int:
        return self.market.token.balance_of(address)

    def _income(self, model: str):
        return self.market.ledger.income_of(self.desk.world.model_id(model))

    def _name_of(self, address: str) -> str:
        owners = [*PEOPLE, *(f"steward of {name}" for name in self.desk.ids)]
        return next(who for who in owners if self.desk.account(who) == address)


def ancestors_of(model: str) -> list[str]:
    """Return all models that a model descends from."""
    parents = list(PARENTS[model])
    return list(dict.fromkeys([*parents, *(one for parent in parents for one in ancestors_of(parent))]))
