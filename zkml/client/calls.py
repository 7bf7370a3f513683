"""Begin a paid call: ask the price, hold it against the chain, and sign; all of it kept before it is sent."""

import math
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from zkml.client.call_journal import MAX_TERMS, CallRecord
from zkml.client.discovery import ServingNode
from zkml.client.known_model import KnownModel, check_manifest
from zkml.client.node_api import NodeApi
from zkml.client.payment_terms import CheckedOffer, check_terms, pick_terms, read_required
from zkml.client.requester import Requester
from zkml.client.signing import sign_on_tab
from zkml.client.tab_choice import choose_tab
from zkml.core.api_messages import InferRequest
from zkml.core.digests import canonical_json
from zkml.core.manifest import BundleManifest
from zkml.core.progress import Progress, silent
from zkml.core.records import to_hex
from zkml.core.signed_requests import request_from_record
from zkml.errors import BindingError, PaymentRequiredError, ServiceUnreachableError

_SLACK_SECONDS = 120
"""Chain time may be behind, and the answer has to travel."""

Approve = Callable[[CallRecord], None]


def approve_all(call: CallRecord) -> None:
    """Let every call be sent: the default of who has no budget."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that was signed and kept, and not yet sent.

    Attributes:
        call: its record.
        opening_transaction: the one that opened its tab, where this call did.
        is_resumed: whether it was begun earlier.
    """

    call: CallRecord
    opening_transaction: str = ""
    is_resumed: bool = False


@dataclass(frozen=True, slots=True)
class Priced:
    """What a node asks for one call, checked: nothing is signed yet.

    Attributes:
        node: whom it is asked of.
        offer: what it asks.
        terms: the payment requirements, as JSON.
        timeout_seconds: how long the node says a payment is good for at most.
    """

    node: ServingNode
    offer: CheckedOffer
    terms: str
    timeout_seconds: int


def ask_price(
    requester: Requester,
    known: KnownModel,
    manifest: BundleManifest,
    node: ServingNode,
    *,
    packed_input: bytes,
    max_fee: int,
) -> Priced:
    """Ask a node what it wants for an answer, and check every field of that.

    Raises:
        BindingError: it asks for something else than it offered, or than the chain has.
        PaymentRequiredError: it asks for more than `max_fee`.
        UnsuitableCircuitError: its circuit must not be paid for, or takes other tensors than the manifest's.
        ServiceError: it does not answer, or refuses.
        RpcError: see `Chain.request`.
    """
    market = requester.market
    circuit = node.offer.circuit
    check_manifest(manifest, circuit)
    request = InferRequest(input=to_hex(packed_input), circuit_id=to_hex(circuit.circuit_id))
    required = read_required(node.api.ask_price(known.did, request))
    terms = pick_terms(required, market.chain.chain_id)
    offer = check_terms(market, known, terms, prover=node.offer.prover, trusted=requester.trusted)
    if offer.circuit.circuit_id != circuit.circuit_id:
        raise BindingError(
            f"expected a price for circuit {to_hex(circuit.circuit_id)}, "
            f"found one for {to_hex(offer.circuit.circuit_id)} at {node.api.endpoint}"
        )
    if offer.price > max_fee:
        show = market.token.show
        raise PaymentRequiredError(
            f"expected a price of at most {show(max_fee)}, found {show(offer.price)} at {node.api.endpoint}",
            hint="raise the most that an answer may cost (--max-fee)",
        )
    kept = canonical_json(terms.model_dump(mode="json", by_alias=True, exclude_none=True)).decode()
    if len(kept) > MAX_TERMS:
        # Before a tab is opened for it: it could not be kept.
        raise ServiceUnreachableError(
            f"expected terms of at most {MAX_TERMS} characters, found {len(kept)} at {node.api.endpoint}"
        )
    return Priced(node, offer, kept, terms.max_timeout_seconds)


def begin_call(
    requester: Requester,
    known: KnownModel,
    priced: Priced,
    *,
    packed_input: bytes,
    max_fee: int,
    held: ExitStack,
    approve: Approve = approve_all,
    progress: Progress = silent,
) -> Begun:
    """Choose a tab, sign the request, and keep both; nothing is sent to the node.

    Args:
        requester: who asks and pays.
        known: the model.
        priced: what a node asks.
        packed_input: the input.
        max_fee: the most that the answer may cost.
        held: takes the hold on the call, so that nobody else takes it up meanwhile.
        approve: called with the signed request before it is kept or sent; what it raises ends the call.
        progress: hears of an opening.

    Raises:
        InsufficientFundsError: too few tokens.
        StorageError: a journal cannot be written; then nothing must be sent.
        ZkmlError: see `tab_choice.choose_tab` and `signing.sign_request`.
    """
    market, offer, api = requester.market, priced.offer, priced.node.api
    with requester.alone("tabs"):
        seconds = math.ceil(max(offer.expiry_seconds, priced.timeout_seconds)) + _SLACK_SECONDS
        expiry = market.chain.now() + seconds
        chosen = choose_tab(
            requester,
            model_id=known.model_id,
            prover=offer.prover,
            prover_fee=offer.prover_fee,
            max_fee=max_fee,
            until=expiry,
            progress=progress,
        )
        record = sign_on_tab(
            market,
            requester.account,
            requester.requests,
            chosen.tab,
            packed_input=packed_input,
            prover_fee=offer.prover_fee,
            max_total=max_fee,
            expiry=expiry,
            accepted_classes=requester.trusted,
            circuit_id=offer.circuit.circuit_id,
        )
        request = request_from_record(market.chain.chain_id, market.tabs.address, record)
        call = CallRecord(
            chain_id=market.chain.chain_id,
            genesis_hash=market.chain.genesis_hash,
            manager=market.tabs.address,
            request_id=to_hex(market.tabs.digest_of(request)),
            did=known.did,
            model_id=str(known.model_id),
            prover=offer.prover,
            endpoint=api.endpoint,
            private_allowed=api.private_allowed,
            idempotency_key=secrets.token_hex(16),
            input=to_hex(packed_input),
            price=str(chosen.price),
            request=record,
            opening=chosen.opening,
            terms=priced.terms,
        )
        approve(call)
        held.enter_context(requester.calls.held(call.request_id))
        requester.calls.keep(call)
    return Begun(call, chosen.transaction)


def api_of(requester: Requester, call: CallRecord, node: str = "") -> NodeApi:
    """Return the API to ask for a call's answer: `node` where the user names one, else the one it was for.

    Raises:
        ConfigError: `node` is no base URL.
    """
    if node:
        return NodeApi(node, requester.settings, private_allowed=True)
    return NodeApi(call.endpoint, requester.settings, private_allowed=call.private_allowed)
