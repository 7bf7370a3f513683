"""A transaction is void only when its nonce is spent and its receipt never comes."""

from zkml.adapters.evm import transactions
from zkml.adapters.evm.transactions import SignedTransaction, is_void

SIGNED = SignedTransaction("0x" + "ab" * 32, b"raw", "0x" + "11" * 20, 7, "settle")


class LateReceipts:
    """A node that raises the nonce some answers before it has the receipt."""

    def __init__(self, nonce: int, answers_without_receipt: int) -> None:
        self._nonce = nonce
        self._left = answers_without_receipt

    def nonce(self, _sender, _tag):
        return self._nonce

    def receipt(self, _transaction):
        self._left -= 1
        return None if self._left >= 0 else object()


def test_is_void__receipt_comes_after_the_nonce__is_not_void(monkeypatch):
    """A receipt that is a moment late does not make a second transaction for the same purpose."""
    monkeypatch.setattr(transactions.time, "sleep", lambda _seconds: None)
    assert not is_void(LateReceipts(nonce=8, answers_without_receipt=3), SIGNED)


def test_is_void__nonce_spent_and_no_receipt_ever__is_void(monkeypatch):
    """A nonce that went to another transaction makes this one void."""
    monkeypatch.setattr(transactions.time, "sleep", lambda _seconds: None)
    assert is_void(LateReceipts(nonce=8, answers_without_receipt=100), SIGNED)


def test_is_void__nonce_still_free__is_not_void():
    """While the nonce is free the transaction may yet be mined."""
    assert not is_void(LateReceipts(nonce=7, answers_without_receipt=100), SIGNED)
