"""Rows of requests on tabs: each write is one transaction, on disk when the call returns.

What a tab still has to pay for is counted and added to under one lock, so that threads and processes that
share the database never promise a tab's money twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from zkml.adapters.database.engine import Database
from zkml.adapters.database.request_tables import REQUEST_KEYS, REQUEST_STAGES, SIGNED_REQUESTS
from zkml.errors import StorageError


@dataclass(frozen=True, slots=True)
class SignedRequestRow:
    """A request that a client signed on a tab.

    Attributes:
        id: the request's digest, as text of at most 71 characters.
        scope: the chain and market that the tab is on.
        tab_id: 0x and 64 digits, in lower case.
        nonce: the client's; each is used once on a tab.
        price: what settling it draws from the tab, in the payment token's smallest unit.
        expiry: chain time in seconds until which it can be settled.
        body: the request, as the caller writes it.
        state: what became of it.
        reason: why, or an empty string.
        failures: how often a stage of it failed.
        accepted_at: seconds, in whatever time the caller keeps.
        updated_at: the same, when `state` changed last.
    """

    id: str
    scope: str
    tab_id: str
    nonce: int
    price: int
    expiry: int
    body: bytes
    state: str
    reason: str
    failures: int
    accepted_at: int
    updated_at: int


class Acceptance(StrEnum):
    """What became of a request that was to be kept."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    """It is there already, and stays as it is."""
    NONCE_TAKEN = "nonce-taken"
    """Another request has its nonce on this tab."""
    OVERDRAWN = "overdrawn"
    """The tab has not enough left beside what it owes already."""


class RequestStore:
    """The tables of requests on tabs in a journal's database; made by `JournalStore.request_store`."""

    def __init__(self, database: Database, counted_states: Iterable[str]) -> None:
        """Use a database whose tables are made.

        Args:
            database: the journal's.
            counted_states: states in which a request's price still counts against its tab.
        """
        self._database = database
        self._counted = tuple(counted_states)

    def accept_if(self, row: SignedRequestRow, *, balance: int) -> Acceptance:
        """Keep a request if its nonce is free and its tab can pay for it beside all that are unsettled.

        Args:
            row: the request.
            balance: what is left on the tab, as the chain says.

        Raises:
            StorageError: the database refuses; nothing is kept.
        """
        with self._database.write() as connection:
            if self._find(connection, SIGNED_REQUESTS.c.id == row.id) is not None:
                return Acceptance.KNOWN
            same_nonce = and_(_on_tab(row.scope, row.tab_id), SIGNED_REQUESTS.c.nonce == str(row.nonce))
            if self._find(connection, same_nonce) is not None:
                return Acceptance.NONCE_TAKEN
            if self._exposure(connection, row.scope, row.tab_id) + row.price > balance:
                return Acceptance.OVERDRAWN
            connection.execute(insert(SIGNED_REQUESTS).values(**_values(row)))
            return Acceptance.ACCEPTED

    def exposure(self, scope: str, tab_id: str) -> int:
        """Return what a tab owes: the prices of its requests in the counted states."""
        found = self._database.rows(self._prices(scope, tab_id))
        return sum(int(row["price"]) for row in found)

    def row(self, request: str) -> SignedRequestRow | None:
        """Return a request, or None."""
        found = self._database.rows(select(SIGNED_REQUESTS).where(SIGNED_REQUESTS.c.id == request))
        return _row(found[0]) if found else None

    def rows(self, scope: str, states: Iterable[str] | None = None) -> list[SignedRequestRow]:
        """Return a market's requests, the first accepted first; of all states where None is given."""
        query = select(SIGNED_REQUESTS).where(SIGNED_REQUESTS.c.scope == scope)
        if states is not None:
            query = query.where(SIGNED_REQUESTS.c.state.in_(list(states)))
        ordered = query.order_by(SIGNED_REQUESTS.c.accepted_at, SIGNED_REQUESTS.c.id)
        return [_row(found) for found in self._database.rows(ordered)]

    def update(
        self,
        request: str,
        *,
        now: int,
        state: str | None = None,
        reason: str | None = None,
        failures: int | None = None,
        expected: Iterable[str] | None = None,
    ) -> bool:
        """Change what is noted of a request; None leaves a column as it is.

        Args:
            request: its id.
            now: seconds, kept as `updated_at`.
            state: what became of it.
            reason: why.
            failures: how often a stage failed.
            expected: change it only while it is in one of these states.

        Returns:
            Whether it was changed: it exists, and was in a state that was expected.
        """
        given = {"state": state, "reason": reason, "failures": failures}
        changes = {name: value for name, value in given.items() if value is not None}
        chosen = SIGNED_REQUESTS.c.id == request
        if expected is not None:
            chosen = and_(chosen, SIGNED_REQUESTS.c.state.in_(list(expected)))
        with self._database.write() as connection:
            changed = update(SIGNED_REQUESTS).where(chosen).values(updated_at=now, **changes)
            return bool(connection.execute(changed).rowcount)

    def stage(self, request: str, stage: str) -> bytes | None:
        """Return the filed output of a stage, or None."""
        chosen = and_(REQUEST_STAGES.c.request == request, REQUEST_STAGES.c.stage == stage)
        found = self._database.rows(select(REQUEST_STAGES.c.body).where(chosen))
        return bytes(found[0]["body"]) if found else None

    def stages(self, request: str) -> set[str]:
        """Return the names of the stages that are filed."""
        found = self._database.rows(select(REQUEST_STAGES.c.stage).where(REQUEST_STAGES.c.request == request))
        return {str(row["stage"]) for row in found}

    def add_stages(self, request: str, bodies: dict[str, bytes]) -> None:
        """File the outputs of stages, all or none of them.

        Raises:
            StorageError: one is filed already: two processes work on one request.
        """
        with self._database.write() as connection:
            chosen = and_(REQUEST_STAGES.c.request == request, REQUEST_STAGES.c.stage.in_(list(bodies)))
            if connection.execute(select(REQUEST_STAGES.c.stage).where(chosen)).first() is not None:
                raise StorageError(
                    f"expected to file {', '.join(bodies)} of {request} once, found it filed already",
                    hint="only one node may work on a journal's requests",
                )
            rows = [{"request": request, "stage": stage, "body": body} for stage, body in bodies.items()]
            connection.execute(insert(REQUEST_STAGES), rows)

    def remove_stage(self, request: str, stage: str) -> None:
        """Forget the output of a stage that turned out to be worthless."""
        chosen = and_(REQUEST_STAGES.c.request == request, REQUEST_STAGES.c.stage == stage)
        with self._database.write() as connection:
            connection.execute(delete(REQUEST_STAGES).where(chosen))

    def keep_key(
        self, scope: str, key: str, *, fingerprint: str, request: str, now: int
    ) -> tuple[str, str] | None:
        """Keep an idempotency key, unless it is kept already.

        Returns:
            None where it is new, else the fingerprint and the request that it was kept with.
        """
        chosen = and_(REQUEST_KEYS.c.scope == scope, REQUEST_KEYS.c.key == key)
        with self._database.write() as connection:
            found = connection.execute(select(REQUEST_KEYS).where(chosen)).mappings().first()
            if found is not None:
                return str(found["fingerprint"]), str(found["request"])
            values = {"scope": scope, "key": key, "fingerprint": fingerprint, "request": request}
            connection.execute(insert(REQUEST_KEYS).values(kept_at=now, **values))
            return None

    def key(self, scope: str, key: str) -> tuple[str, str] | None:
        """Return the fingerprint and the request that an idempotency key was kept with, or None."""
        chosen = and_(REQUEST_KEYS.c.scope == scope, REQUEST_KEYS.c.key == key)
        found = self._database.rows(select(REQUEST_KEYS).where(chosen))
        return (str(found[0]["fingerprint"]), str(found[0]["request"])) if found else None

    def forget_stages(self, scope: str, *, states: Iterable[str], updated_before: int) -> int:
        """Forget the outputs and keys of old requests, and return of how many; what they were stays.

        A nonce is never forgotten: a request that comes back must not be worked on again.

        Args:
            scope: the market.
            states: only requests in these states.
            updated_before: only requests whose state has not changed since, in seconds.
        """
        old = select(SIGNED_REQUESTS.c.id).where(
            SIGNED_REQUESTS.c.scope == scope,
            SIGNED_REQUESTS.c.state.in_(list(states)),
            SIGNED_REQUESTS.c.updated_at < updated_before,
        )
        stale = and_(REQUEST_KEYS.c.scope == scope, REQUEST_KEYS.c.kept_at < updated_before)
        known = select(SIGNED_REQUESTS.c.id).where(SIGNED_REQUESTS.c.scope == scope)
        with self._database.write() as connection:
            filed = select(REQUEST_STAGES.c.request).where(REQUEST_STAGES.c.request.in_(old)).distinct()
            count = len(connection.execute(filed).all())
            connection.execute(delete(REQUEST_STAGES).where(REQUEST_STAGES.c.request.in_(old)))
            unused = or_(REQUEST_KEYS.c.request.in_(old), REQUEST_KEYS.c.request.not_in(known))
            connection.execute(delete(REQUEST_KEYS).where(and_(stale, unused)))
        return count

    def forget_expired(self, scope: str, *, states: Iterable[str], expired_before: int) -> int:
        """Forget unpaid requests altogether, with outputs and keys, and return how many.

        Past its expiry a request is refused whoever brings it, so its nonce need not be remembered.

        Args:
            scope: the market.
            states: only requests in these states, none of which counts against a tab or was paid.
            expired_before: only requests that expired before, chain time in seconds.
        """
        unpaid = and_(
            SIGNED_REQUESTS.c.scope == scope,
            SIGNED_REQUESTS.c.state.in_(list(states)),
            SIGNED_REQUESTS.c.expiry < expired_before,
        )
        ids = select(SIGNED_REQUESTS.c.id).where(unpaid)
        with self._database.write() as connection:
            connection.execute(delete(REQUEST_STAGES).where(REQUEST_STAGES.c.request.in_(ids)))
            connection.execute(delete(REQUEST_KEYS).where(REQUEST_KEYS.c.request.in_(ids)))
            return connection.execute(delete(SIGNED_REQUESTS).where(unpaid)).rowcount

    def _prices(self, scope: str, tab_id: str) -> Select[tuple[str]]:
        owed = SIGNED_REQUESTS.c.state.in_(self._counted)
        return select(SIGNED_REQUESTS.c.price).where(and_(_on_tab(scope, tab_id), owed))

    def _exposure(self, connection: Connection, scope: str, tab_id: str) -> int:
        return sum(int(row.price) for row in connection.execute(self._prices(scope, tab_id)))

    @staticmethod
    def _find(connection: Connection, chosen: ColumnElement[bool]) -> object | None:
        return connection.execute(select(SIGNED_REQUESTS.c.id).where(chosen)).first()


def _on_tab(scope: str, tab_id: str) -> ColumnElement[bool]:
    return and_(SIGNED_REQUESTS.c.scope == scope, SIGNED_REQUESTS.c.tab_id == tab_id)


def _values(row: SignedRequestRow) -> dict[str, object]:
    values = {name: getattr(row, name) for name in SignedRequestRow.__slots__}
    return values | {"nonce": str(row.nonce), "price": str(row.price)}


def _row(found: RowMapping) -> SignedRequestRow:
    return SignedRequestRow(**{**found, "nonce": int(found["nonce"]), "price": int(found["price"])})
