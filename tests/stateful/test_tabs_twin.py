"""Tabs twice: what Python derives, signs and foresees is what the contracts accept and do."""

import pytest
from eth_account import Account
from evm_market import CHAIN_ID, INPUT, OUTPUT, PROOF, EvmMarket, actor, error_name
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.answers import tab_facts
from marketplace.effects import PocketKind
from marketplace.tab_plans import close_effects, settlement_effects
from marketplace.tabs import SignedPermit
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.core.eip712 import Eip712Domain
from zkml.core.identifiers import FeeTerms
from zkml.core.market_identifiers import TabSpec, tab_id
from zkml.core.pricing import least_model_fee
from zkml.core.signed_requests import SignedRequest, opening_message, request_digest, request_message
from zkml.core.tabs import check_request
from zkml.core.tensors import input_commitment
from zkml.core.token_authorizations import permit_message, receive_authorization
from zkml.errors import RevertedError, TabRefusedError, ZkmlError

PROVER, STRANGER = actor(0x21), actor(0x66)
SIGNER = Account.from_key(b"\x01" * 32)
REQUESTER = Account.from_key(b"\x02" * 32)
FEES = FeeTerms(model_fee=300_001, min_model_fee=7, min_model_fee_ppm=123_457)
AMOUNT = 2_000_000
LENGTH = 300


@pytest.fixture(scope="module")
def market():
    """One deployment, a prover who is registered and a requester who has tokens."""
    deployed = EvmMarket(fees=FEES)
    deployed.enroll(PROVER, 5_000_000)
    deployed.fund(REQUESTER.address, 10 * AMOUNT, "ledger")
    return deployed


@pytest.fixture
def here(market):
    """The same deployment for every test."""
    kept = market.snapshot()
    yield market
    market.restore(kept)


def spec_of(market, amount=AMOUNT):
    return TabSpec(market.model_id, PROVER, SIGNER.address, amount, market.now + LENGTH)


def open_tab(market):
    return market.send(REQUESTER.address, "manager", "openTab", tuple(spec_of(market)))


def facts_of(market, tab):
    return tab_facts(tab, market.read("manager", "tab", tab), where="here")


def request_of(market, tab, *, prover_fee=10, extra=0, nonce=0, seconds=LENGTH):
    quote = facts_of(market, tab).quote
    model_fee = least_model_fee(quote, prover_fee) + extra
    return SignedRequest(
        tab, market.circuit_id, input_commitment(INPUT), model_fee, prover_fee, market.now + seconds, nonce
    )


def settle(market, request, signature, *, packed_input=INPUT, sender=PROVER):
    tensors = (packed_input, OUTPUT, PROOF)
    market.send(sender, "manager", "settleSigned", tuple(request), signature, *tensors)


def signed(market, request, signer=SIGNER):
    return sign_message(signer, request_message(CHAIN_ID, market.addresses["manager"], request))


def pockets(market, tab):
    """Return what every pocket that a tab can reach holds."""
    accounts = (PROVER, REQUESTER.address, STRANGER)
    found = {(PocketKind.CREDITS, who): market.read("ledger", "credits", who) for who in accounts}
    revenue, platform, _ = market.read("ledger", "incomeOf", market.model_id)
    model = f"model {market.model_id:#x}"
    found[PocketKind.REVENUE, model], found[PocketKind.PLATFORM, model] = revenue, platform
    found[PocketKind.TAB, "0x" + tab.hex()] = facts_of(market, tab).balance
    return found


def moved(before, flows):
    after = dict(before)
    for flow in flows:
        after[flow.source.kind, flow.source.owner] -= flow.amount
        after[flow.target.kind, flow.target.owner] += flow.amount
    return after


STEP = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 100, 299, 300, 301])),
    st.tuples(st.just("close"), st.sampled_from([PROVER, STRANGER, REQUESTER.address])),
    st.tuples(
        st.just("settle"),
        st.fixed_dictionaries(
            {
                "prover_fee": st.integers(0, 900_000),
                "extra": st.sampled_from([-1, 0, 0, 1, 300_000]),
                "nonce": st.sampled_from([0, 1, 255, 256, 2**64 - 1]),
                "seconds": st.sampled_from([-1, 0, 50, 1000]),
            }
        ),
    ),
)


@settings(max_examples=80)
@given(st.lists(STEP, max_size=10))
def test_history__of_a_tab__is_the_same_here_and_on_chain(market, steps):
    """I2, I5: Python foresees which requests are paid, what each pays, and when a tab can be closed."""
    kept = market.snapshot()
    tab = open_tab(market)
    try:
        for move, detail in steps:
            if move == "wait":
                market.pass_time(detail)
                continue
            before, facts = pockets(market, tab), facts_of(market, tab)
            request = request_of(market, tab, **detail) if move == "settle" else None
            try:
                effects = foreseen(market, facts, request, detail)
            except ZkmlError:
                with pytest.raises(RevertedError) as caught:
                    move_on(market, tab, request, detail)
                assert error_name(caught.value)
                continue
            move_on(market, tab, request, detail)
            assert pockets(market, tab) == moved(before, effects.flows)
    finally:
        market.restore(kept)


def foreseen(market, facts, request, caller):
    if request is None:
        return close_effects(facts, caller, market.now)
    used = market.read("manager", "isNonceUsed", request.tab_id, request.nonce)
    if used:
        raise ZkmlError("expected an unused nonce, found it used")
    return settlement_effects(facts, request, market.now)


def move_on(market, tab, request, caller):
    if request is None:
        market.send(caller, "manager", "closeTab", tab)
    else:
        settle(market, request, signed(market, request))


def test_tab_id_and_digest__computed_here__are_the_managers(here):
    """The id of a tab, the nonce of its authorization and a request's digest are those Python computes."""
    spec, manager = spec_of(here), here.addresses["manager"]
    nonce = here.read("manager", "nonces", REQUESTER.address)
    expected = tab_id(CHAIN_ID, manager, REQUESTER.address, nonce, spec)
    assert here.read("manager", "tabAuthorizationNonce", tuple(spec), REQUESTER.address) == expected
    assert open_tab(here) == expected
    request = request_of(here, expected)
    assert here.read("manager", "requestDigest", tuple(request)) == request_digest(CHAIN_ID, manager, request)


@pytest.mark.parametrize(("more", "is_paid"), [(-1, True), (0, True), (1, False)])
def test_settle_signed__at_the_edge_of_the_balance__is_the_same_on_both_sides(here, more, is_paid):
    """I1: a tab pays to its last unit, and not one unit more."""
    tab = open_tab(here)
    facts = facts_of(here, tab)
    price = facts.payment_for(request_of(here, tab)).price
    request = request_of(here, tab, extra=facts.balance - price + more)
    if is_paid:
        assert check_request(facts, request, here.now, is_nonce_used=False).price == facts.balance + more
        settle(here, request, signed(here, request))
        assert facts_of(here, tab).balance == -more
        return
    with pytest.raises(TabRefusedError, match=f"expected {facts.balance + 1} on tab"):
        check_request(facts, request, here.now, is_nonce_used=False)
    with pytest.raises(RevertedError) as caught:
        settle(here, request, signed(here, request))
    assert error_name(caught.value) == "TabTooSmall"


CHANGES = {
    "tab_id": bytes(32),
    "circuit_id": bytes(32),
    "input_commitment": bytes(32),
    "model_fee": 400_000,
    "prover_fee": 11,
    "expiry": 1_900_000_000,
    "nonce": 1,
}


@pytest.mark.parametrize("field", SignedRequest._fields)
def test_settle_signed__one_field_is_another__reverts(here, field):
    """I4: no field of a signed request can be changed by whoever settles it."""
    request = request_of(here, open_tab(here))
    signature = signed(here, request)
    with pytest.raises(RevertedError):
        settle(here, request._replace(**{field: CHANGES[field]}), signature)
    settle(here, request, signature)


def test_settle_signed__by_another_key_or_for_another_manager__reverts(here):
    """I4: a request counts for one key, chain and contract."""
    request = request_of(here, open_tab(here))
    foreign = sign_message(SIGNER, request_message(CHAIN_ID, PROVER, request))
    other_chain = sign_message(SIGNER, request_message(1, here.addresses["manager"], request))
    for signature in (signed(here, request, REQUESTER), foreign, other_chain, b"", bytes(65)):
        with pytest.raises(RevertedError) as caught:
            settle(here, request, signature)
        assert error_name(caught.value) == "WrongSigner"


def token_domain(market):
    return Eip712Domain("zkML Local USD", "1", CHAIN_ID, market.addresses["token"])


def test_open_tab_authorized__signed_here__is_opened_once_by_anybody(here):
    """I5: an EIP-3009 authorization that Python signs opens its tab, once, whoever sends it, and no other."""
    spec, ledger = spec_of(here), here.addresses["ledger"]
    nonce = here.read("manager", "tabAuthorizationNonce", tuple(spec), REQUESTER.address)
    valid_before = here.now + 1000
    message = receive_authorization(
        token_domain(here),
        payer=REQUESTER.address,
        receiver=ledger,
        amount=spec.amount,
        valid_after=0,
        valid_before=valid_before,
        nonce=nonce,
    )
    signature = sign_message(REQUESTER, message)
    arguments = (REQUESTER.address, 0, valid_before, signature)
    with pytest.raises(RevertedError):
        here.send(STRANGER, "manager", "openTabAuthorized", tuple(spec._replace(prover=STRANGER)), *arguments)
    assert here.send(STRANGER, "manager", "openTabAuthorized", tuple(spec), *arguments) == nonce
    assert facts_of(here, nonce).requester == REQUESTER.address
    with pytest.raises(RevertedError):
        here.send(STRANGER, "manager", "openTabAuthorized", tuple(spec), *arguments)


def test_open_tab_permitted__signed_here__is_opened_once_by_anybody(here):
    """I5: a permit and an opening that Python signs open their tab, once, whoever sends them."""
    spec, manager, deadline = spec_of(here), here.addresses["manager"], here.now + 1000
    nonce = here.read("manager", "nonces", REQUESTER.address)
    message = permit_message(
        token_domain(here),
        owner=REQUESTER.address,
        spender=here.addresses["ledger"],
        amount=spec.amount,
        nonce=here.read("token", "nonces", REQUESTER.address),
        deadline=deadline,
    )
    permit = SignedPermit(deadline, sign_message(REQUESTER, message)).as_abi()
    opening = sign_message(REQUESTER, opening_message(CHAIN_ID, manager, spec, nonce))
    arguments = (REQUESTER.address, permit, opening)
    with pytest.raises(RevertedError) as caught:
        here.send(STRANGER, "manager", "openTabPermitted", tuple(spec._replace(amount=1)), *arguments)
    assert error_name(caught.value) == "OpeningNotAuthorized"
    tab = here.send(STRANGER, "manager", "openTabPermitted", tuple(spec), *arguments)
    assert facts_of(here, tab).balance == spec.amount
    with pytest.raises(RevertedError):
        here.send(STRANGER, "manager", "openTabPermitted", tuple(spec), *arguments)
