"""The node's memory of requests on tabs, in the database of its journal."""

import hashlib
from collections.abc import Iterable, Mapping

from prover_nodes.direct.requests import (
    UNSETTLED,
    AcceptedRequest,
    RequestCase,
    RequestStage,
    RequestState,
)
from prover_nodes.journal import AnyRecord
from zkml.adapters.database.request_store import Acceptance, RequestStore, SignedRequestRow
from zkml.core.digests import canonical_json
from zkml.core.records import Record, to_hex
from zkml.core.signed_requests import request_digest
from zkml.errors import RequestRefusedError, TabRefusedError

UNPAID = (RequestState.REFUSED, RequestState.FAILED)
FINISHED = (RequestState.SETTLED, *UNPAID)


class RequestJournal:
    """Requests of one market, with what their stages gave."""

    def __init__(self, store: RequestStore, scope: str) -> None:
        """Use the tables of a database.

        Args:
            store: of the journal; it counts the states of `requests.UNSETTLED`.
            scope: the market; requests of others are not seen.
        """
        self._store = store
        self._scope = scope

    def accept(self, accepted: AcceptedRequest, *, balance: int) -> bool:
        """Keep a request, if its tab can pay for it beside all that is unsettled; say whether it is new.

        Args:
            accepted: the request.
            balance: what is left on the tab, as the chain says.

        Raises:
            TabRefusedError: the tab owes too much already, or the nonce is another request's.
            StorageError: nothing was kept.
        """
        request = accepted.request
        now = accepted.accepted_at
        row = SignedRequestRow(
            id=to_hex(digest_of(accepted)),
            scope=self._scope,
            tab_id=request.tab_id,
            nonce=int(request.nonce),
            price=int(accepted.price),
            expiry=request.expiry,
            body=accepted.to_bytes(),
            state=RequestState.WAITING,
            reason="",
            failures=0,
            accepted_at=now,
            updated_at=now,
        )
        outcome = self._store.accept_if(row, balance=balance)
        if outcome is Acceptance.NONCE_TAKEN:
            raise TabRefusedError(
                f"expected an unused nonce, found {request.nonce} signed for another request on tab "
                f"{request.tab_id}",
                hint="sign the request again with another nonce",
            )
        if outcome is Acceptance.OVERDRAWN:
            raise TabRefusedError(
                f"expected {accepted.price} free on tab {request.tab_id}, "
                f"found {balance} less {self.exposure(request.tab_id)} for requests under way",
                hint="wait until they are settled, or open another tab",
            )
        return outcome is Acceptance.ACCEPTED

    def exposure(self, tab_id: str) -> int:
        """Return the prices of all unsettled requests of a tab together."""
        return self._store.exposure(self._scope, tab_id)

    def find(self, request: str) -> RequestCase | None:
        """Return a request by its id, or None."""
        row = self._store.row(request)
        return None if row is None or row.scope != self._scope else _case(row)

    def case(self, request: str) -> RequestCase:
        """Return a request that is known to be there."""
        found = self.find(request)
        if found is None:
            raise LookupError(f"no request {request} in the journal")
        return found

    def cases(self, states: Iterable[RequestState]) -> list[RequestCase]:
        """Return the requests in some states, the first accepted first."""
        return [_case(row) for row in self._store.rows(self._scope, states)]

    def prices_of(self, tab_id: str) -> list[tuple[int, int]]:
        """Return nonce and price of each unsettled request of a tab."""
        rows = self._store.rows(self._scope, UNSETTLED)
        return [(row.nonce, row.price) for row in rows if row.tab_id == tab_id]

    def unsettled(self) -> list[RequestCase]:
        """Return what a restarted node goes on with: what is proved first."""
        found = self.cases(UNSETTLED)
        return sorted(found, key=lambda case: case.state is not RequestState.PROVED)

    def mark(
        self,
        case: RequestCase,
        state: RequestState,
        *,
        now: int,
        reason: str = "",
        expected: Iterable[RequestState] | None = None,
    ) -> bool:
        """Note what became of a request, and say whether it was in one of the states that were expected."""
        return self._store.update(case.id, now=now, state=state, reason=reason, expected=expected)

    def note(self, case: RequestCase, reason: str, *, now: int) -> None:
        """Note the last trouble of a request that goes on."""
        self._store.update(case.id, now=now, reason=reason)

    def count_failure(self, case: RequestCase, *, now: int) -> int:
        """Count a failure, and return how many there were."""
        failures = self.case(case.id).failures + 1
        self._store.update(case.id, now=now, failures=failures)
        return failures

    def read(self, case: RequestCase, stage: RequestStage, kind: type[AnyRecord]) -> AnyRecord | None:
        """Return the filed output of a stage, or None.

        Raises:
            FormatError: the journal holds something else there.
        """
        body = self._store.stage(case.id, stage)
        return None if body is None else kind.from_bytes(body, where=f"stage {stage} of {case.id}")

    def stages(self, case: RequestCase) -> tuple[str, ...]:
        """Return the names of the stages that are filed, in their order."""
        filed = self._store.stages(case.id)
        return tuple(stage.value for stage in RequestStage if stage in filed)

    def file(self, case: RequestCase, stage: RequestStage, record: Record) -> None:
        """File the output of a stage, once.

        Raises:
            StorageError: the database refuses, or it is filed already.
        """
        self._store.add_stages(case.id, {stage: record.to_bytes()})

    def discard(self, case: RequestCase, stage: RequestStage) -> None:
        """Forget the output of a stage that turned out to be worthless."""
        self._store.remove_stage(case.id, stage)

    def keep_key(self, key: str, fingerprint: str, request: str, *, now: int) -> None:
        """Tie an idempotency key to a request.

        Args:
            key: the client's, with whatever tells its clients apart.
            fingerprint: of everything that was sent with it.
            request: the request's id.
            now: chain time in seconds.

        Raises:
            RequestRefusedError: the key came with something else before.
        """
        kept = self._store.keep_key(self._scope, key, fingerprint=fingerprint, request=request, now=now)
        if kept not in (None, (fingerprint, request)):
            raise RequestRefusedError(
                "expected the request that this idempotency key came with first, found another one",
                hint="take a new key for a new request",
                key_reused=True,
            )

    def forget(self, *, before: int) -> int:
        """Forget what no client can ask for any more; else each unpaid request would grow the journal.

        Args:
            before: chain time in seconds. Of requests that ended before it, outputs and proofs go; those that
                were not paid and expired before it go altogether.

        Returns:
            Of how many requests something was forgotten.
        """
        gone = self._store.forget_expired(self._scope, states=UNPAID, expired_before=before)
        return gone + self._store.forget_stages(self._scope, states=FINISHED, updated_before=before)


def digest_of(accepted: AcceptedRequest) -> bytes:
    """Return the digest that names a request, 32 bytes."""
    request = accepted.request
    return request_digest(request.chain_id, request.manager, accepted.signed)


def fingerprint_of(values: Mapping[str, object]) -> str:
    """Return the digest of what came with an idempotency key."""
    return "sha256:" + hashlib.sha256(canonical_json(dict(values))).hexdigest()


def _case(row: SignedRequestRow) -> RequestCase:
    return RequestCase(
        id=row.id,
        accepted=AcceptedRequest.from_bytes(row.body, where=f"request {row.id} in the journal"),
        state=RequestState(row.state),
        reason=row.reason,
        failures=row.failures,
    )
