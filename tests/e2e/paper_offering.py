"""Offerings on paper: who must own what when a model's shares are sold, released and traded, or not delivered.

Written from the design's rules and the published arithmetic of Uniswap v2, sharing no code with zkml. Money is in
the token's smallest unit, shares in units of 10^-18 unless they are called whole, times in seconds of the chain.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import isqrt

from economy_model import MILLION, Rules
from paper_law import Law
from paper_shares import PaperShares, Register

WHOLE = 10**18
NOBODY = "nobody"
"""Has what was burned: shares, and liquidity that stays in a pool."""


@dataclass
class Terms:
    """What a creator offers.

    Attributes:
        total: whole shares.
        price: of a whole share.
        bond: what the creator loses who does not deliver.
        window: in seconds.
        seed_ppm: the pool's part of the raise.
        vesting: in seconds.
        liquidity_lock: in seconds.
        fee: what the model asks from now on.
        least_part_ppm: and what part of every price at least.
    """

    total: int
    price: int
    bond: int
    window: int
    seed_ppm: int
    vesting: int
    liquidity_lock: int
    fee: int
    least_part_ppm: int


@dataclass
class Sale:
    """An offering, and what became of it. Reservations and what is on offer are in whole shares."""

    name: str
    creator: str
    model: str
    terms: Terms
    creator_shares: int
    closes_at: int
    register: Register
    reserved: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    on_offer: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sold_at: int = 0
    unlock_at: int = 0
    revealed_at: int = 0
    outcome: str = ""
    whole_bonus: int = 0
    bonus: int = 0
    unpaid: int = 0
    released_at: int = 0
    vesting_money: int = 0
    vesting_units: int = 0
    paid_money: int = 0
    paid_units: int = 0
    synced: int = 0
    liquidity: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def public(self) -> int:
        """Whole shares that are sold."""
        return self.terms.total - self.creator_shares

    @property
    def vault(self) -> str:
        """Where the creator's part lies until it is the creator's."""
        return f"vault of {self.name}"

    @property
    def pool(self) -> str:
        """Where shares and money are traded."""
        return f"pool of {self.name}"

    @property
    def steward(self) -> str:
        """Who owns the model while others hold its shares."""
        return f"steward of {self.name}"

    def people(self, who: str) -> str:
        """Return the account of a party."""
        return {"creator": self.creator}.get(who, who)


class PaperOfferings(PaperShares):
    """Every account's money and shares, move by move.

    Attributes:
        sales: by name.
        till: what the offering contract owes, by account.
    """

    def __init__(self, rules: Rules, law: Law) -> None:
        super().__init__(rules, law)
        self.sales: dict[str, Sale] = {}
        self.till: dict[str, int] = defaultdict(int)

    # --- selling -----------------------------------------------------------------------------------

    def offer(self, name: str, creator: str, model: str, terms: Terms, *, at: int) -> None:
        """Open an offering: bond and model leave the creator, the model asks its new fee."""
        creator_shares = self.law.creator_shares(terms.total)
        register = Register(terms.total * WHOLE)
        sale = Sale(name, creator, model, terms, creator_shares, at + terms.window, register)
        self.sales[name] = sale
        self._spend(creator, "offerings", terms.bond)
        self.pass_model(model, sale.steward)
        self.models[model].fee, self.models[model].least_part_ppm = terms.fee, terms.least_part_ppm

    def reserve(self, name: str, buyer: str, most: int, *, at: int) -> None:
        """Sell whole shares, as many as are left; the last one begins the soft lock."""
        sale = self.sales[name]
        count = min(most, sale.public - sum(sale.reserved.values()))
        sale.reserved[buyer] += count
        sale.register.units[buyer] += count * WHOLE
        self._spend(buyer, "offerings", count * sale.terms.price)
        if sum(sale.reserved.values()) == sale.public:
            sale.sold_at, sale.unlock_at = at, self.law.unlock_at(at)
            sale.register.units[sale.vault] += sale.creator_shares * WHOLE
            if self.law.earns_from == "lock":
                self.start_shares(sale.model, sale.register)

    def offer_resale(self, name: str, holder: str, count: int) -> None:
        """Offer whole shares at exactly the price."""
        self.sales[name].on_offer[holder] = count

    def buy_resale(self, name: str, buyer: str, holder: str, count: int) -> None:
        """Take over whole shares; the buyer's money is the seller's."""
        sale = self.sales[name]
        cost = count * (sale.terms.price + self.law.resale_extra)
        sale.on_offer[holder] -= count
        sale.reserved[holder] -= count
        sale.reserved[buyer] += count
        sale.register.move(holder, buyer, count * WHOLE)
        self._spend(buyer, "offerings", cost)
        self.till[holder] += cost

    def pay_owner_income(self, name: str) -> None:
        """Pay the creator what the model earned while its shares did not earn yet."""
        sale = self.sales[name]
        if sale.model not in self.registers and self.models[sale.model].owner == sale.steward:
            self.claim_owner(sale.model)
        self.withdraw(sale.steward, sale.creator)

    # --- endings -----------------------------------------------------------------------------------

    def reveal(self, name: str, *, at: int) -> None:
        """Publish the key."""
        self.sales[name].revealed_at = at

    def release(self, name: str, *, at: int) -> None:
        """Free the shares upon a fresh proof: bond back, pool seeded, the rest vests."""
        sale, law = self.sales[name], self.law
        sale.outcome, sale.released_at = "TRADING", at
        self.till[sale.people(law.bond_at_release)] += sale.terms.bond
        if law.earns_from == "release":
            self.start_shares(sale.model, sale.register)

        raised = sale.public * sale.terms.price
        money = law.seed_money(raised, sale.terms.seed_ppm)
        units = sale.public * WHOLE * sale.terms.seed_ppm // MILLION
        donated = self.wallets.pop(sale.pool, 0)
        self._spend("offerings", sale.vault, raised - money)
        self._spend("offerings", sale.pool, money)
        self.wallets[sale.vault] += donated
        if law.seed_dilutes:
            sale.register.units[sale.vault] += units
        sale.register.move(sale.vault, sale.pool, units)
        sale.vesting_money = raised - money + (donated if law.donations_vest else 0)
        sale.vesting_units = sale.register.units[sale.vault]
        self._seed_liquidity(sale, units, money)

    def default(self, name: str, *, at_fault: bool) -> None:
        """End what was sold and not delivered: raise and held income are the holders', the creator's shares go.

        The bond is theirs, too, unless the circuit was tombstoned, which is nobody's fault.
        """
        sale, law = self.sales[name], self.law
        sale.outcome, sale.unpaid = "DEFAULTED", sale.public
        income = self._take_income(sale, "offerings")
        parts = {"holders": 0, law.bond_at_default if at_fault else law.bond_without_fault: sale.terms.bond}
        parts[law.income_at_default] = parts.get(law.income_at_default, 0) + income
        sale.bonus = sale.whole_bonus = parts.pop("holders")
        for who, amount in parts.items():
            self.till[sale.people(who)] += amount
        sale.register.move(sale.vault, NOBODY, sale.register.units[sale.vault])

    def close(self, name: str) -> None:
        """Give bond and model of an offering that did not sell out back."""
        sale = self.sales[name]
        sale.outcome = "FAILED"
        self.till[sale.people(self.law.bond_at_failure)] += sale.terms.bond
        self.pass_model(sale.model, sale.creator)

    def repay(self, name: str, holder: str) -> None:
        """Credit a holder with what its reservation cost, and after a default with its part of the bonus."""
        sale = self.sales[name]
        count = sale.reserved.pop(holder)
        self.till[holder] += count * sale.terms.price
        if sale.outcome != "DEFAULTED":
            sale.register.units[holder] -= count * WHOLE
            return
        rest = (sale.bonus, sale.unpaid) if self.law.repays_the_rest else (sale.whole_bonus, sale.public)
        part = rest[0] * count // rest[1]
        sale.bonus -= part
        sale.unpaid -= count
        self.till[holder] += part

    def take(self, account: str) -> None:
        """Pay what the offering contract owes an account."""
        self._spend("offerings", account, self.till.pop(account, 0))

    # --- after the release -------------------------------------------------------------------------

    def vested_due(self, name: str, at: int) -> tuple[int, int]:
        """Return what money and shares have vested and were not paid."""
        sale = self.sales[name]
        since = sale.released_at if self.law.vests_from == "release" else sale.sold_at
        money, units = (
            self.law.vested(whole, at - since, sale.terms.vesting)
            for whole in (sale.vesting_money, sale.vesting_units)
        )
        return money - sale.paid_money, units - sale.paid_units

    def pay_vested(self, name: str, *, at: int) -> None:
        """Pay the creator what has vested."""
        sale = self.sales[name]
        money, units = self.vested_due(name, at)
        sale.paid_money += money
        sale.paid_units += units
        self._spend(sale.vault, sale.creator, money)
        sale.register.move(sale.vault, sale.creator, units)

    def pay_income(self, name: str) -> None:
        """Pay the creator what the shares in the vault have earned."""
        sale = self.sales[name]
        self._take_income(sale, sale.creator)

    def pay_liquidity(self, name: str) -> None:
        """Give the creator the pool's liquidity, once it is not locked any more."""
        sale = self.sales[name]
        sale.liquidity[sale.creator] += sale.liquidity.pop(sale.vault)

    def transfer(self, name: str, source: str, target: str, units: int) -> None:
        """Pass free shares on."""
        self.sales[name].register.move(source, target, units)

    def return_pool_income(self, name: str) -> None:
        """Make what the pool's shares have earned income of all shares again."""
        sale = self.sales[name]
        if self.law.pool_returns:
            self.return_shares(sale.model, sale.pool)

    def burn(self, name: str, holder: str, units: int) -> None:
        """Destroy free shares."""
        self.sales[name].register.move(holder, NOBODY, units)

    def return_burned_income(self, name: str) -> None:
        """Make what destroyed shares would have earned income of all shares again."""
        if self.law.burned_return:
            self.return_shares(self.sales[name].model, NOBODY)

    def set_fee(self, name: str, fee: int) -> None:
        """Change what the model asks, within the offering's band."""
        self.models[self.sales[name].model].fee = fee

    # --- the pool ----------------------------------------------------------------------------------

    def donate(self, name: str, donor: str, money: int) -> None:
        """Have a stranger give money to the pool before the release, and the pool believe it is its own."""
        self._spend(donor, self.sales[name].pool, money)
        self.sales[name].synced += money

    def quote(self, paid: int, reserve_in: int, reserve_out: int) -> int:
        """Return what a trade pays out: the product of the reserves does not fall, of what counts."""
        counted = paid * self.law.pool_keeps
        return reserve_out * counted // (reserve_in * 1000 + counted)

    def buy_shares(self, name: str, trader: str, money: int) -> None:
        """Trade money for shares."""
        sale = self.sales[name]
        bought = self.quote(money, self.wallets[sale.pool], sale.register.units[sale.pool])
        self._spend(trader, sale.pool, money)
        sale.register.move(sale.pool, trader, bought)

    def sell_shares(self, name: str, trader: str, units: int) -> None:
        """Trade shares for money."""
        sale = self.sales[name]
        bought = self.quote(units, sale.register.units[sale.pool], self.wallets[sale.pool])
        self._spend(sale.pool, trader, bought)
        sale.register.move(trader, sale.pool, units)

    def remove_liquidity(self, name: str, holder: str, liquidity: int) -> None:
        """Take a part of both reserves for liquidity that is given up."""
        sale = self.sales[name]
        whole = sum(sale.liquidity.values())
        money = liquidity * self.wallets[sale.pool] // whole
        units = liquidity * sale.register.units[sale.pool] // whole
        sale.liquidity[holder] -= liquidity
        self._spend(sale.pool, holder, money)
        sale.register.move(sale.pool, holder, units)

    def _seed_liquidity(self, sale: Sale, units: int, money: int) -> None:
        """Count the liquidity: of reserves that a donation was bought out of before, only the rest is new."""
        if sale.synced:
            paid = units // 2
            units -= 1 + paid
            money -= -(-sale.synced * 1000 // (1000 + 997 * paid))
        sale.liquidity[sale.vault] = isqrt(units * money) - self.law.least_liquidity
        sale.liquidity[NOBODY] = self.law.least_liquidity

    # --- money -------------------------------------------------------------------------------------

    def _spend(self, source: str, target: str, amount: int) -> None:
        self.wallets[source] -= amount
        self.wallets[target] += amount

    def _take_income(self, sale: Sale, to: str) -> int:
        if sale.model in self.registers:
            self.claim_shares(sale.model, sale.vault)
        return self.withdraw(sale.vault, to)
