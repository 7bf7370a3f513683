"""The outbox: one effect per purpose, whatever waits, fails, lies or is killed on the way."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prover_simulator import COLLATERAL, PROVER, SimulatedChain, SimulatedClock, SimulatedMarket

from prover_nodes.journal import Purpose, open_journal
from prover_nodes.observer import SilentObserver
from prover_nodes.outbox import Outbox
from zkml.core.tensors import pack
from zkml.errors import (
    ChainError,
    InsufficientFundsError,
    RpcError,
    StakeError,
    StorageError,
    TransactionTimeoutError,
)

INPUT = pack([1, 2, 3, 4], 1)
REPLACE_SECONDS = 45.0
TIMEOUT_SECONDS = 400.0
PRICE = 100
"""What the simulator's transactions offer at first."""


class Notes(SilentObserver):
    """Keeps what it hears."""

    def __init__(self):
        self.sent, self.gas, self.failures = [], [], []

    def transaction_sent(self, purpose, *, replacement):
        self.sent.append((str(purpose), replacement))

    def gas_spent(self, purpose, *, gas, wei, succeeded):
        self.gas.append((str(purpose), gas, wei, succeeded))

    def chain_failed(self, code):
        self.failures.append(code)


class Troubled(SimulatedMarket):
    """A market whose endpoint fails when it is told to."""

    def __init__(self, chain):
        super().__init__(chain)
        self.down_until = -1.0
        self.clock = None
        self.forks = 0
        self.signed_at = []

    def _answer(self):
        if self.clock is not None and self.clock.seconds < self.down_until:
            raise RpcError("expected an answer, found nobody listening")

    def receipt(self, transaction):
        self._answer()
        return super().receipt(transaction)

    def sign(self, call, *, nonce=None):
        self.signed_at.append((nonce, self.spent_nonce()))
        # Somebody else has time to read the same nonce.
        threading.Event().wait(0.002)
        return super().sign(call, nonce=nonce)

    def has_block(self, number, block_hash):
        if self.forks:
            self.forks -= 1
            return False
        return super().has_block(number, block_hash)


@pytest.fixture
def chain():
    found = SimulatedChain(instant=False)
    found.endow(PROVER)
    return found


@pytest.fixture
def market(chain):
    return Troubled(chain)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def outbox(chain, market, journal, notes):
    market.clock = SimulatedClock(chain)
    return Outbox(
        market,
        journal,
        market.clock,
        TIMEOUT_SECONDS,
        0,
        replace_seconds=REPLACE_SECONDS,
        observer=notes,
    )


def prices(chain):
    return [json.loads(signed.raw)["price"] for signed in chain.broadcasts]


def test_deliver__stuck_for_45_s__replaced_at_the_same_nonce(chain, market, outbox, notes):
    """A transaction too cheap for the chain is sent again for an eighth more until it is mined; it is paid once."""
    chain.least_price = PRICE + 20
    receipt = outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert {signed.nonce for signed in chain.broadcasts} == {0}
    assert prices(chain) == [100, 113, 128]
    assert receipt.transaction == chain.broadcasts[-1].transaction
    assert chain.state.nonces[PROVER] == 1
    assert notes.sent == [("approve", False), ("approve", True), ("approve", True)]
    assert [(purpose, succeeded) for purpose, _, _, succeeded in notes.gas] == [("approve", True)]


def test_deliver__first_attempt_mined_after_all__its_receipt_is_found(chain, market, outbox, journal):
    """Whichever attempt of a nonce is mined counts: also the one that was replaced."""
    chain.least_price = PRICE + 20
    call = market.plan_approve(5)
    outbox.timeout_seconds = 60
    with pytest.raises(TransactionTimeoutError):
        outbox.deliver("something", Purpose.APPROVE, call)
    first, second = journal.attempts("something", Purpose.APPROVE)
    chain.mempool.clear()
    chain.least_price = 0
    chain.mempool[first.transaction] = first
    chain.mine()
    assert outbox.deliver("something", Purpose.APPROVE, call).transaction == first.transaction
    assert outbox.find("something", Purpose.APPROVE).transaction == first.transaction
    assert len(chain.broadcasts) == 2
    assert second.nonce == first.nonce


def test_deliver__restarted_after_a_replacement__looks_for_every_attempt_and_sends_none(
    chain, market, outbox, journal
):
    """A new process finds the receipt of any attempt; a second transaction would be paid twice."""
    chain.least_price = PRICE + 20
    outbox.timeout_seconds = 60
    with pytest.raises(TransactionTimeoutError):
        outbox.deliver("something", Purpose.STAKE, market.plan_approve(5))
    chain.least_price = 0
    chain.mine()
    reborn = Outbox(SimulatedMarket(chain), journal, SimulatedClock(chain), 60.0, 0)
    receipt = reborn.deliver("something", Purpose.STAKE, market.plan_approve(5))
    assert receipt.transaction in {signed.transaction for signed in chain.broadcasts}
    assert len(chain.broadcasts) == 2
    assert chain.state.nonces[PROVER] == 1


def test_deliver__gas_above_the_limit__is_not_outbid_and_waits(chain, market, outbox, monkeypatch):
    """Where more gas may not be paid, nothing is signed; the first attempt waits until the time is over."""
    chain.least_price = PRICE + 1
    monkeypatch.setattr(SimulatedMarket, "outbid", lambda *_: None)
    with pytest.raises(TransactionTimeoutError):
        outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert prices(chain) == [100]
    chain.least_price = 0
    outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert len(chain.broadcasts) == 1


def test_deliver__many_threads__each_has_a_nonce_of_its_own(chain, market, outbox, journal):
    """Twelve deliveries at once take twelve nonces in a row, and each is mined once."""
    market.clock = None
    start = threading.Barrier(12)

    def deliver(number):
        start.wait()
        return outbox.deliver(f"subject {number}", Purpose.APPROVE, market.plan_approve(number))

    with ThreadPoolExecutor(12) as pool:
        receipts = list(pool.map(deliver, range(12)))
    assert len({receipt.transaction for receipt in receipts}) == 12
    assert sorted(signed.nonce for signed in chain.broadcasts) == list(range(12))


def test_deliver__endpoint_down_for_a_minute__waits_and_goes_on(chain, market, outbox, notes):
    """An outage while a transaction waits neither ends the wait nor makes a second transaction."""
    market.down_until = 60.0
    receipt = outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert receipt.succeeded
    assert len(chain.broadcasts) == 1
    assert 3 < len(notes.failures) < 20


def test_deliver__endpoint_down_for_good__retryable_error_and_the_transaction_is_kept(
    market, outbox, journal
):
    """After the timeout the endpoint's error comes out, and the next delivery takes the same transaction."""
    market.down_until = 1e9
    with pytest.raises(RpcError, match="nobody listening") as caught:
        outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert caught.value.retryable
    [kept] = journal.attempts("something", Purpose.APPROVE)
    market.down_until = -1.0
    assert (
        outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5)).transaction == kept.transaction
    )


def test_deliver__receipt_of_a_block_that_is_not_in_the_chain__is_not_believed(chain, market, outbox):
    """A receipt counts once its block is the canonical one at its height."""
    market.forks = 5
    seen = market.clock.seconds
    receipt = outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert market.forks == 0
    assert receipt.succeeded
    assert market.clock.seconds > seen
    assert len(chain.broadcasts) == 1


def test_confirm__endpoint_down_for_a_minute__waits_and_goes_on(chain, market, outbox):
    """Nor does an outage undo what was mined."""
    receipt = outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    market.down_until = market.clock.seconds + 60
    outbox.confirmations = 3
    assert outbox.confirm(receipt.transaction, "it") == receipt
    assert chain.height >= receipt.block + 3


def test_deliver__journal_cannot_be_written__nothing_is_sent(chain, market, outbox, journal, monkeypatch):
    """What the journal does not have, nobody gets to see."""

    def refuse(*_):
        raise StorageError("expected room, found the disk full")

    monkeypatch.setattr(journal, "keep_transaction", refuse)
    with pytest.raises(StorageError):
        outbox.deliver("something", Purpose.APPROVE, market.plan_approve(5))
    assert chain.broadcasts == []


def keep(market, journal, subject, purpose, call, nonce):
    """Sign and keep a transaction, and be killed before it is sent."""
    signed = market.sign(call, nonce=nonce)
    journal.keep_transaction(subject, purpose, signed)
    return signed


def test_gap__abandoned_nonce_below__is_taken_by_the_next_delivery(chain, market, outbox, journal):
    """A nonce that was signed for and given up is not lost: the next new transaction takes it."""
    given_up = keep(market, journal, "one", Purpose.APPROVE, market.plan_approve(1), 0)
    keep(market, journal, "two", Purpose.STAKE, market.plan_approve(2), 1)
    journal.abandon_transaction(given_up, "refused")
    outbox.deliver("three", Purpose.APPROVE, market.plan_approve(3))
    assert journal.last_transaction("three", Purpose.APPROVE).nonce == 0
    outbox.deliver("two", Purpose.STAKE, market.plan_approve(2))
    assert chain.state.nonces[PROVER] == 2


def test_gap__nobody_takes_the_abandoned_nonce__is_spent_on_nothing(chain, market, outbox, journal):
    """A delivery behind an unused nonce does not wait for ever."""
    given_up = keep(market, journal, "one", Purpose.APPROVE, market.plan_approve(1), 0)
    behind = keep(market, journal, "two", Purpose.STAKE, market.plan_approve(2), 1)
    journal.abandon_transaction(given_up, "refused")
    assert outbox.deliver("two", Purpose.STAKE, market.plan_approve(2)).transaction == behind.transaction
    assert [signed.nonce for signed in chain.broadcasts] == [1, 0]
    assert chain.broadcasts[1].what == "nothing in nonce 0"
    assert chain.state.allowances[PROVER] == 2


def test_gap__kept_and_never_sent__is_sent_by_whoever_waits_behind_it(chain, market, outbox, journal):
    """What a killed node kept and is still good is sent when it holds others up, not replaced by nothing."""
    first = keep(market, journal, "one", Purpose.APPROVE, market.plan_approve(1), 0)
    keep(market, journal, "two", Purpose.STAKE, market.plan_approve(2), 1)
    outbox.deliver("two", Purpose.STAKE, market.plan_approve(2))
    receipt = outbox.find("one", Purpose.APPROVE)
    assert receipt is not None
    assert {signed.nonce for signed in journal.attempts("one", Purpose.APPROVE)} == {first.nonce}
    assert chain.state.nonces[PROVER] == 2


def test_gap__kept_never_sent_and_refused_by_now__costs_nothing_but_an_empty_transaction(
    chain, market, outbox, journal
):
    """A kept transaction that the contract refuses is not sent only because others wait behind it."""
    job = chain.open(INPUT)
    useless = keep(market, journal, "one", Purpose.CLAIM, market.plan_claim(job), 0)
    keep(market, journal, "two", Purpose.STAKE, market.plan_approve(2), 1)
    rival = SimulatedMarket(chain, "0x" + "33" * 20)
    rival.claim(job)
    outbox.deliver("two", Purpose.STAKE, market.plan_approve(2))
    assert useless.transaction not in {signed.transaction for signed in chain.broadcasts}
    assert journal.last_transaction("one", Purpose.CLAIM) is None


def test_deliver__earlier_one_kept_and_not_sent_yet__takes_the_nonce_after_it(chain, market, outbox, journal):
    """A nonce that is signed for is taken, although no endpoint has heard of it."""
    keep(market, journal, "one", Purpose.APPROVE, market.plan_approve(1), 0)
    outbox.deliver("two", Purpose.STAKE, market.plan_approve(2))
    assert journal.last_transaction("two", Purpose.STAKE).nonce == 1
    assert outbox.find("one", Purpose.APPROVE).succeeded


def test_deliver__strangers_transaction_waits_in_its_nonce__is_outbid(chain, market, outbox, journal):
    """A program with the same key, whose transaction is too cheap for the chain, holds a kept one up, not for good."""
    call = market.plan_approve(5)
    journal.keep_transaction("something", Purpose.APPROVE, market.sign(call, nonce=0))
    chain.least_price = PRICE + 5
    SimulatedMarket(chain).act(market.plan_approve(6))
    receipt = outbox.deliver("something", Purpose.APPROVE, call)
    assert receipt.succeeded
    assert prices(chain) == [100, 113]
    assert chain.state.allowances[PROVER] == 5
    assert market.clock.seconds >= REPLACE_SECONDS


def test_deliver__strangers_transaction_is_mined_in_its_nonce__signed_anew(chain, market, outbox, journal):
    """A kept transaction whose nonce a waiting one takes is signed with the next."""
    call = market.plan_approve(5)
    journal.keep_transaction("something", Purpose.APPROVE, market.sign(call, nonce=0))
    stranger = SimulatedMarket(chain)
    stranger.broadcast(stranger.sign(market.plan_approve(6)))
    assert outbox.deliver("something", Purpose.APPROVE, call).succeeded
    assert [signed.nonce for signed in chain.broadcasts] == [0, 1]
    assert chain.state.allowances[PROVER] == 5


@pytest.mark.parametrize("error", [ChainError, InsufficientFundsError])
def test_deliver__endpoint_refuses_what_was_kept__its_error_at_once(
    chain, market, outbox, journal, monkeypatch, error
):
    """Where the nonce is free, or money is short, waiting would not help."""
    call = market.plan_approve(5)
    journal.keep_transaction("something", Purpose.APPROVE, market.sign(call, nonce=0))

    def refuse(signed):
        raise error("expected another transaction, found this one")

    monkeypatch.setattr(market, "broadcast", refuse)
    if error is InsufficientFundsError:
        monkeypatch.setattr(market, "next_nonce", lambda: 1)
    with pytest.raises(error, match="found this one"):
        outbox.deliver("something", Purpose.APPROVE, call)
    assert market.clock.seconds == 0


def test_abandoned__its_nonce_is_in_use__signed_anew_only_once_that_is_spent(chain, market, outbox, journal):
    """While the nonce is open, the abandoned one could still be mined beside a second one of its purpose."""
    old = keep(market, journal, "one", Purpose.STAKE, market.plan_approve(1), 0)
    journal.abandon_transaction(old, "refused")
    market.broadcast(keep(market, journal, "two", Purpose.APPROVE, market.plan_approve(2), 0))
    outbox.deliver("one", Purpose.STAKE, market.plan_approve(1))
    assert market.signed_at[-1] == (1, 1)


def test_abandoned__signed_anew__takes_the_same_nonce_so_that_never_both_are_mined(
    chain, market, outbox, journal
):
    """Somebody may still have the abandoned one."""
    market.broadcast(market.sign(market.plan_approve(COLLATERAL)))
    chain.mine()
    old = keep(market, journal, "one", Purpose.STAKE, market.plan_stake(COLLATERAL), 1)
    journal.abandon_transaction(old, "refused")
    outbox.deliver("one", Purpose.STAKE, market.plan_stake(COLLATERAL))
    assert journal.last_transaction("one", Purpose.STAKE).nonce == old.nonce
    chain.mempool[old.transaction] = old
    chain.mine()
    assert chain.state.stakes[PROVER].free == 10_000_000 + COLLATERAL


def test_deliver__contract_refuses__its_error_and_nothing_is_kept(chain, market, outbox, journal):
    """A refusal before signing leaves no trace."""
    chain.endow(PROVER, stake=0)
    call = market.plan_claim(chain.open(INPUT))
    with pytest.raises(StakeError):
        outbox.deliver("one", Purpose.CLAIM, call)
    assert journal.attempts("one", Purpose.CLAIM) == []
    assert chain.broadcasts == []


def test_deliver__two_nodes_with_one_key__each_gets_its_transaction_mined_once(chain, market, outbox):
    """A second journal knows nothing of the first one's nonces; the sending lock keeps them apart."""
    market.clock = None
    with open_journal("sqlite://", "scope") as elsewhere:
        second = Outbox(SimulatedMarket(chain), elsewhere, SimulatedClock(chain), TIMEOUT_SECONDS, 0)

        def deliver(number):
            sender = outbox if number % 2 else second
            return sender.deliver(f"subject {number}", Purpose.APPROVE, market.plan_approve(number))

        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(deliver, range(16)))
    assert all(receipt.succeeded for receipt in receipts)
    assert len({receipt.transaction for receipt in receipts}) == 16
    assert chain.state.nonces[PROVER] == 16
