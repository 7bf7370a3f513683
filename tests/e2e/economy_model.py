"""A market on paper: what every party must own at the end, worked out from the rules alone.

Written from the design and the formulas, sharing no code with zkml: where the two disagree, one of them is wrong.
Amounts are in the token's smallest unit, times in seconds of the chain.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

MILLION = 1_000_000


@dataclass
class Rules:
    """The numbers of a deployment."""

    platform_ppm: int
    flat_fee: int
    min_collateral: int
    collateral_ppm: int
    bonus_ppm: int
    treasury_ppm: int


@dataclass
class Model:
    """A model: who owns it, what it asks, whom it owes."""

    owner: str
    fee: int
    least_part_ppm: int = 0
    parents: dict[str, int] = field(default_factory=dict)
    earned: int = 0


@dataclass
class Task:
    """A job in flight."""

    requester: str
    model: str
    low: int
    high: int
    ramp: int
    opened_at: int
    price: tuple[int, int, int] | None = None
    claimer: str | None = None
    replaced: str | None = None


class PaperMarket:
    """Every account's money, move by move."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.models: dict[str, Model] = {}
        self.wallets: dict[str, int] = defaultdict(int)
        self.owed: dict[str, int] = defaultdict(int)
        self.stakes: dict[str, int] = defaultdict(int)
        self.locked: dict[str, int] = defaultdict(int)
        self.tabs: dict[str, tuple[str, int]] = {}
        self.tasks: dict[str, Task] = {}
        self.platform = 0
        self.burned = 0
        self.fined_to_treasury = 0

    def split(self, model: str, prover_fee: int) -> tuple[int, int, int]:
        """Return what a settlement pays prover, model and platform."""
        asked = self.models[model]
        rest = prover_fee + self.rules.flat_fee
        part = Fraction(asked.least_part_ppm, MILLION)
        least = part * rest / (1 - part)
        model_fee = max(asked.fee, -(-least.numerator // least.denominator))
        cut = model_fee * self.rules.platform_ppm // MILLION
        return prover_fee, model_fee - cut, cut + self.rules.flat_fee

    def collateral(self, price: int) -> int:
        """Return what a claim at this price locks."""
        part = Fraction(price * self.rules.collateral_ppm, MILLION)
        return max(self.rules.min_collateral, -(-part.numerator // part.denominator))

    def stake(self, prover: str, amount: int) -> None:
        """Move money from a wallet to a stake."""
        self.wallets[prover] -= amount
        self.stakes[prover] += amount

    def open(self, name: str, requester: str, model: str, *, low: int, high: int, ramp: int, at: int) -> None:
        """Open a job and reserve the most that it can cost."""
        self.wallets[requester] -= sum(self.split(model, high))
        self.tasks[name] = Task(requester, model, low, high, ramp, at)

    def claim(self, name: str, prover: str, *, at: int) -> None:
        """Fix a job's price and lock the claimer's collateral."""
        task = self.tasks[name]
        waited = min(at - task.opened_at, task.ramp)
        rise = Fraction(task.high - task.low) * waited / task.ramp if task.ramp else task.high - task.low
        task.price = self.split(task.model, task.low + int(rise))
        task.claimer = prover
        self.owed[task.requester] += sum(self.split(task.model, task.high)) - sum(task.price)
        self._lock(prover, self.collateral(sum(task.price)))

    def take_over(self, name: str, prover: str) -> None:
        """Replace a late claimer."""
        task = self.tasks[name]
        assert task.price is not None
        assert task.replaced is None
        task.replaced, task.claimer = task.claimer, prover
        self._lock(prover, self.collateral(sum(task.price)))

    def settle(self, name: str) -> None:
        """Pay for an accepted proof of the job's claimer."""
        task = self.tasks.pop(name)
        assert task.price is not None
        assert task.claimer is not None
        locked = self.collateral(sum(task.price))
        self._pay(task.model, task.claimer, task.price)
        self._unlock(task.claimer, locked)
        if task.replaced is not None:
            bonus = locked * self.rules.bonus_ppm // MILLION
            self.locked[task.replaced] -= locked
            self.stakes[task.claimer] += bonus
            self._fine(locked - bonus)

    def refund(self, name: str) -> None:
        """Give an expired job's money back and fine whoever held it."""
        task = self.tasks.pop(name)
        if task.price is None:
            self.owed[task.requester] += sum(self.split(task.model, task.high))
            return
        self.owed[task.requester] += sum(task.price)
        locked = self.collateral(sum(task.price))
        for holder in (task.claimer, task.replaced):
            if holder is not None:
                self.locked[holder] -= locked
                self._fine(locked)

    def cancel(self, name: str) -> None:
        """Give an unclaimed job's money back."""
        task = self.tasks.pop(name)
        self.owed[task.requester] += sum(self.split(task.model, task.high))

    def open_tab(self, name: str, requester: str, amount: int) -> None:
        """Reserve money on a tab."""
        self.wallets[requester] -= amount
        self.tabs[name] = (requester, amount)

    def settle_request(self, name: str, model: str, prover: str, *, model_fee: int, prover_fee: int) -> None:
        """Pay a signed request from its tab."""
        cut = model_fee * self.rules.platform_ppm // MILLION
        price = (prover_fee, model_fee - cut, cut + self.rules.flat_fee)
        requester, left = self.tabs[name]
        assert left >= sum(price), "the paper market was asked to overdraw a tab"
        self.tabs[name] = (requester, left - sum(price))
        self._pay(model, prover, price)

    def close_tab(self, name: str) -> None:
        """Give the rest of a tab back."""
        requester, left = self.tabs.pop(name)
        self.owed[requester] += left

    def everybody_pulls(self, treasury: str) -> None:
        """Pay every ancestor, owner, prover and requester what is theirs, and the treasury."""
        assert not self.tasks | self.tabs, "something is still in flight"
        inherited: dict[str, int] = defaultdict(int)
        for name, model in self.models.items():
            for ancestor, share in self.shares(name).items():
                inherited[ancestor] += model.earned * share // MILLION
        for name, model in self.models.items():
            theirs = model.earned * sum(self.shares(name).values()) // MILLION
            self.owed[model.owner] += model.earned - theirs + inherited[name]
        self.owed[treasury] += self.platform
        for account in list(self.owed):
            self.wallets[account] += self.owed.pop(account)
        self.wallets[treasury] += self.fined_to_treasury
        for prover in list(self.stakes):
            assert self.locked[prover] == 0
            self.wallets[prover] += self.stakes.pop(prover)
        self.platform = self.fined_to_treasury = 0

    def waiting(self) -> int:
        """Return what no party can take: the fractions of a unit between a model's shares and their sum."""
        total = 0
        for name, model in self.models.items():
            shares = self.shares(name)
            paid = sum(model.earned * share // MILLION for share in shares.values())
            total += model.earned * sum(shares.values()) // MILLION - paid
        return total

    def shares(self, name: str) -> dict[str, int]:
        """Return every ancestor's part in millionths, by walking all paths and multiplying along each."""
        shares: dict[str, Fraction] = defaultdict(Fraction)
        paths = [(name, Fraction(1))]
        while paths:
            here, weight = paths.pop()
            for parent, rate in self.models[here].parents.items():
                reach = weight * Fraction(rate, MILLION)
                kept = 1 - Fraction(sum(self.models[parent].parents.values()), MILLION)
                shares[parent] += reach * kept
                paths.append((parent, reach))
        whole = {ancestor: share * MILLION for ancestor, share in shares.items()}
        assert all(share.denominator == 1 for share in whole.values()), "choose rates that multiply exactly"
        return {ancestor: int(share) for ancestor, share in whole.items()}

    def _pay(self, model: str, prover: str, price: tuple[int, int, int]) -> None:
        to_prover, to_model, to_platform = price
        self.owed[prover] += to_prover
        self.models[model].earned += to_model
        self.platform += to_platform

    def _lock(self, prover: str, amount: int) -> None:
        self.stakes[prover] -= amount
        self.locked[prover] += amount
        assert self.stakes[prover] >= 0, "the paper market was asked to lock more than is staked"

    def _unlock(self, prover: str, amount: int) -> None:
        self.locked[prover] -= amount
        self.stakes[prover] += amount

    def _fine(self, amount: int) -> None:
        treasury = amount * self.rules.treasury_ppm // MILLION
        self.fined_to_treasury += treasury
        self.burned += amount - treasury
