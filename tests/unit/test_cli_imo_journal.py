"""Moves that must not happen twice: until who asked is told, the same words find the move again."""

from types import SimpleNamespace

import pytest

from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.cli.imo_journal import MoveJournal

BUYER, OFFERINGS = "0x" + "11" * 20, "0x" + "22" * 20
CHAIN = SimpleNamespace(chain_id=31337, genesis_hash="0x" + "33" * 32)


def receipt_of(signed):
    return TransactionReceipt(signed.transaction, 1, "0x" + "44" * 32, True, 21_000, 1, None, ())


class Offerings:
    """Mines whatever is signed, one transaction after the other."""

    chain, address = CHAIN, OFFERINGS

    def __init__(self):
        self.sent = 0

    def transact(self, account, function, *arguments, on_signed):
        self.sent += 1
        signed = SignedTransaction(f"0x{self.sent:064x}", b"raw", account.address, self.sent, function)
        on_signed(signed)
        return receipt_of(signed)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return what begins a new run over the same journal."""
    monkeypatch.setattr(
        "zkml.cli.imo_journal.end_signed", lambda _market, signed, _account: receipt_of(signed)
    )
    contract = Offerings()
    return lambda: MoveJournal(tmp_path, None, contract, SimpleNamespace(address=BUYER))


def test_resumed__whoever_asked_was_not_told__finds_the_move_until_told(start):
    """An endpoint that fails after the receipt, as a kill does, makes nobody buy twice."""
    sent = start().send("reserve 3", "reserve", 1, 3, 3)
    assert start().resumed("reserve 3") == sent
    again = start()
    assert again.resumed("reserve 3") == sent
    again.told()
    assert start().resumed("reserve 3") is None


def test_resumed__other_words_in_between__leave_the_move_to_who_asks_for_it(start):
    """A command in between must not make the words that were interrupted buy again."""
    sent = start().send("reserve 3", "reserve", 1, 3, 3)
    between = start()
    assert between.resumed("reserve 5") is None
    between.send("reserve 5", "reserve", 1, 5, 5)
    between.told()
    assert start().resumed("reserve 5") is None
    assert start().resumed("reserve 3") == sent
