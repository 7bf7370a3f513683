"""A transaction is void only when nobody can doubt it, and is then replaced only where that does no harm."""

from contextlib import contextmanager

import pytest
from eth_account import Account

from zkml.adapters.evm import transactions
from zkml.adapters.evm.thread_locks import ThreadLocks
from zkml.adapters.evm.transactions import Call, SignedTransaction, is_void, send, send_repeatable
from zkml.errors import ChainError

SIGNED = SignedTransaction("0x" + "ab" * 32, b"raw", "0x" + "11" * 20, 7, "settle")
ACCOUNT = Account.from_key("0x" + "01" * 32)
HEIGHT = 100


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(transactions.time, "sleep", lambda _seconds: None)


class LateAnswers:
    """A node that raises the nonce some answers before it has the receipt, or knows the transaction."""

    def __init__(self, nonce, *, empty_answers=100, is_known=False, confirmations=0, deep_nonce=None):
        self._nonce, self._deep_nonce = nonce, nonce if deep_nonce is None else deep_nonce
        self._left, self._is_known = empty_answers, is_known
        self.confirmations = confirmations

    def height(self):
        return HEIGHT

    def nonce(self, _sender, block):
        return self._nonce if block == "latest" or block > HEIGHT - 3 else self._deep_nonce

    def receipt(self, _transaction):
        self._left -= 1
        return None if self._left >= 0 else object()

    def transaction(self, _transaction):
        return object() if self._is_known else None


def test_is_void__receipt_comes_after_the_nonce__is_not_void():
    """A receipt that is a moment late does not make a second transaction for the same purpose."""
    assert not is_void(LateAnswers(8, empty_answers=3), SIGNED)


def test_is_void__receipt_never_comes_but_the_node_knows_the_transaction__is_not_void():
    """However late receipts are, what the node knows by its hash was not replaced by another one."""
    assert not is_void(LateAnswers(8, is_known=True), SIGNED)


def test_is_void__nonce_spent_and_neither_receipt_nor_transaction__is_void():
    """A nonce that went to another transaction makes this one void."""
    assert is_void(LateAnswers(8), SIGNED)


def test_is_void__nonce_still_free__is_not_void():
    """While the nonce is free the transaction may yet be mined."""
    assert not is_void(LateAnswers(7), SIGNED)


def test_is_void__nonce_spent_in_a_block_that_a_reorg_may_undo__is_not_void():
    """A nonce counts as spent when the block that spent it has the chain's confirmations."""
    assert not is_void(LateAnswers(8, deep_nonce=7, confirmations=3), SIGNED)
    assert is_void(LateAnswers(8, confirmations=3), SIGNED)


class TakenNonces:
    """A chain on which another process takes the nonces of the first transactions that are broadcast."""

    chain_id, head, confirmations, receipt_timeout_seconds, max_fee_gwei = 1, "latest", 0, 1.0, 500.0
    sending_lock = ThreadLocks()

    def __init__(self, monkeypatch, taken):
        self.signed, self._taken = [], taken
        monkeypatch.setattr(transactions, "simulate", lambda *_: b"")
        monkeypatch.setattr(transactions, "estimate_gas", lambda *_: 21_000)
        monkeypatch.setattr(transactions, "fee_fields", lambda _: {"gasPrice": 1})
        monkeypatch.setattr(transactions, "broadcast", self.broadcast)
        monkeypatch.setattr(transactions, "wait", lambda *_, **__: "receipt")

    def nonce(self, _sender):
        return len(self.signed)

    def broadcast(self, _chain, signed):
        if len(self.signed) <= self._taken:
            raise ChainError("expected a free nonce, found it taken", void=True)


CALL = Call(ACCOUNT.address, b"", "JobManager.open")


def test_send__nonce_taken__fails_and_signs_nothing_again(monkeypatch):
    """What would do harm twice, as opening a job does, is signed once, whatever became of it."""
    chain = TakenNonces(monkeypatch, taken=1)
    with pytest.raises(ChainError) as caught:
        send(chain, ACCOUNT, CALL, on_signed=chain.signed.append)
    assert caught.value.context["void"]
    assert len(chain.signed) == 1


def test_send_repeatable__nonce_taken__is_signed_again_with_the_next(monkeypatch):
    """What may be done twice is signed again, a few times, and each is handed over."""
    chain = TakenNonces(monkeypatch, taken=2)
    assert send_repeatable(chain, ACCOUNT, CALL, on_signed=chain.signed.append) == "receipt"
    assert [signed.nonce for signed in chain.signed] == [0, 1, 2]


def test_send_repeatable__nonce_always_taken__gives_up(monkeypatch):
    """A rival that takes every nonce ends the attempts."""
    chain = TakenNonces(monkeypatch, taken=100)
    with pytest.raises(ChainError):
        send_repeatable(chain, ACCOUNT, CALL, on_signed=chain.signed.append)
    assert len(chain.signed) == 3


class NotedLock:
    """Notes when it is held, beside what happens meanwhile."""

    def __init__(self, notes):
        self._notes = notes

    @contextmanager
    def hold(self, chain_id, account):
        self._notes.append(f"hold {chain_id} {account == ACCOUNT.address}")
        yield
        self._notes.append("let go")


def test_send__from_the_nonce_to_the_broadcast__holds_the_sending_lock(monkeypatch):
    """Nobody who shares the lock reads the same nonce; the wait for the block holds nobody up."""
    chain, notes = TakenNonces(monkeypatch, taken=-1), []
    chain.sending_lock = NotedLock(notes)
    monkeypatch.setattr(chain, "nonce", lambda _: notes.append("nonce") or 0)
    monkeypatch.setattr(transactions, "broadcast", lambda *_: notes.append("broadcast"))
    monkeypatch.setattr(transactions, "wait", lambda *_, **__: notes.append("wait"))
    send(chain, ACCOUNT, CALL, on_signed=lambda _: notes.append("kept"))
    assert notes == ["hold 1 True", "nonce", "kept", "broadcast", "let go", "wait"]
