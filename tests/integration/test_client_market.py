"""The requester's side on a real chain: money moves only as asked, and an output only with its proof."""

import dataclasses
from collections.abc import Iterator

import pytest
from chain_fixtures import DOMAIN, EXAMPLE_OUTPUT, LAYOUT, ONE_TOKEN, build_market, example_input, proof_of
from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from zkml import wiring
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.answers import Log, Transaction
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.client import (
    OpenedJob,
    OpeningJournal,
    cancel,
    checked_commitment,
    open_job,
    read_output,
    refund,
    resume_openings,
    wait_for_settlement,
    withdraw,
)
from zkml.client.openings import INSECURE_SRS, PUBLIC_FOR_EVER, check_model
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass, circuit_id, model_id
from zkml.core.job_machine import JobStatus
from zkml.core.progress import ProgressEvent
from zkml.core.records import to_hex
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    ChainError,
    DomainError,
    InsufficientFundsError,
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    LayoutError,
    MarketError,
    NotFinalError,
    NotRegisteredError,
    ProofRejectedError,
    RevertedError,
    UnsuitableCircuitError,
    VerificationError,
    VerifierMismatchError,
)

pytestmark = pytest.mark.integration

LOCAL = frozenset({VerifierClass.LOCAL})
INPUT = example_input()


class Lab:
    """A market with one proven model, and a journal."""

    def __init__(self, node: Anvil, chain: Chain, folder) -> None:
        self.endpoint = node.endpoint
        self.built = build_market(chain, folder / "deployments")
        self.market = wiring.bind(chain, self.built.deployment)
        self.journal = OpeningJournal(folder / "client")
        self.requester = self.built.funded()
        self.prover = self.built.funded()

    def open(self, **changes) -> OpenedJob:
        asked = {
            "model_id": self.built.model_id,
            "packed_input": INPUT,
            "fee": 2 * ONE_TOKEN,
            "max_total": 2 * ONE_TOKEN,
            "deadline": self.market.chain.now() + 600,
            "accepted_classes": LOCAL,
        } | changes
        account = asked.pop("account", self.requester)
        return open_job(self.market, account, self.journal, **asked)

    def settle(self, job: bytes) -> None:
        self.market.manager.claim(self.prover, job)
        self.market.manager.settle(self.prover, job, INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("client")
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        yield Lab(node, chain, folder)


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


def test_open__escrows_exactly_the_fee_and_leaves_no_allowance(lab):
    """Fee and nothing else leaves the account, no allowance is left, and the requester is warned."""
    account = lab.built.funded(5 * ONE_TOKEN)
    lab.market.token.approve(account, lab.market.manager.address, 0)
    opened = lab.open(account=account)
    assert lab.market.token.balance_of(account.address) == 3 * ONE_TOKEN
    assert lab.market.token.allowance(account.address, lab.market.manager.address) == 0
    assert opened.warnings == (PUBLIC_FOR_EVER, INSECURE_SRS)
    assert lab.market.manager.status(opened.job_id) is JobStatus.OPEN


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
        ({"max_total": 2 * ONE_TOKEN - 1}, MarketError, "expected a total of at most 1.999999 zUSD"),
        ({"fee": 0}, MarketError, "expected a fee above 0"),
        ({"model_id": 1}, NotRegisteredError, "found none with id"),
        ({"packed_input": INPUT[:-1]}, LayoutError, "expected 22 bytes"),
        (
            {"packed_input": pack([DOMAIN.maximum + 1] * LAYOUT.input_count, LAYOUT.input_bytes)},
            DomainError,
            "found 701 at index 0",
        ),
        ({"deadline": 1}, MarketError, "expected a deadline"),
        ({"fee": 10**9, "max_total": 10**9}, InsufficientFundsError, "to pay the fee"),
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

    lab.market.token.approve(lab.requester, lab.market.manager.address, 100 * ONE_TOKEN)
    with monkeypatch.context() as patch:
        patch.setattr(transactions, "broadcast", interrupt)
        with pytest.raises(InterruptedBySignalError):
            lab.open()
    lab.market.token.approve(lab.requester, lab.market.manager.address, 0)
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
    account, record = keep_an_opening(lab, monkeypatch, deadline=lab.market.chain.now() + 60)
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
    account, record = keep_an_opening(lab, monkeypatch, deadline=lab.market.chain.now() + 60)
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
    account, record = keep_an_opening(lab, monkeypatch, deadline=chain.now() + 60)
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
    opened, expiring = lab.open(), lab.open(deadline=lab.market.chain.now() + 60)
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


class LyingChain(Chain):
    """An endpoint that tells another output or proof, in event and calldata alike, or other code."""

    def __init__(self, endpoint, *, lies=None, other_code=("", b"")):
        self.lies, self.other_code = lies or {}, other_code
        super().__init__(endpoint)

    def transaction(self, transaction):
        found = super().transaction(transaction)
        entry = abi.function(load_artifact("JobManager").abi, "settle")
        if found is None or found.data[:4] != entry.selector:
            return found
        arguments = abi.decode_calldata(entry, found.data) | self.lies
        return dataclasses.replace(found, data=abi.encode_call(entry, list(arguments.values())))

    def logs(self, address, topics, **options):
        entry = abi.event(load_artifact("JobManager").abi, "JobSettled")
        for log in super().logs(address, topics, **options):
            yield self._lie(log, entry) if log.topics[0] == entry.topic else log

    def code(self, account):
        address, code = self.other_code
        return code if account == address else super().code(account)

    def _lie(self, log, entry):
        values = abi.decode_log(entry, log).arguments
        if "output" in self.lies:
            values["output"] = self.lies["output"]
        if "proof" in self.lies:
            values["proofDigest"] = keccak256(self.lies["proof"])
        data = abi.encode_arguments(
            ["uint96", "bytes", "bytes32"], [values["fee"], values["output"], values["proofDigest"]], "log"
        )
        return dataclasses.replace(log, data=data)


@pytest.mark.parametrize(
    ("lies", "error"),
    [
        ({"output": pack([-5, 70_001], LAYOUT.output_bytes)}, ProofRejectedError),
        ({"proof": bytes(32)}, ProofRejectedError),
        ({"input": example_input(1)}, VerificationError),
        ({"output": EXAMPLE_OUTPUT + b"\x00"}, VerificationError),
    ],
    ids=["output", "proof", "input", "long output"],
)
def test_read__endpoint_lies_about_the_settlement__nothing_is_returned(lab, lies, error):
    """An endpoint cannot make a client use an output that no proof of this job's input has."""
    opened = lab.open()
    lab.settle(opened.job_id)
    with LyingChain(lab.endpoint, lies=lies) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(error):
            read_output(liar, opened.job_id, accepted_classes=LOCAL)


def test_read__endpoint_serves_a_verifier_that_accepts_anything__refused(lab):
    """Code that does not hash to the circuit's pin is never run for a verdict."""
    opened = lab.open()
    lab.settle(opened.job_id)
    code = (lab.built.spec.adapter, b"\x00")
    lies = {"output": bytes(LAYOUT.output_length_bytes)}
    with LyingChain(lab.endpoint, lies=lies, other_code=code) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(VerifierMismatchError, match="expected adapter code of hash"):
            read_output(liar, opened.job_id, accepted_classes=LOCAL)


class InventingChain(Chain):
    """An endpoint that tells of a settlement nobody made, by a verifier of its own that accepts anything.

    Each lie covers the one before: other facts, then another commitment of the model, then another model,
    then another request.
    """

    ADAPTER, CODE = "0x000000000000000000000000000000000000bEEF", b"\x00"

    def __init__(self, lab, job_id, lies):
        self.lies, self.job_id, self.built = lies, job_id, lab.built
        super().__init__(lab.endpoint)
        self.spec = lab.built.spec._replace(
            adapter=self.ADAPTER,
            adapter_code_hash=keccak256(self.CODE),
            verifier_class=VerifierClass.UNVOUCHED,
        )
        self.circuit = circuit_id(self.chain_id, lab.built.router.address, self.spec)
        self.commitment = lab.built.commitment._replace(circuit_id=self.circuit)
        self.model = model_id(
            self.chain_id, lab.built.registry.address, lab.built.deployer.address, self.commitment
        )
        self.output = pack([31337, -1], LAYOUT.output_bytes)

    def code(self, account):
        return self.CODE if account == self.ADAPTER else super().code(account)

    def call(self, target, data, **options):
        for artifact, name, lie in (
            ("JobManager", "job", self._facts),
            ("VerifierRouter", "circuit", lambda _: self.spec.as_abi()),
            ("ModelRegistry", "commitmentOf", self._commitment),
        ):
            entry = abi.function(load_artifact(artifact).abi, name)
            if data[:4] == entry.selector:
                # Only the job itself is asked for honestly: the invented circuit and model do not exist.
                answer = super().call(target, data, **options) if name == "job" else b""
                (honest,) = abi.decode_values(entry.outputs, answer, name) if answer else (None,)
                return abi.encode_arguments(entry.outputs, [lie(honest)], "lie")
        return super().call(target, data, **options)

    def logs(self, address, topics, **options):
        events = {
            name: abi.event(load_artifact("JobManager").abi, name) for name in ("JobOpened", "JobSettled")
        }
        if topics[0] == events["JobSettled"].topic:
            data = abi.encode_arguments(
                ["uint96", "bytes", "bytes32"], [1, self.output, keccak256(b"x")], "log"
            )
            prover = bytes(12) + bytes.fromhex(self.built.deployer.address[2:])
            first = self.block(0)
            yield Log(
                address, (topics[0], self.job_id, prover), data, 0, first.block_hash, "0x" + "77" * 32, 0
            )
            return
        registered = abi.event(load_artifact("ModelRegistry").abi, "ModelRegistered").topic
        if topics[0] == registered and "model" in self.lies:
            topics = [registered, self.built.model_id.to_bytes(32, "big"), None, None]
        for log in super().logs(address, topics, **options):
            if topics[0] == events["JobOpened"].topic and "request" in self.lies:
                yield dataclasses.replace(
                    log, topics=(log.topics[0], log.topics[1], self.model.to_bytes(32, "big"), log.topics[3])
                )
            else:
                yield log

    def transaction(self, transaction):
        arguments = [self.job_id, INPUT, self.output, b"x"]
        data = abi.encode_call(abi.function(load_artifact("JobManager").abi, "settle"), arguments)
        sender, block = self.built.deployer.address, self.block(0).block_hash
        return Transaction(transaction, sender, self.built.jobs.address, data, 0, 0, 0, block)

    def _facts(self, honest):
        values = list(honest)
        values[2], values[5], values[8] = self.built.deployer.address, self.circuit, JobStatus.SETTLED
        if "model" in self.lies:
            values[4] = self.model
        return tuple(values)

    def _commitment(self, _):
        return tuple(self.commitment if "commitment" in self.lies else self.built.commitment)


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ((), "expected the model's circuit"),
        (("commitment",), "expected model id"),
        (("commitment", "model"), "found other facts of the job"),
        (("commitment", "model", "request"), "to be the hash of its request"),
    ],
    ids=["circuit", "commitment", "model", "request"],
)
def test_read__endpoint_invents_a_settlement_with_its_own_verifier__refused(lab, lies, words):
    """From the job's id alone a client knows the circuit: no endpoint can put its own in its place."""
    opened = lab.open()
    with InventingChain(lab, opened.job_id, lies) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(BindingError, match=words):
            read_output(liar, opened.job_id, accepted_classes=frozenset({VerifierClass.UNVOUCHED}))


def test_commitment__endpoint_swaps_the_manifest__refused(lab):
    """The manifest, and the scale in it, are those of the model's id, not those an endpoint tells."""
    with InventingChain(lab, bytes(32), ("commitment",)) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(BindingError, match="expected model id"):
            checked_commitment(liar, lab.built.model_id)
        with pytest.raises(BindingError, match="expected model id"):
            check_model(liar, lab.built.model_id, LOCAL)
    assert checked_commitment(lab.market, lab.built.model_id) == lab.built.commitment


# --- money back -----------------------------------------------------------------------------------


def test_cancel_and_withdraw__fee_comes_back_once(lab):
    """A cancelled job's fee is credited, withdrawn once, and there is no second time."""
    account = lab.built.funded(5 * ONE_TOKEN)
    opened = lab.open(account=account)
    cancel(lab.market, account, opened.job_id)
    assert withdraw(lab.market, account).amount == 2 * ONE_TOKEN
    assert lab.market.token.balance_of(account.address) == 5 * ONE_TOKEN
    with pytest.raises(MarketError, match="NothingToWithdraw"):
        withdraw(lab.market, account)


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
    opened = lab.open(account=account, deadline=lab.market.chain.now() + 60)
    with pytest.raises(InvalidTransitionError, match="expected status EXPIRED to refund, found OPEN"):
        refund(lab.market, account, opened.job_id)
    pass_time(lab.market.chain, 120)
    refund(lab.market, lab.prover, opened.job_id)
    assert withdraw(lab.market, account).amount == 2 * ONE_TOKEN
