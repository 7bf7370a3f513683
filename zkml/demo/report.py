"""What the demo found, as one object and as text."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JobRow:
    """One paid job. Amounts are in the token's smallest unit.

    Attributes:
        job_id: 0x and 64 digits.
        label: the digit that the image shows.
        predicted: the digit that the proved output says.
        prove_seconds: wall time of the proof.
        gas: of the settling transaction.
        paid: to the prover, credited in that transaction: what was on offer when the job was claimed.
        revenue: to the model.
        platform: to the platform.
        price: all three: what the requester paid.
        transaction: the settling transaction.
    """

    job_id: str
    label: int
    predicted: int
    prove_seconds: float
    gas: int
    paid: int
    revenue: int
    platform: int
    price: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One lie of the cheating prover.

    Attributes:
        lie: what was changed.
        refused_by: the contract that said no.
        reason: its error.
        transaction: the mined, reverted transaction; empty where only a call can be made.
    """

    lie: str
    refused_by: str
    reason: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Forfeiture:
    """Where the collateral of a broken claim went; amounts in the token's smallest unit.

    Attributes:
        job_id: the job, 0x and 64 digits.
        ended: how it ended: settled by another prover, or refunded.
        amount: what the claimer lost: the sum of the three.
        bonus: to the stake of the prover who settled instead.
        to_treasury: to the platform's treasury.
        to_burn: to nobody.
    """

    job_id: str
    ended: str
    amount: int
    bonus: int
    to_treasury: int
    to_burn: int


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What one account holds, in the token's smallest unit.

    Attributes:
        account: its name.
        before: all of it when the tour's jobs began.
        after: all of it at the end: the sum of the next three.
        wallet: tokens of its own at the end.
        credits: in the revenue ledger at the end.
        stake: in the prover registry at the end, free, locked or leaving.
    """

    account: str
    before: int
    after: int
    wallet: int
    credits: int
    stake: int


@dataclass(frozen=True, slots=True)
class ContractRow:
    """What a contract that keeps others' tokens holds, and what it owes to what the tour knows."""

    contract: str
    tokens: int
    owed: int

    @property
    def unowed(self) -> int:
        """What is owed to accounts outside of the tour."""
        return self.tokens - self.owed


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The whole tour.

    Attributes:
        system: name and version of the proof system.
        jobs: settled by the honest prover.
        attempts: the cheat's lies.
        cheated_job: which job they were about.
        taken_over: the same job, settled by the honest prover in the end.
        refunded_job: which job the cheat claimed and never answered.
        forfeits: what both cost the cheat.
        forfeited: their sum.
        audits: verdict by job.
        balances: everything held, before and after.
        contracts: where it is held for others.
        unstaking: what the prover asked back at the end.
    """

    system: str
    float_accuracy: float
    circuit_accuracy: float
    circuit: str
    srs: str
    srs_is_secure: bool
    chain_id: int
    endpoint: str
    model_id: str
    licence: str
    dataset: str
    jobs: tuple[JobRow, ...]
    attempts: tuple[Attempt, ...]
    cheated_job: str
    taken_over: JobRow
    refunded_job: str
    forfeits: tuple[Forfeiture, ...]
    forfeited: int
    audits: dict[str, str]
    balances: tuple[BalanceRow, ...]
    contracts: tuple[ContractRow, ...]
    unstaking: int
    symbol: str
    decimals: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; amounts are decimal text."""
        value = asdict(self)
        for row in (*value["jobs"], value["taken_over"]):
            _as_text(row, "paid", "revenue", "platform", "price")
        for row in value["forfeits"]:
            _as_text(row, "amount", "bonus", "to_treasury", "to_burn")
        for row in value["balances"]:
            _as_text(row, "before", "after", "wallet", "credits", "stake")
        for row in value["contracts"]:
            _as_text(row, "tokens", "owed")
        _as_text(value, "forfeited", "unstaking")
        value["sum_before"], value["sum_after"] = (str(total) for total in self.sums)
        return value

    @property
    def sums(self) -> tuple[int, int]:
        """Everything held before and after; a tour in which they differ is refused."""
        return sum(row.before for row in self.balances), sum(row.after for row in self.balances)


def _as_text(row: dict[str, Any], *names: str) -> None:
    row.update({name: str(row[name]) for name in names})
