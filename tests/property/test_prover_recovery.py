"""Whatever befalls a node and its chain, in any order: one claim, one settlement, one payment."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from prover_simulator import (
    CLAIM_SECONDS,
    COLLATERAL,
    FEE,
    FUNDS,
    GRACE_SECONDS,
    POLICY,
    PROVER,
    RIVAL,
    Fuse,
    Killed,
    SimulatedChain,
    SimulatedCircuit,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.journal import CaseState, open_journal
from prover_nodes.policy import (
    SkipCode,
    evaluate,
    needed_seconds,
    price_reached_at,
)
from prover_nodes.ports import CollateralTerms
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, is_zero, payee_of, status_of
from zkml.core.pricing import FeeQuote, Payment
from zkml.core.tensors import pack
from zkml.errors import ZkmlError

CONFIRMATIONS = 3
CONFIRMING = replace(POLICY, confirmations=CONFIRMATIONS)
INPUT = pack([1, 2, 3, 4], 1)

kills = st.tuples(st.just("kill"), st.integers(0, 60))
reorgs = st.tuples(st.just("reorg"), st.integers(1, CONFIRMATIONS), st.booleans())
losses = st.tuples(st.just("lose the mempool"))
strangers = st.tuples(st.just("spend a nonce"))
gas_prices = st.tuples(st.just("gas"), st.sampled_from([0, 105, 120]))
troubles = st.lists(st.one_of(kills, reorgs, losses, strangers, gas_prices), max_size=8)


class WatchedMarket(SimulatedMarket):
    """The node's market; looks at each broadcast of a proof."""

    exposed = 0

    def broadcast(self, signed):
        if "settle" in signed.what:
            [job_id] = self.chain.state.jobs
            claim = self.chain.state.moves.get((self.account, "claim", job_id))
            held = self.chain.state.jobs[job_id].prover == self.account
            if not held or self.chain.height < claim.block + CONFIRMATIONS:
                type(self).exposed += 1
        super().broadcast(signed)


@settings(max_examples=60, deadline=None)
@given(troubles)
@example([("kill", 5), ("kill", 5), ("gas", 105), ("spend a nonce",)])
def test_node__any_troubles__one_claim_one_settlement_one_payment(tmp_path_factory, sequence):
    """No sequence of kills, reorgs, lost mempools, dear gas and stolen nonces makes it pay or be paid twice."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
    tokens = chain.tokens()
    chain.open(INPUT, seconds=1_000_000)
    for _ in range(CONFIRMATIONS + 1):
        chain.mine()
    path = tmp_path_factory.mktemp("node") / "journal.sqlite"
    WatchedMarket.exposed = 0

    def run(fuse=None):
        with open_journal(path, SimulatedMarket.scope) as journal:
            node = simulated_node(
                chain, circuit, journal, fuse=fuse, policy=CONFIRMING, market=WatchedMarket(chain)
            )
            with contextlib.suppress(Killed):
                node.run_once()
            return [case.state for case in journal.cases()]

    for trouble, *details in sequence:
        if trouble == "kill":
            run(Fuse(details[0]))
        elif trouble == "reorg":
            chain.reorg(details[0], keep=details[1])
            for _ in range(details[0]):
                chain.mine()
        elif trouble == "lose the mempool":
            chain.mempool.clear()
        elif trouble == "gas":
            chain.least_price = details[0]
        else:
            stranger = SimulatedMarket(chain)
            with contextlib.suppress(Exception):
                stranger.act(stranger.plan_approve(COLLATERAL))
    chain.least_price = 0
    for _ in range(6):
        states = run()

    assert states == [CaseState.SETTLED]
    assert [len(chain.mined(PROVER, move)) for move in ("register", "stake", "claim", "settle")] == [1] * 4
    assert chain.state.credits[PROVER] == FEE
    assert chain.state.balances[PROVER] == FUNDS - COLLATERAL
    assert WatchedMarket.exposed == 0
    assert chain.tokens() == tokens


passing = st.tuples(st.just("time"), st.sampled_from([1, GRACE_SECONDS, CLAIM_SECONDS, 3 * CLAIM_SECONDS]))
rivalry = st.tuples(st.sampled_from(["rival claims", "rival reclaims", "rival settles", "node runs"]))
stories = st.lists(st.one_of(kills, passing, rivalry, rivalry), max_size=14)


class ExposedMarket(SimulatedMarket):
    """The node's market; counts proofs that were made public while nobody would have paid for them."""

    exposed = 0

    def broadcast(self, signed):
        if "settle" in signed.what:
            [job] = self.chain.state.jobs.values()
            type(self).exposed += payee_of(job, self.chain.now) != self.account
        super().broadcast(signed)


@settings(max_examples=60, deadline=None)
@given(stories)
def test_node__rivals_time_and_kills__no_proof_for_nothing_and_no_token_lost_on_the_way(
    tmp_path_factory, story
):
    """However claims change hands, a proof goes out only while this node is the payee, and it ends paid or free."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    chain.endow(RIVAL)
    rival, tokens = SimulatedMarket(chain, RIVAL), chain.tokens()
    job_id = chain.open(INPUT, seconds=1000)
    path = tmp_path_factory.mktemp("node") / "journal.sqlite"
    ExposedMarket.exposed = 0

    def run(fuse=None):
        with open_journal(path, SimulatedMarket.scope) as journal:
            node = simulated_node(chain, circuit, journal, fuse=fuse, market=ExposedMarket(chain))
            with contextlib.suppress(Killed):
                node.run_once()
            return [case.state for case in journal.cases()]

    for act, *details in story:
        if act == "kill":
            run(Fuse(details[0]))
        elif act == "time":
            chain.now += details[0]
            chain.mine()
        elif act == "node runs":
            run()
        else:
            with contextlib.suppress(ZkmlError):
                _act_as_rival(rival, act, job_id)
        assert chain.tokens() == tokens
    for _ in range(3):
        run()
        chain.now += GRACE_SECONDS + 1
        chain.mine()
    chain.now += 2000
    with contextlib.suppress(ZkmlError):
        rival.act(_refund(job_id))
    states = run()

    assert ExposedMarket.exposed == 0
    assert states in ([CaseState.SETTLED], [CaseState.CLOSED])
    assert chain.tokens() == tokens
    paid = chain.state.credits[PROVER]
    assert paid == (FEE if states == [CaseState.SETTLED] else 0)
    assert chain.state.stakes[PROVER].locked == 0
    for move in ("register", "claim", "reclaim", "settle"):
        assert len(chain.mined(PROVER, move)) <= 1
    if states == [CaseState.SETTLED]:
        assert chain.state.balances[PROVER] + chain.state.stakes[PROVER].free >= FUNDS


def _act_as_rival(rival, act, job_id):
    if act == "rival claims":
        rival.act(rival.plan_claim(job_id))
    elif act == "rival reclaims":
        rival.act(rival.plan_reclaim(job_id))
    else:
        rival.settle(job_id, INPUT)


def _refund(job_id):
    return replace(
        SimulatedMarket.plan_claim(None, job_id),
        data=json.dumps({"move": "refund", "job": job_id.hex()}).encode(),
        what="JobManager.refund",
    )


accounts = st.sampled_from([ZERO_ADDRESS, PROVER, RIVAL])
facts = st.builds(
    JobFacts,
    job_id=st.just(bytes(32)),
    requester=st.just("0x" + "11" * 20),
    opened_at=st.integers(900, 1000),
    ramp_seconds=st.integers(0, 100),
    claim_seconds=st.integers(1, 100),
    deadline=st.integers(900, 1100),
    min_prover_fee=st.integers(1, 10),
    max_prover_fee=st.integers(10, 20),
    quote=st.just(FeeQuote(1, 0, 0, 0)),
    prover=accounts,
    claim_deadline=st.integers(900, 1100),
    previous_prover=accounts,
    grace_ends_at=st.integers(900, 1100),
    payment=st.builds(Payment, st.integers(1, 20), st.just(1), st.just(0)),
    model_id=st.just(7),
    circuit_id=st.just(bytes(32)),
    input_commitment=st.just(bytes(32)),
    restricted=st.just(False),
    outcome=st.sampled_from(
        [JobStatus.NONE, JobStatus.NONE, JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED]
    ),
).filter(lambda job: is_zero(job.previous_prover) or (job.has_prover and job.prover != job.previous_prover))

SMALL_TERMS = CollateralTerms(minimum=4, ppm=100_000, bonus_ppm=500_000)


@settings(max_examples=200)
@given(facts, st.integers(0, 25), st.floats(0, 100), st.integers(0, 5), st.booleans())
def test_evaluate__job_taken_on__is_ours_or_free_paid_enough_and_in_time(
    job, min_fee, margin, confirmations, reclaim
):
    """A job is taken on exactly if we can settle it, or it is open or late with enough income and time."""
    policy = replace(
        POLICY, min_fee=min_fee, margin_seconds=margin, confirmations=confirmations, reclaim=reclaim
    )
    circuit, spec, now = SimulatedCircuit(), SimulatedChain().spec, 1000
    skip = evaluate(job, spec, circuit, policy, SMALL_TERMS, prover=PROVER, now=now)
    status = status_of(job, now)
    in_grace = status is JobStatus.GRACE and job.previous_prover == PROVER
    ours = status.is_claimed and (job.prover == PROVER or in_grace)
    left, needed = job.deadline - now, needed_seconds(circuit, policy)
    in_time = left >= needed and job.claim_seconds >= needed
    is_offer = status is JobStatus.OPEN and job.prover_fee_at(now) >= min_fee
    bonus = SMALL_TERMS.bonus_for(job.price)
    is_chance = (
        status is JobStatus.LATE
        and reclaim
        and job.previous_prover != PROVER
        and job.payment.prover_fee + bonus >= min_fee
        and left >= job.claim_seconds
    )
    assert (skip is None) == (ours or (in_time and (is_offer or is_chance)))
    if skip is not None and skip.is_final:
        assert skip.code in (SkipCode.NOT_OPEN, SkipCode.CLAIM_LOST, SkipCode.OVERTAKEN)
        assert not ours
        assert status is not JobStatus.OPEN


@given(facts, st.integers(0, 25))
def test_price_reached_at__is_the_first_second_of_that_offer(job, fee):
    """Not a second later, and never where the offer stays below."""
    reached = price_reached_at(job, fee)
    if reached is None:
        assert fee > job.max_prover_fee
        return
    assert job.prover_fee_at(reached) >= fee
    assert reached == job.opened_at or job.prover_fee_at(reached - 1) < fee
