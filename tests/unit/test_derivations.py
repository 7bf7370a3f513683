"""Ids are hashes of what they name: an endpoint that tells something else about one is found out."""

import pytest

from marketplace import derivations
from marketplace.derivations import find_nonce
from marketplace.jobs import JobManagerBinding
from registry.derivations import check_model_circuit, check_model_id
from registry.models import ModelRegistryBinding
from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.core.identifiers import JobSpec, ModelCommitment, job_id, model_id
from zkml.errors import BindingError, EvidenceUnavailableError, RpcError

CHAIN, CONTRACT, PERSON = 31337, "0x" + "11" * 20, "0x" + "22" * 20
SPEC = JobSpec(5, b"\x01" * 32, "", 7, 1000)
JOB = job_id(CHAIN, CONTRACT, PERSON, 2, SPEC)
COMMITMENT = ModelCommitment(b"\x03" * 32, b"\x04" * 32, b"\x05" * 32, b"\x06" * 32, "bafkreitest", "name")
MODEL = model_id(CHAIN, CONTRACT, PERSON, COMMITMENT)


def nonce_of(spec=SPEC, requester=PERSON, count=4, chain=CHAIN, manager=CONTRACT):
    return find_nonce(JOB, requester, spec, count, chain_id=chain, manager=manager)


def test_find_nonce__the_request_that_was_opened__is_found():
    """The request that a job's id is the hash of is accepted, with the nonce it was opened with."""
    assert nonce_of() == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": SPEC._replace(model_id=6)},
        {"spec": SPEC._replace(input_commitment=bytes(32))},
        {"spec": SPEC._replace(input_uri="x")},
        {"spec": SPEC._replace(fee=8)},
        {"spec": SPEC._replace(deadline=1001)},
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
    value = "other" if isinstance(getattr(COMMITMENT, field), str) else bytes(32)
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


@pytest.mark.parametrize("number", [7, 9, 255])
def test_job__outcome_that_is_no_status__is_nonsense(number):
    """A number that no job can have is the endpoint's fault, and one of our errors."""
    facts = (PERSON, 1, PERSON, 1, 1, bytes(32), bytes(32), 1, number)
    with pytest.raises(RpcError, match=f"expected a job status, found {number}"):
        JobManagerBinding(Answering("JobManager", "job", facts), CONTRACT, from_block=0).facts(JOB)
    with pytest.raises(RpcError, match=f"expected a job status, found {number}"):
        JobManagerBinding(
            Answering("JobManager", "statusOf", number), CONTRACT, from_block=0
        ).status_on_chain(JOB)


def test_model__status_that_is_none__is_nonsense():
    """A number that no model can have is the endpoint's fault, and one of our errors."""
    registry = ModelRegistryBinding(Answering("ModelRegistry", "statusOf", 3), CONTRACT)
    with pytest.raises(RpcError, match="expected a model status, found 3"):
        registry.status_of(1)
