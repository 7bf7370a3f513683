"""What became of jobs: one outcome for each, and a report of a round."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zkml.core.records import SettlementRecord
from zkml.errors import ZkmlError


class OutcomeKind(StrEnum):
    """What a round did with one job."""

    SETTLED = "settled"
    SKIPPED = "skipped"
    DELAYED = "delayed"
    """A stage failed in a way that may pass; the next round goes on there."""
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a round did with one job.

    Attributes:
        job_id: 0x and 64 digits.
        kind: what.
        reason: why it was skipped, delayed or given up; else empty.
        settlement: its settlement, where it has one.
        error: what a stage raised, or None.
    """

    job_id: str
    kind: OutcomeKind
    reason: str = ""
    settlement: SettlementRecord | None = None
    error: ZkmlError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        settlement = self.settlement
        return {
            "job": self.job_id,
            "outcome": str(self.kind),
            "reason": self.reason,
            "transaction": settlement.transaction if settlement else None,
            "gas_used": settlement.gas_used if settlement else None,
            "fee": settlement.prover_fee if settlement else None,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one round did.

    Attributes:
        seen: jobs that were new to the node.
        outcomes: one for each job it looked at.
    """

    seen: int
    outcomes: tuple[JobOutcome, ...]

    @property
    def settled(self) -> tuple[JobOutcome, ...]:
        """The jobs that are settled now and were not before."""
        return tuple(outcome for outcome in self.outcomes if outcome.kind is OutcomeKind.SETTLED)

    @property
    def skips(self) -> dict[str, int]:
        """How many jobs were left alone, by code."""
        skipped = (outcome for outcome in self.outcomes if outcome.kind is OutcomeKind.SKIPPED)
        return dict(sorted(Counter(outcome.reason.partition(":")[0] for outcome in skipped).items()))

    def raise_first_error(self) -> None:
        """Raise the first error of the round, if there was one: for a command about named jobs.

        Raises:
            ZkmlError: what a stage raised.
        """
        for outcome in self.outcomes:
            if outcome.error is not None:
                raise outcome.error

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "seen": self.seen,
            "settled": len(self.settled),
            "skipped": self.skips,
            "jobs": [outcome.as_json() for outcome in self.outcomes],
        }
