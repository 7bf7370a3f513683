"""Calls that are paid on tabs, against a whole node: what comes back is proved, or nothing does."""

import asyncio
import base64
import contextlib
import threading
from dataclasses import replace

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, example_input, proof_of
from eth_account import Account
from node_simulator import FEE, LOCAL, PRICE, VALUES, serving, start_market

from zkml.adapters.evm.timetravel import pass_time
from zkml.client import close_tab, open_tab, pack_input, withdraw
from zkml.client.model import AsyncModel
from zkml.core.records import from_hex, to_hex
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    DigestMismatchError,
    PaymentRequiredError,
    ProofRejectedError,
    RequestRefusedError,
    RpcError,
    ServiceBusyError,
    ServiceUnreachableError,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with start_market(tmp_path_factory.mktemp("infer")) as market:
        yield market


@pytest.fixture
def node(market):
    with serving(market, account=market.prover) as node:
        yield node


@pytest.fixture
def requester(market, tmp_path):
    return market.requester(tmp_path, market.built.funded(100 * ONE_TOKEN))


@pytest.fixture
def onlooker(market, tmp_path):
    return market.requester(tmp_path, market.onlooker)


def test_predict__honest_node__output_proof_and_receipt(market, node, requester):
    """One call opens a tab, pays what was agreed by a transaction that is named, and returns a proved output."""
    prediction = market.model(requester, node=node.url).predict(VALUES)
    assert prediction.output.tolist() == [[-1.25, 17_500.0]]
    assert prediction.receipt.price == PRICE
    assert prediction.receipt.transaction
    prediction.verify()


def test_predict__second_call__same_tab_no_second_opening(market, node, requester):
    """A tab with enough left is used again: one opening pays for several answers, a nonce each."""
    model = market.model(requester, node=node.url)
    first, second = model.predict(VALUES), model.predict(VALUES)
    assert first.receipt.opening_transaction
    assert not second.receipt.opening_transaction
    assert first.receipt.tab_id == second.receipt.tab_id
    assert (first.request.nonce, second.request.nonce) == ("0", "1")
    assert first.receipt.request_id != second.receipt.request_id
    tab = market.bound.tabs.facts(bytes.fromhex(first.receipt.tab_id[2:]))
    assert tab.balance == 10 * ONE_TOKEN - 2 * PRICE


def test_predict__tab_from_another_machine__found_on_the_chain(market, node, requester, tmp_path):
    """A new machine with the same key finds the account's open tab in the chain's events."""
    first = market.model(requester, node=node.url).predict(VALUES)
    elsewhere = market.requester(tmp_path / "elsewhere", requester.account)
    assert market.model(elsewhere, node=node.url).predict(VALUES).receipt.tab_id == first.receipt.tab_id


def test_predict__tab_bound_by_unsettled_requests__another_one_is_opened(market, node, requester):
    """What was signed and may still be settled counts as spent: a tab is never promised twice."""
    node.settles = False
    requester = replace(requester, settings=replace(requester.settings, tab_amount=2 * PRICE))
    model = market.model(requester, node=node.url, wait_seconds=0)
    tabs = [model.predict(VALUES).receipt.tab_id for _ in range(3)]
    assert tabs[0] == tabs[1] != tabs[2]


def test_predict__account_without_ether__tab_opened_by_signature(market, node, tmp_path):
    """Who has tokens and no ether signs the opening; the prover sends it, and gas is the prover's."""
    account = Account.create()
    market.bound.token.mint(market.built.deployer, account.address, 20 * ONE_TOKEN)
    requester = market.requester(tmp_path, account)
    model = market.model(requester, node=node.url)
    first, second = model.predict(VALUES), model.predict(VALUES)
    assert first.receipt.transaction
    assert second.receipt.tab_id == first.receipt.tab_id
    assert market.bound.chain.nonce(account.address) == 0
    assert node.paid[0]["opening"]["kind"] == "eip3009"
    assert "opening" not in node.paid[1]


def test_predict__token_without_authorizations__opened_by_permit(market, node, tmp_path, monkeypatch):
    """Where the token knows no EIP-3009, a permit and a signed opening do the same."""
    monkeypatch.setattr("zkml.client.tab_signatures._takes_authorizations", lambda _: False)
    account = Account.create()
    market.bound.token.mint(market.built.deployer, account.address, 20 * ONE_TOKEN)
    prediction = market.model(market.requester(tmp_path, account), node=node.url).predict(VALUES)
    assert prediction.receipt.transaction
    assert node.paid[0]["opening"]["kind"] == "permit"


def test_predict__signature_that_the_prover_has_not_used__sent_again_not_signed_twice(market, node, tmp_path):
    """A second request before the tab is open goes on the same tab, with the same opening."""
    account = Account.create()
    market.bound.token.mint(market.built.deployer, account.address, 20 * ONE_TOKEN)
    requester = market.requester(tmp_path, account)
    node.before_answer = refuse_once(503)
    model = market.model(requester, node=node.url, timeout_seconds=1.0)
    with pytest.raises(ServiceBusyError, match="is signed and may be settled"):
        model.predict(VALUES)
    node.before_answer = lambda handler: False
    model = market.model(requester, node=node.url)
    model.predict([0.0] * 11)
    assert node.paid[0]["opening"] == node.paid[-1]["opening"]
    assert node.paid[0]["request"]["tab_id"] == node.paid[-1]["request"]["tab_id"]


def test_predict_many__some_at_once__in_order_a_nonce_each(market, node, requester):
    """Several inputs are proved at once from one tab, and the outputs are in their order."""
    model = market.model(requester, node=node.url)
    found = model.predict_many([VALUES, [0.0] * 11, [1.0] * 11], at_once=3)
    assert [one.proof.input for one in found] == [
        to_hex(pack_input(x, model.manifest)) for x in (VALUES, [0.0] * 11, [1.0] * 11)
    ]
    assert {one.receipt.tab_id for one in found} == {found[0].receipt.tab_id}
    assert sorted(one.request.nonce for one in found) == ["0", "1", "2"]


def test_async__same_code_no_loop_blocked(market, node, requester):
    """The asynchronous model returns what the other one returns."""

    async def both():
        model = await AsyncModel.open(market.did, max_fee=PRICE, requester=requester, node=node.url)
        return await model.predict_many([VALUES, VALUES], at_once=2)

    found = asyncio.run(both())
    assert [one.output.tolist() for one in found] == [[[-1.25, 17_500.0]]] * 2
    assert found[0].receipt.request_id != found[1].receipt.request_id


@pytest.mark.parametrize("as_stream", [True, False])
def test_predict__answer_as_json_or_events__the_same(market, node, requester, as_stream):
    """A node may answer with events or with one body."""
    node.as_stream = as_stream
    told = []
    prediction = market.model(requester, node=node.url).predict(VALUES, progress=told.append)
    assert prediction.output.shape == (1, 2)
    assert ("prove" in [event.stage for event in told]) == as_stream


# --- discovery ------------------------------------------------------------------------------------


def test_discovery__several_nodes__the_cheapest_that_agrees_with_the_chain(market, requester):
    """Of the registered nodes the cheapest is asked; what does not answer or lies about the chain is left out."""
    with (
        serving(market, fee=FEE) as dear,
        serving(market, fee=FEE - 1) as cheap,
        serving(market, fee=1) as liar,
    ):
        liar.twist_offer = lambda fields: fields.update(verifying_key="0x" + "00" * 32)
        for node in (dear, cheap, liar):
            node.announce()
        gone = market.built.enrolled()
        systems = [market.built.spec.proof_system_id]
        market.bound.provers.register(gone, "http://127.0.0.1:9", systems)
        market.bound.provers.register(market.built.enrolled(), "http://169.254.169.254", systems)
        prediction = market.model(requester).predict(VALUES)
        assert prediction.receipt.prover == cheap.account.address
        assert liar.paid == []
        for node in (dear, cheap, liar):
            node.announce("")


def test_discovery__cheapest_one_asks_for_something_else_then__the_next_is_asked(market, requester):
    """Who offers little and then lies in its 402 keeps no honest node out, and gets no signature."""
    with serving(market) as honest, serving(market, fee=FEE - 1) as liar:
        liar.twist_terms = lambda fields: fields.update(payTo="0x" + "11" * 20)
        for node in (honest, liar):
            node.announce()
        prediction = market.model(requester).predict(VALUES)
        assert prediction.receipt.prover == honest.account.address
        assert liar.asked_prices == 1
        assert liar.paid == []
        for node in (honest, liar):
            node.announce("")


def test_discovery__nobody_serves__said_with_reasons(market, onlooker):
    """Without a node nothing is signed, and every endpoint that was asked is named with its reason."""
    with pytest.raises(ServiceUnreachableError, match="found none among"):
        market.model(onlooker).predict(VALUES)
    assert not list((onlooker.directory / "calls").glob("*"))


def test_discovery__all_too_dear__refused_before_anything_is_signed(market, node, onlooker):
    """No request is signed above what the caller allows."""
    with pytest.raises(PaymentRequiredError, match=r"for at most 3\.009999 zUSD, found 3\.010000"):
        market.model(onlooker, node=node.url, max_fee=PRICE - 1).predict(VALUES)
    assert not onlooker.directory.exists()


def test_manifest__from_the_node__held_against_the_registry(market, node, onlooker):
    """The manifest comes from a node by its CID, and other bytes are refused."""
    market_bytes, market.manifest_bytes = market.manifest_bytes, b"{}"
    try:
        with pytest.raises(DigestMismatchError, match="from the node"):
            market.model(onlooker, node=node.url).predict(VALUES)
    finally:
        market.manifest_bytes = market_bytes
    assert market.model(onlooker, node=node.url).manifest == market.manifest


# --- what a node asks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("twist", "error"),
    [
        ({"manager": "0x" + "11" * 20}, BindingError),
        ({"model_id": "7"}, BindingError),
        ({"circuit_id": "0x" + "11" * 32}, BindingError),
        ({"verifying_key": "0x" + "11" * 32}, BindingError),
        ({"verifier_class": "ceremony"}, BindingError),
        ({"model_fee": "1"}, BindingError),
        ({"flat_fee": "0"}, BindingError),
        ({"input_bytes": 21}, BindingError),
        ({"least_expiry_seconds": 1e9}, PaymentRequiredError),
        ({"prover_fee": str(1 << 80)}, PaymentRequiredError),
        ({"prover_fee": "-1"}, ServiceUnreachableError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_offer__differs_from_the_chain__refused_unsigned(market, node, onlooker, twist, error):
    """Every field of an offer is held against the chain, and nothing is signed where one differs."""
    node.twist_offer = lambda fields: fields.update(twist)
    with pytest.raises(error):
        market.model(onlooker, node=node.url).predict(VALUES)
    assert node.paid == []


@pytest.mark.parametrize(
    ("twist", "error", "words"),
    [
        ({"asset": "0x" + "11" * 20}, BindingError, "asset"),
        ({"payTo": "0x" + "11" * 20}, BindingError, "payee"),
        ({"amount": "1"}, BindingError, "amount"),
        ({"network": "eip155:1"}, PaymentRequiredError, "accepted-proof on eip155:1"),
        ({"scheme": "exact"}, PaymentRequiredError, "exact on"),
        ({"maxTimeoutSeconds": 10**6}, PaymentRequiredError, "timeout"),
        ({"extra": {}}, ServiceUnreachableError, "expected an offer"),
    ],
)
def test_terms__differ_from_the_chain__refused_unsigned(market, node, onlooker, twist, error, words):
    """Every field of the 402 is held against the chain, and nothing is signed where one differs."""
    node.twist_terms = lambda fields: fields.update(twist)
    with pytest.raises(error, match=words):
        market.model(onlooker, node=node.url).predict(VALUES)
    assert node.paid == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "%%%",
        "e30=",
        base64.b64encode(b'{"x402Version": 1, "accepts": []}').decode(),
        "A" * 20_000,
        base64.b64encode(b'{"x402Version": 2, "accepts": []}').decode(),
        base64.b64encode(b'{"x402Version": 9, "accepts": []}').decode(),
        base64.b64encode(b"[" * 5000).decode(),
    ],
    ids=["none", "no base64", "empty", "v1", "long", "no way", "v9", "deep"],
)
def test_header__malformed__refused_unsigned(market, node, onlooker, header):
    """A PAYMENT-REQUIRED that is none is refused in words, and nothing is signed."""
    node.header = header
    with pytest.raises((ServiceUnreachableError, PaymentRequiredError)):
        market.model(onlooker, node=node.url).predict(VALUES)
    assert node.paid == []


def test_price__raised_between_offer_and_402__within_the_limit_or_refused(market, node, onlooker):
    """What counts is the 402; above the caller's limit nothing is signed."""

    def raise_fee(fields):
        node.fee = FEE + 1

    model = market.model(onlooker, node=node.url)
    node.twist_offer = raise_fee
    with pytest.raises((PaymentRequiredError, BindingError)):
        model.predict(VALUES)
    assert node.paid == []


# --- what a node answers --------------------------------------------------------------------------

OTHER = pack([-5, 70_001], 4)


def other_request(fields):
    fields["request"] = fields["request"] | {"nonce": "9"}


CHEATS = {
    "wrong output": (lambda f: f.update(output=to_hex(OTHER)), ProofRejectedError),
    "proof of another output": (
        lambda f: f.update(proof=to_hex(proof_of(from_hex(f["input"]), OTHER))),
        ProofRejectedError,
    ),
    "stale proof of another input": (
        lambda f: f.update(proof=to_hex(proof_of(example_input(), EXAMPLE_OUTPUT))),
        ProofRejectedError,
    ),
    "another input and its proof": (
        lambda f: f.update(
            input=to_hex(example_input()), proof=to_hex(proof_of(example_input(), EXAMPLE_OUTPUT))
        ),
        BindingError,
    ),
    "proof of another circuit": (lambda f: f.update(proof="0x" + "00" * 64), ProofRejectedError),
    "another request's id": (lambda f: f.update(id="0x" + "11" * 32), BindingError),
    "another request": (other_request, BindingError),
    "another prover": (lambda f: f.update(prover="0x" + "11" * 20), BindingError),
    "longer output": (lambda f: f.update(output=f["output"] + "00"), ProofRejectedError),
}


@pytest.mark.parametrize("name", CHEATS)
def test_answer__cheat__no_output_exit_3_and_the_honest_one_costs_nothing_more(market, node, requester, name):
    """An answer that is not proved is not returned; the same signed request gets the honest answer later."""
    twist, error = CHEATS[name]
    node.twist_answer, node.settles = twist, False
    model = market.model(requester, node=node.url, wait_seconds=0)
    with pytest.raises(error) as caught:
        model.predict(VALUES)
    assert caught.value.exit_code == 3
    node.twist_answer = lambda fields: None
    prediction = model.predict(VALUES)
    assert prediction.is_resumed
    assert node.paid[0]["request"] == node.paid[-1]["request"]


def endless(handler):
    handler.begin_stream()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"data: " + b"x" * 65_536)
    return True


def endless_events(handler):
    handler.begin_stream()
    with contextlib.suppress(OSError):
        while True:
            handler.event("progress", {"stage": "prove", "elapsed_seconds": 1.0})
    return True


def oversized(handler):
    with contextlib.suppress(OSError):
        handler.raw(200, b"x" * 2_000_000, "application/json")
    return True


def redirect(handler):
    handler.raw(307, b"", "text/plain", {"Location": "http://169.254.169.254/latest/meta-data"})
    return True


def nonsense(handler):
    handler.raw(200, b"\x1b[2J not json", "application/json")
    return True


def compressed(handler):
    handler.raw(200, b"x", "application/json", {"Content-Encoding": "gzip"})
    return True


def cut_off(handler):
    handler.begin_stream()
    handler.wfile.write(b"event: answer\r\ndata: {")
    return True


def refuse_once(status, **problem):
    def refuse(handler):
        handler.problem(status, "expected \x1b[31m something else", **problem)
        return True

    return refuse


@pytest.mark.parametrize(
    ("lie", "error", "words"),
    [
        (endless, ServiceUnreachableError, "bytes"),
        (endless_events, ServiceUnreachableError, "bytes|events|within 1 s"),
        (oversized, ServiceUnreachableError, "at most 1000000 bytes"),
        (redirect, ServiceUnreachableError, "found a redirect"),
        (nonsense, ServiceUnreachableError, "expected JSON"),
        (compressed, ServiceUnreachableError, "compressed"),
        (cut_off, ServiceUnreachableError, "end of the stream"),
        (refuse_once(402), PaymentRequiredError, "HTTP status 402"),
        (refuse_once(422), RequestRefusedError, "HTTP status 422"),
        (refuse_once(500), ServiceUnreachableError, "HTTP status 500"),
        (refuse_once(429, retryable=True), ServiceBusyError, "HTTP status 429"),
    ],
    ids=[
        "endless",
        "endless events",
        "oversized",
        "redirect",
        "nonsense",
        "compressed",
        "cut off",
        "price raised after signing",
        "refused",
        "broken",
        "busy",
    ],
)
def test_answer__withheld_or_no_protocol__no_output_and_nothing_paid_twice(
    market, node, requester, lie, error, words
):
    """Whatever comes instead of an answer, no output is returned, and one signature is all the node ever has."""
    requester = replace(requester, settings=replace(requester.settings, max_response_bytes=1_000_000))
    node.before_answer = lie
    model = market.model(requester, node=node.url, timeout_seconds=1.0, wait_seconds=0)
    with pytest.raises(error, match=words) as caught:
        model.predict(VALUES)
    assert "\x1b" not in str(caught.value) + caught.value.hint
    assert caught.value.exit_code == 1
    node.before_answer = lambda handler: False
    assert market.model(requester, node=node.url).predict(VALUES).is_resumed
    assert {payment["request"]["nonce"] for payment in node.paid} == {"0"}
    assert len(set(node.keys)) == 1


def test_withheld__silent_node__bounded_and_money_back_after_the_expiry(market, node, requester):
    """A node that takes the payment and keeps silent gets nothing: the tab goes back whole at its expiry."""
    released = threading.Event()
    node.before_answer = lambda handler: released.wait(30)
    model = market.model(requester, node=node.url, timeout_seconds=0.5)
    try:
        with pytest.raises(ServiceUnreachableError, match="within"):
            model.predict(VALUES)
    finally:
        released.set()
    tab = next(iter(market.bound.tabs.events.tabs(requester=requester.account.address)))
    with undone(market):
        pass_time(market.bound.chain, 90_000)
        close_tab(market.bound, requester.account, tab.tab_id)
        assert withdraw(market.bound, requester.account).amount == 10 * ONE_TOKEN


def test_withheld__but_settled__answer_read_from_the_chain(market, node, requester):
    """A node that has its proof paid and keeps the answer cannot: the chain has it, and it is verified here."""

    def settle_silently(handler):
        answer = node.answer(node.paid[-1], {"input": node.market_input})
        node.settle(answer)
        handler.problem(500, "gone")
        return True

    model = market.model(requester, node=node.url)
    node.market_input = to_hex(pack_input(VALUES, model.manifest))
    node.before_answer = settle_silently
    prediction = model.predict(VALUES)
    assert prediction.output.tolist() == [[-1.25, 17_500.0]]
    assert prediction.receipt.transaction


# --- crashes --------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def unreachable(*_args):
    raise RpcError("expected an answer, found none")


def die(*_args, **_kwargs):
    raise Killed


def test_crash__after_signing_before_sending__same_request_is_sent(market, node, requester, monkeypatch):
    """What was signed and kept is sent by the next call, and nothing else is signed."""
    model = market.model(requester, node=node.url)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.inference.receive", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    assert node.paid == []
    prediction = model.predict(VALUES)
    assert prediction.is_resumed
    assert [payment["request"]["nonce"] for payment in node.paid] == ["0"]


def test_crash__after_the_answer_before_it_is_kept__asked_for_again(market, node, requester, monkeypatch):
    """An answer that was not kept is had again for the same payment, though it is settled by then."""
    model = market.model(requester, node=node.url)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.inference._keep_proof", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    prediction = model.predict(VALUES)
    assert prediction.is_resumed
    assert prediction.receipt.price == PRICE
    assert {payment["request"]["nonce"] for payment in node.paid} == {"0"}


def test_crash__while_the_settlement_is_awaited__answer_had_again_unpaid(
    market, node, requester, monkeypatch
):
    """Ctrl-C or a dead endpoint after the answer loses neither the answer nor a second payment."""
    model = market.model(requester, node=node.url)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.inference.wait_for_payment", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.receipts._confirmed", unreachable)
        prediction = market.model(requester, node=node.url, wait_seconds=0.1).predict(VALUES)
    assert prediction.is_resumed
    assert prediction.receipt.transaction == ""
    assert {payment["request"]["nonce"] for payment in node.paid} == {"0"}


def test_crash__while_the_tab_is_opened__one_tab(market, node, requester, monkeypatch):
    """An opening that was kept and sent is found again: a crash reserves no money twice."""
    model = market.model(requester, node=node.url)
    model.manifest  # noqa: B018 fetched before the crash
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.tabs.TabJournal.finish", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    assert len(list(requester.openings.pending())) == 1
    model.predict(VALUES)
    assert len(list(market.bound.tabs.events.tabs(requester=requester.account.address))) == 1
    assert not list(requester.openings.pending())


def test_crash__opening_kept_and_never_sent__sent_then(market, node, requester, monkeypatch):
    """An opening that never left this machine is sent by the next call, in place of another one."""
    model = market.model(requester, node=node.url)
    model.manifest  # noqa: B018 fetched before the crash
    market.bound.token.ensure_allowance(requester.account, market.bound.ledger.address, 100 * ONE_TOKEN)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.adapters.evm.transactions.broadcast", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    (record,) = requester.openings.pending()
    assert model.predict(VALUES).receipt.tab_id == record.tab_id


def test_resume__price_above_the_new_limit__refused_not_signed_again(market, node, requester, monkeypatch):
    """A call that was begun dearer than is allowed now is not taken up silently."""
    model = market.model(requester, node=node.url)
    with monkeypatch.context() as patch:
        patch.setattr("zkml.client.inference.receive", die)
        with pytest.raises(Killed):
            model.predict(VALUES)
    with pytest.raises(PaymentRequiredError, match="not answered yet"):
        model.predict(VALUES, max_fee=PRICE - 1)
    fresh = model.predict(VALUES, fresh=True)
    assert not fresh.is_resumed
    assert fresh.request.nonce == "1"


def test_resume__expired_without_an_answer__put_aside_and_signed_anew(market, node, requester):
    """Past its expiry nobody can be paid for a request any more: then, and not before, a new one is signed."""
    node.before_answer = refuse_once(500)
    with pytest.raises(ServiceUnreachableError):
        market.model(requester, node=node.url, timeout_seconds=0.5).predict(VALUES)
    node.before_answer = lambda handler: False
    with undone(market):
        pass_time(market.bound.chain, 4000)
        prediction = market.model(requester, node=node.url).predict(VALUES)
        assert not prediction.is_resumed
        assert prediction.request.nonce == "1"
    assert len(list(requester.calls.directory.glob("*.abandoned"))) == 1


def test_resume__its_tab_can_never_open__signed_anew_at_once(market, node, tmp_path):
    """A signature that opens no tab any more pays for nothing: the next call does not wait for its expiry."""
    account = Account.create()
    market.bound.token.mint(market.built.deployer, account.address, 20 * ONE_TOKEN)
    requester = market.requester(tmp_path, account)
    node.before_answer = refuse_once(500)
    with pytest.raises(ServiceUnreachableError):
        market.model(requester, node=node.url, timeout_seconds=0.5).predict(VALUES)
    market.bound.chain.send_once("anvil_setBalance", [account.address, hex(10**18)])
    open_tab(
        market.bound,
        account,
        model_id=market.model_id,
        prover=node.account.address,
        amount=5 * ONE_TOKEN,
        expiry=market.bound.chain.now() + 3600,
        accepted_classes=LOCAL,
    )
    node.before_answer = lambda handler: False
    prediction = market.model(requester, node=node.url).predict(VALUES)
    assert not prediction.is_resumed
    assert prediction.request.tab_id != node.paid[0]["request"]["tab_id"]
    assert len(list(requester.openings.directory.glob("*.abandoned"))) == 1


@contextlib.contextmanager
def undone(market):
    snapshot = market.bound.chain.send_once("evm_snapshot", [])
    try:
        yield
    finally:
        assert market.bound.chain.send_once("evm_revert", [snapshot]) is True
