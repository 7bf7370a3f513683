"""A requester's tabs on a real chain: what is signed is paid once, and an answer counts only with its proof."""

import threading
from collections.abc import Iterator

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, LAYOUT, ONE_TOKEN, example_input, new_account, proof_of
from client_lab import FEE, INPUT, LOCAL, Lab, start_lab

from zkml.adapters.evm.timetravel import pass_time
from zkml.client import (
    Proved,
    RequestJournal,
    checked_tab,
    close_tab,
    open_tab,
    read_answer,
    sign_request,
    verify_answer,
    withdraw,
)
from zkml.core.identifiers import VerifierClass
from zkml.core.records import SignedRequestRecord, from_hex, to_hex
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    DomainError,
    InsufficientFundsError,
    InvalidTransitionError,
    LayoutError,
    MarketError,
    ProofRejectedError,
    ProverRefusedError,
    TabRefusedError,
    TombstonedError,
    UnsuitableCircuitError,
    WrongChainError,
)

pytestmark = pytest.mark.integration

AMOUNT = 10 * ONE_TOKEN
PRICE = FEE + ONE_TOKEN + 10_000
PROVED = Proved(INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("client")) as lab:
        yield lab


@pytest.fixture
def journal(tmp_path):
    return RequestJournal(tmp_path / "tabs")


def opened(lab, account=None, **changes):
    asked = {
        "model_id": lab.built.model_id,
        "prover": lab.prover.address,
        "amount": AMOUNT,
        "expiry": lab.market.chain.now() + 600,
        "accepted_classes": LOCAL,
    } | changes
    return open_tab(lab.market, account or lab.requester, **asked).tab_id


def signed(lab, journal, tab_id, account=None, **changes):
    asked = {
        "packed_input": INPUT,
        "prover_fee": FEE,
        "max_total": PRICE,
        "expiry": lab.market.chain.now() + 300,
        "accepted_classes": LOCAL,
    } | changes
    return sign_request(lab.market, account or lab.requester, journal, tab_id=tab_id, **asked)


def settle(lab, record):
    answer = verify_answer(lab.market, record, PROVED, accepted_classes=LOCAL)
    return lab.market.tabs.settle_signed(lab.prover, answer.request, from_hex(record.signature), PROVED)


# --- opening --------------------------------------------------------------------------------------


def test_open__takes_exactly_the_amount_and_leaves_no_allowance(lab):
    """The amount and nothing else leaves the account, and the tab has the terms that were asked for."""
    account = lab.built.funded(2 * AMOUNT)
    lab.market.token.approve(account, lab.market.ledger.address, 0)
    told = []
    tab_id = opened(lab, account, progress=told.append)
    assert [event.note for event in told] == [to_hex(tab_id)] * 2
    assert lab.market.token.balance_of(account.address) == AMOUNT
    assert lab.market.token.allowance(account.address, lab.market.ledger.address) == 0
    tab = checked_tab(lab.market, tab_id)
    assert (tab.balance, tab.prover, tab.signer) == (AMOUNT, lab.prover.address, account.address)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"accepted_classes": frozenset({VerifierClass.CEREMONY})}, UnsuitableCircuitError, "found local"),
        ({"prover": "0x" + "11" * 20}, ProverRefusedError, "expected a registered prover"),
        ({"amount": ONE_TOKEN}, MarketError, "expected at least 1.010000 zUSD for one request"),
        ({"amount": 0}, MarketError, "expected at least"),
        ({"expiry": 1}, MarketError, "expected a deadline"),
        ({"amount": 10**12}, InsufficientFundsError, "to fill the tab"),
    ],
)
def test_open__what_must_not_be_paid_for__refused_before_any_money_moves(lab, changes, error, words):
    """Class, prover, amount, expiry and funds are checked while nothing has been signed."""
    nonce = lab.market.chain.nonce(lab.requester.address)
    with pytest.raises(error, match=words):
        opened(lab, **changes)
    assert lab.market.chain.nonce(lab.requester.address) == nonce


# --- signing --------------------------------------------------------------------------------------


def test_sign__each_request__a_nonce_of_its_own(lab, journal):
    """Requests on one tab never share a nonce, in one process or after another has started."""
    tab_id = opened(lab)
    records = [signed(lab, journal, tab_id), signed(lab, journal, tab_id)]
    records.append(signed(lab, RequestJournal(journal.directory), tab_id))
    assert [record.nonce for record in records] == ["0", "1", "2"]
    assert [journal.find(to_hex(tab_id), number) for number in range(3)] == records


def test_sign__same_nonce_again__same_record_or_refused(lab, journal):
    """A nonce that was signed is signed again for the same request only: never for another one."""
    tab_id, expiry = opened(lab), lab.market.chain.now() + 300
    first = signed(lab, journal, tab_id, nonce=7, expiry=expiry)
    assert signed(lab, journal, tab_id, nonce=7, expiry=expiry) == first
    for change in ({"packed_input": example_input(1)}, {"prover_fee": FEE - 1}, {"expiry": expiry + 1}):
        with pytest.raises(TabRefusedError, match="found 7 signed for another request"):
            signed(lab, journal, tab_id, nonce=7, **({"expiry": expiry} | change))
    assert journal.find(to_hex(tab_id), 7) == first


def test_sign__two_at_the_same_time__two_nonces(lab, journal):
    """Signers that race for one nonce end with two: the file of a nonce is made once."""
    tab_id, records, ready = opened(lab), [], threading.Barrier(4)
    expiry = lab.market.chain.now() + 300
    keep = RequestJournal.keep

    def sign(number):
        ready.wait()
        records.append(signed(lab, journal, tab_id, packed_input=example_input(number), expiry=expiry))

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record.nonce for record in records) == ["0", "1", "2", "3"]
    assert not keep(journal, records[0])
    assert [path.name for path in sorted((journal.directory / to_hex(tab_id)).iterdir())] == [
        f"{number}.json" for number in range(4)
    ]


def test_sign__nonce_used_on_chain_but_not_in_this_journal__skipped(lab, journal, tmp_path):
    """A new machine signs no nonce that the chain has seen, chosen or not."""
    tab_id = opened(lab)
    settle(lab, signed(lab, journal, tab_id))
    elsewhere = RequestJournal(tmp_path / "elsewhere")
    with pytest.raises(TabRefusedError, match="found 0 used"):
        signed(lab, elsewhere, tab_id, nonce=0)
    assert signed(lab, elsewhere, tab_id).nonce == "1"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"max_total": PRICE - 1}, MarketError, "at most 3.009999 zUSD, found 3.010000"),
        ({"model_fee": ONE_TOKEN - 1}, TabRefusedError, "expected a model fee of at least 1000000"),
        ({"prover_fee": AMOUNT, "max_total": 2 * AMOUNT}, TabRefusedError, "expected 11010000 on tab"),
        ({"expiry": 1}, TabRefusedError, "found it expired"),
        ({"packed_input": INPUT[:-1]}, LayoutError, "expected 22 bytes"),
        ({"packed_input": pack([701] * 11, LAYOUT.input_bytes)}, DomainError, "found 701"),
        ({"circuit_id": bytes(32)}, BindingError, "expected the model's circuit"),
        ({"accepted_classes": frozenset({VerifierClass.CEREMONY})}, UnsuitableCircuitError, "found local"),
    ],
)
def test_sign__what_must_not_be_signed__refused_and_no_nonce_spent(lab, journal, changes, error, words):
    """Price, times, input, circuit and policy are checked before anything is signed."""
    tab_id = opened(lab)
    with pytest.raises(error, match=words):
        signed(lab, journal, tab_id, **changes)
    assert journal.is_free(to_hex(tab_id), 0)


def test_sign__by_another_key__refused(lab, journal):
    """Only the tab's signer signs; another signature would be worth nothing."""
    signer = new_account(lab.market.chain)
    tab_id = opened(lab, signer=signer.address)
    with pytest.raises(MarketError, match="expected the tab's signer"):
        signed(lab, journal, tab_id)
    assert signed(lab, journal, tab_id, account=signer).nonce == "0"


# --- answers --------------------------------------------------------------------------------------


def test_answer__verified_before_use_then_settled_and_read_from_the_chain(lab, journal):
    """The same output comes from the prover's answer, before it is paid, and from the chain after it."""
    tab_id = opened(lab)
    record = signed(lab, journal, tab_id)
    assert SignedRequestRecord.from_bytes(record.to_bytes(), where="a file") == record
    with pytest.raises(InvalidTransitionError, match="without a settlement"):
        read_answer(lab.market, record, accepted_classes=LOCAL)
    answer = verify_answer(lab.market, record, PROVED, accepted_classes=LOCAL)
    assert (answer.elements, answer.prover) == ((-5, 70_000), lab.prover.address)
    assert answer.payment.price == PRICE
    settle(lab, record)
    assert read_answer(lab.market, record, accepted_classes=LOCAL) == answer
    assert lab.market.tabs.facts(tab_id).balance == AMOUNT - PRICE


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"packed_output": pack([-5, 70_001], LAYOUT.output_bytes)}, ProofRejectedError, "refused"),
        ({"proof": bytes(32)}, ProofRejectedError, "refused"),
        ({"packed_output": EXAMPLE_OUTPUT + b"\x00"}, ProofRejectedError, "expected 8 bytes"),
        ({"packed_input": example_input(1)}, BindingError, "expected the input of request"),
    ],
    ids=["output", "proof", "long output", "input"],
)
def test_answer__what_is_no_proof_of_the_request__refused(lab, journal, changes, error, words):
    """An answer of another input, another output or another proof is not used."""
    record = signed(lab, journal, opened(lab))
    with pytest.raises(error, match=words):
        verify_answer(lab.market, record, PROVED._replace(**changes), accepted_classes=LOCAL)


def test_answer__request_that_was_changed_or_is_from_elsewhere__refused(lab, journal):
    """A prover finds out before it works that a request is not what the tab's signer signed."""
    record = signed(lab, journal, opened(lab))
    for change in ({"prover_fee": str(FEE + 1)}, {"nonce": "9"}, {"expiry": record.expiry + 1}):
        changed = record.model_copy(update=change)
        with pytest.raises(BindingError, match="expected a request signed by"):
            verify_answer(lab.market, changed, PROVED, accepted_classes=LOCAL)
    for change in ({"chain_id": 1}, {"manager": "0x" + "11" * 20}):
        changed = record.model_copy(update=change)
        with pytest.raises(WrongChainError, match="expected a request for"):
            verify_answer(lab.market, changed, PROVED, accepted_classes=LOCAL)


def test_answer__circuit_tombstoned_or_class_not_trusted__refused(lab, journal):
    """A proof by a verifier that the reader does not trust is no answer."""
    record = signed(lab, journal, opened(lab))
    with pytest.raises(UnsuitableCircuitError, match="found local"):
        verify_answer(lab.market, record, PROVED, accepted_classes=frozenset({VerifierClass.CEREMONY}))
    with lab.afterwards_undone():
        lab.market.router.tombstone(lab.built.deployer, lab.built.circuit_id, "key leaked")
        with pytest.raises(TombstonedError, match="key leaked"):
            verify_answer(lab.market, record, PROVED, accepted_classes=LOCAL)


# --- closing --------------------------------------------------------------------------------------


def test_close__before_the_expiry_its_prover_after_it_anyone__rest_comes_back(lab, journal):
    """The requester waits for the expiry, its prover does not have to, and the rest is credited once."""
    account = lab.built.funded(2 * AMOUNT)
    tab_id = opened(lab, account)
    settle(lab, signed(lab, journal, tab_id, account=account))
    with pytest.raises(TabRefusedError, match="past its expiry"):
        close_tab(lab.market, account, tab_id)
    close_tab(lab.market, lab.prover, tab_id)
    assert withdraw(lab.market, account).amount == AMOUNT - PRICE
    with pytest.raises(TabRefusedError, match="closed"):
        close_tab(lab.market, lab.prover, tab_id)
    with lab.afterwards_undone():
        late = opened(lab, account, expiry=lab.market.chain.now() + 60)
        pass_time(lab.market.chain, 120)
        close_tab(lab.market, account, late)
        assert withdraw(lab.market, account).amount == AMOUNT


def test_show__tab_that_does_not_exist__refused(lab):
    """An id of nothing is an error, not an empty tab."""
    with pytest.raises(TabRefusedError, match="expected an existing tab"):
        checked_tab(lab.market, bytes(32))
