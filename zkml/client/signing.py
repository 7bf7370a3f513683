"""Sign requests on a tab. The prover answers at once and settles later: the signature is its money.

What model and platform ask is the endpoint's word, which is why every request has a cap.
"""

from eth_account.signers.local import LocalAccount

from zkml.adapters.keys.typed_signatures import sign_message
from zkml.client.inputs import check_packed
from zkml.client.models import check_single_circuit
from zkml.client.request_journal import RequestJournal
from zkml.client.tabs import checked_tab
from zkml.core.pricing import least_model_fee
from zkml.core.records import SignedRequestRecord, to_hex
from zkml.core.signed_requests import SignedRequest, record_of_request, request_message
from zkml.core.tabs import TabFacts, check_request
from zkml.core.tensors import input_commitment
from zkml.errors import MarketError, TabRefusedError
from zkml.wiring import Market

MAX_NONCE = (1 << 64) - 1


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
    return sign_on_tab(
        market,
        account,
        journal,
        checked_tab(market, tab_id),
        packed_input=packed_input,
        prover_fee=prover_fee,
        max_total=max_total,
        expiry=expiry,
        accepted_classes=accepted_classes,
        model_fee=model_fee,
        circuit_id=circuit_id,
        nonce=nonce,
    )


def sign_on_tab(
    market: Market,
    account: LocalAccount,
    journal: RequestJournal,
    tab: TabFacts,
    *,
    packed_input: bytes,
    prover_fee: int,
    max_total: int,
    expiry: int,
    accepted_classes: frozenset[int],
    model_fee: int | None = None,
    circuit_id: bytes | None = None,
    nonce: int | None = None,
) -> SignedRequestRecord:
    """Sign one inference on a tab whose facts were checked, or on one that a prover is about to open.

    See `sign_request`.
    """
    if account.address != tab.signer:
        raise MarketError(
            f"expected the tab's signer {tab.signer}, found {account.address}",
            hint="use the key that the tab was opened for",
        )
    circuit = check_single_circuit(market, tab.model_id, accepted_classes, circuit_id)
    check_packed(packed_input, circuit.spec.layout, circuit.spec.domain)
    request = SignedRequest(
        tab_id=tab.tab_id,
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
    signature = sign_message(account, message)
    return record_of_request(market.chain.chain_id, market.tabs.address, request, signature)
