"""Ids are hashes of what they name: an endpoint that tells something else about one is found out."""

import pytest

from marketplace import derivations
from marketplace.derivations import check_payment, find_nonce, find_tab_nonce
from marketplace.jobs import JobManagerBinding
from marketplace.revenue import RevenueLedgerBinding
from marketplace.tabs import TabsBinding
from registry.derivations import check_model_circuit, check_model_id
from registry.models import ModelRegistryBinding
from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.core.identifiers import ModelCommitment, model_id
from zkml.core.job_machine import JobStatus
from zkml.core.market_identifiers import JobSpec, TabSpec, job_id, tab_id
from zkml.core.pricing import FeeQuote, Payment, payment_for
from zkml.errors import (
    BindingError,
    EvidenceUnavailableError,
    PaymentMismatchError,
    RpcError,
    TabRefusedError,
)

CHAIN, CONTRACT, PERSON = 31337, "0x" + "11" * 20, "0x" + "22" * 20
OTHER = "0x" + "33" * 20
SPEC = JobSpec(5, b"\x02" * 32, b"\x01" * 32, "", 7, 8, 100, 60, 70, 1000, (OTHER,))
JOB = job_id(CHAIN, CONTRACT, PERSON, 2, SPEC)
TAB_SPEC = TabSpec(5, OTHER, PERSON, 100, 1000)
TAB = tab_id(CHAIN, CONTRACT, PERSON, 2, TAB_SPEC)
QUOTE = FeeQuote(model_fee_floor=50, model_fee_ppm=100_000, flat_fee=10, platform_ppm=25_000)
DIGESTS = [bytes([number]) * 32 for number in range(4, 9)]
COMMITMENT = ModelCommitment((b"\x03" * 32, b"\x0a" * 32), *DIGESTS, 9, "bafkreitest", "name", "MIT")
MODEL = model_id(CHAIN, CONTRACT, PERSON, COMMITMENT)


CHANGED = {
    "model_id": 6,
    "circuit_id": bytes(32),
    "input_commitment": bytes(32),
    "input_uri": "x",
    "min_prover_fee": 6,
    "max_prover_fee": 9,
    "max_total": 99,
    "ramp_seconds": 0,
    "claim_seconds": 71,
    "deadline": 1001,
    "provers": (),
}


def nonce_of(spec=SPEC, requester=PERSON, count=4, chain=CHAIN, manager=CONTRACT):
    return find_nonce(JOB, requester, spec, count, chain_id=chain, manager=manager)


def test_find_nonce__the_request_that_was_opened__is_found():
    """The request that a job's id is the hash of is accepted, with the nonce it was opened with."""
    assert nonce_of() == 2


@pytest.mark.parametrize(
    "changes",
    [
        *[{"spec": SPEC._replace(**{name: value})} for name, value in CHANGED.items()],
        {"requester": CONTRACT},
        {"count": 2},
        {"chain": 1},
        {"manager": PERSON},
    ],
)
def test_find_nonce__one_field_is_another__refused(changes):
    """No field of a request can be changed without another id."""
    with pytest.raises(BindingError, match="hash of its request"):
        nonce_of(**changes)


def test_changed__names_every_field_of_a_request():
    """The test above forgets no field."""
    assert tuple(CHANGED) == JobSpec._fields


@pytest.mark.parametrize(
    "changes", [*({name: 7} for name in ("model_id", "amount", "expiry")), {"prover": PERSON}]
)
def test_find_tab_nonce__one_field_is_another__refused(changes):
    """A tab's id is the hash of its request, too."""
    where = {"chain_id": CHAIN, "manager": CONTRACT}
    assert find_tab_nonce(TAB, PERSON, TAB_SPEC, 4, **where) == 2
    with pytest.raises(BindingError, match="hash of its request"):
        find_tab_nonce(TAB, PERSON, TAB_SPEC._replace(**changes), 4, **where)


def test_check_payment__that_its_quote_does_not_give__is_refused():
    """A payment follows from quote and prover fee; one unit elsewhere is found out."""
    check_payment(QUOTE, payment_for(QUOTE, 25))
    signed = Payment(25, 97, 12)
    check_payment(QUOTE, signed, model_fee=99)
    for wrong in (Payment(25, 48, 12), Payment(25, 50, 10), signed):
        with pytest.raises(PaymentMismatchError):
            check_payment(QUOTE, wrong)
    with pytest.raises(PaymentMismatchError):
        check_payment(QUOTE, signed, model_fee=98)


def test_find_nonce__endless_nonces__not_searched():
    """An endpoint cannot keep us hashing by telling of a great many jobs."""
    with pytest.raises(EvidenceUnavailableError):
        nonce_of(count=derivations.MAX_NONCES + 1)


def check(commitment=COMMITMENT, publisher=PERSON, chain=CHAIN, registry=CONTRACT):
    check_model_id(MODEL, publisher, commitment, chain_id=chain, registry=registry)


@pytest.mark.parametrize("field", ModelCommitment._fields)
def test_check_model__one_field_of_the_commitment_is_another__refused(field):
    """Neither circuit nor manifest nor any digest of a model can be swapped."""
    check()
    value = {str: "other", int: 1, tuple: (b"\x03" * 32,), bytes: bytes(32)}[type(getattr(COMMITMENT, field))]
    with pytest.raises(BindingError, match="expected model id"):
        check(COMMITMENT._replace(**{field: value}))


@pytest.mark.parametrize("changes", [{"publisher": CONTRACT}, {"chain": 1}, {"registry": PERSON}])
def test_check_model__of_another_publisher_chain_or_registry__refused(changes):
    """A model's id is of one publisher, chain and registry."""
    with pytest.raises(BindingError, match="expected model id"):
        check(**changes)


def test_check_model_circuit__another__refused():
    """A job's circuit is its model's."""
    check_model_circuit(COMMITMENT, b"\x03" * 32)
    with pytest.raises(BindingError, match="expected the model's circuit"):
        check_model_circuit(COMMITMENT, bytes(32))


class Answering:
    """A chain that gives one answer to every call."""

    chain_id, head = CHAIN, "latest"

    def __init__(self, artifact, function, *values):
        self._answer = abi.encode_arguments(
            abi.function(load_artifact(artifact).abi, function).outputs, values, "answer"
        )

    def call(self, *_, **__):
        return self._answer


def facts_on_chain(outcome=0, quote=tuple(QUOTE)):
    """Return the fields of a job as the contract answers them."""
    payment = (0, 0, 0)
    times = (100, 60, 70, 1000, 7, 8)
    return (PERSON, *times, quote, OTHER, 170, OTHER, 0, payment, 5, bytes(32), bytes(32), False, outcome)


def test_job__every_field__is_read_from_its_own_place():
    """No two fields of a job change places on their way from the contract."""
    answer = Answering("JobManager", "job", facts_on_chain(outcome=3))
    found = JobManagerBinding(answer, CONTRACT, from_block=0).facts(JOB)
    assert (found.requester, found.opened_at, found.claim_seconds) == (PERSON, 100, 70)
    assert (found.quote, found.prover, found.claim_deadline, found.model_id) == (QUOTE, OTHER, 170, 5)
    assert found.outcome is JobStatus.SETTLED


@pytest.mark.parametrize("quote", [(0, 1_000_000, 0, 0), (0, 0, 0, 1_000_001), (0, 2**32 - 1, 0, 0)])
def test_job__quote_of_impossible_parts__is_nonsense(quote):
    """A quote with which no price can be computed is the endpoint's fault, and one of our errors."""
    answer = Answering("JobManager", "job", facts_on_chain(quote=quote))
    with pytest.raises(RpcError, match="expected parts below"):
        JobManagerBinding(answer, CONTRACT, from_block=0).facts(JOB)


@pytest.mark.parametrize("status", [JobStatus.OPEN, JobStatus.LATE, JobStatus.EXPIRED])
def test_job__outcome_that_is_no_end__is_nonsense(status):
    """A contract records only ends: a job that is said to have ended open would be believed for ever."""
    answer = Answering("JobManager", "job", facts_on_chain(outcome=int(status)))
    with pytest.raises(RpcError, match=f"expected the outcome of a job, found {status.name}"):
        JobManagerBinding(answer, CONTRACT, from_block=0).facts(JOB)


def test_terms__that_nobody_deploys__are_nonsense():
    """Terms out of range are the endpoint's fault, and one of our errors."""
    answer = Answering("JobManager", "terms", (1, 1_000_001, 1, 1, 1, 1, 1, 1, 1))
    with pytest.raises(RpcError, match="expected the terms of a job manager"):
        JobManagerBinding(answer, CONTRACT, from_block=0).terms()


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([(1, 10, PERSON), (9, 999_990, PERSON)], "expected a kind of payee, found 9"),
        ([(1, 10, PERSON), (2, 999_991, PERSON)], "expected parts that sum to 1000000 ppm, found 1000001"),
        ([], "found 0"),
    ],
)
def test_split__of_unknown_kinds_or_not_whole__is_nonsense(parts, match):
    """A split that no ledger has is the endpoint's fault, and one of our errors."""
    ledger = RevenueLedgerBinding(Answering("RevenueLedger", "splitOf", parts), CONTRACT, from_block=0)
    with pytest.raises(RpcError, match=match):
        ledger.split_of(5)


def test_tab__that_was_never_opened__is_refused():
    """An empty tab is none."""
    empty = (*["0x" + "00" * 20] * 3, 0, 0, 0, (0, 0, 0, 0), False)
    with pytest.raises(TabRefusedError, match="expected an existing tab"):
        TabsBinding(Answering("JobManager", "tab", empty), CONTRACT, from_block=0).facts(TAB)


@pytest.mark.parametrize("number", [9, 10, 255])
def test_job__outcome_that_is_no_status__is_nonsense(number):
    """A number that no job can have is the endpoint's fault, and one of our errors."""
    answer = Answering("JobManager", "job", facts_on_chain(outcome=number))
    with pytest.raises(RpcError, match=f"expected a job status, found {number}"):
        JobManagerBinding(answer, CONTRACT, from_block=0).facts(JOB)
    with pytest.raises(RpcError, match=f"expected a job status, found {number}"):
        JobManagerBinding(
            Answering("JobManager", "statusOf", number), CONTRACT, from_block=0
        ).status_on_chain(JOB)


def test_model__status_that_is_none__is_nonsense():
    """A number that no model can have is the endpoint's fault, and one of our errors."""
    registry = ModelRegistryBinding(Answering("ModelRegistry", "statusOf", 4), CONTRACT)
    with pytest.raises(RpcError, match="expected a model status, found 4"):
        registry.status_of(1)
