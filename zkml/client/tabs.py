"""A requester's tabs: open one for a prover, look at it, close it.

A tab's id is the hash of its terms, so an endpoint cannot put another model or prover in their place.
"""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from marketplace.derivations import find_tab_nonce
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.models import check_model
from zkml.client.offers import check_end
from zkml.client.tab_journal import TabJournal, TabOpeningRecord
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import least_model_fee, signed_payment
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import to_hex
from zkml.core.tabs import TabFacts, check_close
from zkml.errors import BindingError, MarketError, ProverRefusedError
from zkml.wiring import Market


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
    journal: TabJournal | None = None,
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
        journal: where the signed opening is kept before it is sent; nowhere when None.
        progress: told the tab's id before the transaction is sent.

    Raises:
        UnsuitableCircuitError, NotRegisteredError, BindingError: see `models.check_model`.
        ProverRefusedError: the prover is not registered, or has no access to a closed model.
        MarketError: an expiry outside the deployment's terms, or too little for one request.
        InsufficientFundsError: too few tokens or too little ether.
        StorageError: the journal cannot be written; nothing was sent.
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

    kept: list[TabOpeningRecord] = []

    def keep(signed: SignedTransaction) -> None:
        record = _record(market, account.address, spec, signed)
        if journal is not None:
            journal.keep(record)
        kept.append(record)
        progress(ProgressEvent("open tab", note=record.tab_id))

    tab_id, receipt = market.tabs.open_tab(account, spec, on_signed=keep)
    progress(ProgressEvent("open tab", finished=True, note=to_hex(tab_id)))
    if journal is not None:
        for record in kept:
            journal.finish(record)
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


def close_tab(market: Market, account: LocalAccount, tab_id: bytes) -> TransactionReceipt:
    """Credit the rest of a tab to its requester: after its expiry anyone may, before it its prover.

    Raises:
        TabRefusedError: no such tab, it is closed, or has not expired.
        ChainError: see `TabsBinding.close_tab`.
    """
    check_close(market.tabs.facts(tab_id), account.address, market.chain.now())
    return market.tabs.close_tab(account, tab_id)


def _record(market: Market, requester: str, spec: TabSpec, signed: SignedTransaction) -> TabOpeningRecord:
    nonce = market.tabs.nonces_of(requester, block=market.chain.head)
    return TabOpeningRecord(
        chain_id=market.chain.chain_id,
        genesis_hash=market.chain.genesis_hash,
        manager=market.tabs.address,
        tab_id=to_hex(market.tabs.tab_id_of(spec, requester, nonce)),
        requester=requester,
        model_id=str(spec.model_id),
        prover=spec.prover,
        signer=spec.signer,
        amount=str(spec.amount),
        expiry=spec.expiry,
        transaction=signed.transaction,
        raw=to_hex(signed.raw),
        account_nonce=signed.nonce,
    )
