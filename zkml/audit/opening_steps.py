"""Steps 0 and 1 of a job's audit: the job exists, and its id is the hash of its request."""

from marketplace.answers import fee_quote, job_request
from marketplace.derivations import find_nonce
from zkml.audit.circuit_steps import check_contracts
from zkml.audit.job_case import JobCase
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.market_identifiers import JobSpec
from zkml.core.records import JobRequest, to_hex
from zkml.errors import BindingError, FormatError


def job_exists(case: JobCase) -> str:
    """Step 0: the contracts are the ones we know, the job exists, request and facts agree."""
    check_contracts(case.reader)
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
