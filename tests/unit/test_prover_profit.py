"""A job is claimed only if it pays for its gas and its proof; the note has the figures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prover_simulator import (
    BONUS,
    CLAIM_SECONDS,
    FEE,
    LAYOUT,
    LEAST_GAS,
    POLICY,
    PROVER,
    RIVAL,
    SimulatedChain,
    SimulatedCircuit,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.profit import costs_of, evaluate_profit, gas_of_job
from zkml.core.tensors import pack

INPUT = pack([1, 2, 3, 4], 1)
GWEI = 10**9
PROOF_BYTES = SimulatedCircuit.proof_bytes
GAS = gas_of_job(LAYOUT, LEAST_GAS * 20 // 21, PROOF_BYTES)
TAKEOVER_GAS = gas_of_job(LAYOUT, LEAST_GAS * 20 // 21, PROOF_BYTES, is_takeover=True)


@pytest.fixture
def chain():
    return SimulatedChain(gas_price_wei=GWEI)


def units_for(gas, amount):
    """Return the price of an ether at which gas at one gwei costs an amount or a little less."""
    return amount * 10**18 // (gas * GWEI)


def run(chain, journal, **terms):
    policy = replace(POLICY, **terms)
    return simulated_node(chain, SimulatedCircuit(), journal, policy=policy).run_once()


def test_profit__fee_pays_for_gas_exactly__is_claimed_and_one_more_is_not(chain, journal):
    """Gas counts at the chain's price; a fee below it is a skip with both figures, and costs nothing."""
    chain.open(INPUT)
    units = units_for(GAS, FEE)
    report = run(chain, journal, units_per_ether=units + 10**9)
    assert report.skips == {"fee-too-low": 1}
    assert str(FEE) in report.outcomes[0].reason
    assert f"for {GAS} gas" in report.outcomes[0].reason
    assert not chain.broadcasts
    assert len(run(chain, journal, units_per_ether=units).settled) == 1


def test_profit__gas_gets_cheaper__the_job_is_looked_at_again(chain, journal):
    """What the price of gas made too dear is not set aside for ever."""
    chain.open(INPUT, seconds=100_000)
    policy = replace(POLICY, units_per_ether=units_for(GAS, FEE) * 3)
    node = simulated_node(chain, SimulatedCircuit(), journal, policy=policy)
    assert node.run_once().skips == {"fee-too-low": 1}
    assert node.run_once().outcomes == ()
    chain.gas_price_wei = GWEI // 4
    chain.now += 61
    node._pipeline.judge._price = (float("-inf"), 0)
    assert len(node.run_once().settled) == 1


@pytest.mark.parametrize(("per_hour", "taken"), [(720 * FEE, True), (720 * FEE + 720, False)])
def test_profit__five_seconds_of_proving__cost_their_part_of_an_hour(chain, journal, per_hour, taken):
    """5 s are a 720th of an hour."""
    chain.open(INPUT)
    report = run(chain, journal, cost_per_hour=per_hour)
    assert len(report.settled) == taken
    if not taken:
        assert "5.0 s of proving" in report.outcomes[0].reason


def test_profit__nothing_configured__any_fee_will_do(chain, journal):
    """Without prices there are no costs."""
    chain.open(INPUT, fee=1)
    chain.gas_price_wei = 10**18
    assert len(run(chain, journal).settled) == 1


def test_profit__rising_offer__is_looked_at_when_it_pays_for_the_proof(chain, journal):
    """A fee that rises from 1 to 100 in 1000 s pays for a proof of 21 units after 203 s."""
    chain.open(INPUT, fee=1, max_fee=100, ramp_seconds=1000, seconds=100_000)
    opened_at = chain.now
    policy = replace(POLICY, cost_per_hour=720 * 21)
    node = simulated_node(chain, SimulatedCircuit(), journal, policy=policy)
    assert node.run_once().skips == {"fee-too-low": 1}
    chain.now = opened_at + 202
    assert node.run_once().outcomes == ()
    chain.now += 1
    assert len(node.run_once().settled) == 1


@pytest.mark.parametrize(("spare", "taken"), [(0, "in-grace"), (10**9, "fee-too-low")])
def test_profit__takeover__counts_the_bonus_and_the_dearer_gas(chain, journal, spare, taken):
    """Fee and bonus together pay for reclaim, settlement and forfeiting."""
    job_id = chain.open(INPUT, seconds=1000)
    SimulatedMarket(chain, RIVAL).claim(job_id)
    chain.now += CLAIM_SECONDS + 1
    units = units_for(TAKEOVER_GAS, FEE + BONUS) + spare
    assert run(chain, journal, units_per_ether=units).skips == {taken: 1}
    assert bool(chain.sent(PROVER, "reclaim")) == (taken == "in-grace")


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**7),
    st.integers(0, 10**12),
    st.floats(0, 10**5),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
)
def test_profit__any_figures__never_claims_at_a_loss(income, gas, price, seconds, per_hour, per_ether):
    """Amounts are rounded against the prover's optimism: what is claimed covers the exact costs."""
    policy = replace(POLICY, cost_per_hour=per_hour, units_per_ether=per_ether)
    costs = costs_of(policy, gas=gas, gas_price_wei=price, seconds=seconds)
    exact = gas * price * per_ether / 10**18 + round(1000 * seconds) * per_hour / 3_600_000
    assert costs.amount >= exact * (1 - 1e-9)
    assert costs.amount <= exact * (1 + 1e-9) + 2
    assert (evaluate_profit(income, costs, now=0) is None) == (income >= costs.amount)
