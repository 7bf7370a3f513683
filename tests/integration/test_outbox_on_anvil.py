"""Outbox and watch on a real node: gas that rises, blocks that vanish, and endpoints that fail or lie."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from chain_fixtures import ONE_TOKEN, build_market, example_input, new_account
from faulty_endpoint import FaultyEndpoint, in_another_block, of_another_contract, of_another_transaction

from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.journal import CaseState, open_journal
from prover_nodes.outbox import Outbox
from prover_nodes.services.watch import follow_market
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.replacement import call_of
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.adapters.system_clock import SystemClock
from zkml.core.records import to_hex
from zkml.errors import NotFinalError, RpcError, TransactionTimeoutError
from zkml.wiring import bind

pytestmark = pytest.mark.integration

TARGET = "0x" + "11" * 20
GWEI = 10**9
DEADLINE_SECONDS = 15.0


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anvil")
    with Anvil.start(folder) as node, closing(Chain(node.endpoint)) as connected:
        yield connected


@pytest.fixture(scope="module")
def market(chain, tmp_path_factory):
    return build_market(chain, tmp_path_factory.mktemp("deployments"))


@pytest.fixture(scope="module")
def endpoint(chain):
    with FaultyEndpoint(chain.endpoint) as faulty:
        yield faulty


@pytest.fixture
def through(chain, endpoint):
    """The chain as it is seen through the faulty endpoint, which is honest again at the end."""
    endpoint.tell_the_truth()
    with closing(Chain(endpoint.url, timeout_seconds=0.5, attempts=1)) as connected:
        yield connected
    endpoint.tell_the_truth()


@pytest.fixture
def journal(tmp_path):
    with open_journal(tmp_path / "journal.sqlite", "scope") as opened:
        yield opened


@pytest.fixture
def account(chain):
    return new_account(chain)


@pytest.fixture
def by_hand(chain):
    """Blocks are mined only when the test says so."""
    chain.send_once("evm_setAutomine", [False])
    yield chain
    chain.send_once("evm_setAutomine", [True])
    chain.send_once("anvil_mine", [])


def outbox_of(chain, account, journal, *, replace_seconds=0.2, timeout_seconds=DEADLINE_SECONDS):
    return Outbox(
        ChainTransactions(chain, account),
        journal,
        SystemClock(),
        timeout_seconds,
        0,
        replace_seconds=replace_seconds,
    )


def gift(wei):
    return Call(TARGET, b"", f"a gift of {wei}", value_wei=wei)


def until(condition, act=lambda: None):
    """Do something again and again until a condition holds."""
    deadline, pause = time.monotonic() + DEADLINE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        act()
        pause.wait(0.02)


def test_deliver__base_fee_rises_above_the_offer__replaced_at_the_same_nonce_and_mined(
    by_hand, journal, account
):
    """A real node takes the replacement, mines it, and pays the call once."""
    outbox, before = outbox_of(by_hand, account, journal), by_hand.balance_wei(TARGET)

    def raise_base_fee():
        by_hand.send_once("anvil_setNextBlockBaseFeePerGas", [hex(50 * GWEI)])
        by_hand.send_once("evm_mine", [])

    with ThreadPoolExecutor(1) as pool:
        delivered = pool.submit(outbox.deliver, "one", "gift", gift(7))
        until(lambda: len(journal.attempts("one", "gift")) == 1)
        until(lambda: len(journal.attempts("one", "gift")) >= 2, raise_base_fee)
        until(delivered.done, lambda: by_hand.send_once("evm_mine", []))
    receipt, attempts = delivered.result(), journal.attempts("one", "gift")
    assert receipt.transaction in {signed.transaction for signed in attempts[1:]}
    assert {signed.nonce for signed in attempts} == {0}
    assert {call_of(signed).value_wei for signed in attempts} == {7}
    assert by_hand.nonce(account.address) == 1
    assert by_hand.balance_wei(TARGET) == before + 7


def test_deliver__several_at_once__all_are_mined_in_one_block(by_hand, journal, account):
    """Deliveries of several threads wait beside each other, each with its nonce."""
    outbox = outbox_of(by_hand, account, journal, replace_seconds=60.0)
    with ThreadPoolExecutor(4) as pool:
        delivered = [pool.submit(outbox.deliver, f"subject {number}", "gift", gift(1)) for number in range(4)]
        until(lambda: by_hand.nonce(account.address, "pending") == 4)
        by_hand.send_once("evm_mine", [])
        receipts = [future.result(timeout=DEADLINE_SECONDS) for future in delivered]
    assert len({receipt.transaction for receipt in receipts}) == 4
    assert len({receipt.block for receipt in receipts}) == 1


def test_deliver__mined_transaction_undone_by_a_reorg__the_same_is_sent_again(chain, journal, account):
    """A reorg of 3 blocks takes a mined transaction back; its bytes are sent again, and it is paid once."""
    outbox, before = outbox_of(chain, account, journal), chain.balance_wei(TARGET)
    first = outbox.deliver("one", "gift", gift(9))
    chain.send_once("anvil_mine", [hex(2)])
    chain.send_once("anvil_reorg", [3, []])
    with pytest.raises(NotFinalError, match="reorg"):
        outbox.confirm(first.transaction, "the gift")
    again = outbox.deliver("one", "gift", gift(9))
    assert again.transaction == first.transaction
    assert again.block_hash != first.block_hash
    assert chain.balance_wei(TARGET) == before + 9


def test_watch__reorg_of_3_blocks__closes_the_job_whose_opening_is_gone(chain, market, tmp_path):
    """A real node's reorg is seen by the hashes of its blocks."""
    requester = market.funded()
    bound = ChainMarket(bind(chain, market.deployment), requester.address)
    with open_journal(tmp_path / "watch.sqlite", bound.scope) as journal:
        kept = open_job(market, requester, 1)
        follow_market(bound, journal)
        gone = open_job(market, requester, 2)
        chain.send_once("anvil_mine", [hex(2)])
        assert follow_market(bound, journal).new == 1
        chain.send_once("anvil_reorg", [3, []])
        watched = follow_market(bound, journal)
        assert (watched.depth, [case.request.job_id for case in watched.reorged]) == (3, [gone])
        assert [journal.case_of(job).state for job in (kept, gone)] == [CaseState.WAITING, CaseState.CLOSED]


def open_job(market, requester, number):
    packed_input = example_input(number)
    job_id, _ = market.jobs.open(requester, market.job_spec(packed_input, fee=ONE_TOKEN), packed_input)
    return to_hex(job_id)


def test_deliver__endpoint_goes_down_while_it_waits__goes_on_when_it_is_back(
    by_hand, through, endpoint, journal, account
):
    """An outage while a transaction waits makes no second one."""
    outbox = outbox_of(through, account, journal, replace_seconds=60.0)
    with ThreadPoolExecutor(1) as pool:
        delivered = pool.submit(outbox.deliver, "one", "gift", gift(1))
        until(lambda: by_hand.nonce(account.address, "pending") == 1)
        endpoint.go_down()
        asked = sum(endpoint.asked.values())
        by_hand.send_once("evm_mine", [])
        until(lambda: sum(endpoint.asked.values()) > asked + 1)
        assert not delivered.done()
        endpoint.come_up()
        receipt = delivered.result(timeout=DEADLINE_SECONDS)
    assert receipt.succeeded
    assert len(journal.attempts("one", "gift")) == 1


def test_deliver__endpoint_slower_than_the_timeout__retryable_and_nothing_is_signed(
    through, endpoint, journal, account
):
    """An endpoint that does not answer in time is an error that may pass."""
    endpoint.answer_after(2.0)
    with pytest.raises(RpcError, match="no answer within") as caught:
        outbox_of(through, account, journal).deliver("one", "gift", gift(1))
    assert caught.value.retryable
    assert journal.attempts("one", "gift") == []


def test_deliver__answer_to_the_broadcast_lost__is_not_sent_twice(chain, through, endpoint, journal, account):
    """The node took it, and the connection broke before it could say so."""

    def cut(_params):
        endpoint.go_down()

    endpoint.call_after("eth_sendRawTransaction", cut)
    outbox = outbox_of(through, account, journal, timeout_seconds=0.1)
    with pytest.raises((RpcError, TransactionTimeoutError)):
        outbox.deliver("one", "gift", gift(1))
    endpoint.tell_the_truth()
    [kept] = journal.attempts("one", "gift")
    assert outbox.deliver("one", "gift", gift(1)).transaction == kept.transaction
    assert chain.nonce(account.address) == 1


@pytest.mark.parametrize(
    ("alteration", "error"),
    [(in_another_block, TransactionTimeoutError), (of_another_transaction, RpcError)],
    ids=["block-not-in-the-chain", "another-transaction"],
)
def test_deliver__endpoint_lies_about_the_receipt__is_not_believed(
    chain, through, endpoint, journal, account, alteration, error
):
    """No success is reported on the word of a receipt that contradicts the chain; no second one is sent."""
    endpoint.alter("eth_getTransactionReceipt", alteration)
    outbox = outbox_of(through, account, journal, replace_seconds=60.0, timeout_seconds=0.5)
    with pytest.raises(error):
        outbox.deliver("one", "gift", gift(1))
    endpoint.tell_the_truth()
    assert outbox.deliver("one", "gift", gift(1)).succeeded
    assert chain.nonce(account.address) == 1


def test_watch__endpoint_gives_logs_of_another_contract__is_not_believed(through, endpoint, market, tmp_path):
    """Nothing that nobody asked for gets into the journal, and the cursor stays."""
    requester = market.funded()
    bound = ChainMarket(bind(through, market.deployment), requester.address)
    with open_journal(tmp_path / "watch.sqlite", bound.scope) as journal:
        follow_market(bound, journal)
        cursor, known = journal.cursor, len(journal.cases())
        open_job(market, requester, 3)
        endpoint.alter("eth_getLogs", of_another_contract)
        with pytest.raises(RpcError, match="only the logs that were asked for"):
            follow_market(bound, journal)
        assert (journal.cursor, len(journal.cases())) == (cursor, known)
        endpoint.tell_the_truth()
        assert follow_market(bound, journal).new == 1
