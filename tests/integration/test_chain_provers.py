"""Provers through their binding, on a real node: registering, staking, leaving."""

from contextlib import closing

import pytest
from registry_world import SYSTEM, build_world

from registry.provers import Stake
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.errors import InsufficientFundsError, MarketError, ProverRefusedError, RevertedError, StakeError

pytestmark = pytest.mark.integration

UNITS = 10_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("provers")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


@pytest.fixture
def prover(world):
    account = world.account(UNITS, world.provers.address)
    world.provers.register(account, "https://prover.example", [SYSTEM])
    return account


def test_register__profile__is_what_was_said_last(world, prover):
    """A prover's profile can be read, found and replaced."""
    provers = world.provers
    assert provers.profile_of(prover.address).endpoint == "https://prover.example"
    provers.register(prover, "", [SYSTEM, b"\x01\x02\x03\x04"])
    profile = provers.profile_of(prover.address)
    assert (profile.endpoint, profile.proof_systems) == ("", (SYSTEM, b"\x01\x02\x03\x04"))
    assert provers.registered_provers(from_block=0).count(prover.address) == 1
    for endpoint, systems in (("x" * 257, [SYSTEM]), ("", []), ("", [SYSTEM] * 9)):
        with pytest.raises(MarketError):
            provers.register(prover, endpoint, systems)


def test_stake__the_way_in_and_out__takes_the_delay(world, prover):
    """Stake is free at once, leaves only after the delay, and comes back whole."""
    provers = world.provers
    token = BoundContract(world.chain, load_artifact("LocalPaymentToken"), world.deployment.token.address)
    provers.stake(prover, 5_000_000)
    assert provers.stake_of(prover.address) == Stake(5_000_000, 0, True, 0, 0)
    with pytest.raises(StakeError, match="StakeTooLow"):
        provers.request_unstake(prover, 5_000_001)
    provers.request_unstake(prover, 2_000_000)
    stake = provers.stake_of(prover.address)
    assert (stake.free, stake.leaving) == (3_000_000, 2_000_000)
    with pytest.raises(StakeError, match="NothingToUnstake"):
        provers.unstake(prover)
    pass_time(world.chain, provers.unstake_delay_seconds() + 1)
    provers.unstake(prover)
    assert token.call("balanceOf", prover.address) == UNITS - 3_000_000
    left = provers.stake_of(prover.address)
    assert (left.free, left.locked, left.leaving) == (3_000_000, 0, 0)


def test_stake__of_nobody_or_nothing__is_refused(world, prover):
    """Stake needs a registered prover, an amount and the tokens; nobody but the manager locks it."""
    provers = world.provers
    with pytest.raises(ProverRefusedError):
        provers.stake(prover, 1, world.account().address)
    with pytest.raises(MarketError, match="ZeroAmount"):
        provers.stake(prover, 0)
    with pytest.raises(InsufficientFundsError):
        provers.stake(prover, UNITS + 1)
    with pytest.raises(RevertedError, match="NotJobManager"):
        provers.contract.transact(prover, "lock", prover.address, 0)
    with pytest.raises(MarketError, match="NothingForfeited"):
        provers.burn_forfeits(prover)
    with pytest.raises(MarketError, match="NothingForfeited"):
        provers.collect_forfeits(prover)
    assert provers.forfeits() == (0, 0)
