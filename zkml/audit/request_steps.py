"""Steps 0 to 2: the job exists, its id is the hash of its request, its circuit is pinned."""

from marketplace.answers import job_request
from marketplace.derivations import find_nonce
from verifier_contracts.artifacts import load_artifact
from zkml.audit.job_case import JobCase
from zkml.audit.policy import INSECURE_SRS
from zkml.core.identifiers import JobSpec, VerifierClass, circuit_id
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.records import JobRequest, to_hex
from zkml.core.verifier_classes import class_name
from zkml.errors import (
    BindingError,
    FormatError,
    UnsuitableCircuitError,
    VerifierMismatchError,
)

_CONTRACTS = (("manager", "JobManager"), ("registry", "ModelRegistry"), ("router", "VerifierRouter"))


def job_exists(case: JobCase) -> str:
    """Step 0: the contracts are the ones we know, the job exists, request and facts agree."""
    _check_contracts(case)
    if status_of(case.facts, 0) is JobStatus.NONE:
        raise BindingError(
            f"expected a job, found none with id {to_hex(case.job_id)}",
            hint="check the chain, the deployment and the id",
        )
    mined = case.reader.transaction_of(case.opened)
    if not mined.receipt.succeeded:
        raise BindingError(f"expected a successful opening, found a failed {mined.sent.transaction}")
    _check_request(case)
    return f"{case.status.name}, opened in block {mined.block}"


def id_is_derived(case: JobCase) -> str:
    """Step 1: the id is the hash of chain, manager, requester, nonce and request."""
    asked, requester = case.opened.arguments, case.facts.requester
    names = ("modelId", "inputCommitment", "inputUri", "fee", "deadline")
    spec = JobSpec(*(asked[name] for name in names))
    nonce = find_nonce(
        case.job_id,
        requester,
        spec,
        case.reader.nonces(requester),
        chain_id=case.reader.chain.chain_id,
        manager=case.reader.contracts.manager,
    )
    return f"nonce {nonce}"


def circuit_is_pinned(case: JobCase) -> str:
    """Step 2: circuit id re-derived; class within policy; code on chain is the pinned code."""
    spec, chain_id = case.spec, case.reader.chain.chain_id
    derived = circuit_id(chain_id, case.reader.contracts.router, spec)
    if derived != case.facts.circuit_id:
        raise BindingError(
            f"expected circuit {to_hex(case.facts.circuit_id)}, "
            f"found that the router's entry hashes to {to_hex(derived)}"
        )
    try:
        case.policy.check_class(spec.verifier_class, chain_id)
    except UnsuitableCircuitError as error:
        raise VerifierMismatchError(error.message, hint=error.hint) from error
    if not case.verifier.is_shipped_adapter:
        case.notes.append("the circuit's adapter is not the one that comes with this version of zkml")
    if spec.verifier_class == VerifierClass.LOCAL:
        case.notes.append(INSECURE_SRS)
        return f"class local: {INSECURE_SRS}"
    return f"class {class_name(spec.verifier_class)}"


def _check_contracts(case: JobCase) -> None:
    contracts, chain = case.reader.contracts, case.reader.chain
    for field, artifact in _CONTRACTS:
        address = getattr(contracts, field)
        load_artifact(artifact).verify_code(chain.code(address), where=address)
    for name, found in case.reader.parts().items():
        expected = getattr(contracts, name)
        if found != expected:
            raise BindingError(f"expected the manager's {name} at {expected}, found {found}")


def _check_request(case: JobCase) -> None:
    asked, facts = case.opened.arguments, case.facts
    names = ("requester", "modelId", "circuitId", "inputCommitment", "deadline")
    stated = tuple(asked[name] for name in names)
    stored = (facts.requester, facts.model_id, facts.circuit_id, facts.input_commitment, facts.deadline)
    if stated != stored:
        wrong = ", ".join(name for name, a, b in zip(names, stated, stored, strict=True) if a != b)
        raise BindingError(f"expected the opening's request in the job, found another {wrong}")
    try:
        request_of(case)
    except FormatError as error:
        raise BindingError(error.message) from error


def request_of(case: JobCase) -> JobRequest:
    """Return the request as a record.

    Raises:
        FormatError: a field is out of range, e.g. a URI that no node would fetch.
    """
    asked, mined = case.opened.arguments, case.reader.transaction_of(case.opened)
    return job_request(
        {**asked, "jobId": case.job_id},
        chain_id=case.reader.chain.chain_id,
        manager=case.reader.contracts.manager,
        transaction=mined.sent.transaction,
        block=mined.block,
        block_hash=mined.receipt.block_hash,
    )
