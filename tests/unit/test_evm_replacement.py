"""A kept transaction says what it does, and an empty one that takes its nonce outbids it."""

import pytest
from eth_account import Account

from zkml.adapters.evm import replacement, transactions
from zkml.adapters.evm.replacement import call_of, spend_nonce
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.errors import ChainError, FormatError, RpcError

ACCOUNT = Account.from_key("0x" + "01" * 32)
TARGET = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
GWEI = 10**9
FEES = {
    "typed": {"type": 2, "maxFeePerGas": 40 * GWEI, "maxPriorityFeePerGas": 4 * GWEI},
    "legacy": {"gasPrice": 40 * GWEI},
}


def signed_with(fees, *, target=TARGET):
    fields = {"chainId": 1, "nonce": 5, "value": 3, "data": b"\x01\x02", "gas": 50_000, **fees}
    signed = ACCOUNT.sign_transaction(fields | ({"to": target} if target else {}))
    raw = bytes(signed.raw_transaction)
    return SignedTransaction("0x" + bytes(signed.hash).hex(), raw, ACCOUNT.address, 5, "open")


@pytest.mark.parametrize("kind", FEES)
@pytest.mark.parametrize("target", [TARGET, None])
def test_call_of__what_was_signed__is_read_back(kind, target):
    """Target, calldata and value come back from the bytes of either kind, creations included."""
    call = call_of(signed_with(FEES[kind], target=target))
    assert (call.target, call.data, call.value_wei) == (target, b"\x01\x02", 3)


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\xc0", b"\xc0", b"\x7f" * 50, b"\x02" + b"\xff" * 9])
def test_call_of__other_bytes__format_error(raw):
    """A record with other bytes in it is damaged, and never sent."""
    with pytest.raises(FormatError, match="expected a signed transaction"):
        call_of(SignedTransaction("0x" + "ab" * 32, raw, ACCOUNT.address, 5, "open"))


@pytest.mark.parametrize(
    ("kind", "limit", "expected"),
    [
        ("typed", 500.0, {"maxFeePerGas": 50 * GWEI + 1, "maxPriorityFeePerGas": 5 * GWEI + 1}),
        ("legacy", 500.0, {"gasPrice": 50 * GWEI + 1}),
        ("typed", 45.0, {"maxFeePerGas": 45 * GWEI, "maxPriorityFeePerGas": 5 * GWEI + 1}),
    ],
)
def test_spend_nonce__nodes_that_still_have_the_kept_one__are_outbid_within_the_limit(
    monkeypatch, kind, limit, expected
):
    """The empty transaction has the same nonce, pays a quarter more, and no more than the setting allows."""
    seen = {}

    class LimitedChain:
        max_fee_gwei = limit

    def sign(_chain, account, call, **options):
        seen.update(options, target=call.target, data=call.data, account=account)

    monkeypatch.setattr(transactions, "sign", sign)
    monkeypatch.setattr(transactions, "broadcast", lambda *_: None)
    monkeypatch.setattr(transactions, "wait", lambda *_: None)
    monkeypatch.setattr(replacement, "fee_fields", lambda _: dict.fromkeys(FEES[kind], 1))
    spend_nonce(LimitedChain(), ACCOUNT, signed_with(FEES[kind]))
    assert {name: seen["fees"][name] for name in expected} == expected
    assert (seen["nonce"], seen["target"], seen["data"]) == (5, ACCOUNT.address, b"")


class PricedChain:
    """A chain that asks a price, with a limit on what is paid."""

    chain_id = 1

    def __init__(self, monkeypatch, asked, limit=500.0):
        self.max_fee_gwei = limit
        monkeypatch.setattr(replacement, "fee_fields", lambda _: asked)


def fees_of(signed):
    fields = replacement._fields(signed)
    names = ("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas")
    return {name: int.from_bytes(fields[name], "big") for name in names if name in fields}


@pytest.mark.parametrize("kind", FEES)
@pytest.mark.parametrize("target", [TARGET, None])
def test_outbid__waiting_transaction__the_same_for_an_eighth_more(monkeypatch, kind, target):
    """Nonce, gas limit and call stay; each fee rises by 12.5 %, which every node takes for a replacement."""
    chain = PricedChain(monkeypatch, dict.fromkeys(FEES[kind], 1))
    waiting = signed_with(FEES[kind], target=target)
    found = replacement.outbid(chain, ACCOUNT, waiting)
    assert found.nonce == waiting.nonce
    assert found.transaction != waiting.transaction
    assert call_of(found) == call_of(waiting)
    assert replacement._fields(found)["gas"] == replacement._fields(waiting)["gas"]
    for name, held in fees_of(waiting).items():
        assert held * 1125 // 1000 < fees_of(found)[name] <= held * 1125 // 1000 + 1


def test_outbid__chain_asks_for_more__offers_what_it_asks(monkeypatch):
    """A base fee that has doubled is followed at once."""
    asked = {"type": 2, "maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": GWEI}
    found = replacement.outbid(PricedChain(monkeypatch, asked), ACCOUNT, signed_with(FEES["typed"]))
    assert fees_of(found) == {"maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": 4500000001}


def test_outbid__near_the_limit__goes_up_to_it_and_then_not_at_all(monkeypatch):
    """Nothing is signed for more than the setting allows, nor for less than a node takes."""
    asked = dict.fromkeys(FEES["typed"], 1)
    within = replacement.outbid(PricedChain(monkeypatch, asked, 44.5), ACCOUNT, signed_with(FEES["typed"]))
    assert fees_of(within)["maxFeePerGas"] == int(44.5 * GWEI)
    beyond = PricedChain(monkeypatch, asked, 43.9)
    assert replacement.outbid(beyond, ACCOUNT, signed_with(FEES["typed"])) is None


def test_outbid__gas_dearer_than_the_limit__signs_nothing(monkeypatch):
    """While the chain is too dear, the transaction waits as it is; an endpoint that is down is an error."""
    chain = PricedChain(monkeypatch, {})

    def refuse(_):
        raise ChainError("expected one gas for at most 500 gwei, found 900")

    def fail(_):
        raise RpcError("expected an answer, found nobody listening")

    monkeypatch.setattr(replacement, "fee_fields", refuse)
    assert replacement.outbid(chain, ACCOUNT, signed_with(FEES["typed"])) is None
    monkeypatch.setattr(replacement, "fee_fields", fail)
    with pytest.raises(RpcError):
        replacement.outbid(chain, ACCOUNT, signed_with(FEES["typed"]))
