"""The node's memory: what it has seen, what each stage gave, and what it has signed.

Any number of threads may use it. A stage's output is filed under (request digest, claim number, stage)
before the next stage begins, and a transaction before it is broadcast. After a kill at any point the node
reads here where it stood.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeVar

from zkml.adapters.database.engine import sqlite_url
from zkml.adapters.database.journal_store import JournalStore, RequestRow, TransactionRow
from zkml.adapters.database.request_store import RequestStore
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.core.digests import Digest, parse_digest
from zkml.core.records import ClaimRecord, JobRequest, ProofRecord, Record

AnyRecord = TypeVar("AnyRecord", bound=Record)

KEPT_BLOCKS = 64
"""Hashes of the latest blocks that are kept: a reorg that is deeper is read anew from the deployment on."""


class Stage(StrEnum):
    """The stages whose output is filed, in their order. A check files nothing: it is done again."""

    FETCH = "fetch"
    WITNESS = "witness"
    CLAIM = "claim"
    PROVE = "prove"
    SETTLE = "settle"


class Purpose(StrEnum):
    """What a transaction is for; of each purpose of a subject, at most one is mined with success.

    But where stake that was added for a job went into another: then it is added again.
    """

    REGISTER = "register"
    APPROVE = "approve"
    STAKE = "stake"
    CLAIM = "claim"
    RECLAIM = "reclaim"
    SETTLE = "settle"
    SETTLE_SIGNED = "settle-signed"
    OPEN_TAB = "open-tab"
    WITHDRAW = "withdraw"
    ENDPOINT = "endpoint"
    FILL = "fill"
    """It does nothing, in a nonce that nobody uses and that others wait behind."""


class CaseState(StrEnum):
    """What became of a job."""

    WAITING = "waiting"
    """Seen; no collateral of ours is in it. It is looked at again in each round."""
    WORKING = "working"
    """A claim was begun: collateral is, or may be, at stake."""
    SETTLED = "settled"
    """Proved and paid."""
    CLOSED = "closed"
    """Nothing more is to be done about it; the reason says why."""


UNFINISHED = (CaseState.WORKING, CaseState.WAITING)


@dataclass(frozen=True, slots=True)
class Case:
    """A job in the journal.

    Attributes:
        request: the job as it was opened.
        digest: of the request.
        claim_number: which claim of it is being worked on; the first is 1.
        state: what became of it.
        reason: the code of a skip or an error, and a note; or an empty string.
        failures: how often a stage failed through the job's own fault.
    """

    request: JobRequest
    digest: Digest
    claim_number: int
    state: CaseState
    reason: str
    failures: int


Subject = Case | str
"""What transactions are sent for: a job, or the digest or id of anything else, of at most 71 characters."""


@dataclass(frozen=True, slots=True)
class KeptTransaction:
    """A transaction in the journal, with what it is for."""

    key: str
    purpose: str
    signed: SignedTransaction


class Journal:
    """The journal of one node on one market.

    Attributes:
        scope: the market; requests of others are not seen.
    """

    def __init__(self, store: JournalStore, scope: str) -> None:
        self._store = store
        self.scope = scope

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def cursor(self) -> int | None:
        """Height up to which the chain was read, or None."""
        return self._store.cursor(self.scope)

    def move_cursor(self, block: int) -> None:
        """Keep the height up to which the chain was read."""
        self._store.set_cursor(self.scope, block)

    def blocks(self) -> dict[int, str]:
        """Return the hashes of the latest blocks that were read, by height, lowest first."""
        return self._store.blocks(self.scope)

    def advance(
        self,
        block: int,
        *,
        hashes: dict[int, str],
        above: int,
        requests: Iterable[JobRequest],
        changes: Mapping[Digest, tuple[CaseState, str]],
    ) -> int:
        """Keep what was read of the chain, all or nothing of it.

        Args:
            block: height up to which it was read.
            hashes: of the blocks that were read, by height.
            above: the last block that was read before and is still there.
            requests: jobs that were found.
            changes: state and reason of cases, old or new, by digest.

        Returns:
            How many jobs are new.
        """
        return self._store.advance(
            self.scope,
            block,
            hashes=hashes,
            above=above,
            keep=KEPT_BLOCKS,
            added=[self._row(request) for request in requests],
            changed=changes,
        )

    def request_store(self, counted_states: Iterable[str]) -> RequestStore:
        """Return the requests on tabs that are kept beside the jobs; see `RequestStore`."""
        return self._store.request_store(counted_states)

    def add(self, request: JobRequest) -> bool:
        """Keep a request that was seen; says whether it is new."""
        return self._store.add_request(self._row(request))

    def case(self, digest: str) -> Case:
        """Return the case of a request that was added."""
        row = self._store.request(digest)
        if row is None:
            raise LookupError(f"no request {digest} in the journal")
        return _case(row)

    def cases(self, states: tuple[CaseState, ...] = tuple(CaseState)) -> list[Case]:
        """Return cases in the order of `states`, and within a state oldest first."""
        found = [_case(row) for row in self._store.requests(self.scope, states)]
        return sorted(found, key=lambda case: states.index(case.state))

    def case_of(self, job_id: str) -> Case:
        """Return the case of a job; the furthest one, where a reorg opened the job in two blocks."""
        order = (CaseState.SETTLED, CaseState.WORKING, CaseState.WAITING, CaseState.CLOSED)
        found = [_case(row) for row in self._store.requests(self.scope, job_id=job_id)]
        if not found:
            raise LookupError(f"no job {job_id} in the journal")
        return min(found, key=lambda case: order.index(case.state))

    def mark(self, case: Case, state: CaseState, reason: str = "") -> None:
        """Note what became of a job."""
        self._store.update_request(case.digest, state=state, reason=reason)

    def count_failure(self, case: Case) -> int:
        """Count a failure through the job's own fault, and return how many there were."""
        failures = self.case(case.digest).failures + 1
        self._store.update_request(case.digest, failures=failures)
        return failures

    def read(self, case: Case, stage: Stage, kind: type[AnyRecord]) -> AnyRecord | None:
        """Return the filed output of a stage, or None.

        Raises:
            FormatError: the journal holds something else there.
        """
        body = self._store.stage(case.digest, case.claim_number, stage)
        return None if body is None else kind.from_bytes(body, where=f"stage {stage} in the journal")

    def has(self, case: Case, stage: Stage) -> bool:
        """Say whether the output of a stage is filed."""
        return stage in self._store.stages(case.digest, case.claim_number)

    def file(self, case: Case, stage: Stage, record: Record) -> None:
        """File the output of a stage, once.

        Raises:
            StorageError: the database refuses, or it is filed already.
        """
        self._store.add_stages(case.digest, case.claim_number, {stage: record.to_bytes()})

    def discard(self, case: Case, stage: Stage) -> None:
        """Forget the output of a stage that turned out to be worthless."""
        self._store.remove_stage(case.digest, case.claim_number, stage)

    def begin_claim(self, case: Case, claim: ClaimRecord) -> Case:
        """Go on under another claim, after a reorg undid the one that was filed.

        What was made before stays good: the witness depends on the input alone, and a proof on the job and
        its payee. So they are carried over, the proof under the name of its new parent.
        """
        number = case.claim_number + 1
        claim = claim.model_copy(update={"claim_number": number})
        carried = {
            str(stage): body
            for stage in (Stage.FETCH, Stage.WITNESS)
            if (body := self._store.stage(case.digest, case.claim_number, stage)) is not None
        }
        carried[Stage.CLAIM] = claim.to_bytes()
        proof = self.read(case, Stage.PROVE, ProofRecord)
        if proof is not None:
            carried[Stage.PROVE] = proof.model_copy(update={"claim": claim.own_digest}).to_bytes()
        self._store.add_stages(case.digest, number, carried)
        self._store.update_request(case.digest, claim_number=number)
        return self.case(case.digest)

    def last_transaction(self, subject: Subject, purpose: str) -> SignedTransaction | None:
        """Return the latest transaction signed for a purpose, unless it was abandoned."""
        attempts = self.attempts(subject, purpose)
        return attempts[-1] if attempts else None

    def attempts(self, subject: Subject, purpose: str) -> list[SignedTransaction]:
        """Return the transactions of a purpose that share the nonce of the latest one, oldest first.

        They replace each other: at most one of them is ever mined. None where the latest was abandoned.
        """
        rows = self._store.transactions(self.scope, _key(subject), purpose)
        if not rows or rows[-1].abandoned:
            return []
        last = rows[-1].nonce
        return [_signed(row) for row in rows if row.nonce == last and not row.abandoned]

    def abandoned_nonces(self, subject: Subject, purpose: str, sender: str) -> set[int]:
        """Return the nonces of abandoned transactions of a purpose, spent or not."""
        rows = self._store.transactions(self.scope, _key(subject), purpose)
        return {row.nonce for row in rows if row.abandoned and row.sender == sender}

    def in_flight(self, sender: str, nonce: int) -> list[KeptTransaction]:
        """Return an account's transactions of this nonce and higher ones, but abandoned ones, by nonce."""
        return [
            KeptTransaction(row.key, row.purpose, _signed(row))
            for row in self._store.transactions_from(self.scope, sender, nonce)
            if not row.abandoned
        ]

    def keep_transaction(self, subject: Subject, purpose: str, signed: SignedTransaction) -> None:
        """Keep a signed transaction before it is broadcast."""
        self._store.add_transaction(
            TransactionRow(
                scope=self.scope,
                key=_key(subject),
                purpose=purpose,
                attempt=0,
                hash=signed.transaction,
                raw=signed.raw,
                sender=signed.sender,
                nonce=signed.nonce,
                what=signed.what,
                abandoned="",
            )
        )

    def abandon_transaction(self, signed: SignedTransaction, reason: str) -> None:
        """Note why a transaction is not sent any more: it can have no effect."""
        self._store.abandon_transaction(self.scope, signed.transaction, reason)

    def _row(self, request: JobRequest) -> RequestRow:
        return RequestRow(
            digest=request.own_digest,
            scope=self.scope,
            job_id=request.job_id,
            opened_block=request.opened_block,
            body=request.to_bytes(),
            claim_number=1,
            state=CaseState.WAITING,
            reason="",
            failures=0,
        )


def open_journal(location: Path | str, scope: str) -> Journal:
    """Open the journal of a market, or make it.

    Args:
        location: a SQLite file, or a database URL.
        scope: `Market.scope`.

    Raises:
        StorageError: it cannot be read or written, or is of another version.
        ConfigError: no database URL.
    """
    return Journal(open_store(location), scope)


def open_store(location: Path | str) -> JournalStore:
    """Open the tables of a journal; see `open_journal`."""
    return JournalStore(sqlite_url(location) if isinstance(location, Path) else location)


def _key(subject: Subject) -> str:
    return subject.digest if isinstance(subject, Case) else subject


def _signed(row: TransactionRow) -> SignedTransaction:
    return SignedTransaction(row.hash, row.raw, row.sender, row.nonce, row.what)


def _case(row: RequestRow) -> Case:
    return Case(
        request=JobRequest.from_bytes(row.body, where=f"request {row.digest} in the journal"),
        digest=parse_digest(row.digest),
        claim_number=row.claim_number,
        state=CaseState(row.state),
        reason=row.reason,
        failures=row.failures,
    )
