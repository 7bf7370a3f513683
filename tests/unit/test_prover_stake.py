"""What a node stakes before it claims: what is missing, once, and never more than it was allowed to."""

from dataclasses import replace

import pytest
from prover_simulator import (
    COLLATERAL,
    FUNDS,
    POLICY,
    PROVER,
    SYSTEM_ID,
    TERMS,
    Fuse,
    Killed,
    SimulatedChain,
    SimulatedCircuit,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.journal import CaseState, open_journal
from registry.provers import Stake
from zkml.core.pricing import payment_for
from zkml.core.tensors import pack

INPUT = pack([1, 2, 3, 4], 1)


def sent(chain):
    return [signed.what.partition(".")[2] for signed in chain.broadcasts if signed.sender == PROVER]


def test_stake__nothing_yet__registers_approves_exactly_and_stakes(chain, circuit, journal):
    """The order is register, approve, stake, claim; the allowance is spent, the stake free again at the end."""
    chain.open(INPUT)
    simulated_node(chain, circuit, journal).run_once()
    assert sent(chain) == ["register", "approve", "stake", "claim", "settle"]
    assert chain.state.allowances[PROVER] == 0
    assert chain.state.balances[PROVER] == FUNDS - COLLATERAL
    assert SYSTEM_ID.hex() in chain.broadcasts[0].raw.decode()


def test_stake__enough_is_free__nothing_is_sent_for_it(chain, circuit, journal):
    """A second job lives on the stake that the first one set free."""
    node = simulated_node(chain, circuit, journal)
    chain.open(INPUT)
    node.run_once()
    chain.open(pack([2, 2, 2, 2], 1))
    node.run_once()
    assert sent(chain)[5:] == ["claim", "settle"]


def test_stake__some_is_free__the_difference_is_added(chain, circuit, journal):
    """Not the whole collateral, only what is missing."""
    chain.open(INPUT)
    chain.endow(PROVER, COLLATERAL - 10)
    simulated_node(chain, circuit, journal).run_once()
    assert sent(chain) == ["approve", "stake", "claim", "settle"]
    assert chain.state.balances[PROVER] == FUNDS - 10


def test_stake__offer_rises_far__what_the_dearest_claim_locks_is_staked(chain, circuit, journal):
    """The amount depends on the job alone, not on the second at which the node came to stake."""
    chain.open(INPUT, fee=1, max_fee=50_000_000, ramp_seconds=500)
    chain.state.balances[PROVER] = 10 * FUNDS
    chain.now += 200
    simulated_node(chain, circuit, journal).run_once()
    [job] = chain.state.jobs.values()
    dearest = TERMS.collateral_for(payment_for(job.quote, job.max_prover_fee).price)
    assert dearest > TERMS.collateral_for(job.price)
    assert chain.state.stakes[PROVER].free == dearest


def test_stake__cap_leaves_room_for_this_claim_alone__is_filled_up_to_it(chain, circuit, journal):
    """The cap is kept to the unit, and a claim that fits below it is made."""
    chain.open(INPUT, fee=1, max_fee=50_000_000, ramp_seconds=500)
    policy = replace(POLICY, max_stake=3 * COLLATERAL)
    assert len(simulated_node(chain, circuit, journal, policy=policy).run_once().settled) == 1
    assert chain.state.stakes[PROVER].free == 3 * COLLATERAL


@pytest.mark.parametrize(
    ("policy", "held"),
    [
        (replace(POLICY, max_stake=COLLATERAL - 1), None),
        (replace(POLICY, max_stake=COLLATERAL), Stake(0, 1, registered=True, leaving=0, leaves_at=0)),
        (replace(POLICY, auto_stake=False), None),
        (replace(POLICY, auto_stake=False), Stake(COLLATERAL - 1, 0, True, 0, 0)),
    ],
    ids=["cap", "cap-with-locked-stake", "not-registered", "too-little"],
)
def test_stake__not_allowed_to_add_enough__skips_and_sends_nothing(chain, circuit, journal, policy, held):
    """No token moves where the owner of the node did not say so; the job waits, and is taken once it can be."""
    chain.open(INPUT)
    if held is not None:
        chain.state.stakes[PROVER] = held
    node = simulated_node(chain, circuit, journal, policy=policy)
    assert node.run_once().skips == {"stake-too-low": 1}
    assert not sent(chain)
    assert [case.state for case in journal.cases()] == [CaseState.WAITING]
    chain.endow(PROVER, COLLATERAL)
    assert len(node.run_once().settled) == 1
    assert sent(chain) == ["claim", "settle"]


def test_stake__kept_one_is_mined_after_the_stake_was_read__is_not_sent_twice(circuit, tmp_path, monkeypatch):
    """A restarted node whose stake is mined right then goes on with the one it has on record."""
    chain, path = SimulatedChain(instant=False), tmp_path / "journal.sqlite"
    chain.open(INPUT)
    with open_journal("sqlite://", SimulatedMarket.scope) as scratch:
        fuse, rehearsal = Fuse(), SimulatedChain(instant=False)
        rehearsal.open(INPUT)
        simulated_node(rehearsal, SimulatedCircuit(), scratch, fuse=fuse).run_once()
    sendings = [number for number, name in enumerate(fuse.passed) if name == "after broadcast"]
    with open_journal(path, SimulatedMarket.scope) as journal, pytest.raises(Killed):
        simulated_node(chain, circuit, journal, fuse=Fuse(sendings[2])).run_once()
    plain = SimulatedMarket.stake

    def read_then_mine(market):
        found = plain(market)
        chain.mine()
        return found

    monkeypatch.setattr(SimulatedMarket, "stake", read_then_mine)
    with open_journal(path, SimulatedMarket.scope) as journal:
        assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
    assert len(chain.sent(PROVER, "stake")) == 1
