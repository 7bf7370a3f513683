"""Moves of offerings: each is made on the chain, and noted for the paper market."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from economy_moves import Desk
from economy_world import Proved
from offering_world import OWNERS, OfferingLab
from paper_offering import Terms

from marketplace.opening import refutation_of
from marketplace.pools import PoolBinding, Side
from marketplace.shares import ShareToken
from marketplace.stewards import StewardBinding
from marketplace.vaults import CreatorVaultBinding
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.core.identifiers import FeeTerms
from zkml.core.offering_machine import OfferingFacts
from zkml.core.offering_terms import OfferingTerms

ANYONE = "stranger"


@dataclass
class OfferingDesk(Desk):
    """Where offerings are made and noted.

    Attributes:
        lab: what is sold.
        ids: of offerings, by name.
        addresses: of accounts that belong to offerings, by name.
    """

    lab: OfferingLab = field(kw_only=True)
    ids: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    # --- where things are --------------------------------------------------------------------------

    def facts(self, name: str) -> OfferingFacts:
        """Return an offering's facts."""
        return self.world.market.offerings.facts(self.ids[name])

    def shares(self, name: str) -> ShareToken:
        """Return its shares."""
        return self.world.market.offerings.shares_of(self.facts(name))

    def vault(self, name: str) -> CreatorVaultBinding:
        """Return the vault of its creator."""
        return self.world.market.offerings.vault_of(self.facts(name))

    def steward(self, name: str) -> StewardBinding:
        """Return the steward of its model."""
        return self.world.market.offerings.steward_of(self.facts(name))

    def pool(self, name: str) -> PoolBinding:
        """Return its pool."""
        return self.world.market.offerings.pool_of(self.facts(name))

    def pair(self, name: str) -> BoundContract:
        """Return its pool as Uniswap knows it."""
        return BoundContract(self.world.market.chain, load_artifact("UniswapV2Pair"), self.pool(name).address)

    def model_of(self, name: str) -> int:
        """Return the id of the model that is offered."""
        return self.facts(name).model_id

    def be_at(self, moment: datetime, *, seconds: int = 0) -> None:
        """Let chain time pass until a moment, and so many seconds more."""
        wanted = int(moment.timestamp()) + seconds
        self.wait(wanted - self.world.market.chain.now())

    def at_exactly(self, moment: int) -> None:
        """Let the next block be of this second of the chain."""
        self.world.market.chain.send_once("evm_setNextBlockTimestamp", [moment])

    @contextmanager
    def what_if(self) -> Iterator[None]:
        """Let things happen, and then let chain and notes be as they were."""
        chain, told = self.world.market.chain, len(self.notes)
        snapshot = chain.send_once("evm_snapshot", [])
        yield
        chain.send_once("evm_revert", [snapshot])
        del self.notes[told:]

    # --- selling -----------------------------------------------------------------------------------

    def offer(self, name: str, model: str, terms: Terms) -> None:
        """Open an offering."""
        market, creator = self.world.market, self.world.keys[OWNERS[model]]
        full = OfferingTerms(
            model_id=self.world.model_id(model),
            total_shares=terms.total,
            price=terms.price,
            bond=terms.bond,
            window_seconds=terms.window,
            seed_ppm=terms.seed_ppm,
            vesting_seconds=terms.vesting,
            lp_lock_seconds=terms.liquidity_lock,
            fees=FeeTerms(terms.fee, terms.fee - 1_000, terms.least_part_ppm),
            max_model_fee=terms.fee + 100_000,
            successor_rate_ppm=100_000,
            guardian=self.world.address("gus"),
            artifact=self.lab.sealed[model].artifact,
            name=f"Shares of {name}",
            symbol=name.upper(),
        )
        market.registry.approve(creator, market.offerings.address, full.model_id)
        self.ids[name], receipt = market.offerings.open(creator, full)
        self.note("offer", name, OWNERS[model], model, terms, at=self.time_of(receipt))

    def reserve(self, name: str, buyer: str, most: int) -> int:
        """Reserve whole shares; return how many."""
        offerings = self.world.market.offerings
        count, receipt = offerings.reserve(self.world.keys[buyer], self.ids[name], most, 1)
        self.note("reserve", name, buyer, most, at=self.time_of(receipt))
        return count

    def resell(self, name: str, holder: str, offered: int, buyer: str, count: int) -> None:
        """Have a holder offer whole shares and a buyer take some."""
        offerings, number = self.world.market.offerings, self.ids[name]
        offerings.offer_resale(self.world.keys[holder], number, offered)
        self.note("offer_resale", name, holder, offered)
        offerings.buy_resale(self.world.keys[buyer], number, self.world.address(holder), count)
        self.note("buy_resale", name, buyer, holder, count)

    def pay_owner_income(self, name: str) -> None:
        """Have a stranger see to the creator's income of the window."""
        self.steward(name).pay_owner_income(self.world.keys[ANYONE])
        self.note("pay_owner_income", name)

    # --- endings -----------------------------------------------------------------------------------

    def reveal(self, name: str, model: str) -> None:
        """Publish the key of what is sold."""
        creator = self.world.keys[OWNERS[model]]
        receipt = self.world.market.offerings.reveal(creator, self.ids[name], self.lab.keys[model])
        self.note("reveal", name, at=self.time_of(receipt))

    def release(self, name: str, proved: Proved) -> TransactionReceipt:
        """Have a stranger release an offering with a fresh proof."""
        _, output, proof = proved
        offerings = self.world.market.offerings
        receipt = offerings.finalize(self.world.keys[ANYONE], self.ids[name], output, proof)
        self.note("release", name, at=self.time_of(receipt))
        return receipt

    def challenge(self, name: str, model: str) -> int:
        """Have a stranger find and prove a wrong chunk; return which."""
        sealed = self.lab.sealed[model]
        chunk = refutation_of(sealed.path, sealed.artifact, self.lab.keys[model])
        assert chunk is not None
        self.world.market.offerings.challenge(self.world.keys[ANYONE], self.ids[name], chunk)
        self.note("default", name, at_fault=True)
        return chunk.index

    def declare_default(self, name: str, *, at_fault: bool) -> None:
        """Have a stranger declare the default of what is overdue, or of a tombstoned circuit."""
        self.world.market.offerings.declare_default(self.world.keys[ANYONE], self.ids[name])
        self.note("default", name, at_fault=at_fault)

    def close(self, name: str) -> None:
        """Have a stranger end an offering that did not sell out."""
        self.world.market.offerings.close(self.world.keys[ANYONE], self.ids[name])
        self.note("close", name)

    def repay(self, name: str, holder: str) -> None:
        """Have a stranger see to a holder's money."""
        offerings = self.world.market.offerings
        offerings.repay(self.world.keys[ANYONE], self.ids[name], self.world.address(holder))
        self.note("repay", name, holder)

    def take(self, account: str) -> None:
        """Have an account withdraw what the offering contract owes it."""
        self.world.market.offerings.withdraw(self.world.keys[account])
        self.note("take", account)

    # --- income ------------------------------------------------------------------------------------

    def claim_lineage(self, child: str, ancestor: str) -> None:
        """Have a stranger pass an ancestor's royalties on."""
        ids = self.world.model_id(child), self.world.model_id(ancestor)
        self.world.market.ledger.claim_lineage(self.world.keys[ANYONE], *ids)
        self.note("claim_lineage", child, ancestor)

    def claim_owner(self, model: str) -> None:
        """Have a stranger credit a model's owner."""
        self.world.market.ledger.claim_owner(self.world.keys[ANYONE], self.world.model_id(model))
        self.note("claim_owner", model)

    def claim_shares(self, model: str, name: str, holder: str) -> None:
        """Have a stranger credit a holder of shares, in the ledger."""
        address = self.account(holder)
        self.world.market.ledger.claim_shares(self.world.keys[ANYONE], self.model_of(name), address)
        self.note("claim_shares", model, holder)

    def claim_snapshot(self, model: str, name: str, holder: str, snapshot: int) -> None:
        """Have a holder claim a dividend, by ERC-7641."""
        self.shares(name).claim(self.world.keys[holder], snapshot)
        self.note("claim_shares", model, holder)

    def collect_platform(self) -> None:
        """Have a stranger credit the treasury."""
        models = [self.world.model_id(model) for model in OWNERS]
        self.world.market.ledger.collect_platform(self.world.keys[ANYONE], models)
        self.note("collect_platform", "treasury")

    def withdraw(self, account: str) -> None:
        """Have an account withdraw what the ledger owes it."""
        self.world.market.ledger.withdraw(self.world.keys[account])
        self.note("withdraw", account)

    def return_pool_income(self, name: str) -> None:
        """Have a stranger give back what the pool's shares have earned."""
        self.shares(name).return_pool_income(self.world.keys[ANYONE])
        self.note("return_pool_income", name)

    def return_burned_income(self, name: str) -> None:
        """Have a stranger give back what destroyed shares would have earned."""
        self.shares(name).contract.transact(self.world.keys[ANYONE], "returnBurnedIncome")
        self.note("return_burned_income", name)

    # --- after the release -------------------------------------------------------------------------

    def pay_vault(self, name: str, what: str) -> None:
        """Have a stranger see to the creator's `vested`, `income` or `liquidity`."""
        receipt = getattr(self.vault(name), f"pay_{what}")(self.world.keys[ANYONE])
        when: dict[str, Any] = {"at": self.time_of(receipt)} if what == "vested" else {}
        self.note(f"pay_{what}", name, **when)

    def set_fee(self, name: str, creator: str, fee: int) -> None:
        """Have the creator move the fee within the band."""
        self.steward(name).set_fee(self.world.keys[creator], fee)
        self.note("set_fee", name, fee)

    def transfer(self, name: str, source: str, target: str, units: int) -> None:
        """Pass shares on."""
        self.shares(name).transfer(self.world.keys[source], self.world.address(target), units)
        self.note("transfer", name, source, target, units)

    def burn(self, name: str, holder: str, units: int) -> None:
        """Destroy shares."""
        self.shares(name).burn(self.world.keys[holder], units)
        self.note("burn", name, holder, units)

    # --- the pool ----------------------------------------------------------------------------------

    def donate(self, name: str, donor: str, money: int) -> None:
        """Give a pool money before the release, and have it take that for a reserve."""
        pair = self.pair(name)
        self._pay(donor, pair.address, money)
        pair.transact(self.world.keys[donor], "sync")
        self.note("donate", name, donor, money)

    def buy_shares(self, name: str, trader: str, money: int) -> None:
        """Trade money for shares, at the pool's own quote and not a unit less."""
        self._trade(name, trader, Side.MONEY, money)
        self.note("buy_shares", name, trader, money)

    def sell_shares(self, name: str, trader: str, units: int) -> None:
        """Trade shares for money, at the pool's own quote and not a unit less."""
        self._trade(name, trader, Side.SHARES, units)
        self.note("sell_shares", name, trader, units)

    def remove_liquidity(self, name: str, holder: str, liquidity: int) -> None:
        """Give liquidity up for a part of both reserves."""
        pair, account = self.pair(name), self.world.keys[holder]
        pair.transact(account, "transfer", pair.address, liquidity)
        pair.transact(account, "burn", account.address)
        self.note("remove_liquidity", name, holder, liquidity)

    def account(self, who: str) -> str:
        """Return the address of a person, or of an account that belongs to an offering."""
        if who in self.world.keys:
            return self.world.address(who)
        part, _, name = who.partition(" of ")
        if not name:
            return "0x" + "00" * 20
        if who not in self.addresses:
            self.addresses[who] = str(getattr(self, part)(name).address)
        return self.addresses[who]

    def _trade(self, name: str, trader: str, side: Side, paid: int) -> None:
        pool = self.pool(name)
        pool.trade(self.world.keys[trader], side, paid, least=pool.reserves().bought_for(side, paid))

    def _pay(self, payer: str, target: str, units: int) -> None:
        self.world.market.token.contract.transact(self.world.keys[payer], "transfer", target, units)
