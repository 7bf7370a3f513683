"""The requester's side on a real chain: money moves only as asked."""

from collections.abc import Iterator

import pytest
from chain_fixtures import DOMAIN, EXAMPLE_OUTPUT, LAYOUT, ONE_TOKEN
from client_lab import ESCROW, FEE, INPUT, LOCAL, Lab, start_lab
from eth_account.signers.local import LocalAccount

from zkml.adapters.evm import transactions
from zkml.adapters.evm.timetravel import pass_time
from zkml.client import (
    cancel,
    read_output,
    refund,
    resume_openings,
    wait_for_settlement,
    withdraw,
)
from zkml.client.openings import INSECURE_SRS, PUBLIC_FOR_EVER
from zkml.core.identifiers import VerifierClass
from zkml.core.job_machine import JobStatus
from zkml.core.progress import ProgressEvent
from zkml.core.records import to_hex
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    ChainError,
    DomainError,
    FormatError,
    InsufficientFundsError,
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    LayoutError,
    MarketError,
    NotFinalError,
    NotRegisteredError,
    RevertedError,
    TombstonedError,
    UnsuitableCircuitError,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("client")) as lab:
        yield lab


class Clock:
    """Time that passes when somebody sleeps, and lets something happen meanwhile."""

    def __init__(self, meanwhile=None) -> None:
        self.time, self.meanwhile = 0.0, meanwhile

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.meanwhile:
            self.meanwhile()
            self.meanwhile = None


# --- opening --------------------------------------------------------------------------------------


def test_open__escrows_exactly_the_price_and_leaves_no_allowance(lab):
    """Prover, model and platform and nothing else leave the account, and the requester is warned."""
    account = lab.built.funded(5 * ONE_TOKEN)
    lab.market.token.approve(account, lab.market.ledger.address, 0)
    opened = lab.open(account=account)
    assert opened.escrow == ESCROW == lab.market.manager.facts(opened.job_id).escrow
    assert lab.market.token.balance_of(account.address) == 5 * ONE_TOKEN - ESCROW
    assert lab.market.token.allowance(account.address, lab.market.ledger.address) == 0
    assert opened.warnings == (PUBLIC_FOR_EVER, INSECURE_SRS)
    assert lab.market.manager.status(opened.job_id) is JobStatus.OPEN


def test_open__defaults__first_circuit_a_ramp_and_time_to_take_over(lab):
    """Without other words: the model's circuit, no ramp at one fee, a ramp at two, two claims' time."""
    deadline = lab.market.chain.now() + 3600
    plain = lab.open(deadline=deadline).spec
    assert (plain.circuit_id, plain.ramp_seconds, plain.provers) == (lab.built.circuit_id, 0, ())
    assert 2 * plain.claim_seconds <= deadline - lab.market.chain.now()
    rising = lab.open(min_prover_fee=FEE // 2).spec
    assert 0 < rising.ramp_seconds <= 150


def test_open__every_word_of_the_offer__is_on_chain(lab):
    """Fees, ramp, claim period, circuit and named provers are those that were asked for."""
    opened = lab.open(
        min_prover_fee=1,
        max_prover_fee=FEE,
        ramp_seconds=100,
        claim_seconds=70,
        circuit_id=lab.built.circuit_id,
        provers=[lab.prover.address],
    )
    asked = lab.market.manager.events.request(opened.job_id).as_spec()
    assert asked == opened.spec == lab.journal.find(to_hex(opened.job_id)).as_spec()
    assert (asked.min_prover_fee, asked.max_prover_fee) == (1, FEE)
    assert (asked.ramp_seconds, asked.claim_seconds) == (100, 70)
    assert asked.provers == (lab.prover.address,)
    assert lab.market.manager.facts(opened.job_id).restricted


def test_open__job_id_is_journalled_and_told_before_anything_is_sent(lab):
    """The predicted id is the job's id, and is known while no transaction has left."""
    seen: list[ProgressEvent] = []
    before = lab.market.manager.contract.call("nonces", lab.requester.address)

    def watch(event: ProgressEvent) -> None:
        if not event.finished:
            assert lab.market.manager.contract.call("nonces", lab.requester.address) == before
            assert [record.job_id for record in lab.journal.pending()] == [event.note]
        seen.append(event)

    opened = lab.open(progress=watch)
    assert [event.note for event in seen] == [to_hex(opened.job_id)] * 2
    assert list(lab.journal.pending()) == []
    assert lab.journal.find(to_hex(opened.job_id)).transaction == opened.transaction


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"accepted_classes": frozenset({VerifierClass.CEREMONY})}, UnsuitableCircuitError, "found local"),
        ({"max_total": ESCROW - 1}, MarketError, "expected a total of at most 3.009999 zUSD, found 3.010000"),
        ({"min_prover_fee": 0}, MarketError, "expected prover fees above 0"),
        ({"max_prover_fee": FEE - 1}, MarketError, "expected prover fees above 0"),
        ({"max_total": 1 << 80}, MarketError, "expected a total"),
        ({"model_id": 1}, NotRegisteredError, "found none with id"),
        ({"circuit_id": bytes(32)}, BindingError, "expected the model's circuit"),
        ({"packed_input": INPUT[:-1]}, LayoutError, "expected 22 bytes"),
        (
            {"packed_input": pack([DOMAIN.maximum + 1] * LAYOUT.input_count, LAYOUT.input_bytes)},
            DomainError,
            "found 701 at index 0",
        ),
        ({"deadline": 1}, MarketError, "expected a deadline"),
        ({"ramp_seconds": 601}, MarketError, "expected a ramp"),
        ({"claim_seconds": 59}, MarketError, "expected a claim period of 60"),
        ({"claim_seconds": 601}, MarketError, "expected a claim period"),
        ({"input_uri": "x" * 257}, FormatError, "at most 256 bytes"),
        ({"provers": ["0x" + "11" * 20] * 9}, MarketError, "at most 8 named provers"),
        (
            {"min_prover_fee": 10**9, "max_prover_fee": 10**9, "max_total": 10**10},
            InsufficientFundsError,
            "to pay for the job",
        ),
    ],
)
def test_open__what_must_not_be_paid_for__refused_before_any_money_moves(lab, changes, error, words):
    """Class, price cap, funds, model, input and deadline are checked while nothing has been signed."""
    account, height = lab.requester, lab.market.chain.height()
    nonce = lab.market.chain.nonce(account.address)
    with pytest.raises(error, match=words):
        lab.open(**changes)
    assert lab.market.chain.nonce(account.address) == nonce
    assert lab.market.chain.height() == height
    assert list(lab.journal.pending()) == []


def test_open__circuit_for_several_inputs__refused_before_any_money_moves(lab):
    """A job is of one input: a batch circuit is the prover's means, and no job's circuit."""
    nonce = lab.market.chain.nonce(lab.requester.address)
    with pytest.raises(UnsuitableCircuitError, match=r"expected a circuit for one input, found .* for 2"):
        lab.open(circuit_id=lab.built.batch_circuit_id)
    assert lab.market.chain.nonce(lab.requester.address) == nonce


def test_open__tombstoned_circuit_or_retired_model__refused_before_any_money_moves(lab):
    """What is not trusted or not offered any more is not paid for."""
    nonce = lab.market.chain.nonce(lab.requester.address)
    with lab.afterwards_undone():
        lab.market.router.tombstone(lab.built.deployer, lab.built.circuit_id, "key leaked")
        with pytest.raises(TombstonedError, match="tombstoned: key leaked"):
            lab.open()
    with lab.afterwards_undone():
        lab.market.registry.retire(lab.built.deployer, lab.built.model_id)
        with pytest.raises(UnsuitableCircuitError, match="DEPRECATED"):
            lab.open()
    assert lab.market.chain.nonce(lab.requester.address) == nonce


class InterruptedBySignalError(Exception):
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("is_sent", [True, False])
def test_open__interrupted__resumed_once_and_never_opened_twice(lab, monkeypatch, is_sent):
    """A Ctrl-C before or after sending leaves one job to be resumed, and resuming again does nothing."""
    send = transactions.broadcast

    def interrupt(chain, signed):
        if signed.what == "JobManager.open":
            if is_sent:
                send(chain, signed)
            raise InterruptedBySignalError
        send(chain, signed)

    before = lab.market.manager.contract.call("nonces", lab.requester.address)
    with monkeypatch.context() as patch:
        patch.setattr(transactions, "broadcast", interrupt)
        with pytest.raises(InterruptedBySignalError):
            lab.open()
    (record,) = lab.journal.pending()
    (opened,) = resume_openings(lab.market, lab.journal)
    assert to_hex(opened.job_id) == record.job_id
    assert resume_openings(lab.market, lab.journal) == []
    assert lab.market.manager.contract.call("nonces", lab.requester.address) == before + 1


def test_resume__nonce_taken_by_another_transaction__put_aside_and_nothing_opened(lab, monkeypatch):
    """An opening whose nonce went elsewhere can never be mined: it is put aside, not sent anew."""

    def interrupt(_chain, _signed):
        raise InterruptedBySignalError

    lab.market.token.approve(lab.requester, lab.market.ledger.address, 100 * ONE_TOKEN)
    with monkeypatch.context() as patch:
        patch.setattr(transactions, "broadcast", interrupt)
        with pytest.raises(InterruptedBySignalError):
            lab.open()
    lab.market.token.approve(lab.requester, lab.market.ledger.address, 0)
    before = lab.market.manager.contract.call("nonces", lab.requester.address)
    assert resume_openings(lab.market, lab.journal) == []
    assert list(lab.journal.pending()) == []
    assert lab.market.manager.contract.call("nonces", lab.requester.address) == before


def test_resume__record_of_another_chain__left_alone(lab, monkeypatch):
    """An opening of another chain is neither sent here nor forgotten."""
    opened = lab.open()
    record = lab.journal.find(to_hex(opened.job_id))
    foreign = record.model_copy(update={"genesis_hash": "0x" + "00" * 32, "job_id": "0x" + "ab" * 32})
    lab.journal.keep(foreign)
    assert resume_openings(lab.market, lab.journal) == []
    assert list(lab.journal.pending()) == [foreign]
    lab.journal.finish(foreign)


def keep_an_opening(lab, monkeypatch, **changes):
    """Sign an opening and be interrupted before it is sent."""

    def interrupt(_chain, _signed):
        raise InterruptedBySignalError

    account = lab.built.funded()
    with monkeypatch.context() as patch:
        patch.setattr(transactions, "broadcast", interrupt)
        with pytest.raises(InterruptedBySignalError):
            lab.open(account=account, **changes)
    (record,) = lab.journal.pending()
    return account, record


def is_abandoned(lab, record, note):
    found = lab.journal.find(record.job_id)
    assert list(lab.journal.pending()) == []
    assert (lab.journal.directory / f"{record.job_id}.abandoned").exists()
    assert found.raw == record.raw
    return note in found.note


def test_resume__opening_past_its_deadline__put_aside_and_its_bytes_never_mined(lab, monkeypatch):
    """What would be refused is not sent, blocks no later opening, and cannot open a job later."""
    account, record = keep_an_opening(lab, monkeypatch, deadline=lab.market.chain.now() + 90)
    pass_time(lab.market.chain, 120)
    before, told = lab.market.token.balance_of(account.address), []
    assert resume_openings(lab.market, lab.journal, account, progress=told.append) == []
    assert is_abandoned(lab, record, "DeadlineOutOfRange")
    assert record.job_id in told[0].note
    assert lab.market.chain.nonce(account.address, "latest") == record.account_nonce + 1
    with pytest.raises(ChainError):
        transactions.broadcast(lab.market.chain, record.signed)
    assert lab.market.token.balance_of(account.address) == before
    assert lab.open(account=account).transaction != record.transaction


def test_resume__refused_without_the_requesters_key__kept_and_not_sent(lab, monkeypatch):
    """Without the key that spends the nonce the opening stays where it is, and stops nobody else."""
    account, record = keep_an_opening(lab, monkeypatch, deadline=lab.market.chain.now() + 90)
    pass_time(lab.market.chain, 120)
    told: list[ProgressEvent] = []
    assert resume_openings(lab.market, lab.journal, lab.requester, progress=told.append) == []
    assert resume_openings(lab.market, lab.journal) == []
    assert list(lab.journal.pending()) == [record]
    assert "refused" in told[0].note
    assert lab.market.chain.nonce(account.address, "latest") == record.account_nonce
    resume_openings(lab.market, lab.journal, account)
    assert is_abandoned(lab, record, "refused")


def test_resume__opening_that_was_mined_and_reverted__put_aside(lab, monkeypatch):
    """An opening that lost on chain moved nothing and blocks nothing."""
    chain = lab.market.chain
    account, record = keep_an_opening(lab, monkeypatch, deadline=chain.now() + 90)
    pass_time(chain, 120)
    transactions.broadcast(chain, record.signed)
    # The node mines a moment after it has answered.
    with pytest.raises(RevertedError):
        transactions.wait(chain, record.signed)
    assert chain.receipt(record.transaction).succeeded is False
    assert resume_openings(lab.market, lab.journal, account) == []
    assert is_abandoned(lab, record, "mined and reverted")
    assert resume_openings(lab.market, lab.journal, account) == []


# --- waiting and reading --------------------------------------------------------------------------


def test_wait_and_read__settled_meanwhile__the_proved_output(lab):
    """Waiting ends with the settlement, and the output read is the one that was proved."""
    opened = lab.open()
    clock = Clock(lambda: lab.settle(opened.job_id))
    settled = wait_for_settlement(lab.market, opened.job_id, clock, timeout_seconds=60)
    output = read_output(lab.market, opened.job_id, accepted_classes=LOCAL)
    assert (output.prover_fee, output.price, output.jobs_of_proof) == (FEE, ESCROW, 1)
    assert output.elements == (-5, 70_000)
    assert (output.packed, output.prover) == (EXAMPLE_OUTPUT, lab.prover.address)
    assert settled.where.transaction == output.transaction
    assert output.values is None


def test_wait__not_settled_in_time__retryable(lab):
    """A wait that runs out says what it found, and may be repeated."""
    opened, clock = lab.open(), Clock()
    with pytest.raises(NotFinalError, match="within 5 s, found OPEN") as caught:
        wait_for_settlement(lab.market, opened.job_id, clock, timeout_seconds=5)
    assert caught.value.retryable
    assert clock.time == 5


def test_wait__job_that_will_never_be_settled__ends_at_once(lab):
    """A cancelled, expired or unknown job is not waited for."""
    opened, expiring = lab.open(), lab.open(deadline=lab.market.chain.now() + 90)
    cancel(lab.market, lab.requester, opened.job_id)
    with pytest.raises(InvalidTransitionError, match="CANCELLED"):
        wait_for_settlement(lab.market, opened.job_id, Clock(), timeout_seconds=60)
    pass_time(lab.market.chain, 120)
    with pytest.raises(JobExpiredError, match="expired"):
        wait_for_settlement(lab.market, expiring.job_id, Clock(), timeout_seconds=60)
    with pytest.raises(JobNotFoundError):
        wait_for_settlement(lab.market, bytes(32), Clock(), timeout_seconds=60)


def test_read__not_settled__refused(lab):
    """There is no output to read before the settlement."""
    with pytest.raises(InvalidTransitionError, match=r"found 0x[0-9a-f]{64} OPEN"):
        read_output(lab.market, lab.open().job_id, accepted_classes=LOCAL)


def test_read__class_below_policy__refused(lab):
    """An output whose verifier the reader does not trust is not returned."""
    opened = lab.open()
    lab.settle(opened.job_id)
    with pytest.raises(UnsuitableCircuitError, match="found local"):
        read_output(lab.market, opened.job_id, accepted_classes=frozenset({VerifierClass.CEREMONY}))


# --- money back -----------------------------------------------------------------------------------


def test_cancel_and_withdraw__escrow_comes_back_once(lab):
    """A cancelled job's escrow is credited, withdrawn once, and there is no second time."""
    account = lab.built.funded(5 * ONE_TOKEN)
    opened = lab.open(account=account)
    cancel(lab.market, account, opened.job_id)
    assert withdraw(lab.market, account).amount == ESCROW
    assert lab.market.token.balance_of(account.address) == 5 * ONE_TOKEN
    with pytest.raises(MarketError, match="NothingToWithdraw"):
        withdraw(lab.market, account)


def test_claim_below_the_greatest_fee__rest_of_the_escrow_comes_back(lab):
    """What a claim fixes below the greatest price is the requester's again at once."""
    account = lab.built.funded(5 * ONE_TOKEN)
    opened = lab.open(account=account, min_prover_fee=FEE // 2, ramp_seconds=500)
    lab.settle(opened.job_id)
    output = read_output(lab.market, opened.job_id, accepted_classes=LOCAL)
    assert FEE // 2 <= output.prover_fee < FEE
    assert withdraw(lab.market, account).amount == ESCROW - output.price


def test_cancel__by_a_stranger_or_after_a_claim__refused(lab):
    """Only the requester cancels, and only while nobody has claimed."""
    opened = lab.open()
    with pytest.raises(MarketError, match="expected the requester"):
        cancel(lab.market, lab.prover, opened.job_id)
    lab.market.manager.claim(lab.prover, opened.job_id)
    with pytest.raises(InvalidTransitionError, match="expected status OPEN to cancel, found CLAIMED"):
        cancel(lab.market, lab.requester, opened.job_id)


def test_refund__before_and_after_the_deadline(lab):
    """Before the deadline nothing is refunded; after it anybody may start the refund, to the requester."""
    account: LocalAccount = lab.built.funded(5 * ONE_TOKEN)
    opened = lab.open(account=account, deadline=lab.market.chain.now() + 90)
    with pytest.raises(InvalidTransitionError, match="expected status EXPIRED to refund, found OPEN"):
        refund(lab.market, account, opened.job_id)
    pass_time(lab.market.chain, 120)
    refund(lab.market, lab.prover, opened.job_id)
    assert withdraw(lab.market, account).amount == ESCROW


def test_refund__circuit_tombstoned_before_the_deadline__escrow_comes_back_at_once(lab):
    """Nobody waits for a proof that can never be paid: not the client, and not the requester's money."""
    account = lab.built.funded(5 * ONE_TOKEN)
    opened = lab.open(account=account)
    lab.market.manager.claim(lab.prover, opened.job_id)
    with lab.afterwards_undone():
        lab.market.router.tombstone(lab.built.deployer, lab.built.circuit_id, "key leaked")
        with pytest.raises(TombstonedError, match="found a tombstoned one"):
            wait_for_settlement(lab.market, opened.job_id, Clock(), timeout_seconds=60)
        refund(lab.market, account, opened.job_id)
        assert withdraw(lab.market, account).amount == ESCROW
