"""A requester's tabs: open one for a prover, sign requests on it, close it.

The prover answers at once and settles later: the signature is its money, the proof the requester's. A tab's
id is the hash of its terms, so an endpoint cannot put another model or prover in their place; what model and
platform ask is the endpoint's word, which is why every request has a cap.
"""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from marketplace.derivations import find_tab_nonce
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.client.inputs import check_packed
from zkml.client.models import check_model, check_single_circuit
from zkml.client.offers import check_end
from zkml.client.request_journal import RequestJournal
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import least_model_fee, signed_payment
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import SignedRequestRecord, to_hex
from zkml.core.signed_requests import SignedRequest, request_message
from zkml.core.tabs import TabFacts, check_close, check_request
from zkml.core.tensors import input_commitment
from zkml.errors import BindingError, MarketError, ProverRefusedError, TabRefusedError
from zkml.wiring import Market

MAX_NONCE = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class OpenedTab:
    """A tab on chain; its amount is reserved until it is closed."""

    tab_id: bytes
    transaction: str
    block: int
    spec: TabSpec


def make_tab(
    market: Market,
    requester: str,
    *,
    model_id: int,
    prover: str,
    amount: int,
    expiry: int,
    accepted_classes: frozenset[int],
    signer: str = "",
) -> TabSpec:
    """Check a tab as the chain will, and more. Raises as `open_tab` does; nothing is signed or sent."""
    check_model(market, model_id, accepted_classes)
    check_end(expiry - market.chain.now(), market.manager.terms())
    if not market.provers.stake_of(prover).registered:
        raise ProverRefusedError(
            f"expected a registered prover, found {prover} in no registry",
            hint="it has to register first: zkml prover stake",
        )
    if not market.registry.may_prove(model_id, prover):
        raise ProverRefusedError(
            f"expected a prover with access to model {model_id:#x}, found {prover}",
            hint="the owner of a closed model grants it",
        )
    quote = market.manager.quote_for(model_id)
    least = signed_payment(quote, least_model_fee(quote, 0), 0).price
    if amount <= 0 or amount < least:
        show = market.token.show
        raise MarketError(
            f"expected at least {show(least)} for one request, found {show(amount)}",
            hint="that is what model and platform ask before the prover earns anything",
        )
    market.token.require(requester, amount, "fill the tab")
    return TabSpec(model_id, prover, signer or requester, amount, expiry)


def open_tab(
    market: Market,
    account: LocalAccount,
    *,
    model_id: int,
    prover: str,
    amount: int,
    expiry: int,
    accepted_classes: frozenset[int],
    signer: str = "",
    progress: Progress = silent,
) -> OpenedTab:
    """Reserve an amount for one prover and one model.

    Args:
        market: chain and contracts.
        account: the requester.
        model_id: a PROVEN model.
        prover: the only one who is paid from it, checksummed.
        amount: what is reserved, in the token's smallest unit.
        expiry: chain time in seconds; from after it on anyone may have the rest sent back.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        signer: whose key signs requests, checksummed; the requester's own when empty.
        progress: told the tab's id before the transaction is sent.

    Raises:
        UnsuitableCircuitError, NotRegisteredError, BindingError: see `models.check_model`.
        ProverRefusedError: the prover is not registered, or has no access to a closed model.
        MarketError: an expiry outside the deployment's terms, or too little for one request.
        InsufficientFundsError: too few tokens or too little ether.
        ChainError: see `TabsBinding.open_tab`.
    """
    spec = make_tab(
        market,
        account.address,
        model_id=model_id,
        prover=prover,
        amount=amount,
        expiry=expiry,
        accepted_classes=accepted_classes,
        signer=signer,
    )
    market.token.ensure_allowance(account, market.ledger.address, amount)

    def tell(_: SignedTransaction) -> None:
        nonce = market.tabs.nonces_of(account.address, block=market.chain.head)
        predicted = market.tabs.tab_id_of(spec, account.address, nonce)
        progress(ProgressEvent("open tab", note=to_hex(predicted)))

    tab_id, receipt = market.tabs.open_tab(account, spec, on_signed=tell)
    progress(ProgressEvent("open tab", finished=True, note=to_hex(tab_id)))
    return OpenedTab(tab_id, receipt.transaction, receipt.block, spec)


def checked_tab(market: Market, tab_id: bytes) -> TabFacts:
    """Return a tab's facts, whose terms are those that its id is the hash of.

    Raises:
        TabRefusedError: no such tab.
        BindingError: the endpoint tells other terms.
        RpcError: see `Chain.request`.
    """
    facts, opened = market.tabs.facts(tab_id), market.tabs.events.opened(tab_id)
    spec = opened.spec
    find_tab_nonce(
        tab_id,
        opened.requester,
        spec,
        market.tabs.nonces_of(opened.requester),
        chain_id=market.chain.chain_id,
        manager=market.tabs.address,
    )
    found = (facts.requester, facts.prover, facts.signer, facts.model_id, facts.expiry)
    if found != (opened.requester, spec.prover, spec.signer, spec.model_id, spec.expiry):
        raise BindingError(f"expected the terms of tab {to_hex(tab_id)}, found other facts of it")
    return facts


def sign_request(
    market: Market,
    account: LocalAccount,
    journal: RequestJournal,
    *,
    tab_id: bytes,
    packed_input: bytes,
    prover_fee: int,
    max_total: int,
    expiry: int,
    accepted_classes: frozenset[int],
    model_fee: int | None = None,
    circuit_id: bytes | None = None,
    nonce: int | None = None,
) -> SignedRequestRecord:
    """Sign one inference on a tab. Amounts are in the token's smallest unit.

    Args:
        market: chain and contracts.
        account: the tab's signer.
        journal: where the signed request is kept before it is returned.
        tab_id: 32 bytes.
        packed_input: the input; see `inputs.pack_input`.
        prover_fee: exactly what the prover gets.
        max_total: the most that the request may draw from the tab.
        expiry: chain time in seconds; never later than the tab's.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        model_fee: exactly what the model gets, the platform's part included; the least when None.
        circuit_id: one of the model's circuits for one input; the first when None.
        nonce: to sign the same request again, and get the same record; a fresh one when None.

    Raises:
        TabRefusedError: the tab is not open or has too little left, a time has passed, the model gets less
            than was agreed, or the nonce was used or signed for another request.
        MarketError: another account signs, or the price is above `max_total`.
        UnsuitableCircuitError, NotRegisteredError, BindingError: see `models.check_single_circuit`.
        LayoutError, DomainError: the input does not fit the circuit.
        StorageError: the journal cannot be written; nothing was signed for anybody.
        RpcError: see `Chain.request`.
    """
    tab = checked_tab(market, tab_id)
    if account.address != tab.signer:
        raise MarketError(
            f"expected the tab's signer {tab.signer}, found {account.address}",
            hint="use the key that the tab was opened for",
        )
    circuit = check_single_circuit(market, tab.model_id, accepted_classes, circuit_id)
    check_packed(packed_input, circuit.spec.layout, circuit.spec.domain)
    request = SignedRequest(
        tab_id=tab_id,
        circuit_id=circuit.circuit_id,
        input_commitment=input_commitment(packed_input),
        model_fee=least_model_fee(tab.quote, prover_fee) if model_fee is None else model_fee,
        prover_fee=prover_fee,
        expiry=expiry,
        nonce=0 if nonce is None else nonce,
    )
    price = check_request(tab, request, market.chain.now(), is_nonce_used=False).price
    if price > max_total:
        show = market.token.show
        raise MarketError(
            f"expected a request of at most {show(max_total)}, found {show(price)}",
            hint="raise the cap or offer less",
        )
    if nonce is not None:
        return _sign_with(market, account, journal, request)
    return _sign_next(market, account, journal, request)


def close_tab(market: Market, account: LocalAccount, tab_id: bytes) -> TransactionReceipt:
    """Credit the rest of a tab to its requester: after its expiry anyone may, before it its prover.

    Raises:
        TabRefusedError: no such tab, it is closed, or has not expired.
        ChainError: see `TabsBinding.close_tab`.
    """
    check_close(market.tabs.facts(tab_id), account.address, market.chain.now())
    return market.tabs.close_tab(account, tab_id)


def _sign_with(
    market: Market, account: LocalAccount, journal: RequestJournal, request: SignedRequest
) -> SignedRequestRecord:
    """Sign a request whose nonce was chosen, or return the record that was signed with it before."""
    record = _signed(market, account, request)
    kept = journal.find(record.tab_id, request.nonce)
    if kept is None:
        if market.tabs.is_nonce_used(request.tab_id, request.nonce):
            raise TabRefusedError(
                f"expected an unused nonce, found {request.nonce} used on tab {record.tab_id}",
                hint="leave the nonce out",
            )
        # Another process may have been faster since.
        kept = record if journal.keep(record) else journal.find(record.tab_id, request.nonce)
    if kept != record:
        raise TabRefusedError(
            f"expected an unsigned nonce, found {request.nonce} signed for another request on tab "
            f"{record.tab_id}",
            hint="leave the nonce out",
        )
    return record


def _sign_next(
    market: Market, account: LocalAccount, journal: RequestJournal, request: SignedRequest
) -> SignedRequestRecord:
    tab = to_hex(request.tab_id)
    nonce = 0
    while nonce <= MAX_NONCE:
        if journal.is_free(tab, nonce) and not market.tabs.is_nonce_used(request.tab_id, nonce):
            record = _signed(market, account, request._replace(nonce=nonce))
            if journal.keep(record):
                return record
        nonce += 1
    raise TabRefusedError(f"expected a free nonce, found none on tab {tab}")


def _signed(market: Market, account: LocalAccount, request: SignedRequest) -> SignedRequestRecord:
    message = request_message(market.chain.chain_id, market.tabs.address, request)
    return SignedRequestRecord(
        chain_id=market.chain.chain_id,
        manager=market.tabs.address,
        tab_id=to_hex(request.tab_id),
        circuit_id=to_hex(request.circuit_id),
        input_commitment=to_hex(request.input_commitment),
        model_fee=str(request.model_fee),
        prover_fee=str(request.prover_fee),
        expiry=request.expiry,
        nonce=str(request.nonce),
        signature=to_hex(sign_message(account, message)),
    )
