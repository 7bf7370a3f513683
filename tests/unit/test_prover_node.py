"""What the node takes on, what it leaves alone and why, and what it does when a stage fails."""

import logging
import threading
from collections import Counter
from dataclasses import replace

import pytest
from prover_simulator import (
    COLLATERAL,
    DOMAIN,
    FEE,
    FUNDS,
    KEY_DIGEST,
    LAYOUT,
    POLICY,
    PROVER,
    RIVAL,
    SimulatedChain,
    SimulatedMarket,
    SimulatedStore,
    context_of,
    output_of,
    proof_of,
    simulated_node,
)

from prover_nodes.journal import CaseState, Stage
from prover_nodes.lanes import Lanes
from prover_nodes.node import MAX_FAILURES
from prover_nodes.observer import SilentObserver
from prover_nodes.outcomes import OutcomeKind
from prover_nodes.policy import SkipCode
from prover_nodes.services.watch import REORG_BLOCKS
from prover_nodes.status import read_status
from registry.provers import Stake
from zkml.core.cid import cid_of
from zkml.core.identifiers import VerifierClass
from zkml.core.records import SettlementRecord, WitnessRecord, to_hex
from zkml.core.tensors import InputDomain, pack
from zkml.core.verifier_classes import accepted_classes
from zkml.errors import (
    BackendError,
    InsufficientFundsError,
    JobNotFoundError,
    ProofRejectedError,
    RpcError,
    WrongChainError,
)

INPUT = pack([1, 2, 3, 4], 1)


def rival_claims(chain, job_id):
    SimulatedMarket(chain, RIVAL).claim(job_id)


def test_run_once__open_jobs__each_is_proved_settled_and_paid(chain, circuit, journal):
    """Two jobs are two claims, two proofs, two payments; the journal has each stage's output."""
    chain.open(INPUT)
    chain.open(pack([5, 5, 5, 5], 1))
    report = simulated_node(chain, circuit, journal).run_once()
    assert (report.seen, len(report.settled), report.skips) == (2, 2, {})
    assert chain.state.credits[PROVER] == 2 * FEE
    stake = chain.state.stakes[PROVER]
    # The second claim may come before the first one's collateral is free again.
    assert stake.free in (COLLATERAL, 2 * COLLATERAL)
    assert stake == Stake(stake.free, 0, registered=True, leaving=0, leaves_at=0)
    assert chain.state.balances[PROVER] == FUNDS - stake.free
    assert circuit.proved == 2
    for case in journal.cases():
        assert all(journal.has(case, stage) for stage in Stage)
        witness = journal.read(case, Stage.WITNESS, WitnessRecord)
        assert witness.request == case.digest
        assert journal.read(case, Stage.SETTLE, SettlementRecord).prover_fee == str(FEE)
    assert chain.state.allowances[PROVER] == 0


def test_run_once__nothing_new__does_nothing(chain, circuit, journal):
    """A settled job is not looked at again."""
    chain.open(INPUT)
    node = simulated_node(chain, circuit, journal)
    node.run_once()
    report = node.run_once()
    assert (report.seen, report.outcomes) == (0, ())


def test_run_once__job_ids__works_on_these_alone(chain, circuit, journal):
    """A named job is worked on; another open one is not even claimed."""
    chain.open(INPUT)
    second = chain.open(pack([2, 2, 2, 2], 1))
    report = simulated_node(chain, circuit, journal).run_once([second])
    assert [outcome.job_id for outcome in report.settled] == [to_hex(second)]
    assert circuit.proved == 1


def test_run_once__unknown_job_id__is_an_error(chain, circuit, journal):
    """A job that does not exist is named by an error, not passed over."""
    with pytest.raises(JobNotFoundError):
        simulated_node(chain, circuit, journal).run_once([bytes(32)])


def test_allowance__large_enough_already__is_left_as_it_is(chain, circuit, journal):
    """No approval is sent where none is needed."""
    chain.open(INPUT)
    chain.state.allowances[PROVER] = 3 * COLLATERAL
    simulated_node(chain, circuit, journal).run_once()
    assert not chain.sent(PROVER, "approve")
    assert chain.state.allowances[PROVER] == 2 * COLLATERAL


def close_to_deadline(chain, circuit):
    chain.open(INPUT, seconds=24)


def fee_too_low(chain, circuit):
    chain.open(INPUT, fee=1)


def another_layout(chain, circuit):
    chain.open(INPUT)
    chain.spec = chain.spec._replace(domain=InputDomain(-128, 127))


def another_key(chain, circuit):
    chain.open(INPUT)
    chain.spec = chain.spec._replace(verifying_key_digest=bytes(32))


def unvouched(chain, circuit):
    chain.open(INPUT)
    chain.spec = chain.spec._replace(verifier_class=VerifierClass.UNVOUCHED)


def claimed(chain, circuit):
    rival_claims(chain, chain.open(INPUT))


def expired(chain, circuit):
    chain.open(INPUT, seconds=1)
    chain.mine()


def out_of_domain(chain, circuit):
    chain.open(pack([101, 0, 0, 0], 1))


def wrong_length(chain, circuit):
    chain.open(INPUT[:-1])


def no_witness(chain, circuit):
    chain.open(pack([99, 0, 0, 0], 1))


def nowhere(chain, circuit):
    chain.open(INPUT, uri="ipfs://" + cid_of(INPUT))


def web_address(chain, circuit):
    chain.open(INPUT, uri="http://127.0.0.1/input")


def other_provers_named(chain, circuit):
    chain.open(INPUT, provers=(RIVAL,))


def closed_model(chain, circuit):
    chain.open(INPUT)
    chain.closed_to.add(PROVER)


def tombstoned(chain, circuit):
    chain.open(INPUT)
    chain.tombstoned = True


def replaced_too_soon(chain, circuit):
    chain.open(INPUT, claim_seconds=24)


def batch_bundle(chain, circuit):
    chain.open(INPUT)
    circuit.batch = 4


@pytest.mark.parametrize(
    ("arrange", "code", "state"),
    [
        (other_provers_named, SkipCode.NOT_NAMED, CaseState.WAITING),
        (closed_model, SkipCode.ACCESS_REFUSED, CaseState.WAITING),
        (tombstoned, SkipCode.TOMBSTONED, CaseState.CLOSED),
        (replaced_too_soon, SkipCode.CLAIM_PERIOD_TOO_SHORT, CaseState.WAITING),
        (batch_bundle, SkipCode.BATCH_CIRCUIT, CaseState.WAITING),
        (close_to_deadline, SkipCode.DEADLINE_TOO_NEAR, CaseState.WAITING),
        (fee_too_low, SkipCode.FEE_TOO_LOW, CaseState.WAITING),
        (another_layout, SkipCode.UNKNOWN_CIRCUIT, CaseState.WAITING),
        (another_key, SkipCode.UNKNOWN_CIRCUIT, CaseState.WAITING),
        (unvouched, SkipCode.CLASS_REFUSED, CaseState.WAITING),
        (claimed, SkipCode.CLAIMED_BY_OTHER, CaseState.WAITING),
        (expired, SkipCode.NOT_OPEN, CaseState.CLOSED),
        (out_of_domain, SkipCode.UNPROVABLE_INPUT, CaseState.CLOSED),
        (wrong_length, SkipCode.UNPROVABLE_INPUT, CaseState.CLOSED),
        (no_witness, SkipCode.UNPROVABLE_INPUT, CaseState.CLOSED),
        (nowhere, SkipCode.INPUT_UNAVAILABLE, CaseState.WAITING),
        (web_address, SkipCode.INPUT_UNAVAILABLE, CaseState.WAITING),
    ],
)
def test_job_left_alone__is_counted_and_costs_nothing(chain, circuit, journal, arrange, code, state):
    """Each reason has its code; no transaction is sent, no proof made, no collateral locked."""
    arrange(chain, circuit)
    policy = replace(POLICY, min_fee=2)
    report = simulated_node(chain, circuit, journal, policy=policy).run_once()
    assert report.skips == {str(code): 1}
    assert [case.state for case in journal.cases()] == [state]
    assert circuit.proved == 0
    assert not [signed for signed in chain.broadcasts if signed.sender == PROVER]
    assert chain.state.balances[PROVER] == FUNDS
    assert read_status(journal).skips == {str(code): 1}


def test_job_left_alone__named_by_id__is_judged_by_the_same_rules(chain, circuit, journal):
    """Naming a job does not get it claimed where its requester named others."""
    job_id = chain.open(INPUT, provers=(RIVAL,))
    assert simulated_node(chain, circuit, journal).run_once([job_id]).skips == {"not-named": 1}


def test_job__names_this_prover__is_taken(chain, circuit, journal):
    """A named prover is no other prover."""
    chain.open(INPUT, provers=(RIVAL, PROVER))
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1


def test_claim_period__exactly_enough_time__is_taken(chain, circuit, journal):
    """The same prediction is compared with the claim period: 5 + 20 seconds."""
    chain.open(INPUT, claim_seconds=25)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1


def test_opening__another_fee_than_the_chain_has__delays_the_job(chain, circuit, journal):
    """What the event said and what is stored must be one; nothing is sent where they differ."""
    chain.open(INPUT)
    [request] = chain.state.requests
    chain.state.requests = [request.model_copy(update={"max_prover_fee": str(2 * FEE)})]
    report = simulated_node(chain, circuit, journal).run_once()
    assert [outcome.kind for outcome in report.outcomes] == [OutcomeKind.DELAYED]
    assert not chain.broadcasts


def test_deadline__exactly_enough_time__is_taken(chain, circuit, journal):
    """The least time is the predicted proof and the margin: 5 + 20 seconds; one second less is too near."""
    chain.open(INPUT, seconds=25)
    report = simulated_node(chain, circuit, journal).run_once()
    assert len(report.settled) == 1


def test_deadline__witness_takes_the_time__no_claim_after_it(chain, circuit, journal):
    """The deadline is looked at again between witness and claim."""
    chain.open(INPUT, seconds=40)
    plain = circuit.witness

    def slow(packed_input, *, progress):
        chain.now += 20
        return plain(packed_input, progress=progress)

    circuit.witness = slow
    report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"deadline-too-near": 1}
    assert not chain.broadcasts


def test_deadline__claimed_by_this_node__is_proved_though_it_is_near(chain, circuit, journal):
    """With collateral at stake the node tries until the deadline itself."""
    job_id = chain.open(INPUT, seconds=40)
    SimulatedMarket(chain).claim(job_id)
    chain.now += 20
    report = simulated_node(chain, circuit, journal).run_once()
    assert len(report.settled) == 1


def test_deadline__passes_while_proving__is_closed_as_a_loss(chain, circuit, journal):
    """No proof of an expired job is broadcast, and the loss is said."""
    chain.open(INPUT)

    def dawdle():
        chain.now += 1000

    circuit.while_proving = dawdle
    report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"not-open": 1}
    assert "forfeited" in report.outcomes[0].reason
    assert not chain.sent(PROVER, "settle")
    assert journal.cases()[0].state is CaseState.CLOSED


def test_input__by_content_address__is_proved(chain, circuit, journal):
    """An input that the store has is fetched by its digest."""
    store = SimulatedStore()
    store.contents[cid_of(INPUT)] = INPUT
    chain.open(INPUT, uri="ipfs://" + cid_of(INPUT))
    assert len(simulated_node(chain, circuit, journal, store=store).run_once().settled) == 1


def test_input__not_what_was_committed__is_never_given_to_the_circuit(chain, circuit, journal):
    """Bytes that do not hash to the commitment reach nothing but the hash."""
    store = SimulatedStore()
    other = pack([4, 3, 2, 1], 1)
    store.contents[cid_of(other)] = other
    chain.open(INPUT, uri="ipfs://" + cid_of(other))
    circuit.witness = None
    report = simulated_node(chain, circuit, journal, store=store).run_once()
    assert report.skips == {"unprovable-input": 1}


def test_proof__does_not_hold__is_thrown_away_and_made_again(chain, circuit, journal):
    """A bad proof is never broadcast; the next round makes another one under the same claim."""
    chain.open(INPUT)
    circuit.corrupt_proofs = 1
    node = simulated_node(chain, circuit, journal)
    first = node.run_once()
    assert [outcome.kind for outcome in first.outcomes] == [OutcomeKind.DELAYED]
    with pytest.raises(ProofRejectedError):
        first.raise_first_error()
    assert not chain.sent(PROVER, "settle")
    assert len(node.run_once().settled) == 1
    assert (circuit.proved, len(chain.sent(PROVER, "claim"))) == (2, 1)


def test_proof__circuit_accepts_and_chain_refuses__is_not_broadcast(chain, circuit, journal):
    """The chain's own verifier is asked, without a transaction, before the proof is public."""
    chain.open(INPUT)
    circuit.corrupt_proofs = 1
    circuit.verify = lambda *_, context: None
    node = simulated_node(chain, circuit, journal)
    node.run_once()
    assert not chain.sent(PROVER, "settle")
    assert not journal.has(journal.cases()[0], Stage.PROVE)
    assert len(node.run_once().settled) == 1


def test_proof__chain_would_accept_and_circuit_does_not__is_not_broadcast(chain, circuit, journal):
    """Both verifiers must agree: a proof that only one of them accepts is a fault somewhere."""
    chain.open(INPUT)

    def refuse(*_, context):
        raise ProofRejectedError("expected a valid proof, found another")

    circuit.verify = refuse
    simulated_node(chain, circuit, journal).run_once()
    assert chain.sent(PROVER, "claim")
    assert not chain.sent(PROVER, "settle")


def test_job__fails_again_and_again__is_given_up(chain, circuit, journal):
    """A job whose own stages fail is not tried for ever; naming it tries once more."""
    job_id = chain.open(INPUT)

    def fail():
        raise BackendError("expected a proof, found a panic")

    circuit.while_proving = fail
    node = simulated_node(chain, circuit, journal)
    kinds = [node.run_once().outcomes[0].kind for _ in range(MAX_FAILURES)]
    assert kinds == [OutcomeKind.DELAYED] * (MAX_FAILURES - 1) + [OutcomeKind.GIVEN_UP]
    assert node.run_once().outcomes == ()
    circuit.while_proving = lambda: None
    assert len(node.run_once([job_id]).settled) == 1


def test_funds__too_few_tokens__delay_the_job_and_are_no_fault_of_it(chain, circuit, journal):
    """Without collateral nothing is claimed; once funded, the same node goes on."""
    chain.open(INPUT)
    chain.state.balances[PROVER] = COLLATERAL - 1
    node = simulated_node(chain, circuit, journal)
    for _ in range(MAX_FAILURES + 1):
        with pytest.raises(InsufficientFundsError):
            node.run_once().raise_first_error()
    chain.state.balances[PROVER] = COLLATERAL
    assert len(node.run_once().settled) == 1


def test_job_opened_twice_by_a_reorg__is_settled_once(chain, circuit, journal):
    """The same job in another block is another request, and still one job."""
    chain.open(INPUT)
    node = simulated_node(chain, circuit, journal)
    [request] = chain.state.requests
    journal.add(request.model_copy(update={"opened_block_hash": to_hex(bytes(32))}))
    first, second = node.run_once(), node.run_once()
    assert (len(first.settled), len(second.settled)) == (1, 0)
    assert circuit.proved == 1
    assert second.skips == {"not-open": 1}


def test_watch__jobs_between_two_rounds__are_all_seen_once(chain, circuit, journal):
    """The cursor loses no job and counts none twice."""
    node = simulated_node(chain, circuit, journal)
    seen = []
    for number in range(3):
        chain.open(pack([number, 0, 0, 0], 1))
        seen.append(node.run_once().seen)
    assert seen == [1, 1, 1]
    assert len(journal.cases()) == 3


def test_watch__long_chain__is_not_read_from_its_beginning_again(chain, circuit, journal, monkeypatch):
    """A second look begins a reorg's depth below the first one's end."""
    for _ in range(3 * REORG_BLOCKS):
        chain.mine()
    node = simulated_node(chain, circuit, journal)
    node.run_once()
    asked = []
    monkeypatch.setattr(
        SimulatedMarket, "requests", lambda _, start, end: iter(asked.append((start, end)) or ())
    )
    chain.mine()
    node.run_once()
    assert asked == [(chain.height + 1 - REORG_BLOCKS, chain.height)]


def test_run__stop_is_set__finishes_what_is_claimed_and_takes_no_other(chain, circuit, journal):
    """The first signal to stop drains: what is claimed is settled, and of four jobs no more than two are."""
    for number in range(4):
        chain.open(pack([number, 2, 2, 2], 1))
    node, stop = simulated_node(chain, circuit, journal), threading.Event()

    def stop_and_see_it_drain():
        stop.set()
        assert node._draining.wait(10)

    circuit.while_proving = stop_and_see_it_drain
    node.run(stop)
    claimed = len(chain.sent(PROVER, "claim"))
    assert claimed in (1, 2)
    states = sorted(case.state for case in journal.cases())
    assert states == [CaseState.SETTLED] * claimed + [CaseState.WAITING] * (4 - claimed)
    assert len(chain.mined(PROVER, "settle")) == claimed


def test_run__endpoint_down__waits_longer_each_time_and_goes_on(chain, circuit, journal, monkeypatch):
    """An outage neither ends the node nor floods the endpoint; the node says what is wrong meanwhile."""
    answers = iter([RpcError("down"), RpcError("down"), RpcError("down")])
    node, stop, pauses, problems = simulated_node(chain, circuit, journal), threading.Event(), [], []
    plain_wait = Lanes.wait

    plain_block = SimulatedMarket.block

    def block(market, number=None):
        error = next(answers, None)
        if error:
            raise error
        return plain_block(market, number)

    def wait(lanes, seconds, is_over):
        pauses.append(seconds)
        problems.append(node.problem())
        if len(pauses) == 4:
            stop.set()
        plain_wait(lanes, seconds, is_over)

    monkeypatch.setattr(SimulatedMarket, "block", block)
    monkeypatch.setattr(Lanes, "wait", wait)
    chain.open(INPUT)
    node.run(stop)
    assert pauses[:4] == [0.02, 0.04, 0.08, 0.01]
    assert [bool(problem) for problem in problems[:4]] == [True, True, True, False]
    assert journal.cases()[0].state is CaseState.SETTLED


def test_run__error_that_waiting_does_not_mend__ends_the_node(chain, circuit, journal, monkeypatch):
    """A wrong chain is reported, not retried."""

    def block(market, number=None):
        raise WrongChainError("expected chain 1, found chain 2")

    monkeypatch.setattr(SimulatedMarket, "block", block)
    with pytest.raises(WrongChainError):
        simulated_node(chain, circuit, journal).run(threading.Event())


def test_progress__one_job__names_its_stages_in_order(chain, circuit, journal):
    """A caller sees fetch, claim, check and settle; the proof system reports on witness and prove."""
    events = []
    chain.open(INPUT)
    simulated_node(chain, circuit, journal, progress=events.append).run_once()
    assert [event.stage for event in events if event.finished] == ["fetch", "claim", "check", "settle"]


def test_logs__whole_job__hold_neither_witness_nor_proof_nor_signed_bytes(chain, circuit, journal, caplog):
    """Logs name jobs and transactions, and carry nothing that is worth stealing."""
    job_id = chain.open(INPUT)
    with caplog.at_level(logging.DEBUG):
        simulated_node(chain, circuit, journal).run_once()
    assert "settled" in caplog.text
    for signed in chain.broadcasts:
        assert signed.raw.hex() not in caplog.text
    proof = proof_of(context_of(job_id, PROVER), INPUT, output_of(INPUT))
    assert proof.hex() not in caplog.text


@pytest.mark.parametrize(
    ("names", "chain_id", "numbers"),
    [
        (("ceremony",), 1, {VerifierClass.CEREMONY}),
        (("ceremony",), 31337, {VerifierClass.CEREMONY, VerifierClass.LOCAL}),
        (("ceremony", "unvouched"), 1, {VerifierClass.CEREMONY, VerifierClass.UNVOUCHED}),
        (("local",), 1, set()),
        ((), 1337, {VerifierClass.LOCAL}),
    ],
)
def test_accepted_classes__local_on_local_chains_alone(names, chain_id, numbers):
    """No setting makes a node trust a local verifier, or none, on a chain where money is."""
    assert accepted_classes(names, chain_id) == numbers


def test_status__journal_of_a_mixed_day__counts_and_earnings(chain, circuit, journal):
    """Counts by state, reasons by code, fees earned, and the last stage and transactions of each job."""
    chain.open(INPUT)
    claimed(chain, circuit)
    simulated_node(chain, circuit, journal).run_once()
    status = read_status(journal)
    assert status.counts == {"working": 0, "waiting": 1, "settled": 1, "closed": 0}
    assert (status.skips, status.earned) == ({"claimed-by-other": 1}, FEE)
    settled = next(case for case in status.cases if case.state == "settled")
    assert settled.stage == "settle"
    assert set(settled.transactions) == {"register", "approve", "stake", "claim", "settle"}
    assert status.as_json()["jobs"][0]["state"] == "waiting"


def test_simulator__is_what_the_tests_take_it_for():
    """The simulated circuit's layout, domain and key are those that the simulated router pins."""
    spec = SimulatedChain().spec
    assert (spec.layout, spec.domain, spec.verifying_key_digest) == (LAYOUT, DOMAIN, KEY_DIGEST)


class Recorder(SilentObserver):
    """Notes what a node tells."""

    def __init__(self):
        self.heard, self.queues, self.lock = [], {}, threading.Lock()

    def _note(self, *event):
        with self.lock:
            self.heard.append(event)

    def work_seen(self, kind):
        self._note("seen", kind)

    def work_skipped(self, kind, code):
        self._note("skipped", kind, code)

    def work_failed(self, kind, code, *, given_up):
        self._note("failed", code, given_up)

    def work_settled(self, kind, *, fee, gas, seconds):
        self._note("settled", kind, fee, gas, seconds > 0)

    def stage_finished(self, stage, circuit, seconds):
        self._note("stage", stage, circuit)

    def queue_changed(self, stage, length):
        self.queues.setdefault(stage, []).append(length)

    def chain_read(self, head, chain_seconds):
        self._note("read", head, chain_seconds)


def test_observer__one_job_settled_and_one_left_alone__hears_of_each_once(chain, circuit, journal):
    """Every event is told with its figures; a reason is counted once, however often it is found again."""
    chain.open(INPUT)
    chain.open(pack([2, 2, 2, 2], 1), seconds=100_000, provers=(RIVAL,))
    rival_claims(chain, chain.open(pack([3, 3, 3, 3], 1), seconds=100_000, claim_seconds=10_000))
    recorder = Recorder()
    node = simulated_node(chain, circuit, journal, observer=recorder)
    for _ in range(3):
        node.run_once()
    label = f"sum@{KEY_DIGEST.hex()[:8]}"
    heard = Counter(event for event in recorder.heard if event[0] not in ("read", "stage"))
    assert heard == {
        ("seen", "job"): 3,
        ("skipped", "job", "not-named"): 1,
        ("skipped", "job", "claimed-by-other"): 1,
        ("settled", "job", FEE, 100_000, True): 1,
    }
    stages = [event[1:] for event in recorder.heard if event[0] == "stage"]
    assert stages == [(stage, label) for stage in ("fetch", "witness", "claim", "prove", "check", "settle")]
    assert recorder.heard[0][0] == "read"
    assert set(recorder.queues) == {"claim", "prove", "settle"}
    assert all(lengths[-1] == 0 and max(lengths) == 1 for lengths in recorder.queues.values())


def test_observer__stage_fails_for_good__hears_each_failure_and_the_last(chain, circuit, journal):
    """The code of the error, and whether the job was given up."""
    chain.open(INPUT)

    def fail():
        raise BackendError("expected a proof, found a panic")

    circuit.while_proving, recorder = fail, Recorder()
    node = simulated_node(chain, circuit, journal, observer=recorder)
    for _ in range(MAX_FAILURES):
        node.run_once()
    failed = [event[1:] for event in recorder.heard if event[0] == "failed"]
    assert failed == [(BackendError.code, False)] * (MAX_FAILURES - 1) + [(BackendError.code, True)]
