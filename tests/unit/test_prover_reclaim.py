"""Late claims: settled late where nobody minds, taken over from others, and given up when they are lost."""

from dataclasses import replace

import pytest
from prover_simulator import (
    BONUS,
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
from registry.provers import Stake
from zkml.core.job_machine import JobStatus
from zkml.core.tensors import pack

INPUT = pack([1, 2, 3, 4], 1)


@pytest.fixture
def rival(chain):
    chain.endow(RIVAL)
    return SimulatedMarket(chain, RIVAL)


def late_job(chain, rival, **options):
    """Open a job that the rival claims and does nothing about for too long."""
    job_id = chain.open(INPUT, **options)
    rival.claim(job_id)
    chain.now += CLAIM_SECONDS + 1
    return job_id


def claimed_and_killed(chain, journal_path, circuit):
    """Have a node claim a job and die before it proves."""
    job_id = chain.open(INPUT)
    fuse = Fuse()
    with open_journal(journal_path, SimulatedMarket.scope) as journal:
        circuit.while_proving = lambda: (_ for _ in ()).throw(Killed())
        with pytest.raises(Killed):
            simulated_node(chain, circuit, journal, fuse=fuse).run_once()
    circuit.while_proving = lambda: None
    return job_id


def test_late_claim__of_another__is_taken_over_and_settled_after_the_grace(chain, circuit, journal, rival):
    """It proves in the grace, publishes nothing before its end, and then earns fee and bonus."""
    job_id = late_job(chain, rival)
    node = simulated_node(chain, circuit, journal)
    assert node.run_once().skips == {"in-grace": 1}
    assert circuit.proved == 1
    assert not chain.sent(PROVER, "settle")
    chain.now = chain.state.jobs[job_id].grace_ends_at
    assert node.run_once().skips == {"in-grace": 1}
    chain.now += 1
    assert len(node.run_once().settled) == 1
    assert circuit.proved == 1
    assert chain.state.credits[PROVER] == FEE
    assert chain.state.stakes[PROVER].free == COLLATERAL + BONUS
    assert chain.state.stakes[RIVAL] == Stake(FUNDS - COLLATERAL, 0, True, 0, 0)


def test_late_claim__previous_settles_in_its_grace__ends_as_overtaken_and_costs_nothing(
    chain, circuit, journal, rival
):
    """The collateral is free again, and the case is closed under that name."""
    job_id = late_job(chain, rival)
    node = simulated_node(chain, circuit, journal)
    node.run_once()
    rival.settle(job_id, INPUT)
    report = node.run_once()
    assert report.skips == {"overtaken": 1}
    assert [case.state for case in journal.cases()] == [CaseState.CLOSED]
    assert chain.state.stakes[PROVER] == Stake(COLLATERAL, 0, True, 0, 0)
    assert node.run_once().outcomes == ()


def test_late_claim__policy_says_no__is_left_alone(chain, circuit, journal, rival):
    """A node that takes nothing over sends nothing."""
    late_job(chain, rival)
    policy = replace(POLICY, reclaim=False)
    assert simulated_node(chain, circuit, journal, policy=policy).run_once().skips == {"claimed-by-other": 1}
    assert not chain.sent(PROVER, "reclaim")


def test_late_claim__no_whole_claim_period_left__is_left_alone(chain, circuit, journal, rival):
    """The contract would refuse it; the node asks for nothing."""
    late_job(chain, rival, seconds=2 * CLAIM_SECONDS)
    assert simulated_node(chain, circuit, journal).run_once().skips == {"deadline-too-near": 1}
    assert not chain.broadcasts[1:]


@pytest.mark.parametrize(("min_fee", "taken"), [(FEE + BONUS, True), (FEE + BONUS + 1, False)])
def test_late_claim__income_counts_the_bonus(chain, circuit, journal, rival, min_fee, taken):
    """Fee and bonus together are compared with the policy; the best offer must be worth a look too."""
    job_id = chain.open(INPUT, fee=FEE, max_fee=2 * FEE, ramp_seconds=100_000, seconds=100_000)
    rival.claim(job_id)
    chain.state.jobs[job_id] = replace(
        chain.state.jobs[job_id], payment=chain.state.jobs[job_id].payment._replace(prover_fee=FEE)
    )
    chain.now += CLAIM_SECONDS + 1
    skips = simulated_node(chain, circuit, journal, policy=replace(POLICY, min_fee=min_fee)).run_once().skips
    assert skips == ({"in-grace": 1} if taken else {"fee-too-low": 1})


def test_own_claim__late_and_nobody_minds__is_settled(chain, circuit, tmp_path):
    """Being late forfeits nothing as long as the claim stands."""
    path = tmp_path / "journal.sqlite"
    job_id = claimed_and_killed(chain, path, circuit)
    chain.now += CLAIM_SECONDS + 1
    with open_journal(path, SimulatedMarket.scope) as journal:
        assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
    assert chain.state.jobs[job_id].outcome is JobStatus.SETTLED


def test_own_claim__taken_over__is_settled_within_the_grace(chain, circuit, tmp_path, rival):
    """Who comes back in time is paid, and both collaterals are free."""
    path = tmp_path / "journal.sqlite"
    job_id = claimed_and_killed(chain, path, circuit)
    chain.now += CLAIM_SECONDS + 1
    rival.act(rival.plan_reclaim(job_id))
    with open_journal(path, SimulatedMarket.scope) as journal:
        assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
    assert chain.state.credits[PROVER] == FEE
    assert [chain.state.stakes[who].locked for who in (PROVER, RIVAL)] == [0, 0]


def test_own_claim__taken_over_and_grace_gone__is_given_up_with_a_reason(chain, circuit, tmp_path, rival):
    """No proof is made public for nothing, and the journal says who has the job now."""
    path = tmp_path / "journal.sqlite"
    job_id = claimed_and_killed(chain, path, circuit)
    chain.now += CLAIM_SECONDS + 1
    rival.act(rival.plan_reclaim(job_id))
    chain.now += GRACE_SECONDS + 1
    with open_journal(path, SimulatedMarket.scope) as journal:
        report = simulated_node(chain, circuit, journal).run_once()
        assert report.skips == {"claim-lost": 1}
        assert RIVAL in report.outcomes[0].reason
        assert [case.state for case in journal.cases()] == [CaseState.CLOSED]
    assert not chain.sent(PROVER, "settle")


def test_own_claim__circuit_is_tombstoned__is_closed_without_a_proof(chain, circuit, tmp_path):
    """Nothing is paid for it any more, and nothing is lost by it."""
    path = tmp_path / "journal.sqlite"
    claimed_and_killed(chain, path, circuit)
    chain.tombstoned = True
    proved = circuit.proved
    with open_journal(path, SimulatedMarket.scope) as journal:
        assert simulated_node(chain, circuit, journal).run_once().skips == {"tombstoned": 1}
        assert [case.state for case in journal.cases()] == [CaseState.CLOSED]
    assert circuit.proved == proved


def test_own_claim__tombstoned_while_proving__is_closed(chain, circuit, journal):
    """The contract's refusal is understood."""
    chain.open(INPUT)
    circuit.while_proving = lambda: setattr(chain, "tombstoned", True)
    assert simulated_node(chain, circuit, journal).run_once().skips == {"tombstoned": 1}


def reclaim_boundaries():
    """Return every boundary that an undisturbed takeover passes in its first round."""
    chain, fuse = SimulatedChain(), Fuse()
    chain.endow(RIVAL)
    late_job(chain, SimulatedMarket(chain, RIVAL))
    with open_journal("sqlite://", SimulatedMarket.scope) as journal:
        simulated_node(chain, SimulatedCircuit(), journal, fuse=fuse).run_once()
    return fuse.passed


@pytest.mark.parametrize("number", range(len(reclaim_boundaries())))
def test_takeover__killed_at_any_boundary__is_made_once_and_paid_once(tmp_path, number):
    """Whatever the boundary, the next runs complete it: one takeover, one settlement, one bonus."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    chain.endow(RIVAL)
    job_id = late_job(chain, SimulatedMarket(chain, RIVAL), seconds=10_000)
    path = tmp_path / "journal.sqlite"
    with open_journal(path, SimulatedMarket.scope) as journal, pytest.raises(Killed):
        simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
    with open_journal(path, SimulatedMarket.scope) as journal:
        node = simulated_node(chain, circuit, journal)
        node.run_once()
        chain.now = chain.state.jobs[job_id].grace_ends_at + 1
        node.run_once()
        assert [case.state for case in journal.cases()] == [CaseState.SETTLED]
    moves = ("register", "approve", "stake", "reclaim", "settle")
    assert [len(chain.sent(PROVER, move)) for move in moves] == [1] * len(moves)
    assert chain.state.stakes[PROVER] == Stake(COLLATERAL + BONUS, 0, True, 0, 0)
    assert chain.state.credits[PROVER] == FEE
