"""Parts of the direct service that need no chain: lanes, the feed, fees, cover, and what errors mean."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import get_args

import pytest

from prover_nodes.direct import troubles
from prover_nodes.direct.catalogue import ServedCircuit
from prover_nodes.direct.cover import check_covered, spendable
from prover_nodes.direct.feed import KEPT, Feed
from prover_nodes.direct.fees import HONOURED_SECONDS, FeePolicy
from prover_nodes.direct.journal import RequestJournal
from prover_nodes.direct.lanes import Lane
from prover_nodes.direct.requests import UNSETTLED, AcceptedRequest, RequestState
from prover_nodes.journal import open_journal
from prover_nodes.policy import Policy
from zkml.adapters.system_clock import SystemClock
from zkml.core.api_messages import State
from zkml.core.identifiers import CircuitSpec
from zkml.core.progress import ProgressEvent, silent
from zkml.core.records import SignedRequestRecord, to_hex
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import (
    BackendError,
    DomainError,
    InsufficientFundsError,
    RequestRefusedError,
    RevertedError,
    RpcError,
    StorageError,
    TabRefusedError,
    TombstonedError,
)

PATIENCE_SECONDS = 10.0
GAS = 300_000
TAB = to_hex(bytes(32))
SPEC = CircuitSpec(
    adapter="0x" + 40 * "1",
    adapter_code_hash=bytes(32),
    verifying_key_digest=bytes(32),
    weight_commitment=bytes(32),
    proof_system_id=bytes(4),
    layout=TensorLayout(4, 1, 1, 2),
    domain=InputDomain(-1, 1),
    gas_limit=400_000,
    verifier_class=1,
)


def test_states__of_requests__are_the_words_of_the_wire():
    """What the journal calls a state is what clients are told."""
    assert {state.value for state in RequestState} == set(get_args(State))


# --- lanes ----------------------------------------------------------------------------------------


def test_lane__piece_put_twice__is_done_once_and_never_by_two_threads():
    """A request that is in a lane is not put there again, whoever asks for it."""
    done, held, begun = Counter(), threading.Event(), threading.Event()

    def work(piece):
        done[piece] += 1
        begun.set()
        held.wait(PATIENCE_SECONDS)

    lane = Lane("test", work, SystemClock(), threads=3)
    lane.start()
    for _ in range(5):
        lane.put("one")
    assert begun.wait(PATIENCE_SECONDS)
    lane.put("one")
    assert lane.length() == 1
    held.set()
    lane.stop()
    assert done == {"one": 1}


def test_lane__work_that_asks_for_another_time__is_done_again():
    """Work says itself when to look again, and stays in its lane until then."""
    looks, over = [], threading.Event()

    def work(piece):
        looks.append(piece)
        if len(looks) < 3:
            return 0.01
        over.set()
        return None

    lane = Lane("test", work, SystemClock())
    lane.start()
    lane.put("one")
    assert over.wait(PATIENCE_SECONDS)
    lane.stop()
    assert looks == ["one"] * 3


def test_lane__defect__ends_it_and_is_told():
    """What no stage expects ends the lane: the node says so instead of going on half."""
    told = threading.Event()

    def work(piece):
        told.set()
        raise ZeroDivisionError

    lane = Lane("test", work, SystemClock())
    lane.start()
    lane.put("one")
    assert told.wait(PATIENCE_SECONDS)
    lane.stop()
    assert isinstance(lane.defect, ZeroDivisionError)


# --- the feed -------------------------------------------------------------------------------------


def test_feed__listener__hears_news_of_its_request_alone():
    """Progress of one request wakes nobody who waits for another."""
    feed, heard = Feed(), []
    with feed.listening("a", lambda: heard.append("a")), feed.listening("b", lambda: heard.append("b")):
        feed.reporter("a", silent)(ProgressEvent("prove", 1.0))
        feed.changed("b")
    feed.changed("a")
    assert heard == ["a", "b"]
    assert feed.latest("a")[1].stage == "prove"


def test_feed__many_requests__forgets_the_oldest_that_nobody_waits_for():
    """What is remembered has a bound; somebody who waits is never forgotten."""
    feed, heard = Feed(), []
    with feed.listening("first", lambda: heard.append(1)):
        for number in range(KEPT + 10):
            feed.changed(str(number))
        assert feed.latest("0") == (0, None)
        feed.changed("first")
    assert heard == [1]


# --- fees -----------------------------------------------------------------------------------------


@dataclass
class Time:
    """A clock that tests move."""

    now: float = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_fee__is_the_operators_or_what_it_costs():
    """A request is never offered below the operator's fees, nor below its gas and its proving time."""
    policy = Policy(frozenset(), 10, 0.0, 0, cost_per_hour=3_600, units_per_ether=10**6)
    fees = FeePolicy(policy, 20, Time())
    assert fees.ask(b"a", gas=GAS, seconds=1.0, gas_price_wei=0) == 20
    assert fees.ask(b"a", gas=GAS, seconds=100.0, gas_price_wei=0) == 100
    assert fees.ask(b"a", gas=GAS, seconds=0.0, gas_price_wei=10**12) == GAS


def test_settle_gas__is_the_pinned_limit_and_the_calldata_of_tensors_and_proof():
    """A longer proof costs more to settle, by 16 gas a byte, whichever proof system made it."""
    short, long = (ServedCircuit(b"a", SPEC, SimpleNamespace(proof_bytes=size)) for size in (3000, 5000))
    assert short.settle_gas > SPEC.gas_limit + 3000 * 16
    assert long.settle_gas - short.settle_gas == 2000 * 16


def test_fee__asked_lately__is_accepted_though_gas_has_become_dearer():
    """Who signs for what was offered is served at that price for a while, and no longer."""
    clock = Time()
    fees = FeePolicy(Policy(frozenset(), 0, 0.0, 0, units_per_ether=10**6), 1, clock)
    cheap = fees.ask(b"a", gas=GAS, seconds=0.0, gas_price_wei=10**9)
    clock.now = HONOURED_SECONDS - 1
    dear = fees.ask(b"a", gas=GAS, seconds=0.0, gas_price_wei=10**12)
    assert dear > cheap
    assert fees.least(b"a", dear) == cheap
    assert fees.least(b"b", dear) == dear
    clock.now = HONOURED_SECONDS + 1
    assert fees.least(b"a", dear) == dear


# --- cover ----------------------------------------------------------------------------------------


@dataclass
class Tab:
    """A tab on a chain, and what a journal counts against it; `step` runs before each read of the chain."""

    balance: int
    prices: dict[int, int]
    used: set[int] = field(default_factory=set)
    steps: list = field(default_factory=list)

    def prices_of(self, _):
        return list(self.prices.items())

    def is_nonce_used(self, _, nonce):
        self._step()
        return nonce in self.used

    def tab(self, _):
        self._step()
        return self

    def _step(self):
        if self.steps:
            self.steps.pop(0)()

    def settle(self, nonce):
        self.used.add(nonce)
        self.balance -= self.prices[nonce]


def test_cover__settlement_mined_between_two_reads__is_neither_counted_twice_nor_missed():
    """Whenever a settlement is mined while a tab is looked at, a tab that covers everything is found so."""
    for late in range(6):
        tab = Tab(balance=10, prices={0: 4, 1: 6})
        tab.steps = [lambda: None] * late + [lambda tab=tab: tab.settle(0)]
        check_covered(tab, tab, TAB)


def test_cover__more_owed_than_there_is__is_refused_whenever_settlements_are_mined():
    """A tab that owes more than it has is never found to cover it."""
    for late in range(6):
        tab = Tab(balance=9, prices={0: 4, 1: 6})
        tab.steps = [lambda: None] * late + [lambda tab=tab: tab.settle(0)]
        with pytest.raises(TabRefusedError, match="for all requests under way"):
            check_covered(tab, tab, TAB)


def test_cover__drawn_and_not_yet_noted__is_not_counted_against_the_rest():
    """A settlement that waits for its confirmations takes no second price from the tab."""
    tab = Tab(balance=10, prices={0: 4, 1: 6})
    tab.settle(0)
    assert spendable(tab, tab, TAB, tab.balance) == 10


# --- the journal ----------------------------------------------------------------------------------


def accepted(nonce=0, price=4):
    """Return a request of a tab, as the journal keeps it."""
    record = SignedRequestRecord(
        chain_id=31337,
        manager="0x" + 40 * "2",
        tab_id=TAB,
        circuit_id=TAB,
        input_commitment=TAB,
        model_fee="1",
        prover_fee="1",
        expiry=1_000,
        nonce=str(nonce),
        signature="0x",
    )
    return AcceptedRequest(
        request=record,
        prover="0x" + 40 * "3",
        did="did:ethr:0x7a69:0x" + 40 * "4",
        model_id="1",
        name="m",
        input="0x00",
        price=str(price),
        accepted_at=10,
    )


@pytest.fixture
def journal(tmp_path):
    with open_journal(tmp_path / "journal.sqlite", "market") as kept:
        yield RequestJournal(kept.request_store(UNSETTLED), "market")


def test_journal__price_above_what_is_left__is_not_kept(journal):
    """What is unsettled counts against the balance that the chain tells, whoever asks and however often."""
    assert journal.accept(accepted(0), balance=10)
    assert journal.accept(accepted(1), balance=10)
    with pytest.raises(TabRefusedError, match="found 10 less 8 for requests under way"):
        journal.accept(accepted(2), balance=10)
    [first, _] = journal.cases(UNSETTLED)
    journal.mark(first, RequestState.REFUSED, now=11)
    assert journal.accept(accepted(2), balance=10)


def test_journal__nonce_of_another_request__is_never_kept_again(journal):
    """A nonce that was accepted belongs to its request for ever, also when that was refused or forgotten."""
    assert journal.accept(accepted(price=4), balance=10)
    assert not journal.accept(accepted(price=4), balance=10)
    other = accepted(price=5)
    other = other.model_copy(update={"request": other.request.model_copy(update={"prover_fee": "2"})})
    [case] = journal.cases(UNSETTLED)
    journal.mark(case, RequestState.REFUSED, now=11)
    journal.forget(before=100)
    with pytest.raises(TabRefusedError, match="expected an unused nonce"):
        journal.accept(other, balance=100)


def test_journal__key_with_something_else__is_refused(journal):
    """An idempotency key stands for what it came with first."""
    journal.keep_key("k", "sha256:a", "0x1", now=1)
    journal.keep_key("k", "sha256:a", "0x1", now=2)
    with pytest.raises(RequestRefusedError, match="idempotency key"):
        journal.keep_key("k", "sha256:b", "0x2", now=3)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "surroundings", "final", "requesters"),
    [
        (RpcError("x"), True, False, False),
        (StorageError("x"), True, False, False),
        (InsufficientFundsError("x"), True, False, False),
        (RevertedError("x"), False, False, False),
        (BackendError("x"), False, False, False),
        (TabRefusedError("x"), False, True, False),
        (TombstonedError("x"), False, True, False),
        (DomainError("x"), False, False, True),
    ],
)
def test_troubles__each_error__has_one_meaning(error, surroundings, final, requesters):
    """Chain and disk are waited for, what the chain refuses ends a request, and a bad input is its requester's."""
    found = (troubles.is_surroundings(error), troubles.is_final(error), troubles.is_requesters(error))
    assert found == (surroundings, final, requesters)


def test_troubles__told_to_clients__without_where_they_were_raised():
    """A client is told code and words of what ended its request, and whether it owes anything."""
    error = TabRefusedError("expected an open tab, found it closed")
    problem = troubles.problem_in(troubles.reason_of(error), RequestState.FAILED)
    assert (problem.code, problem.message) == (error.code, error.message)
    assert "nothing" in problem.hint
