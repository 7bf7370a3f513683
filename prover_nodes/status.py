"""What the journal says about the node's jobs; asks no chain."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prover_nodes.journal import Case, CaseState, Journal, Purpose, Stage, open_store
from zkml.core.records import SettlementRecord


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """One job.

    Attributes:
        job_id: 0x and 64 digits.
        state: what became of it.
        stage: the last stage that is filed, or an empty string.
        reason: why it was left alone or delayed, or an empty string.
        fee: what it paid, or offers at most, in the token's smallest unit, as decimal text.
        deadline: chain time in seconds.
        failures: how often a stage failed through the job's own fault.
        transactions: hash of the latest transaction by purpose.
    """

    job_id: str
    state: str
    stage: str
    reason: str
    fee: str
    deadline: int
    failures: int
    transactions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the job as plain values."""
        return {name: getattr(self, name) for name in CaseStatus.__slots__}


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """All jobs that the node has seen.

    Attributes:
        counts: jobs by state.
        skips: jobs that are not settled, by the code of the reason.
        earned: fees of settled jobs, in the token's smallest unit.
        block: height up to which the chain was read, or None.
        cases: one for each job: those at work first, then waiting, settled and closed.
        requests: requests on tabs by state.
    """

    counts: dict[str, int]
    skips: dict[str, int]
    earned: int
    block: int | None
    cases: tuple[CaseStatus, ...]
    requests: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the status as plain values."""
        return {
            "counts": self.counts,
            "reasons": self.skips,
            "earned": str(self.earned),
            "block": self.block,
            "jobs": [case.as_json() for case in self.cases],
            "requests": self.requests,
        }


def read_status(journal: Journal) -> NodeStatus:
    """Sum up a journal.

    Raises:
        StorageError: the journal cannot be read.
    """
    order = (CaseState.WORKING, CaseState.WAITING, CaseState.SETTLED, CaseState.CLOSED)
    cases = journal.cases(order)
    states = Counter(str(case.state) for case in cases)
    reasons = Counter(case.reason.partition(":")[0] for case in cases if case.reason)
    return NodeStatus(
        counts={str(state): states[state] for state in order},
        skips=dict(sorted(reasons.items())),
        earned=sum(_fee(journal, case) for case in cases if case.state is CaseState.SETTLED),
        block=journal.cursor,
        cases=tuple(_case_status(journal, case) for case in cases),
        requests=dict(
            sorted(Counter(row.state for row in journal.request_store(()).rows(journal.scope)).items())
        ),
    )


def read_all_statuses(location: Path | str) -> list[tuple[str, NodeStatus]]:
    """Sum up every market of a journal, by scope; none where there is no journal yet.

    Args:
        location: a SQLite file, or a database URL.

    Raises:
        StorageError: the journal cannot be read, or is of another version.
        ConfigError: no database URL.
    """
    if isinstance(location, Path) and not location.exists():
        return []
    with open_store(location) as store:
        return [(scope, read_status(Journal(store, scope))) for scope in store.scopes()]


def _fee(journal: Journal, case: Case) -> int:
    settled = journal.read(case, Stage.SETTLE, SettlementRecord)
    return int(case.request.max_prover_fee if settled is None else settled.prover_fee)


def _case_status(journal: Journal, case: Case) -> CaseStatus:
    filed = [str(stage) for stage in Stage if journal.has(case, stage)]
    signed = {str(purpose): journal.last_transaction(case, purpose) for purpose in Purpose}
    return CaseStatus(
        job_id=case.request.job_id,
        state=str(case.state),
        stage=filed[-1] if filed else "",
        reason=case.reason,
        fee=str(_fee(journal, case)),
        deadline=case.request.deadline,
        failures=case.failures,
        transactions={purpose: found.transaction for purpose, found in signed.items() if found},
    )
