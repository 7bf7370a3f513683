"""Rows of a prover node's journal: each write is one transaction, on disk when the call returns.

Knows text, bytes and numbers only. What they mean is `prover_nodes.journal`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from zkml.adapters.database.journal_tables import BLOCKS, CURSORS, REQUESTS, STAGES, TRANSACTIONS
from zkml.adapters.database.request_store import RequestStore
from zkml.adapters.database.schema import open_database
from zkml.errors import StorageError


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A job the node has seen.

    Attributes:
        digest: of the request.
        scope: the chain and market it is on.
        job_id: 0x and 64 digits.
        opened_block: height of its opening.
        body: the request's bytes.
        claim_number: which claim of it is being worked on; the first is 1.
        state: what became of it.
        reason: why, or an empty string.
        failures: how often a stage failed through the job's own fault.
    """

    digest: str
    scope: str
    job_id: str
    opened_block: int
    body: bytes
    claim_number: int
    state: str
    reason: str
    failures: int


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A signed transaction.

    Attributes:
        scope: the market.
        key: what it is sent for: the digest of a job's request, or the id of a request on a tab.
        purpose: which step of that.
        attempt: the first is 1; those of one nonce replace each other.
        hash: 0x and 64 digits.
        raw: its bytes.
        sender: checksummed address.
        nonce: the sender's.
        what: for people.
        abandoned: why it is not sent any more, or an empty string.
    """

    scope: str
    key: str
    purpose: str
    attempt: int
    hash: str
    raw: bytes
    sender: str
    nonce: int
    what: str
    abandoned: str


class JournalStore:
    """The journal's tables in one database."""

    def __init__(self, url: str) -> None:
        """Open the database and make the tables that are missing; raises as `open_database` does."""
        self._database = open_database(url)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def request_store(self, counted_states: Iterable[str]) -> RequestStore:
        """Return the requests on tabs that this database keeps; see `RequestStore`."""
        return RequestStore(self._database, counted_states)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scopes(self) -> list[str]:
        """Return every scope of the journal, in order."""
        found = self._database.rows(select(CURSORS.c.scope).union(select(REQUESTS.c.scope)))
        return sorted(str(row["scope"]) for row in found)

    def cursor(self, scope: str) -> int | None:
        """Return the block kept for `scope`, or None."""
        found = self._database.rows(select(CURSORS.c.block).where(CURSORS.c.scope == scope))
        return int(found[0]["block"]) if found else None

    def advance(
        self,
        scope: str,
        block: int,
        *,
        hashes: dict[int, str],
        above: int,
        keep: int,
        added: Iterable[RequestRow],
        changed: Mapping[Any, tuple[str, str]],
    ) -> int:
        """Keep what was read of the chain, all or nothing of it.

        Args:
            scope: the market.
            block: height up to which it was read.
            hashes: of blocks that were read, by height.
            above: kept hashes of higher blocks are forgotten.
            keep: how many hashes to keep.
            added: requests; one that is there stays as it is.
            changed: state and reason of requests by digest.

        Returns:
            How many requests are new.
        """
        with self._database.write() as connection:
            new = sum(_add_request(connection, row) for row in added)
            for digest, (state, reason) in changed.items():
                marked = update(REQUESTS).where(REQUESTS.c.digest == digest)
                connection.execute(marked.values(state=state, reason=reason))
            stale = or_(BLOCKS.c.number > above, BLOCKS.c.number <= block - keep)
            connection.execute(delete(BLOCKS).where(BLOCKS.c.scope == scope, stale))
            rows = [{"scope": scope, "number": height, "hash": found} for height, found in hashes.items()]
            if rows:
                connection.execute(insert(BLOCKS), rows)
            _set_cursor(connection, scope, block)
            return new

    def blocks(self, scope: str) -> dict[int, str]:
        """Return the kept hashes of blocks by height, lowest first."""
        query = select(BLOCKS).where(BLOCKS.c.scope == scope).order_by(BLOCKS.c.number)
        return {int(row["number"]): str(row["hash"]) for row in self._database.rows(query)}

    def set_cursor(self, scope: str, block: int) -> None:
        """Keep a block for `scope`."""
        with self._database.write() as connection:
            _set_cursor(connection, scope, block)

    def add_request(self, row: RequestRow) -> bool:
        """Keep a request; one that is there stays as it is. Says whether it is new."""
        with self._database.write() as connection:
            return _add_request(connection, row)

    def request(self, digest: str) -> RequestRow | None:
        """Return the request with this digest, or None."""
        found = self._database.rows(select(REQUESTS).where(REQUESTS.c.digest == digest))
        return RequestRow(**found[0]) if found else None

    def requests(
        self, scope: str | None, states: Iterable[str] | None = None, *, job_id: str | None = None
    ) -> list[RequestRow]:
        """Return requests, oldest first; of all scopes, states or jobs where None is given."""
        query = select(REQUESTS).order_by(REQUESTS.c.opened_block, REQUESTS.c.job_id)
        if job_id is not None:
            query = query.where(REQUESTS.c.job_id == job_id)
        if scope is not None:
            query = query.where(REQUESTS.c.scope == scope)
        if states is not None:
            query = query.where(REQUESTS.c.state.in_(list(states)))
        return [RequestRow(**row) for row in self._database.rows(query)]

    def update_request(self, digest: str, **values: str | int) -> None:
        """Change columns of a request: `state`, `reason`, `failures` or `claim_number`."""
        with self._database.write() as connection:
            connection.execute(update(REQUESTS).where(REQUESTS.c.digest == digest).values(**values))

    def stage(self, request: str, claim_number: int, stage: str) -> bytes | None:
        """Return the filed output of a stage, or None."""
        found = self._database.rows(
            select(STAGES.c.body).where(
                STAGES.c.request == request, STAGES.c.claim_number == claim_number, STAGES.c.stage == stage
            )
        )
        return bytes(found[0]["body"]) if found else None

    def stages(self, request: str, claim_number: int) -> set[str]:
        """Return the names of the stages that are filed."""
        found = self._database.rows(
            select(STAGES.c.stage).where(STAGES.c.request == request, STAGES.c.claim_number == claim_number)
        )
        return {str(row["stage"]) for row in found}

    def add_stages(self, request: str, claim_number: int, bodies: dict[str, bytes]) -> None:
        """File the outputs of stages, all or none of them.

        Raises:
            StorageError: one is filed already: two processes work on one journal.
        """
        rows = [
            {"request": request, "claim_number": claim_number, "stage": stage, "body": body}
            for stage, body in bodies.items()
        ]
        try:
            with self._database.write() as connection:
                connection.execute(insert(STAGES), rows)
        except StorageError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StorageError(
                    f"expected to file {', '.join(bodies)} of {request} once, found it filed already",
                    hint="only one node may use a journal",
                ) from error
            raise

    def remove_stage(self, request: str, claim_number: int, stage: str) -> None:
        """Forget the output of a stage that turned out to be worthless."""
        with self._database.write() as connection:
            connection.execute(
                STAGES.delete().where(
                    STAGES.c.request == request,
                    STAGES.c.claim_number == claim_number,
                    STAGES.c.stage == stage,
                )
            )

    def transactions(self, scope: str, key: str, purpose: str) -> list[TransactionRow]:
        """Return the transactions signed for a purpose, oldest first."""
        chosen = and_(
            TRANSACTIONS.c.scope == scope, TRANSACTIONS.c.key == key, TRANSACTIONS.c.purpose == purpose
        )
        return self._transactions(select(TRANSACTIONS).where(chosen).order_by(TRANSACTIONS.c.attempt))

    def transactions_from(self, scope: str, sender: str, nonce: int) -> list[TransactionRow]:
        """Return an account's transactions of this nonce and higher ones, by nonce, then oldest first."""
        chosen = and_(
            TRANSACTIONS.c.scope == scope, TRANSACTIONS.c.sender == sender, TRANSACTIONS.c.nonce >= nonce
        )
        order = (TRANSACTIONS.c.nonce, TRANSACTIONS.c.attempt)
        return self._transactions(select(TRANSACTIONS).where(chosen).order_by(*order))

    def add_transaction(self, row: TransactionRow) -> None:
        """Keep a signed transaction before anybody sees it, as the next attempt of its purpose."""
        of_purpose = and_(
            TRANSACTIONS.c.scope == row.scope,
            TRANSACTIONS.c.key == row.key,
            TRANSACTIONS.c.purpose == row.purpose,
        )
        with self._database.write() as connection:
            last = connection.execute(select(func.max(TRANSACTIONS.c.attempt)).where(of_purpose)).scalar()
            values = _values(row) | {"attempt": (last or 0) + 1}
            connection.execute(insert(TRANSACTIONS).values(**values))

    def abandon_transaction(self, scope: str, transaction: str, reason: str) -> None:
        """Note why a transaction is not sent any more in `scope`."""
        chosen = and_(TRANSACTIONS.c.scope == scope, TRANSACTIONS.c.hash == transaction)
        with self._database.write() as connection:
            connection.execute(update(TRANSACTIONS).where(chosen).values(abandoned=reason))

    def _transactions(self, query: Select[Any]) -> list[TransactionRow]:
        return [TransactionRow(**row) for row in self._database.rows(query)]


def _add_request(connection: Connection, row: RequestRow) -> bool:
    if connection.execute(select(REQUESTS.c.digest).where(REQUESTS.c.digest == row.digest)).first():
        return False
    connection.execute(insert(REQUESTS).values(**_values(row)))
    return True


def _set_cursor(connection: Connection, scope: str, block: int) -> None:
    moved = update(CURSORS).where(CURSORS.c.scope == scope).values(block=block)
    if not connection.execute(moved).rowcount:
        connection.execute(insert(CURSORS).values(scope=scope, block=block))


def _values(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__slots__}
