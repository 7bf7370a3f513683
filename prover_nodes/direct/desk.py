"""The desk: everything the node asks of a request before it does any work.

In this order: is it ours, of a model we prove, of this input; is it signed by who may; does it pay enough,
from a tab that covers it beside all others, long enough; can it be proved in time. Then it is kept, and
only then promised.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from prover_nodes.direct.catalogue import ServedCircuit, ServedModel
from prover_nodes.direct.cover import check_covered, spendable
from prover_nodes.direct.funds import check_funds
from prover_nodes.direct.journal import fingerprint_of
from prover_nodes.direct.offers import Offers
from prover_nodes.direct.openings import opening_seconds
from prover_nodes.direct.parts import DirectParts
from prover_nodes.direct.requests import AcceptedRequest, RequestCase, RequestState
from prover_nodes.direct.tabs import check_signer, tab_of
from prover_nodes.direct.troubles import reason_of
from prover_nodes.policy import Skip, SkipCode
from prover_nodes.slots import Promise
from zkml.core.api_messages import InferRequest, PaymentBody
from zkml.core.records import from_hex, to_hex
from zkml.core.signed_requests import SignedRequest, request_from_record, request_message
from zkml.core.tabs import TabFacts, check_request
from zkml.core.tensors import input_commitment, unpack_input
from zkml.errors import (
    BindingError,
    PaymentRequiredError,
    ProverRefusedError,
    RequestRefusedError,
    RpcError,
    ServiceBusyError,
    TabRefusedError,
    TombstonedError,
    UnsuitableCircuitError,
)

BUSY_SECONDS = 30
RETRY_SECONDS = 10
"""When a client that is told to wait should come back, unless more is known."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came in one request for an inference."""

    did: str
    body: InferRequest
    payment: PaymentBody
    key: str = ""


class Desk:
    """Accepts requests; called from the threads of the API."""

    def __init__(
        self,
        parts: DirectParts,
        offers: Offers,
        waiting: Callable[[], int],
        *,
        obstacle: Callable[[], str],
    ) -> None:
        """Use the parts of a service.

        Args:
            parts: what its stages work with.
            offers: what is asked.
            waiting: says how many requests are not proved yet.
            obstacle: says why nothing new is taken on, in the words after "found"; empty where it is.
        """
        self._parts = parts
        self._offers = offers
        self._waiting = waiting
        self._obstacle = obstacle

    def check_open(self) -> None:
        """Check that new requests are taken on.

        Raises:
            ServiceBusyError: the node is about to stop, or cannot collect what it would answer.
        """
        if obstacle := self._obstacle():
            raise ServiceBusyError(
                f"expected a node that takes new requests, found {obstacle}",
                hint="ask another node, or this one later",
                retry_after=BUSY_SECONDS,
            )

    def accept(self, asked: Asked) -> tuple[RequestCase, bool]:
        """Take a request on, or find that it was taken on before; say whether it is new.

        Raises:
            WrongChainError, FormatError: it is of another chain or manager, or of no form.
            NotRegisteredError, UnsuitableCircuitError, TombstonedError: no model or circuit of this node.
            ProverRefusedError: the model is closed, and its owner granted no access.
            LayoutError, DomainError, BindingError: the input is not the circuit's, or not the request's.
            PaymentRequiredError, TabRefusedError: it does not pay: signature, fees, tab or times.
            RequestRefusedError: an idempotency key, or an accepted request, that came with other content.
            ServiceBusyError, NotFinalError: later, perhaps.
            RpcError, StorageError: chain or disk do not answer; nothing was promised.
        """
        market = self._parts.market
        request = request_from_record(market.chain_id, market.manager, asked.payment.request)
        message = request_message(market.chain_id, market.manager, request)
        name = to_hex(message.digest)
        known = self._parts.journal.find(name)
        if known is not None:
            return self._again(known, asked), False
        self.check_open()
        model, served = self._circuit(asked, request)
        packed = self._input(served, asked, request)
        now = market.now()
        tab, opening = tab_of(self._parts, asked.payment, model.model_id, request, now)
        check_signer(tab, message, asked.payment.request.signature)
        is_used = market.is_nonce_used(request.tab_id, request.nonce)
        payment = check_request(tab, request, now, is_nonce_used=is_used)
        _check_end(tab, request)
        self._check_fee(served, request)
        accepted = AcceptedRequest(
            request=asked.payment.request,
            prover=market.account,
            did=model.did,
            model_id=str(model.model_id),
            name=model.name,
            input=to_hex(packed),
            price=str(payment.price),
            accepted_at=now,
            opening=opening,
        )
        check_funds(self._parts, served.settle_gas, requests=self._waiting() + 1)
        left = request.expiry - now
        promise = self._promise(served, left, needs_opening=opening is not None)
        return self._keep(name, accepted, tab, promise, asked)

    def _keep(
        self, name: str, accepted: AcceptedRequest, tab: TabFacts, promise: Promise, asked: Asked
    ) -> tuple[RequestCase, bool]:
        """Put a request into the journal and tie its promise to it, or withdraw the promise."""
        parts = self._parts
        is_kept = False
        try:
            self._keep_key(name, asked, accepted.accepted_at)
            tab_id = accepted.request.tab_id
            is_new = parts.journal.accept(
                accepted, balance=spendable(parts.market, parts.journal, tab_id, tab.balance)
            )
            case = parts.journal.case(name)
            if not is_new:
                return self._again(case, asked), False
            if accepted.opening is None:
                self._check_cover(case)
            parts.promises.keep(name, promise)
            is_kept = True
            return case, True
        finally:
            if not is_kept:
                parts.admission.slots.withdraw(promise)

    def _check_cover(self, case: RequestCase) -> None:
        """See once more, now that it is counted, that its tab pays for it beside all others."""
        parts = self._parts
        try:
            check_covered(parts.market, parts.journal, case.accepted.request.tab_id)
        except TabRefusedError as error:
            now = case.accepted.accepted_at
            parts.journal.mark(case, RequestState.REFUSED, now=now, reason=reason_of(error))
            raise
        except RpcError:
            # It is counted, and looked at again before anything is told: a proof may be for nothing, no more.
            _log.warning("request %s is accepted unseen: the endpoint does not answer", case.id)

    def _again(self, known: RequestCase, asked: Asked) -> RequestCase:
        """Return a request that was taken on before, if what came is the same to the byte."""
        accepted = known.accepted
        if accepted.request != asked.payment.request or not _is_same_did(accepted.did, asked.did):
            raise RequestRefusedError(
                f"expected request {known.id} as it was accepted, found another signature or model"
            )
        if accepted.input != asked.body.input:
            raise BindingError(f"expected the input of request {known.id}, found another one")
        self._keep_key(known.id, asked, accepted.accepted_at)
        return known

    def _keep_key(self, name: str, asked: Asked, now: int) -> None:
        if not asked.key:
            return
        sent = {
            "did": asked.did.lower(),
            "body": asked.body.model_dump(mode="json"),
            "request": asked.payment.request.model_dump(mode="json"),
        }
        key = f"{asked.payment.request.tab_id}:{asked.key}"
        self._parts.journal.keep_key(key, fingerprint_of(sent), name, now=now)

    def _circuit(self, asked: Asked, request: SignedRequest) -> tuple[ServedModel, ServedCircuit]:
        model = self._parts.catalogue.find(asked.did)
        wanted = asked.body.circuit_id
        if wanted is not None and from_hex(wanted) != request.circuit_id:
            raise BindingError(
                f"expected a request for circuit {wanted}, found one for {to_hex(request.circuit_id)}"
            )
        served = model.circuit(request.circuit_id)
        if self._parts.market.is_tombstoned(served.circuit_id):
            raise TombstonedError(
                f"expected a circuit that is trusted, found {to_hex(served.circuit_id)} tombstoned",
                hint="no proof of it is paid any more",
            )
        if not self._parts.market.may_prove(model.model_id):
            raise ProverRefusedError(
                f"expected a model that this node may prove, found {model.did} closed to it",
                hint="the owner of a closed model grants access to provers",
            )
        return model, served

    @staticmethod
    def _input(served: ServedCircuit, asked: Asked, request: SignedRequest) -> bytes:
        packed = from_hex(asked.body.input)
        served.spec.domain.check(unpack_input(served.spec.layout, packed))
        found = input_commitment(packed)
        if found != request.input_commitment:
            raise BindingError(
                f"expected an input with keccak256 {to_hex(request.input_commitment)}, found {to_hex(found)}",
                hint="the signed request commits to another input",
            )
        return packed

    def _check_fee(self, served: ServedCircuit, request: SignedRequest) -> None:
        least = self._parts.fees.least(served.circuit_id, self._offers.ask(served))
        if request.prover_fee < least:
            raise PaymentRequiredError(
                f"expected a prover fee of at least {least}, found {request.prover_fee}",
                hint="sign a request for what the node's offer says",
            )

    def _promise(self, served: ServedCircuit, left: int, *, needs_opening: bool) -> Promise:
        """Promise the proof, if it would be done in time beside all that waits."""
        parts = self._parts
        before = opening_seconds(parts.policy.confirmations) if needs_opening else 0.0
        within = left - parts.api.settle_margin_seconds - before
        needed = self._offers.seconds(served)
        if within < needed:
            total = needed + parts.api.settle_margin_seconds + before
            raise TabRefusedError(
                f"expected request and tab to expire in {total:.0f} s or later, found {left} s left",
                hint="sign a request with a later expiry",
            )
        if self._waiting() >= parts.api.max_waiting:
            raise ServiceBusyError(
                f"expected fewer than {parts.api.max_waiting} requests to wait, found as many",
                hint="send the same request again later",
                retry_after=RETRY_SECONDS,
            )
        promised = parts.admission.promise(served.circuit, within_seconds=within)
        if not isinstance(promised, Skip):
            return promised
        if promised.code == SkipCode.TOO_BIG:
            raise UnsuitableCircuitError(
                f"expected a circuit that this machine can prove, found {promised.note}"
            )
        raise ServiceBusyError(
            f"expected a proof in time, found {promised.note}",
            hint="sign a request with a later expiry, or ask another node",
            retry_after=RETRY_SECONDS,
        )


def _check_end(tab: TabFacts, request: SignedRequest) -> None:
    """Check that a request ends with its tab, or before: so its expiry says until when it can be paid."""
    if request.expiry > tab.expiry:
        raise TabRefusedError(
            f"expected a request that expires with its tab at {tab.expiry}, found {request.expiry}",
            hint="sign it with an earlier expiry, or open a tab for longer",
        )


def _is_same_did(one: str, other: str) -> bool:
    return one.lower() == other.lower()
