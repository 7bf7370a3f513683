"""Open a tab without ether: the requester signs, the prover sends.

The signature names the tab, so that nobody can open another one with it: an EIP-3009 authorization by its
nonce, which is the tab's id, and a permit by the signed opening that goes with it.
"""

from zkml.adapters.keys.typed_signatures import sign_message
from zkml.client.requester import Requester
from zkml.client.tab_journal import TabOpeningRecord
from zkml.core.api_messages import TabOpening
from zkml.core.eip712 import Eip712Domain
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import FeeQuote
from zkml.core.records import from_hex, to_hex
from zkml.core.signed_requests import opening_message
from zkml.core.tabs import TabFacts
from zkml.core.token_authorizations import permit_message, receive_authorization
from zkml.errors import BindingError, RevertedError, RpcError

_GOOD_SECONDS = 3600
_TOKEN_VERSIONS = ("1", "2")


def sign_opening(requester: Requester, spec: TabSpec, quote: FeeQuote) -> tuple[TabFacts, TabOpening]:
    """Sign the opening of a tab, and keep it before anybody has it.

    Returns:
        The tab as it will be, and what its prover opens it with.

    Raises:
        BindingError: the token takes no signatures of a form that is known here.
        StorageError: the journal cannot be written; nothing was signed for anybody.
        RpcError: see `Chain.request`.
    """
    market, account = requester.market, requester.account
    nonce = market.tabs.nonces_of(account.address)
    tab_id = market.tabs.tab_id_of(spec, account.address, nonce)
    deadline = min(market.chain.now() + _GOOD_SECONDS, spec.expiry)
    takes_authorizations = _takes_authorizations(requester)
    sign = _authorization if takes_authorizations else _permit
    opening = TabOpening(
        kind="eip3009" if takes_authorizations else "permit",
        requester=account.address,
        model_id=str(spec.model_id),
        signer=spec.signer,
        amount=str(spec.amount),
        expiry=spec.expiry,
        signature=sign(requester, spec, tab_id, deadline),
        opening_signature="0x" if takes_authorizations else _opening(requester, spec, nonce),
        deadline=deadline,
    )
    record = TabOpeningRecord(
        chain_id=market.chain.chain_id,
        genesis_hash=market.chain.genesis_hash,
        manager=market.tabs.address,
        tab_id=to_hex(tab_id),
        requester=account.address,
        model_id=str(spec.model_id),
        prover=spec.prover,
        signer=spec.signer,
        amount=str(spec.amount),
        expiry=spec.expiry,
        opening=opening,
    )
    requester.openings.keep(record)
    return tab_to_be(record, quote), opening


def tab_to_be(record: TabOpeningRecord, quote: FeeQuote) -> TabFacts:
    """Return the facts that a tab has when it opens."""
    return TabFacts(
        tab_id=from_hex(record.tab_id),
        requester=record.requester,
        prover=record.prover,
        signer=record.signer,
        model_id=int(record.model_id),
        balance=int(record.amount),
        expiry=record.expiry,
        quote=quote,
        closed=False,
    )


def _authorization(requester: Requester, spec: TabSpec, tab_id: bytes, deadline: int) -> str:
    message = receive_authorization(
        _token_domain(requester),
        payer=requester.account.address,
        receiver=requester.market.ledger.address,
        amount=spec.amount,
        valid_after=0,
        valid_before=deadline,
        nonce=tab_id,
    )
    return to_hex(sign_message(requester.account, message))


def _permit(requester: Requester, spec: TabSpec, _: bytes, deadline: int) -> str:
    address = requester.account.address
    message = permit_message(
        _token_domain(requester),
        owner=address,
        spender=requester.market.ledger.address,
        amount=spec.amount,
        nonce=int(requester.market.token.contract.call("nonces", address)),
        deadline=deadline,
    )
    return to_hex(sign_message(requester.account, message))


def _opening(requester: Requester, spec: TabSpec, nonce: int) -> str:
    market = requester.market
    message = opening_message(market.chain.chain_id, market.tabs.address, spec, nonce)
    return to_hex(sign_message(requester.account, message))


def _takes_authorizations(requester: Requester) -> bool:
    token = requester.market.token.contract
    try:
        token.call("authorizationState", requester.account.address, bytes(32))
    except (RevertedError, RpcError):
        return False
    return True


def _token_domain(requester: Requester) -> Eip712Domain:
    """Return the domain of the token's messages: of its name, in the version that its separator is of."""
    token, chain_id = requester.market.token, requester.market.chain.chain_id
    name, separator = str(token.contract.call("name")), token.contract.call("DOMAIN_SEPARATOR")
    for version in _TOKEN_VERSIONS:
        domain = Eip712Domain(name, version, chain_id, token.address)
        if domain.separator == separator:
            return domain
    raise BindingError(
        f"expected a token whose signatures are of version {' or '.join(_TOKEN_VERSIONS)}, "
        f"found another domain at {token.address}",
        hint="give the account some ether: then it opens the tab by itself",
    )
