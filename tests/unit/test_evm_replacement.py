"""A kept transaction says what it does, and an empty one that takes its nonce outbids it."""

import pytest
from eth_account import Account

from zkml.adapters.evm import replacement, transactions
from zkml.adapters.evm.replacement import call_of, spend_nonce
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.errors import FormatError

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
