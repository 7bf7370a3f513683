"""What befalls a running node, and what it does then: it waits, or it stops and says why; it never pays twice.

The node is `zkml prover run` on a real chain with real EZKL. The same faults below the node, one transaction
at a time: tests/integration/test_outbox_on_anvil.py; a request's tab and settlement under reorgs:
tests/integration/test_api_node.py.
"""

import signal
import sys
from pathlib import Path

import psutil
import pytest
from kill_world import PROVER, Ledger, Operator, free_port, open_world, until

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from faulty_endpoint import FaultyEndpoint, in_another_block, of_another_transaction

from circuits.bundle import Bundle
from circuits.measurements import Measurements
from prover_nodes.journal import CaseState, Purpose
from zkml.core.job_machine import JobStatus, is_zero
from zkml.core.records import to_hex
from zkml.errors import RpcError, StorageError

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

SENDS = ("register", "approve", "stake", "claim", "settle")
LOOKS = 4
"""How often the node has to have asked in vain before a fault ends."""
RECEIPT = "eth_getTransactionReceipt"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("faults")) as world:
        yield world


@pytest.fixture
def job(world):
    world.go_back()
    return world.open_job()


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What the prover has in the end where nothing goes wrong."""
    world.go_back()
    job = world.open_job()
    operator = Operator(world, tmp_path_factory.mktemp("undisturbed"))
    settle(world, operator.run(), job)
    return Ledger.of(world, PROVER.address)


@pytest.fixture
def endpoint(world):
    with FaultyEndpoint(world.chain.endpoint) as endpoint:
        yield endpoint


@pytest.fixture
def operator(world, endpoint, tmp_path):
    """A node that reaches its chain through the faulty endpoint, and is not patient with it."""
    return Operator(
        world, tmp_path, endpoint=endpoint.url, ZKML_CHAIN_TIMEOUT_SECONDS="1", ZKML_PROVER_ADMIN_PORT="0"
    )


def settle(world, run, job):
    """Wait until the job is settled and filed, and drain the node."""
    run.wait_for("start:before")
    until(lambda: is_settled(world, job) or run.has_ended(), "settled")
    run.drain()


def is_settled(world, job):
    return world.market.manager.facts(job).outcome is JobStatus.SETTLED


def check_once(world, operator, job, undisturbed):
    """Check that everything was done once and that the journal says so."""
    assert Ledger.of(world, PROVER.address) == undisturbed
    assert [claim.prover for claim in world.market.manager.events.claims()] == [PROVER.address]
    assert len(world.market.manager.events.settlements_of(job)) == 1
    assert world.market.provers.forfeits() == (0, 0)
    with operator.journal() as journal:
        assert journal.case_of(to_hex(job)).state is CaseState.SETTLED


def at_send(number, then):
    """Return a hook that does something at the n-th transaction that is sent."""
    left = [number]

    def hook(_params):
        left[0] -= 1
        if left[0] == 0:
            then()

    return hook


def some_looks_later(endpoint, run, method=""):
    """Wait until the node has asked in vain a few times, and see that it still runs."""

    def asked():
        return endpoint.asked[method] if method else endpoint.asked.total()

    before = asked()
    until(lambda: asked() >= before + LOOKS or run.has_ended(), "more questions")
    assert not run.has_ended(), run.told()


# --- the endpoint -------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["claim", "settle"])
def test_endpoint__down_once_it_has_a_transaction__the_node_waits_and_sends_it_once(
    world, job, endpoint, operator, undisturbed, purpose
):
    """The answer to the broadcast is lost with the connection; when it is back the receipt is found."""
    endpoint.call_before("eth_sendRawTransaction", at_send(1 + SENDS.index(purpose), endpoint.go_down))
    run = operator.run()
    until(lambda: endpoint._is_down or run.has_ended(), "the fault")
    some_looks_later(endpoint, run)
    endpoint.come_up()
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)
    assert operator.crossings()["prove:after"] == 1


def test_endpoint__down_while_it_proves__the_proof_is_kept_and_settled_later(
    world, job, endpoint, operator, undisturbed
):
    """A chain that is away for a while costs no proof and no claim."""
    run = operator.run()
    run.wait_for("prove:before")
    endpoint.go_down()
    run.wait_for("file prove:after")
    some_looks_later(endpoint, run)
    assert not is_settled(world, job)
    endpoint.come_up()
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)
    assert operator.crossings()["prove:after"] == 1


def test_endpoint__slower_than_its_limit_for_a_while__nothing_is_sent_twice(
    world, job, endpoint, operator, undisturbed
):
    """Answers that come too late are as good as none, also where what was asked for was done."""
    endpoint.call_before(
        "eth_sendRawTransaction", at_send(1 + SENDS.index("claim"), lambda: endpoint.answer_after(1.5))
    )
    run = operator.run()
    until(lambda: endpoint._seconds or run.has_ended(), "the fault")
    some_looks_later(endpoint, run)
    endpoint.answer_after(0)
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)


def test_endpoint__down_at_the_start__stops_with_a_reason_and_leaves_no_claim(world, job, endpoint, operator):
    """Without a chain nothing can be begun: the operator is told which endpoint, and what to do."""
    endpoint.go_down()
    run = operator.run()
    assert run.wait() == RpcError.exit_code
    assert "ZK-CHN-" in run.told()
    assert world.chain.nonce(PROVER.address) == 0


LIES = {
    "never-mined": lambda _params, _receipt: None,
    "in-a-block-that-is-not-there": in_another_block,
    "of-another-transaction": of_another_transaction,
}


@pytest.mark.parametrize("lie", LIES)
def test_endpoint__lies_about_the_claims_receipt__is_not_believed_and_the_truth_is(
    world, job, endpoint, operator, undisturbed, lie
):
    """No proof is shown to anybody on a receipt that the chain does not bear out."""

    def begin_to_lie():
        endpoint.alter(RECEIPT, LIES[lie])

    endpoint.call_before("eth_sendRawTransaction", at_send(1 + SENDS.index("claim"), begin_to_lie))
    run = operator.run()
    until(lambda: endpoint._alterations or run.has_ended(), "the lie")
    some_looks_later(endpoint, run, RECEIPT)
    assert operator.crossings()["broadcast JobManager.settle:before"] == 0
    endpoint.tell_the_truth()
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)


def test_endpoint__invents_the_claims_receipt__no_proof_leaves_the_machine(
    world, job, endpoint, operator, undisturbed
):
    """A claim that the endpoint calls mined, and that the chain does not have, is followed by no settlement."""
    receipts = []

    def invent(params, receipt):
        if receipt is not None:
            receipts.append(receipt)
            return receipt
        return {**receipts[-1], "transactionHash": params[0], "logs": []}

    def hold_back():
        world.chain.request("evm_setAutomine", False)
        endpoint.alter(RECEIPT, invent)

    # The receipts before are true, and patterns for the false one.
    endpoint.alter(RECEIPT, lambda _params, receipt: receipts.append(receipt) or receipt)
    endpoint.call_before("eth_sendRawTransaction", at_send(1 + SENDS.index("claim"), hold_back))
    run = operator.run()
    run.wait_for("verify:after")
    some_looks_later(endpoint, run)
    assert operator.crossings()["broadcast JobManager.settle:before"] == 0
    endpoint.tell_the_truth()
    world.chain.request("evm_setAutomine", True)
    world.chain.request("evm_mine")
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)


# --- reorgs -------------------------------------------------------------------------------------------


def test_reorg__of_3_blocks_right_after_the_claim__what_they_held_is_sent_again(
    world, job, operator, undisturbed
):
    """Allowance, stake and claim are undone together, and done again before the proof is shown."""
    run = operator.run()
    run.wait_for("prove:before")
    world.chain.send_once("anvil_reorg", [3, []])
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)
    assert operator.crossings()["prove:after"] == 1


def test_reorg__of_3_blocks_right_after_the_settlement__it_is_settled_again_by_the_same_transaction(
    world, job, operator, undisturbed
):
    """A settlement counts once it is deep enough; one that is undone before is sent again, byte for byte."""
    run = operator.run(changes=[{"name": "deep", "confirmations": 3}])
    run.wait_for("confirm the claim:before")
    assert operator.crossings()["broadcast JobManager.settle:before"] == 0
    world.chain.send_once("anvil_mine", ["0x3"])
    run.wait_for("deliver settle:after")
    world.chain.send_once("anvil_reorg", [3, []])

    # The settlement's block and those that made the claim deep are gone.
    def mine():
        world.chain.send_once("anvil_mine", ["0x1"])
        with operator.journal() as journal:
            return journal.case_of(to_hex(job)).state is CaseState.SETTLED or run.has_ended()

    until(mine, "settled")
    run.drain()
    check_once(world, operator, job, undisturbed)
    with operator.journal() as journal:
        kept = journal.attempts(journal.case_of(to_hex(job)), Purpose.SETTLE)
    assert len(kept) == 1
    assert operator.crossings()["prove:after"] == 1


# --- the machine --------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", ["file fetch:after", "file claim:after", "prove:after"])
def test_disk__full__stops_with_a_reason_and_goes_on_when_there_is_room(
    world, job, tmp_path, undisturbed, since
):
    """What cannot be journaled is not done: no transaction is sent that the journal does not have."""
    operator = Operator(world, tmp_path)
    run = operator.run(changes=[{"name": "full", "since": since}])
    assert run.wait() == StorageError.exit_code, run.told()
    assert "make room on the disk" in run.told()
    sent = world.chain.nonce(PROVER.address)
    with operator.journal() as journal:
        case = journal.case_of(to_hex(job))
        kept = [journal.last_transaction(case, purpose) for purpose in Purpose]
    assert sent == sum(world.chain.receipt(one.transaction) is not None for one in kept if one)
    settle(world, operator.run(), job)
    check_once(world, operator, job, undisturbed)


def test_memory__circuit_that_does_not_fit__is_not_claimed(world, job, tmp_path):
    """What a proof took before is more than it may take: the job is left alone, at no cost."""
    operator = Operator(world, tmp_path, ZKML_PROVER_MEMORY_LIMIT_MIB="16")
    remember_a_peak(operator)
    run = operator.run()
    until(lambda: "too-big" in run.told() or run.has_ended(), "the skip")
    run.drain()
    assert world.chain.nonce(PROVER.address) == 0


def remember_a_peak(operator):
    """Let this machine remember that the circuit's proof took a gibibyte."""
    [bundle] = [Bundle.open(path.parent) for path in operator.home.bundles.glob("*/manifest.json")]
    for stage in ("witness", "prove"):
        Measurements(operator.home.measurements).record(
            bundle.manifest.circuit, stage, 0.5, peak_bytes=1 << 30
        )


def test_memory__worker_killed_for_it__the_proof_is_made_again_under_the_same_claim(
    world, job, tmp_path, undisturbed
):
    """What the kernel kills is a failure of one stage: the claim stands, and the next attempt is paid."""
    operator = Operator(world, tmp_path)
    run = operator.run()
    run.wait_for("prove:before")
    workers = until(lambda: psutil.Process(run.pid).children(recursive=True), "a worker")
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    settle(world, run, job)
    check_once(world, operator, job, undisturbed)
    crossed = operator.crossings()
    assert (crossed["prove:before"], crossed["prove:after"]) == (2, 1)


DAMAGES = {
    "garbage": lambda data: bytes(4096) + b"\x5a" * 4096,
    "cut-off": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_journal__damaged__stops_with_a_reason_and_touches_no_chain(
    world, job, tmp_path, undisturbed, damage
):
    """A node that cannot trust its memory sends nothing; without the file it finds its claim on chain."""
    operator = Operator(world, tmp_path)
    operator.run(at="prove:before").expect_killed()
    sent = world.chain.nonce(PROVER.address)
    with operator.journal():
        # Everything is in one file when the last connection is closed.
        pass
    journal = operator.home.journal
    data = journal.read_bytes()
    for rest in journal.parent.glob("journal.sqlite?*"):
        rest.unlink()
    journal.write_bytes(DAMAGES[damage](data))
    run = operator.run()
    assert run.wait() == StorageError.exit_code, run.told()
    assert "proves again what it had not settled" in run.told()
    assert world.chain.nonce(PROVER.address) == sent
    journal.rename(journal.with_suffix(".damaged"))
    settle(world, operator.run(), job)
    assert Ledger.of(world, PROVER.address) == undisturbed


def test_ports__taken__stops_with_a_reason_before_anything_is_claimed(world, job, tmp_path):
    """Two nodes on one port: the second says so, and no claim of it is on chain that its journal lacks."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", free_port())) as taken:
        operator = Operator(world, tmp_path, ZKML_API_PORT=str(taken.getsockname()[1]))
        run = operator.run()
        assert run.wait() not in (0, -signal.SIGKILL)
    assert "api.port" in run.told()
    with operator.journal() as journal:
        claimed = journal.cases((CaseState.WORKING,))
    assert bool(claimed) or is_zero(world.market.manager.facts(job).prover)
