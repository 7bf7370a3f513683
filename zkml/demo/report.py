"""What the demo found, as one object and as text."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JobRow:
    """One paid job.

    Attributes:
        job_id: 0x and 64 digits.
        label: the digit that the image shows.
        predicted: the digit that the proved output says.
        prove_seconds: wall time of the proof.
        gas: of the settling transaction.
        paid: credited in that transaction, in the token's smallest unit.
        transaction: the settling transaction.
    """

    job_id: str
    label: int
    predicted: int
    prove_seconds: float
    gas: int
    paid: int
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
class BalanceRow:
    """What one account holds, in the token's smallest unit."""

    account: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The whole tour."""

    float_accuracy: float
    circuit_accuracy: float
    circuit: str
    srs: str
    srs_is_secure: bool
    chain_id: int
    endpoint: str
    model_id: str
    jobs: tuple[JobRow, ...]
    attempts: tuple[Attempt, ...]
    cheated_job: str
    forfeited: int
    audits: dict[str, str]
    balances: tuple[BalanceRow, ...]
    symbol: str
    decimals: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; amounts are decimal text."""
        value = asdict(self)
        for row in value["jobs"]:
            row["paid"] = str(row["paid"])
        for row in value["balances"]:
            row.update(before=str(row["before"]), after=str(row["after"]))
        value["forfeited"] = str(self.forfeited)
        value["sum_before"], value["sum_after"] = (str(total) for total in self.sums)
        return value

    @property
    def sums(self) -> tuple[int, int]:
        """Everything held before and after; a tour in which they differ is refused."""
        return sum(row.before for row in self.balances), sum(row.after for row in self.balances)
