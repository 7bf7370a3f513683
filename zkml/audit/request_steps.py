"""Steps 0 to 2: the job exists, its id is the hash of its request, its circuit is pinned."""

from marketplace.answers import fee_quote, job_request
from marketplace.derivations import find_nonce
from verifier_contracts.artifacts import load_artifact
from zkml.audit.chain_reader import CONTRACTS, is_before
from zkml.audit.job_case import JobCase
from zkml.audit.policy import INSECURE_SRS
from zkml.core.identifiers import VerifierClass
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.market_identifiers import JobSpec
from zkml.core.records import JobRequest, to_hex
from zkml.core.verifier_classes import class_name
from zkml.errors import (
    BindingError,
    EvidenceUnavailableError,
    FormatError,
    UnsuitableCircuitError,
    VerifierMismatchError,
)

_NAMED_BY = {
    "manager": ("registry", "router", "ledger", "provers", "admin"),
    "ledger": ("registry", "lineage", "admin", "token"),
    "provers": ("token", "admin"),
    "lineage": ("registry",),
    "router": ("admin",),
}
"""Which contracts name which others: they must be one deployment."""


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
    spec, requester = _spec_of(case), case.facts.requester
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
    """Step 2: circuit id re-derived, class within policy, code on chain as pinned, no tombstone before."""
    spec, chain_id = case.spec, case.reader.chain.chain_id
    try:
        case.policy.check_class(spec.verifier_class, chain_id)
    except UnsuitableCircuitError as error:
        raise VerifierMismatchError(error.message, hint=error.hint) from error
    if not case.verifier.is_shipped_adapter:
        case.notes.append("the circuit's adapter is not the one that comes with this version of zkml")
    check_tombstone(case, case.facts.circuit_id)
    if spec.verifier_class == VerifierClass.LOCAL:
        case.notes.append(INSECURE_SRS)
        return f"class local: {INSECURE_SRS}"
    return f"class {class_name(spec.verifier_class)}"


def check_tombstone(case: JobCase, circuit_id: bytes) -> None:
    """Note a circuit that was tombstoned after it settled the job.

    Raises:
        BindingError: it was tombstoned before: the router accepts no proof of it any more.
        EvidenceUnavailableError: event and answer of the endpoint contradict each other.
    """
    tombstone = case.tombstone(circuit_id)
    if case.reader.is_tombstoned(circuit_id) is not (tombstone is not None):
        raise EvidenceUnavailableError(
            f"expected the router to agree with its events on circuit {to_hex(circuit_id)}, found that "
            "only one of them calls it tombstoned",
            hint="the endpoint contradicts itself, or keeps logs back: ask another",
        )
    if tombstone is None:
        return
    reason = tombstone.arguments["reason"]
    if case.status is JobStatus.SETTLED and is_before(tombstone, case.ending):
        raise BindingError(
            f"expected no settlement of a tombstoned circuit, found one in {case.ending.log.transaction}"
        )
    case.notes.append(f"circuit {to_hex(circuit_id)} was tombstoned later: {reason}")


def _check_contracts(case: JobCase) -> None:
    reader, contracts = case.reader, case.reader.contracts
    for part, artifact in CONTRACTS.items():
        address = getattr(contracts, part)
        load_artifact(artifact).verify_code(reader.chain.code(address), where=address)
    for part, others in _NAMED_BY.items():
        for name in others:
            (found,) = reader.view(part, name)
            expected = getattr(contracts, name)
            if found != expected:
                raise BindingError(f"expected the {part}'s {name} at {expected}, found {found}")


def _check_request(case: JobCase) -> None:
    asked, facts, spec = case.opened.arguments, case.facts, _spec_of(case)
    stated = {
        "requester": asked["requester"],
        "model": asked["modelId"],
        "spec's model": spec.model_id,
        "circuit": spec.circuit_id,
        "input commitment": spec.input_commitment,
        "least fee": spec.min_prover_fee,
        "greatest fee": spec.max_prover_fee,
        "ramp": spec.ramp_seconds,
        "claim period": spec.claim_seconds,
        "deadline": spec.deadline,
        "restriction": bool(spec.provers),
        "quote": fee_quote(asked["quote"], where=f"in {case.opened.log.transaction}"),
        "time": case.reader.time_of(case.opened),
    }
    stored = (
        facts.requester,
        facts.model_id,
        facts.model_id,
        facts.circuit_id,
        facts.input_commitment,
        facts.min_prover_fee,
        facts.max_prover_fee,
        facts.ramp_seconds,
        facts.claim_seconds,
        facts.deadline,
        facts.restricted,
        facts.quote,
        facts.opened_at,
    )
    wrong = [name for (name, value), kept in zip(stated.items(), stored, strict=True) if value != kept]
    if wrong:
        raise BindingError(f"expected the opening's request in the job, found another {', '.join(wrong)}")
    try:
        request_of(case)
    except FormatError as error:
        raise BindingError(error.message) from error


def _spec_of(case: JobCase) -> JobSpec:
    return JobSpec(*case.opened.arguments["spec"])


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
