"""The market on paper where models may have shares: who has earned what, as it is earned.

Where `PaperMarket` pays everybody once, at the end, this one follows every claim: of shares it matters who held
them when income came. Written from the design's rules, sharing no code with zkml.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from economy_model import MILLION, PaperMarket, Rules
from paper_law import Law


@dataclass
class Register:
    """Whose a model's shares are, and what each holder has earned by them.

    Attributes:
        supply: among so many units income is divided.
        units: by holder, 10^18 for a whole share.
        earned: by holder, with the fractions of a unit of money.
        taken: by holder.
        returned: of it, what was given back.
    """

    supply: int
    units: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    earned: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    returned: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def receive(self, income: int) -> None:
        """Divide income among those who hold shares now."""
        for holder, units in self.units.items():
            self.earned[holder] += Fraction(income * units, self.supply)

    def due(self, holder: str) -> int:
        """Return what a holder can claim, in whole units of money."""
        return int(self.earned[holder]) - self.taken[holder]

    def move(self, source: str, target: str, units: int) -> None:
        """Pass shares on; what they have earned stays."""
        self.units[source] -= units
        self.units[target] += units


class PaperShares(PaperMarket):
    """A market whose models have an owner, or shares.

    Attributes:
        law: of offerings.
        inherited: by model, what its holders have from descendants, and what came back to them.
        unclaimed: by model, what its owner or holders have earned and were not credited with.
        royal: by model, the revenue of which ancestors have their part.
        drawn: by descendant and ancestor, what was passed on.
        registers: of the models that have shares which earn.
    """

    def __init__(self, rules: Rules, law: Law) -> None:
        super().__init__(rules)
        self.law = law
        self.inherited: dict[str, int] = defaultdict(int)
        self.unclaimed: dict[str, int] = defaultdict(int)
        self.royal: dict[str, int] = defaultdict(int)
        self.drawn: dict[tuple[str, str], int] = defaultdict(int)
        self.registers: dict[str, Register] = {}

    def lineage_due(self, child: str, ancestor: str) -> int:
        """Return what an ancestor has earned by a descendant and was not passed on."""
        return self.royal[child] * self.shares(child)[ancestor] // MILLION - self.drawn[child, ancestor]

    def claim_lineage(self, child: str, ancestor: str) -> None:
        """Pass on what an ancestor has earned by a descendant: it is income of its holders of now."""
        amount = self.lineage_due(child, ancestor)
        self.drawn[child, ancestor] += amount
        self.inherit(ancestor, amount)

    def inherit(self, model: str, amount: int) -> None:
        """Add to a model's income what is no revenue of its own: no ancestor has a part in it."""
        self.inherited[model] += amount
        self._earn(model, amount)

    def claim_owner(self, model: str) -> None:
        """Credit a model's owner with what it has earned."""
        self.owed[self.models[model].owner] += self.unclaimed.pop(model, 0)

    def pass_model(self, model: str, owner: str) -> None:
        """Give a model to another owner; what it has earned is the last one's."""
        if model not in self.registers:
            self.claim_owner(model)
        self.models[model].owner = owner

    def start_shares(self, model: str, register: Register) -> None:
        """Let shares earn from now on; what was earned until now is the owner's."""
        self.claim_owner(model)
        self.registers[model] = register

    def claim_shares(self, model: str, holder: str) -> int:
        """Credit a holder with what its shares have earned; nothing before they earn."""
        if model not in self.registers:
            return 0
        register = self.registers[model]
        amount = register.due(holder)
        register.taken[holder] += amount
        self.unclaimed[model] -= amount
        self.owed[holder] += amount
        return amount

    def return_shares(self, model: str, holder: str) -> None:
        """Make what a holder's shares have earned and it did not withdraw income of all shares again."""
        self.claim_shares(model, holder)
        register = self.registers[model]
        amount = min(register.taken[holder] - register.returned[holder], self.owed[holder])
        register.returned[holder] += amount
        self.owed[holder] -= amount
        if self.law.returned_pays_ancestors:
            self._earn_revenue(model, amount)
        else:
            self.inherit(model, amount)

    def collect_platform(self, treasury: str) -> None:
        """Credit the treasury with the platform's income."""
        self.owed[treasury] += self.platform
        self.platform = 0

    def withdraw(self, account: str, to: str = "") -> int:
        """Pay an account's credits."""
        amount = self.owed.pop(account, 0)
        self.wallets[to or account] += amount
        return amount

    def ledger_holds(self) -> int:
        """Return all that lies in the ledger: what is in flight, credited, or to be claimed."""
        flying = sum(sum(task.price or self.split(task.model, task.high)) for task in self.tasks.values())
        flying += sum(left for _, left in self.tabs.values())
        royalties = sum(self._royalties(model) for model in self.models) - sum(self.drawn.values())
        waiting = self.platform + sum(self.unclaimed.values()) + royalties
        return flying + sum(self.owed.values()) + waiting

    def stakes_hold(self) -> int:
        """Return all that provers have staked."""
        return sum(self.stakes.values()) + sum(self.locked.values())

    def _pay(self, model: str, prover: str, price: tuple[int, int, int]) -> None:
        to_prover, to_model, to_platform = price
        self.owed[prover] += to_prover
        self.platform += to_platform
        self._earn_revenue(model, to_model)

    def _earn_revenue(self, model: str, amount: int) -> None:
        """Divide revenue between ancestors and holders; a fraction of a unit is the holders'."""
        before = self._royalties(model)
        self.models[model].earned += amount
        if self.law.pays_ancestors or model not in self.registers:
            self.royal[model] += amount
        self._earn(model, amount - (self._royalties(model) - before))

    def _royalties(self, model: str) -> int:
        return self.royal[model] * sum(self.shares(model).values()) // MILLION

    def _earn(self, model: str, amount: int) -> None:
        self.unclaimed[model] += amount
        if model in self.registers:
            self.registers[model].receive(amount)
