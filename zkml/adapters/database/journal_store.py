"""Rows of a prover node's journal: each write is one transaction, on disk when the call returns.

Knows text, bytes and numbers only. What they mean is `prover_nodes.journal`'s business.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from zkml.adapters.database.engine import database_errors, open_engine, write
from zkml.adapters.database.journal_tables import (
    CURSORS,
    METADATA,
    REQUESTS,
    SCHEMA_VERSION,
    STAGES,
    TRANSACTIONS,
    VERSIONS,
)
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
    """A signed transaction; `abandoned` says why it can never be mined, or is empty."""

    request: str
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
        """Open the database and make the tables that are missing.

        Raises:
            ConfigError, ToolchainError: see `open_engine`.
            StorageError: the database does not answer, or its tables are of another version.
        """
        self._engine = open_engine(url)
        try:
            with write(self._engine) as connection:
                METADATA.create_all(connection)
                self._check_version(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scopes(self) -> list[str]:
        """Return every scope of the journal, in order."""
        found = self._rows(select(CURSORS.c.scope).union(select(REQUESTS.c.scope)))
        return sorted(str(row["scope"]) for row in found)

    def cursor(self, scope: str) -> int | None:
        """Return the block kept for `scope`, or None."""
        found = self._rows(select(CURSORS.c.block).where(CURSORS.c.scope == scope))
        return int(found[0]["block"]) if found else None

    def set_cursor(self, scope: str, block: int) -> None:
        """Keep a block for `scope`."""
        with write(self._engine) as connection:
            changed = connection.execute(
                update(CURSORS).where(CURSORS.c.scope == scope).values(block=block)
            ).rowcount
            if not changed:
                connection.execute(insert(CURSORS).values(scope=scope, block=block))

    def add_request(self, row: RequestRow) -> bool:
        """Keep a request; one that is there stays as it is. Says whether it is new."""
        with write(self._engine) as connection:
            if connection.execute(select(REQUESTS.c.digest).where(REQUESTS.c.digest == row.digest)).first():
                return False
            connection.execute(insert(REQUESTS).values(**_values(row)))
            return True

    def request(self, digest: str) -> RequestRow | None:
        """Return the request with this digest, or None."""
        found = self._rows(select(REQUESTS).where(REQUESTS.c.digest == digest))
        return RequestRow(**found[0]) if found else None

    def requests(self, scope: str | None, states: Iterable[str] | None = None) -> list[RequestRow]:
        """Return requests, oldest first; of all scopes or states where None is given."""
        query = select(REQUESTS).order_by(REQUESTS.c.opened_block, REQUESTS.c.job_id)
        if scope is not None:
            query = query.where(REQUESTS.c.scope == scope)
        if states is not None:
            query = query.where(REQUESTS.c.state.in_(list(states)))
        return [RequestRow(**row) for row in self._rows(query)]

    def update_request(self, digest: str, **values: str | int) -> None:
        """Change columns of a request: `state`, `reason`, `failures` or `claim_number`."""
        with write(self._engine) as connection:
            connection.execute(update(REQUESTS).where(REQUESTS.c.digest == digest).values(**values))

    def stage(self, request: str, claim_number: int, stage: str) -> bytes | None:
        """Return the filed output of a stage, or None."""
        found = self._rows(
            select(STAGES.c.body).where(
                STAGES.c.request == request, STAGES.c.claim_number == claim_number, STAGES.c.stage == stage
            )
        )
        return bytes(found[0]["body"]) if found else None

    def stages(self, request: str, claim_number: int) -> set[str]:
        """Return the names of the stages that are filed."""
        found = self._rows(
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
            with write(self._engine) as connection:
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
        with write(self._engine) as connection:
            connection.execute(
                STAGES.delete().where(
                    STAGES.c.request == request,
                    STAGES.c.claim_number == claim_number,
                    STAGES.c.stage == stage,
                )
            )

    def transactions(self, request: str, purpose: str) -> list[TransactionRow]:
        """Return the transactions signed for a purpose, oldest first."""
        query = select(TRANSACTIONS).where(
            TRANSACTIONS.c.request == request, TRANSACTIONS.c.purpose == purpose
        )
        return [TransactionRow(**row) for row in self._rows(query.order_by(TRANSACTIONS.c.attempt))]

    def add_transaction(self, row: TransactionRow) -> None:
        """Keep a signed transaction before anybody sees it."""
        with write(self._engine) as connection:
            connection.execute(insert(TRANSACTIONS).values(**_values(row)))

    def abandon_transaction(self, scope: str, transaction: str, reason: str) -> None:
        """Note why a transaction is not sent any more in `scope`."""
        of_scope = select(REQUESTS.c.digest).where(REQUESTS.c.scope == scope)
        chosen = update(TRANSACTIONS).where(
            TRANSACTIONS.c.hash == transaction, TRANSACTIONS.c.request.in_(of_scope)
        )
        with write(self._engine) as connection:
            connection.execute(chosen.values(abandoned=reason))

    def _rows(self, query: Any) -> list[RowMapping]:
        with database_errors(self._engine), self._engine.connect() as connection:
            return list(connection.execute(query).mappings())

    def _check_version(self, connection: Connection) -> None:
        found = connection.execute(select(func.max(VERSIONS.c.version))).scalar()
        if found is None:
            connection.execute(insert(VERSIONS).values(version=SCHEMA_VERSION))
        elif found != SCHEMA_VERSION:
            raise StorageError(
                f"expected a journal of version {SCHEMA_VERSION}, found version {found}",
                hint="use the zkml that wrote it, or another journal once its jobs are settled",
            )


def _values(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__slots__}
