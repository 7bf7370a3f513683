"""What a flood of jobs costs a node: no request for those it would not take, a bounded number for the rest."""

from collections import Counter
from dataclasses import replace

import pytest
from prover_simulator import (
    COLLATERAL,
    FEE,
    POLICY,
    PROVER,
    RIVAL,
    SPEC,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.agenda import MAX_JOBS_PER_ROUND
from prover_nodes.journal import CaseState
from prover_nodes.outcomes import OutcomeKind
from zkml.core.records import to_hex
from zkml.core.tensors import pack
from zkml.errors import RpcError

INPUT = pack([1, 2, 3, 4], 1)
PAYING = replace(POLICY, min_fee=2)


class CountedMarket(SimulatedMarket):
    """Counts what the chain is asked, and does not answer about some jobs."""

    def __init__(self, chain):
        super().__init__(chain)
        self.asked = Counter()
        self.jobs = []
        self.silent_about = set()

    def facts(self, job_id):
        self.asked["facts"] += 1
        self.jobs.append(job_id)
        if job_id in self.silent_about:
            raise RpcError("expected a job, found nonsense")
        return super().facts(job_id)

    def circuit(self, circuit_id):
        self.asked["circuit"] += 1
        return super().circuit(circuit_id)


@pytest.fixture
def market(chain):
    return CountedMarket(chain)


def open_many(chain, number, **changes):
    return [chain.open(pack([i // 50, i % 50, 0, 0], 1), seconds=100_000, **changes) for i in range(number)]


def claim_all(chain, jobs, account):
    other = SimulatedMarket(chain, account)
    chain.endow(account, len(jobs) * 2 * COLLATERAL)
    for job_id in jobs:
        other.act(other.plan_claim(job_id))


def test_round__fees_too_low__asks_the_chain_about_none(chain, circuit, journal, market):
    """A flood of jobs of a dust fee costs no request, in the first round and in any other."""
    open_many(chain, 60, fee=1)
    node = simulated_node(chain, circuit, journal, market=market, policy=PAYING)
    assert node.run_once().skips == {"fee-too-low": 60}
    assert node.run_once().outcomes == ()
    assert not market.asked


def test_round__circuit_without_a_bundle__is_asked_for_once(chain, circuit, journal, market):
    """The first job of a circuit tells about all the others, which then cost nothing."""
    open_many(chain, 60)
    chain.spec = SPEC._replace(verifying_key_digest=bytes(32))
    node = simulated_node(chain, circuit, journal, market=market)
    assert node.run_once().skips == {"unknown-circuit": 60}
    assert node.run_once().outcomes == ()
    assert market.asked == {"facts": 1, "circuit": 1}


def test_set_aside__other_settings_after_a_restart__are_applied(chain, circuit, journal, market):
    """What one start left alone for its settings is judged anew by the next start's."""
    chain.open(INPUT, fee=1)
    simulated_node(chain, circuit, journal, policy=PAYING).run_once()
    assert [case.state for case in journal.cases()] == [CaseState.WAITING]
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1


def rising(chain, **options):
    """Open a job whose fee rises from 1 by 99 in 1000 seconds; return when it opened."""
    chain.open(INPUT, fee=1, max_fee=100, ramp_seconds=1000, seconds=100_000, **options)
    return chain.now


def test_set_aside__offer_still_rises__is_looked_at_when_it_is_enough(chain, circuit, journal, market):
    """A fee below the policy costs no request until the second at which the auction reaches it."""
    opened_at = rising(chain)
    node = simulated_node(chain, circuit, journal, market=market, policy=replace(POLICY, min_fee=21))
    assert node.run_once().skips == {"fee-too-low": 1}
    asked = dict(market.asked)
    chain.now = opened_at + 202
    assert node.run_once().outcomes == ()
    assert dict(market.asked) == asked
    chain.now = opened_at + 203
    assert len(node.run_once().settled) == 1
    [job] = chain.state.jobs.values()
    assert job.payment.prover_fee >= 21


def test_set_aside__offer_never_enough__is_no_request_at_all(chain, circuit, journal, market):
    """What the job pays at its best is in its opening."""
    rising(chain)
    node = simulated_node(chain, circuit, journal, market=market, policy=replace(POLICY, min_fee=102))
    assert node.run_once().skips == {"fee-too-low": 1}
    assert not market.asked


def test_set_aside__deadline_passes__is_closed(chain, circuit, journal, market):
    """Jobs that were left alone do not stay in the journal's list for ever."""
    chain.open(INPUT, fee=1)
    node = simulated_node(chain, circuit, journal, market=market, policy=PAYING)
    node.run_once()
    chain.now += 1000
    assert node.run_once().skips == {"not-open": 1}
    assert [case.state for case in journal.cases()] == [CaseState.CLOSED]
    assert not market.asked


def test_round__more_jobs_than_it_takes__best_paid_first(chain, circuit, journal, market):
    """A round is bounded, and what it leaves for the next is what pays least."""
    chain.state.balances[PROVER] = 100 * COLLATERAL
    jobs = open_many(chain, MAX_JOBS_PER_ROUND + 3)
    cheap = chain.open(INPUT, seconds=100_000, fee=FEE - 1)
    dear = chain.open(pack([7, 7, 7, 7], 1), seconds=100_000, fee=FEE + 1)
    node = simulated_node(chain, circuit, journal, market=market)
    report = node.run_once()
    assert len(report.outcomes) == MAX_JOBS_PER_ROUND
    assert market.jobs[0] == dear
    assert to_hex(cheap) not in {outcome.job_id for outcome in report.outcomes}
    assert len(node.run_once().settled) == len(jobs) + 2 - MAX_JOBS_PER_ROUND


def test_round__best_paid_jobs_never_get_anywhere__do_not_keep_others_out(chain, circuit, journal, market):
    """A round's worth of better paid jobs that another holds delays an honest one by one round."""
    claim_all(chain, open_many(chain, MAX_JOBS_PER_ROUND, fee=2 * FEE, claim_seconds=100_000), RIVAL)
    honest = chain.open(INPUT, seconds=100_000)
    node = simulated_node(chain, circuit, journal, market=market)
    assert node.run_once().skips == {"claimed-by-other": MAX_JOBS_PER_ROUND}
    assert [outcome.job_id for outcome in node.run_once().settled] == [to_hex(honest)]


def test_round__job_at_work__comes_before_any_number_of_others(chain, circuit, journal, market):
    """Collateral at stake is not outbid."""
    mine = chain.open(INPUT, seconds=100_000)
    claim_all(chain, [mine], PROVER)
    open_many(chain, MAX_JOBS_PER_ROUND + 1, fee=2 * FEE)
    simulated_node(chain, circuit, journal, market=market).run_once()
    assert market.jobs[0] == mine


def test_journal_lost__claimed_job_of_a_low_fee__is_found_and_proved(chain, circuit, journal, market):
    """The opening alone says fee-too-low; the claim that is on chain is looked for first."""
    job_id = chain.open(INPUT, fee=1)
    claim_all(chain, [job_id], PROVER)
    report = simulated_node(chain, circuit, journal, market=market, policy=PAYING).run_once()
    assert [outcome.job_id for outcome in report.settled] == [to_hex(job_id)]
    assert chain.state.credits[PROVER] == 1


def test_round__nonsense_about_one_job__delays_that_job_alone(chain, circuit, journal, market):
    """An answer that cannot be read ends neither the round nor the node, and is no fault of the job."""
    bad = chain.open(INPUT, fee=2 * FEE)
    good = chain.open(pack([5, 5, 5, 5], 1))
    market.silent_about = {bad}
    node = simulated_node(chain, circuit, journal, market=market)
    report = node.run_once()
    kinds = {outcome.job_id: outcome.kind for outcome in report.outcomes}
    assert kinds == {to_hex(bad): OutcomeKind.DELAYED, to_hex(good): OutcomeKind.SETTLED}
    assert journal.case_of(to_hex(bad)).failures == 0
    market.silent_about = set()
    assert [outcome.job_id for outcome in node.run_once().settled] == [to_hex(bad)]
