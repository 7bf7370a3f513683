"""What the market's contracts answer, as records: one reading for bindings and auditors. No I/O.

Where the answer came from and whether it is true is the caller's matter. Numbers that no contract of ours
can hold are an endpoint's invention, and one of our errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from verifier_contracts.terms import JobTerms
from zkml.core.job_machine import JobFacts, JobStatus
from zkml.core.pricing import PPM, FeeQuote, Payment
from zkml.core.records import JobRequest, QuoteFields, explain, to_hex
from zkml.core.revenue import ModelIncome, Part, PayeeKind
from zkml.core.tabs import TabFacts
from zkml.errors import RpcError


def job_status(number: int, *, where: str) -> JobStatus:
    """Return the status of a number of the contract's enum.

    Raises:
        RpcError: no status has this number.
    """
    try:
        return JobStatus(number)
    except ValueError as error:
        raise RpcError(f"expected a job status, found {number} {where}") from error


def payee_kind(number: int, *, where: str) -> PayeeKind:
    """Return the kind of payee of a number of the contract's enum.

    Raises:
        RpcError: no kind has this number.
    """
    try:
        return PayeeKind(number)
    except ValueError as error:
        raise RpcError(f"expected a kind of payee, found {number} {where}") from error


def fee_quote(fields: Sequence[Any], *, where: str) -> FeeQuote:
    """Return a quote from the fields of the contract's struct.

    Raises:
        RpcError: parts of a whole or more, with which no price can be computed.
    """
    quote = FeeQuote(*fields)
    if quote.model_fee_ppm >= PPM or quote.platform_ppm > PPM:
        raise RpcError(
            f"expected parts below {PPM} ppm, found {quote.model_fee_ppm} and {quote.platform_ppm} {where}"
        )
    return quote


def job_terms(fields: Sequence[Any], *, where: str) -> JobTerms:
    """Return a deployment's numbers from the fields of the contract's struct.

    Raises:
        RpcError: numbers that no job manager was constructed with.
    """
    try:
        return JobTerms.from_abi(fields)
    except ValidationError as error:
        raise RpcError(f"expected the terms of a job manager, found {explain(error)} {where}") from error


def payment(fields: Sequence[Any]) -> Payment:
    """Return a payment from the fields of the contract's struct."""
    return Payment(*fields)


def job_facts(job_id: bytes, fields: Sequence[Any], *, where: str) -> JobFacts:
    """Return a job from the fields of the contract's struct, in its order.

    Raises:
        RpcError: the outcome is no status, or none that a job can end in; or a quote of impossible parts.
    """
    raw = JobFacts(job_id, *fields)
    ended = job_status(raw.outcome, where=where)
    if ended is not JobStatus.NONE and not ended.is_terminal:
        raise RpcError(f"expected the outcome of a job, found {ended.name} {where}")
    quote, fixed = fee_quote(raw.quote, where=where), payment(raw.payment)
    return replace(raw, quote=quote, payment=fixed, outcome=ended)


def job_request(
    opened: Mapping[str, Any], *, chain_id: int, manager: str, transaction: str, block: int, block_hash: str
) -> JobRequest:
    """Return the request that a `JobOpened` event announces.

    Args:
        opened: the event's arguments.
        chain_id: EIP-155 id.
        manager: address of the job manager.
        transaction: hash of the opening transaction.
        block: its height.
        block_hash: of that block.

    Raises:
        FormatError: a field is out of range, e.g. a URI that no node would fetch.
        RpcError: a quote of impossible parts, or two models in one event.
    """
    where = f"the opening in transaction {transaction}"
    (model, circuit, commitment, uri, minimum, maximum, total, ramp, claim, deadline, provers) = opened[
        "spec"
    ]
    if model != opened["modelId"]:
        raise RpcError(f"expected one model, found {opened['modelId']:#x} and {model:#x} in {where}")
    quote = QuoteFields.from_quote(fee_quote(opened["quote"], where=f"in {where}"))
    return JobRequest.from_fields(
        {
            "chain_id": chain_id,
            "manager": manager,
            "job_id": to_hex(opened["jobId"]),
            "model_id": str(model),
            "circuit_id": to_hex(circuit),
            "requester": opened["requester"],
            "input_commitment": to_hex(commitment),
            "input_uri": uri,
            "input": to_hex(opened["input"]),
            "min_prover_fee": str(minimum),
            "max_prover_fee": str(maximum),
            "max_total": str(total),
            "ramp_seconds": ramp,
            "claim_seconds": claim,
            "deadline": deadline,
            "provers": list(provers),
            "quote": quote.model_dump(mode="json"),
            "escrow": str(opened["escrow"]),
            "opened_transaction": transaction,
            "opened_block": block,
            "opened_block_hash": block_hash,
        },
        where=where,
    )


def tab_facts(tab_id: bytes, fields: Sequence[Any], *, where: str) -> TabFacts:
    """Return a tab from the fields of the contract's struct, in its order.

    Raises:
        RpcError: a quote of impossible parts.
    """
    raw = TabFacts(tab_id, *fields)
    return replace(raw, quote=fee_quote(raw.quote, where=where))


def model_income(fields: Sequence[Any]) -> ModelIncome:
    """Return a model's income from the fields of the contract's struct."""
    return ModelIncome(*fields)


def revenue_parts(values: Sequence[Sequence[Any]], *, where: str) -> tuple[Part, ...]:
    """Return how a model's revenue is split from an array of the contract's structs.

    Raises:
        RpcError: no kind has such a number.
    """
    return tuple(Part(payee_kind(kind, where=where), ppm, receiver) for kind, ppm, receiver in values)


def checked_split(parts: tuple[Part, ...], *, where: str) -> tuple[Part, ...]:
    """Return a whole split, which sums to 10^6.

    Raises:
        RpcError: it does not.
    """
    total = sum(part.ppm for part in parts)
    if total != PPM:
        raise RpcError(f"expected parts that sum to {PPM} ppm, found {total} {where}")
    return parts
