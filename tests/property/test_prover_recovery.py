"""Whatever befalls a node and its chain, in any order: one claim, one settlement, one payment."""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from prover_simulator import (
    COLLATERAL,
    FEE,
    FUNDS,
    POLICY,
    PROVER,
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
    is_claimed_by,
    needed_seconds,
)
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, status_of
from zkml.core.tensors import pack

CONFIRMATIONS = 3
CONFIRMING = replace(POLICY, confirmations=CONFIRMATIONS)
INPUT = pack([1, 2, 3, 4], 1)

kills = st.tuples(st.just("kill"), st.integers(0, 60))
reorgs = st.tuples(st.just("reorg"), st.integers(1, CONFIRMATIONS), st.booleans())
losses = st.tuples(st.just("lose the mempool"))
strangers = st.tuples(st.just("spend a nonce"))
troubles = st.lists(st.one_of(kills, reorgs, losses, strangers), max_size=8)


class WatchedMarket(SimulatedMarket):
    """The node's market; looks at each broadcast of a proof."""

    exposed = 0

    def broadcast(self, signed):
        if "settle" in signed.what:
            [job_id] = self.chain.state.jobs
            claim = self.chain.state.moves.get(("claim", job_id))
            held = self.chain.state.jobs[job_id].prover == self.account
            if not held or self.chain.height < claim.block + CONFIRMATIONS:
                type(self).exposed += 1
        super().broadcast(signed)


@settings(max_examples=60, deadline=None)
@given(troubles)
def test_node__any_troubles__one_claim_one_settlement_one_payment(tmp_path_factory, sequence):
    """No sequence of kills, reorgs, lost mempools and stolen nonces makes it pay or be paid twice."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
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
        else:
            stranger = SimulatedMarket(chain)
            with contextlib.suppress(Exception):
                stranger.act(stranger.plan_approve(COLLATERAL))
    for _ in range(6):
        states = run()

    assert states == [CaseState.SETTLED]
    assert [len(chain.mined(PROVER, move)) for move in ("claim", "settle")] == [1, 1]
    assert chain.state.credits[PROVER] == FEE + COLLATERAL
    assert chain.state.balances[PROVER] == FUNDS - COLLATERAL
    assert WatchedMarket.exposed == 0


facts = st.builds(
    JobFacts,
    job_id=st.just(bytes(32)),
    requester=st.just("0x" + "11" * 20),
    fee=st.integers(1, 10),
    prover=st.sampled_from([ZERO_ADDRESS, PROVER, "0x" + "33" * 20]),
    collateral=st.just(1),
    model_id=st.just(7),
    circuit_id=st.just(bytes(32)),
    input_commitment=st.just(bytes(32)),
    deadline=st.integers(900, 1100),
    outcome=st.sampled_from(
        [JobStatus.NONE, JobStatus.NONE, JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED]
    ),
)


@given(facts, st.integers(0, 10), st.floats(0, 100), st.integers(0, 5))
def test_evaluate__job_taken_on__is_ours_or_open_paid_enough_and_in_time(job, min_fee, margin, confirmations):
    """A job is taken on exactly if it is claimed by us, or open with enough fee and enough time."""
    policy = replace(POLICY, min_fee=min_fee, margin_seconds=margin, confirmations=confirmations)
    circuit, spec, now = SimulatedCircuit(), SimulatedChain().spec, 1000
    skip = evaluate(job, spec, circuit, policy, prover=PROVER, now=now)
    status = status_of(job, now)
    ours = status is JobStatus.CLAIMED and is_claimed_by(job, PROVER)
    worth = job.fee >= min_fee and job.deadline - now >= needed_seconds(circuit, policy)
    assert (skip is None) == (ours or (status is JobStatus.OPEN and worth))
    if skip is not None and skip.is_final:
        assert skip.code is SkipCode.NOT_OPEN
        assert status not in (JobStatus.OPEN, JobStatus.CLAIMED)
