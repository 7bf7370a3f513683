"""A node that is killed by SIGKILL at each boundary between its stages serves its job once, and pays for it once.

The node is `zkml prover run`, with real proofs of either system and a real chain. The same around each broadcast of stake and
registration, with proofs that are hashes: tests/integration/test_prover_on_anvil.py; in any order, together
with reorgs and lost mempools, on a simulated chain: tests/property/test_prover_recovery.py.
"""

from pathlib import Path

import psutil
import pytest
from kill_world import FEE, FUNDS, PROVER, Ledger, Operator, Process, World, open_world, until
from systems import FAST, SYSTEMS

from prover_nodes.journal import CaseState, Purpose
from zkml.core.job_machine import JobStatus
from zkml.core.records import to_hex

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

KILLS = {
    "seen": "watch:after",
    "witnessed": "file witness:before",
    "claim-signed": "sign JobManager.claim:after",
    "claim-kept": "keep claim:after",
    "claim-broadcast": "broadcast JobManager.claim:before",
    "claim-mined": "deliver claim:after",
    "proved": "prove:after",
    "proof-filed": "file prove:after",
    "checked": "simulate JobManager.settle:after",
    "settlement-kept": "keep settle:after",
    "settlement-broadcast": "broadcast JobManager.settle:before",
    "settlement-mined": "deliver settle:after",
    "done": "mark settled:after",
}
"""Where it is killed. What is broadcast there reaches the mempool, and is mined while the next node waits."""
ACCOUNT = ("ProverRegistry.register", "LocalPaymentToken.approve", "ProverRegistry.stake")
IN_TURN = (
    "watch:after",
    "file fetch:before",
    "file fetch:after",
    "witness:after",
    "file witness:after",
    "mark working:after",
    *(f"{step} {what}:after" for what in ACCOUNT for step in ("sign", "broadcast")),
    "sign JobManager.claim:after",
    "keep claim:after",
    "broadcast JobManager.claim:after",
    "file claim:before",
    "file claim:after",
    "prove:before",
    "file prove:before",
    "file prove:after",
    "verify:after",
    "confirm the claim:after",
    "sign JobManager.settle:after",
    "keep settle:after",
    "broadcast JobManager.settle:after",
    "file settle:before",
    "file settle:after",
    "mark settled:before",
    "mark settled:after",
)
"""Boundaries that are crossed one after the other by nodes that are killed at each."""
WAITS = {"claim-broadcast": "deliver claim:before", "settlement-broadcast": "deliver settle:before"}


@pytest.fixture(scope="module", params=SYSTEMS)
def world(request, tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("killed"), request.param) as world:
        yield world


@pytest.fixture
def job(world):
    world.go_back()
    return world.open_job()


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What the prover has after a node that nobody kills; and which boundaries it crossed."""
    world.go_back()
    job = world.open_job()
    operator = Operator(world, tmp_path_factory.mktemp("undisturbed"))
    finish(world, operator, job)
    return Ledger.of(world, PROVER.address), set(operator.crossings())


def finish(world: World, operator: Operator, job: bytes, *, mine_at: str = "") -> Process:
    """Run a node that nobody kills until the job is settled and filed, and drain it."""
    run = operator.run()
    if mine_at:
        run.wait_for(mine_at)
        world.chain.request("evm_setAutomine", True)
        world.chain.request("evm_mine")
    run.wait_for("start:before")
    until(lambda: world.market.manager.facts(job).outcome is JobStatus.SETTLED or run.has_ended(), "settled")
    run.drain()
    return run


def check(world: World, operator: Operator, job: bytes, undisturbed: Ledger) -> None:
    """Check on chain and in the journal that everything was done once."""
    events = world.market.manager.events
    assert [claim.prover for claim in events.claims()] == [PROVER.address]
    assert len(events.settlements_of(job)) == 1
    assert not list(events.reclaims())
    assert world.market.provers.forfeits() == (0, 0)
    assert Ledger.of(world, PROVER.address) == undisturbed
    crossed = [line for run in operator.runs for line in run.crossed()]
    filed = crossed.index("file prove:after")
    assert "prove:before" not in crossed[filed:]
    with operator.journal() as journal:
        case = journal.case_of(to_hex(job))
        assert case.state is CaseState.SETTLED
        [kept] = journal.attempts(case, Purpose.SETTLE)
        assert world.chain.receipt(kept.transaction).succeeded


def test_node__that_nobody_kills__sends_five_transactions_and_is_paid(undisturbed):
    """What all others are compared with: register, approve, stake, claim and settle; the fee, and its stake."""
    ledger, crossed = undisturbed
    assert ledger.transactions == 5
    assert (ledger.credits, ledger.locked) == (FEE, 0)
    assert ledger.tokens + ledger.free == FUNDS
    assert {*KILLS.values(), *IN_TURN} <= crossed


@pytest.mark.parametrize("kill", KILLS)
def test_kill__at_a_boundary__the_next_node_does_nothing_twice(world, job, tmp_path, undisturbed, kill):
    """One claim, one settlement, no forfeit, as many transactions and tokens as without the kill."""
    operator = Operator(world, tmp_path)
    is_broadcast = kill in WAITS
    killed = operator.run(at=KILLS[kill], do="unmined" if is_broadcast else "kill")
    killed.expect_killed()
    finish(world, operator, job, mine_at=WAITS.get(kill, ""))
    check(world, operator, job, undisturbed[0])
    # A proof that was not filed is made again; nothing else is.
    made = operator.crossings()["prove:after"]
    assert made == (2 if kill == "proved" else 1)


# These boundaries are the node's own, whatever proves.
@pytest.mark.parametrize("world", [FAST], indirect=True)
def test_kill__at_every_boundary_in_turn__one_job_is_served_once(world, job, tmp_path, undisturbed):
    """A node that gets no further than to its next boundary before it is killed comes to its end all the same."""
    operator = Operator(world, tmp_path)
    for boundary in IN_TURN:
        operator.run(at=boundary).expect_killed()
    finish(world, operator, job)
    check(world, operator, job, undisturbed[0])


# OCTET proves inside the node's process, which a worker would outlive no better.
@pytest.mark.parametrize("world", ["ezkl"], indirect=True)
def test_kill__while_it_proves__its_worker_dies_with_it(world, job, tmp_path, undisturbed):
    """No orphan goes on using the machine; the claim is kept, and the proof is made by the next node."""
    operator = Operator(world, tmp_path)
    run = operator.run()
    run.wait_for("prove:before")
    workers = until(lambda: psutil.Process(run.pid).children(recursive=True), "a worker")
    run.kill()
    until(lambda: not any(is_alive(worker) for worker in workers), "the end of the workers")
    finish(world, operator, job)
    check(world, operator, job, undisturbed[0])


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_kill__journal_lost_with_it__the_claim_is_found_on_chain(world, job, tmp_path, undisturbed):
    """A node whose disk died proves and settles what it had claimed; it claims nothing a second time."""
    operator = Operator(world, tmp_path)
    operator.run(at="file prove:after").expect_killed()
    for path in list(operator.home.journal.parent.glob("journal.sqlite*")):
        Path(path).unlink()
    finish(world, operator, job)
    assert Ledger.of(world, PROVER.address) == undisturbed[0]
    assert len(list(world.market.manager.events.claims())) == 1
