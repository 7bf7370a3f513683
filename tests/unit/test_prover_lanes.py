"""Jobs beside each other: what overlaps, what waits, what is bounded, and how a running node ends."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest
from prover_simulator import (
    CLAIM_SECONDS,
    COLLATERAL,
    FEE,
    FUNDS,
    MEMORY,
    POLICY,
    PROVER,
    RIVAL,
    Fuse,
    Killed,
    SimulatedChain,
    SimulatedCircuit,
    SimulatedClock,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.journal import CaseState, Stage, open_journal
from prover_nodes.outcomes import OutcomeKind
from prover_nodes.slots import ProvingSlots
from zkml.core.records import to_hex
from zkml.core.tensors import pack
from zkml.errors import BackendError, ProverLimitError, RpcError, StorageError

PATIENCE = 20.0


def until(is_true):
    """Poll until something is true."""
    deadline, pause = time.monotonic() + PATIENCE, threading.Event()
    while not is_true():
        assert time.monotonic() < deadline, "waited for nothing"
        pause.wait(0.005)


def open_many(chain, number, **changes):
    """Open jobs, and fund the prover for all their collateral."""
    chain.state.balances[PROVER] = FUNDS + number * COLLATERAL
    return [chain.open(pack([i, 0, 0, 0], 1), seconds=100_000, **changes) for i in range(number)]


def slots_of(chain, count=1, memory=MEMORY):
    return ProvingSlots(count, memory, SimulatedClock(chain))


def ready_slots(chain, **options):
    """Return slots, and the stake that lets claims run ahead without another transaction."""
    chain.endow(PROVER)
    return slots_of(chain, **options)


# --- what overlaps ------------------------------------------------------------------------------------


def test_lanes__one_job_is_proved__the_next_is_claimed_meanwhile(chain, circuit, journal):
    """The first proof does not end before the second job's claim is mined: so they overlap."""
    open_many(chain, 2)
    circuit.while_proving = lambda: until(lambda: len(chain.mined(PROVER, "claim")) == 2)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 2


def test_lanes__settlement_is_slow__the_next_proof_is_made_meanwhile(chain, circuit, journal):
    """The first proof's check does not end before the second proof is made: so it held up nobody."""
    open_many(chain, 2)
    plain = circuit.verify

    def slow(*proof, context):
        until(lambda: circuit.proved == 2)
        plain(*proof, context=context)

    circuit.verify = slow
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 2


def test_lanes__several_slots__prove_at_once(chain, circuit, journal):
    """Two proofs are in their slots at the same time."""
    open_many(chain, 2)
    meeting = threading.Barrier(2, timeout=PATIENCE)
    circuit.while_proving = meeting.wait
    node = simulated_node(chain, circuit, journal, slots=slots_of(chain, 2))
    assert len(node.run_once().settled) == 2


def test_lanes__several_settlers__settle_at_once(chain, circuit, journal):
    """Two finished proofs are checked at the same time."""
    open_many(chain, 2)
    meeting, plain = threading.Barrier(2, timeout=PATIENCE), circuit.verify

    def together(*proof, context):
        meeting.wait()
        plain(*proof, context=context)

    circuit.verify = together
    assert len(simulated_node(chain, circuit, journal, settlers=2).run_once().settled) == 2


class SlowClaims(SimulatedMarket):
    """No claim is mined before two are sent."""

    def broadcast(self, signed):
        with self.chain.lock:
            self.chain.instant = not signed.what.endswith("claim")
            super().broadcast(signed)
            self.chain.instant = True
            if len(self.chain.sent(self.account, "claim")) == 2:
                self.chain.mine()

    def receipt(self, transaction):
        sent = self.chain.sent(self.account, "claim")
        if transaction in sent:
            until(lambda: len(self.chain.sent(self.account, "claim")) == 2)
        return super().receipt(transaction)


def test_lanes__blocks_are_slow__several_claims_wait_for_theirs_together(chain, circuit, journal):
    """A claim takes a block, and the next does not wait for it where there is stake for both."""
    open_many(chain, 2)
    chain.endow(PROVER, 2 * COLLATERAL)
    node = simulated_node(chain, circuit, journal, market=SlowClaims(chain), claimers=2)
    assert len(node.run_once().settled) == 2
    assert not chain.sent(PROVER, "stake")


def test_lanes__stake_for_one_claim__the_other_waits_for_it_and_stakes_more(chain, circuit, journal):
    """Two claims never count on the same stake: none is refused by the contract, no more is staked than needed."""
    open_many(chain, 4)
    chain.endow(PROVER, COLLATERAL)
    node = simulated_node(chain, circuit, journal, slots=slots_of(chain, 2), claimers=3, settlers=2)
    report = node.run_once()
    assert len(report.settled) == 4
    assert len(chain.sent(PROVER, "claim")) == 4
    assert chain.state.stakes[PROVER].locked == 0
    assert chain.state.stakes[PROVER].free <= 4 * COLLATERAL


# --- what is bounded ----------------------------------------------------------------------------------


class CountingMarket(SimulatedMarket):
    """Notes how many claims had no proof yet whenever another one was sent."""

    def __init__(self, chain, circuit):
        super().__init__(chain)
        self.counted, self.unproved = circuit, []

    def broadcast(self, signed):
        if signed.what.endswith("claim"):
            claims = len(self.chain.mined(self.account, "claim")) + 1
            self.unproved.append(claims - self.counted.done)
        super().broadcast(signed)


class CountingCircuit(SimulatedCircuit):
    """Counts the proofs that are finished."""

    done = 0

    def prove(self, packed_input, packed_output, *, context, progress):
        made = super().prove(packed_input, packed_output, context=context, progress=progress)
        self.done += 1
        return made


@pytest.mark.parametrize("workers", [1, 2])
def test_claim_ahead__many_jobs__no_more_unproved_claims_than_workers_and_one(chain, journal, workers):
    """However many jobs wait, collateral runs ahead of the proofs by a bounded number."""
    open_many(chain, 9)
    circuit = CountingCircuit()
    market, slots = CountingMarket(chain, circuit), ready_slots(chain, count=workers)
    node = simulated_node(chain, circuit, journal, market=market, slots=slots, settlers=2)
    lanes = node._lanes
    # The first proofs take until no more is claimed.
    circuit.while_proving = lambda: until(
        lambda: circuit.done or not (lanes.has_room() or len(lanes._to_claim))
    )
    report = node.run_once()
    assert len(report.settled) == 9
    assert len(market.unproved) == 9
    assert max(market.unproved) == workers + 1


def test_claim_ahead__settlements_are_stuck__claims_stop_and_proofs_do_not(chain, circuit, journal):
    """Proofs that nobody settles hold up new claims, not the proofs of jobs that are claimed."""
    open_many(chain, 12)
    stuck, plain = threading.Event(), circuit.verify

    def slow(*proof, context):
        assert stuck.wait(PATIENCE)
        plain(*proof, context=context)

    circuit.verify = slow
    node = simulated_node(chain, circuit, journal, slots=ready_slots(chain))
    node.start()
    # One is being settled, two wait for it, and up to two were claimed while there was room: all are proved.
    lanes = node._lanes
    until(lambda: not lanes.has_room() and len(lanes.jobs()) == len(lanes._to_settle))
    assert 3 <= len(chain.mined(PROVER, "claim")) == circuit.proved <= 5
    stuck.set()
    until(lambda: len(chain.mined(PROVER, "settle")) == 12)
    node.stop()


# --- admission ----------------------------------------------------------------------------------------


def test_admission__queue_too_long_for_the_claim_period__is_not_claimed(chain, circuit, journal):
    """What others were promised comes first: 76 + 5 s do not fit into 100 - 20; 75 + 5 s do."""
    job_id = open_many(chain, 1)[0]
    slots = slots_of(chain)
    before = slots.promise(76, 1)
    node = simulated_node(chain, circuit, journal, slots=slots)
    assert node.run_once().skips == {"queue-too-long": 1}
    assert not chain.broadcasts
    assert slots.waiting() == 1
    slots.withdraw(before)
    slots.withdraw(slots.promise(75, 1))
    assert [outcome.job_id for outcome in node.run_once().settled] == [to_hex(job_id)]


def test_admission__deadline_is_nearer_than_the_claim_period__counts(chain, circuit, journal):
    """A proof must be done before the deadline too."""
    chain.open(pack([1, 0, 0, 0], 1), seconds=60)
    slots = slots_of(chain)
    slots.promise(40, 1)
    node = simulated_node(chain, circuit, journal, slots=slots)
    assert node.run_once().skips == {"queue-too-long": 1}


def test_admission__queue_grows_during_the_witness__no_claim_after_it(chain, circuit, journal):
    """The promise is made after the witness, right before the claim."""
    open_many(chain, 1)
    slots, plain = slots_of(chain), circuit.witness

    def slow(packed_input, *, progress):
        slots.promise(1000, 1)
        return plain(packed_input, progress=progress)

    circuit.witness = slow
    report = simulated_node(chain, circuit, journal, slots=slots).run_once()
    assert report.skips == {"queue-too-long": 1}
    assert not chain.broadcasts
    assert slots.waiting() == 1


def test_admission__late_claim_of_another__is_not_taken_over_where_the_queue_is_too_long(
    chain, circuit, journal
):
    """A takeover is a claim, and is promised as one."""
    job_id = open_many(chain, 1)[0]
    SimulatedMarket(chain, RIVAL).claim(job_id)
    chain.now += CLAIM_SECONDS + 1
    slots = slots_of(chain)
    before = slots.promise(76, 1)
    node = simulated_node(chain, circuit, journal, slots=slots)
    assert node.run_once().skips == {"queue-too-long": 1}
    assert not chain.sent(PROVER, "reclaim")
    slots.withdraw(before)
    assert node.run_once().skips == {"in-grace": 1}


def test_admission__claimed_before_a_restart__is_proved_whatever_the_queue(chain, circuit, journal):
    """Collateral is at stake: it is tried until the deadline itself."""
    job_id = open_many(chain, 1)[0]
    SimulatedMarket(chain).claim(job_id)
    slots = slots_of(chain, 2)
    slots.promise(1000, 1)
    circuit.peak = 2 * MEMORY
    assert len(simulated_node(chain, circuit, journal, slots=slots).run_once().settled) == 1


def test_admission__more_memory_than_there_is__is_never_claimed(chain, circuit, journal):
    """What was measured decides, and the note has both figures."""
    open_many(chain, 1)
    circuit.peak = MEMORY + 1
    report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"too-big": 1}
    assert "1025 MiB" in report.outcomes[0].reason
    assert "1024 MiB" in report.outcomes[0].reason
    assert not chain.broadcasts


def test_admission__never_measured__takes_the_whole_limit_and_no_more_than_there_is(chain, circuit, journal):
    """A small machine with a large limit still proves what it does not know yet."""
    open_many(chain, 1)
    circuit.peak, slots = None, slots_of(chain, memory=MEMORY // 4)
    assert len(simulated_node(chain, circuit, journal, slots=slots).run_once().settled) == 1


@pytest.mark.parametrize(("peak", "together"), [(MEMORY // 2, 2), (MEMORY // 2 + 1, 1)])
def test_admission__two_proofs_that_do_not_fit_together__are_made_one_after_the_other(
    chain, circuit, journal, peak, together
):
    """Two slots are no two proofs where the memory is for one."""
    open_many(chain, 4)
    circuit.peak, lock, found = peak, threading.Lock(), []
    running, meeting = [], threading.Barrier(2, timeout=PATIENCE)

    def prove():
        with lock:
            running.append(1)
            found.append(len(running))
        if together == 2:
            meeting.wait()
        with lock:
            running.pop()

    circuit.while_proving = prove
    slots = ready_slots(chain, count=2)
    assert len(simulated_node(chain, circuit, journal, slots=slots).run_once().settled) == 4
    assert max(found) == together


def test_claim__lost_to_a_rival__frees_its_promise_and_costs_nothing(chain, circuit, journal):
    """A claim that another was faster with is a skip; its slot goes to the next job."""
    job_id = open_many(chain, 1)[0]
    plain, slots = circuit.witness, slots_of(chain)

    def outrun(packed_input, *, progress):
        SimulatedMarket(chain, RIVAL).claim(job_id)
        return plain(packed_input, progress=progress)

    circuit.witness = outrun
    report = simulated_node(chain, circuit, journal, slots=slots).run_once()
    assert report.skips == {"claimed-by-other": 1}
    assert not chain.sent(PROVER, "claim")
    assert slots.waiting() == 0


# --- workers that die ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ProverLimitError, BackendError])
def test_worker__out_of_memory_or_killed__is_tried_again_and_the_collateral_is_kept(
    chain, circuit, journal, error
):
    """One claim, two attempts, one settlement; the second attempt has the machine for itself."""
    open_many(chain, 1)
    slots, used = slots_of(chain, 2), []

    def die_once():
        used.append(slots._promises[0].memory_bytes)
        if len(used) == 1:
            raise error("expected a proof, found a dead worker")

    circuit.while_proving, circuit.peak = die_once, MEMORY // 2
    node = simulated_node(chain, circuit, journal, slots=slots)
    assert [outcome.kind for outcome in node.run_once().outcomes] == [OutcomeKind.DELAYED]
    assert slots.running() == slots.waiting() == 0
    assert len(node.run_once().settled) == 1
    assert used == [MEMORY // 2, MEMORY]
    assert len(chain.mined(PROVER, "claim")) == len(chain.mined(PROVER, "settle")) == 1
    assert chain.state.stakes[PROVER].locked == 0


def test_worker__dies_beside_another_proof__the_other_is_not_touched(chain, circuit, journal):
    """One job is delayed, the one beside it is settled."""
    open_many(chain, 2)
    meeting, died = threading.Barrier(2, timeout=PATIENCE), []

    def one_dies():
        if meeting.wait() == 0:
            died.append(1)
            raise ProverLimitError("expected less memory, found more")

    circuit.while_proving = one_dies
    node = simulated_node(chain, circuit, journal, slots=slots_of(chain, 2))
    kinds = sorted(outcome.kind for outcome in node.run_once().outcomes)
    assert kinds == [OutcomeKind.DELAYED, OutcomeKind.SETTLED]
    circuit.while_proving = lambda: None
    assert len(node.run_once().settled) == 1
    assert circuit.proved == 3


def test_journal__cannot_be_written__ends_every_lane_and_is_raised(chain, circuit, journal, monkeypatch):
    """Without a journal nothing goes on: no proof is sent that is not filed, and the error comes out."""
    open_many(chain, 3)
    plain = type(journal).file

    def full(self, case, stage, record):
        if stage is Stage.PROVE:
            raise StorageError("expected space, found a full disk")
        plain(self, case, stage, record)

    monkeypatch.setattr(type(journal), "file", full)
    with pytest.raises(StorageError):
        simulated_node(chain, circuit, journal).run_once()
    assert not chain.sent(PROVER, "settle")
    node = simulated_node(chain, circuit, journal)
    with pytest.raises(StorageError):
        node.run(threading.Event())
    assert "full disk" in node.problem()
    monkeypatch.setattr(type(journal), "file", plain)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 3


# --- a node that runs ---------------------------------------------------------------------------------


def test_start__jobs_opened_later__are_found_and_settled(chain, circuit, journal):
    """A running node looks again and again, and is idle in between."""
    node = simulated_node(chain, circuit, journal)
    node.start()
    for number in (1, 2):
        chain.open(pack([number, 0, 0, 0], 1))
        until(lambda number=number: len(chain.mined(PROVER, "settle")) == number)
    until(node.is_idle)
    node.stop()
    assert node.failure() is None
    assert chain.state.credits[PROVER] == 2 * FEE


def test_drain__proof_under_way__is_finished_and_nothing_else_is_claimed(chain, circuit, journal):
    """SIGTERM costs no collateral."""
    open_many(chain, 5)
    proving, go_on = threading.Event(), threading.Event()

    def prove():
        proving.set()
        assert go_on.wait(PATIENCE)

    circuit.while_proving = prove
    node = simulated_node(chain, circuit, journal, slots=ready_slots(chain))
    node.start()
    assert proving.wait(PATIENCE)
    until(lambda: len(chain.mined(PROVER, "claim")) == 2)
    node.drain()
    assert not node.is_idle()
    go_on.set()
    until(node.is_idle)
    node.stop()
    assert len(chain.mined(PROVER, "claim")) == len(chain.mined(PROVER, "settle")) == 2
    assert chain.state.stakes[PROVER].locked == 0


def test_drain__endpoint_is_down_and_nothing_claimed__is_idle_at_once(chain, circuit, journal, monkeypatch):
    """Whether collateral waits is in the journal: no chain is asked."""
    monkeypatch.setattr(SimulatedMarket, "block", no_answer)
    node = simulated_node(chain, circuit, journal)
    node.start()
    until(node.problem)
    node.drain()
    assert node.is_idle()
    node.stop()
    assert node.failure() is None


def no_answer(*_, **__):
    raise RpcError("expected an answer, found none")


def test_drain__endpoint_goes_down_while_proving__the_proof_is_kept_for_the_next_start(
    chain, circuit, journal, monkeypatch
):
    """The proof is filed, the node ends when its time is over, and the next one settles without proving."""
    open_many(chain, 1)
    plain = {name: getattr(SimulatedMarket, name) for name in ("block", "facts", "now", "simulate")}

    def lose_the_chain():
        for name in plain:
            monkeypatch.setattr(SimulatedMarket, name, no_answer)

    circuit.while_proving = lose_the_chain
    node = simulated_node(chain, circuit, journal)
    node.start()
    until(lambda: circuit.proved == 1 and node.problem())
    node.drain()
    assert not node.is_idle()
    node.stop()
    for name, method in plain.items():
        monkeypatch.setattr(SimulatedMarket, name, method)
    [case] = journal.cases()
    assert case.state is CaseState.WORKING
    assert journal.has(case, Stage.PROVE)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
    assert circuit.proved == 1


def test_stop__in_the_middle_of_a_proof__ends_at_once_and_the_next_start_goes_on(chain, circuit, journal):
    """A second signal waits for no proof; the claim stays in the journal and is settled later."""
    open_many(chain, 2)
    plain, proving = circuit.prove, threading.Event()

    def endless(packed_input, packed_output, *, context, progress):
        proving.set()
        pause = threading.Event()
        while True:
            progress(None)
            pause.wait(0.005)

    circuit.prove = endless
    node = simulated_node(chain, circuit, journal)
    node.start()
    assert proving.wait(PATIENCE)
    node.stop()
    assert node.failure() is None
    assert not chain.sent(PROVER, "settle")
    circuit.prove = plain
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 2
    assert len(chain.mined(PROVER, "claim")) == 2


# --- two nodes ----------------------------------------------------------------------------------------


def test_two_nodes__twenty_jobs__each_is_claimed_once_and_both_do_a_fair_part(chain, tmp_path):
    """Equally paid jobs come in another order for each account, so the two rarely run for the same one."""
    open_many(chain, 20)
    meeting = threading.Barrier(2)
    reports = {}

    def together():
        try:
            meeting.wait(PATIENCE)
        except threading.BrokenBarrierError:
            # The other node has nothing left to prove.
            return

    def serve(account):
        circuit = SimulatedCircuit()
        circuit.while_proving = together
        with open_journal(tmp_path / f"{account}.sqlite", SimulatedMarket.scope) as journal:
            market, slots = SimulatedMarket(chain, account), slots_of(chain)
            chain.endow(account)
            reports[account] = simulated_node(chain, circuit, journal, market=market, slots=slots).run_once()
        meeting.abort()

    threads = [threading.Thread(target=serve, args=(account,)) for account in (PROVER, RIVAL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled = {account: len(report.settled) for account, report in reports.items()}
    assert sum(settled.values()) == 20
    assert min(settled.values()) >= 6
    assert {account: len(chain.mined(account, "claim")) for account in settled} == settled
    assert {account: chain.state.credits[account] for account in settled} == {
        account: number * FEE for account, number in settled.items()
    }
    for report in reports.values():
        assert set(report.skips) <= {"claimed-by-other", "not-open"}
        assert all(outcome.error is None for outcome in report.outcomes)


def test_order__equal_pay__differs_between_accounts_and_pay_comes_first(chain, tmp_path):
    """The best paid job is first for both; after it they begin with different ones."""
    open_many(chain, 12)
    dear = chain.open(pack([99, 1, 0, 0], 1), seconds=100_000, fee=FEE + 1)
    orders = []
    for account in (PROVER, RIVAL):
        asked = []

        class Asked(SimulatedMarket):
            def facts(self, job_id, asked=asked):
                asked.append(job_id)
                return super().facts(job_id)

        chain.closed_to.add(account)
        with open_journal(tmp_path / f"{account}.sqlite", SimulatedMarket.scope) as journal:
            simulated_node(chain, SimulatedCircuit(), journal, market=Asked(chain, account)).run_once()
        orders.append(list(dict.fromkeys(asked)))
    assert [order[0] for order in orders] == [dear, dear]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


# --- kills --------------------------------------------------------------------------------------------


class Witnessed(SimulatedCircuit):
    """Notes a proof that was made though the journal had one."""

    def __init__(self, path):
        super().__init__()
        self.path, self.needless = path, 0

    def prove(self, packed_input, packed_output, *, context, progress):
        with open_journal(self.path, SimulatedMarket.scope) as journal:
            for case in journal.cases():
                if case.request.input == to_hex(packed_input) and journal.has(case, Stage.PROVE):
                    self.needless += 1
        return super().prove(packed_input, packed_output, context=context, progress=progress)


@pytest.mark.parametrize("boundary", range(0, 95, 6))
@pytest.mark.parametrize("instant", [True, False], ids=["instant", "mempool"])
def test_node__killed_with_several_jobs_in_its_lanes__loses_none_and_pays_nothing_twice(
    tmp_path, instant, boundary
):
    """Three jobs, two slots, two settlers: whatever each was at, the next start finishes all of them."""
    chain, path = SimulatedChain(instant=instant), tmp_path / "journal.sqlite"
    circuit, policy = Witnessed(path), replace(POLICY, confirmations=0 if instant else 2)
    open_many(chain, 3)
    tokens, before = chain.tokens(), chain.state.balances[PROVER]

    def run(fuse=None):
        with open_journal(path, SimulatedMarket.scope) as journal:
            slots = slots_of(chain, 2)
            node = simulated_node(chain, circuit, journal, fuse=fuse, policy=policy, slots=slots, settlers=2)
            node.run_once()
            return [case.state for case in journal.cases()]

    with contextlib.suppress(Killed):
        run(Fuse(boundary))
    for _ in range(4):
        states = run()
    assert states == [CaseState.SETTLED] * 3
    assert len(chain.mined(PROVER, "claim")) == len(chain.mined(PROVER, "settle")) == 3
    assert len(chain.sent(PROVER, "claim")) == len(chain.sent(PROVER, "settle")) == 3
    assert len(chain.mined(PROVER, "register")) == 1
    assert chain.state.credits[PROVER] == 3 * FEE
    assert chain.state.stakes[PROVER].locked == 0
    assert chain.state.balances[PROVER] + chain.state.stakes[PROVER].free == before
    assert circuit.needless == 0
    assert circuit.proved <= 5
    assert chain.tokens() == tokens
