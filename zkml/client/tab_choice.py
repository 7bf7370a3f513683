"""Which tab pays: one that is open with enough left, or a new one; never two for want of an answer.

What counts as left is the tab's balance less every request that was signed on it and can still be settled.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zkml.client.requester import Requester
from zkml.client.resuming import end_signed
from zkml.client.tab_journal import TabOpeningRecord
from zkml.client.tab_signatures import sign_opening, tab_to_be
from zkml.client.tabs import checked_tab, make_tab, open_tab
from zkml.core.api_messages import TabOpening
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import FeeQuote, least_model_fee, signed_payment
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import from_hex, to_hex
from zkml.core.tabs import TabFacts
from zkml.errors import ArtifactNotFoundError, InsufficientFundsError, RpcError, TabRefusedError

_OPENING_GAS = 600_000
"""More than an allowance and an opening need."""
_SPARE_SECONDS = 120
"""A signature that opens a tab is used while it is good for at least so long."""


@dataclass(frozen=True, slots=True)
class ChosenTab:
    """A tab to sign a request on.

    Attributes:
        tab: its facts; as they will be, where it is not open yet.
        opening: what the prover opens it with; None where it is open.
        transaction: the opening's, where this call opened it.
        price: what the request draws, by the tab's own quote.
    """

    tab: TabFacts
    opening: TabOpening | None
    transaction: str
    price: int


def choose_tab(
    requester: Requester,
    *,
    model_id: int,
    prover: str,
    prover_fee: int,
    max_fee: int,
    until: int,
    progress: Progress = silent,
) -> ChosenTab:
    """Return a tab for one request, opened if need be. The caller holds the lock of the requester's tabs.

    Args:
        requester: whose tab.
        model_id: of the request.
        prover: who is paid.
        prover_fee: what the prover gets, in the token's smallest unit.
        max_fee: the most that the request may draw.
        until: chain time until which the tab must stay open.
        progress: hears of an opening.

    Raises:
        InsufficientFundsError: too few tokens.
        ZkmlError: see `tabs.open_tab`.
    """
    finish_openings(requester, progress=progress)
    found = find_tab(
        requester, model_id=model_id, prover=prover, prover_fee=prover_fee, max_fee=max_fee, until=until
    )
    if found is not None:
        return found
    market = requester.market
    quote = market.manager.quote_for(model_id)
    price = _price(quote, prover_fee)
    spec = _new_spec(requester, model_id, prover, price, until)
    if not _has_gas(requester):
        tab, opening = sign_opening(requester, spec, quote)
        progress(ProgressEvent("open tab", finished=True, note=f"{to_hex(tab.tab_id)} by signature"))
        return ChosenTab(tab, opening, "", price)
    opened = open_tab(
        market,
        requester.account,
        model_id=model_id,
        prover=prover,
        amount=spec.amount,
        expiry=spec.expiry,
        accepted_classes=requester.trusted,
        journal=requester.openings,
        progress=progress,
    )
    return ChosenTab(checked_tab(market, opened.tab_id), None, opened.transaction, price)


def find_tab(
    requester: Requester, *, model_id: int, prover: str, prover_fee: int, max_fee: int, until: int
) -> ChosenTab | None:
    """Return a tab of the requester that can pay one more request, or None; see `choose_tab`.

    Raises:
        FormatError, StorageError: a journal is damaged or cannot be read.
        BindingError, RpcError: see `tabs.checked_tab`.
    """
    for tab, opening in _usable(requester, model_id, prover, until):
        price = _price(tab.quote, prover_fee)
        if price <= max_fee and price <= tab.balance - exposure(requester, tab):
            return ChosenTab(tab, opening, "", price)
    return None


def finish_openings(requester: Requester, *, progress: Progress = silent) -> None:
    """Go on with openings by transaction that were interrupted, and put those aside that open nothing.

    Raises:
        ChainError: see `resuming.end_signed`; what is not done stays in the journal.
        FormatError, StorageError: see `PendingRecords.pending`.
    """
    market, journal = requester.market, requester.openings
    for record in journal.pending():
        if not _is_ours(requester, record):
            continue
        if record.opening is not None:
            _finish_signature(requester, record)
            continue
        ended = end_signed(market, record.signed, requester.account)
        if isinstance(ended, str):
            journal.abandon(record, ended)
            progress(ProgressEvent("open tab", finished=True, note=f"put aside {record.tab_id}: {ended}"))
        elif ended is not None:
            market.tabs.opened_in(ended, record.requester, record.spec)
            journal.finish(record)


def exposure(requester: Requester, tab: TabFacts) -> int:
    """Return what requests can still draw from a tab that were signed on it and are not settled.

    Raises:
        FormatError, StorageError: see `RequestJournal.of_tab`.
        RpcError: see `Chain.request`.
    """
    market = requester.market
    now = market.chain.now()
    total = 0
    for record in requester.requests.of_tab(to_hex(tab.tab_id)):
        if record.expiry < now or market.tabs.is_nonce_used(tab.tab_id, int(record.nonce)):
            continue
        total += signed_payment(tab.quote, int(record.model_fee), int(record.prover_fee)).price
    return total


def never_opens(requester: Requester, tab_id: str) -> bool:
    """Say whether a tab that a signature was to open is not open and never will be: nothing on it is paid.

    Raises:
        FormatError, StorageError: see `PendingRecords.find`.
        RpcError: see `Chain.request`.
    """
    try:
        record = requester.openings.find(tab_id)
    except ArtifactNotFoundError:
        return False
    if record.opening is None or not _is_ours(requester, record):
        return False
    market = requester.market
    try:
        market.tabs.facts(from_hex(tab_id))
    except TabRefusedError:
        return market.chain.now() > record.opening.deadline or not _is_next(requester, record)
    return False


def _usable(
    requester: Requester, model_id: int, prover: str, until: int
) -> Iterator[tuple[TabFacts, TabOpening | None]]:
    """Yield the requester's tabs with a prover for a model that stay open long enough."""
    wanted = (requester.account.address, prover, model_id)
    market, seen = requester.market, set[bytes]()
    for record in requester.openings.pending():
        if record.opening is None or not _is_ours(requester, record):
            continue
        tab = _predicted(requester, record)
        seen.add(tab.tab_id)
        is_in_time = market.chain.now() + _SPARE_SECONDS < record.opening.deadline
        if (tab.signer, tab.prover, tab.model_id) == wanted and tab.expiry >= until and is_in_time:
            yield tab, record.opening
    for tab_id in _known_tabs(requester, prover):
        if tab_id in seen:
            continue
        seen.add(tab_id)
        tab = market.tabs.facts(tab_id)
        found = (tab.signer, tab.prover, tab.model_id)
        if found == wanted and not tab.closed and tab.expiry >= until and tab.balance > 0:
            # Its terms are held against its id only now: that costs a search of the chain's events.
            yield replace(checked_tab(market, tab_id), balance=tab.balance), None


def _known_tabs(requester: Requester, prover: str) -> Iterator[bytes]:
    """Yield ids of tabs: those of the journal, then whatever else the chain has of this account."""
    for record in requester.openings.done():
        if _is_ours(requester, record) and record.prover == prover:
            yield from_hex(record.tab_id)
    for opened in requester.market.tabs.events.tabs(requester=requester.account.address, prover=prover):
        yield opened.tab_id


def _predicted(requester: Requester, record: TabOpeningRecord) -> TabFacts:
    """Return a tab as it will be once its prover opens it."""
    quote = requester.market.manager.quote_for(int(record.model_id))
    return tab_to_be(record, quote)


def _finish_signature(requester: Requester, record: TabOpeningRecord) -> None:
    """End an opening by signature: the tab is on chain, or the signature is worth nothing any more."""
    market = requester.market
    try:
        market.tabs.facts(from_hex(record.tab_id))
    except TabRefusedError:
        opening = record.opening
        if opening is not None and market.chain.now() > opening.deadline:
            requester.openings.abandon(record, "its signature expired before the prover used it")
        elif not _is_next(requester, record):
            requester.openings.abandon(record, "the account opened something else before the prover used it")
        return
    requester.openings.finish(record)


def _is_next(requester: Requester, record: TabOpeningRecord) -> bool:
    """Say whether the account's next opening would have the record's id; its signature opens no other."""
    tabs = requester.market.tabs
    nonce = tabs.nonces_of(record.requester)
    return tabs.tab_id_of(record.spec, record.requester, nonce) == from_hex(record.tab_id)


def _new_spec(requester: Requester, model_id: int, prover: str, price: int, until: int) -> TabSpec:
    """Return a new tab's terms: the configured amount, or what the account has if that is enough."""
    market, settings, account = requester.market, requester.settings, requester.account.address
    balance = market.token.balance_of(account)
    if balance < price:
        show = market.token.show
        raise InsufficientFundsError(
            f"expected {show(price)} to pay for an answer, found {show(balance)} in {account}",
            hint="fund the account with the payment token",
            account=account,
        )
    now, terms = market.chain.now(), market.manager.terms()
    longest = now + terms.max_duration_seconds - 1
    expiry = min(max(now + int(settings.tab_hours * 3600), until, now + terms.min_duration_seconds), longest)
    return make_tab(
        market,
        account,
        model_id=model_id,
        prover=prover,
        amount=max(price, min(settings.tab_amount, balance)),
        expiry=expiry,
        accepted_classes=requester.trusted,
    )


def _has_gas(requester: Requester) -> bool:
    """Say whether the account can open a tab by itself, at the price of gas that is asked now."""
    chain = requester.market.chain
    try:
        price = int(chain.request("eth_gasPrice"), 16)
    except (RpcError, TypeError, ValueError):
        price = 1
    return chain.balance_wei(requester.account.address) >= price * _OPENING_GAS


def _is_ours(requester: Requester, record: TabOpeningRecord) -> bool:
    chain = requester.market.chain
    found = (record.chain_id, record.genesis_hash, record.manager, record.requester)
    expected = (chain.chain_id, chain.genesis_hash, requester.market.tabs.address, requester.account.address)
    return found == expected


def _price(quote: FeeQuote, prover_fee: int) -> int:
    return signed_payment(quote, least_model_fee(quote, prover_fee), prover_fee).price
