"""What the offerings' contracts answer, as records: one reading for bindings and auditors. No I/O.

Answers are an endpoint's word: what no contract of ours can hold is one of our errors, and not a number that
somebody computes with.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any, TypeVar

from pydantic import ValidationError

from verifier_contracts.terms import OfferingRules
from zkml.core.artifact_encryption import Artifact
from zkml.core.offering_machine import DefaultCause, OfferingFacts, OfferingOutcome, OfferingStatus
from zkml.core.offering_terms import MAX_NAME_BYTES, MAX_SYMBOL_BYTES, OfferingTerms
from zkml.core.pricing import PPM
from zkml.core.records import explain
from zkml.errors import FormatError, RpcError

_Number = TypeVar("_Number", bound=IntEnum)


def offering_status(number: int, *, where: str) -> OfferingStatus:
    """Return the status of a number of the contract's enum.

    Raises:
        RpcError: no status has this number.
    """
    return named(OfferingStatus, number, what="the status of an offering", where=where)


def default_cause(number: int, *, where: str) -> DefaultCause:
    """Return why an offering defaulted, from a number of the contract's enum; raises as `offering_status`."""
    return named(DefaultCause, number, what="the cause of a default", where=where)


def named(kind: type[_Number], number: int, *, what: str, where: str) -> _Number:
    """Return the member of an enum that has a number.

    Raises:
        RpcError: none has it.
    """
    try:
        return kind(number)
    except ValueError as error:
        raise RpcError(f"expected {what}, found {number} {where}") from error


def offering_rules(fields: Sequence[Any], *, where: str) -> OfferingRules:
    """Return a deployment's numbers from the fields of the contract's struct.

    Raises:
        RpcError: numbers that no offering contract was constructed with.
    """
    numbers = dict(zip(OfferingRules.model_fields, fields, strict=True))
    try:
        return OfferingRules(**{**numbers, "min_bond": str(numbers["min_bond"])})
    except ValidationError as error:
        raise RpcError(f"expected the rules of offerings, found {explain(error)} {where}") from error


def offering_facts(offering_id: int, fields: Sequence[Any], *, where: str) -> OfferingFacts:
    """Return an offering from the fields of the contract's struct, in its order.

    Args:
        offering_id: its number.
        fields: decoded; all zero where there is no such offering.
        where: the contract's place, for messages.

    Raises:
        RpcError: facts that contradict each other.
    """
    raw = OfferingFacts(offering_id, *fields)
    outcome = named(OfferingOutcome, raw.outcome, what="the outcome of an offering", where=where)
    if not raw.exists:
        return replace(raw, outcome=outcome, artifact=None)
    facts = replace(raw, outcome=outcome, artifact=_artifact(fields[-1], where))
    _check_sound(facts, where)
    return facts


def offering_terms(fields: Sequence[Any], *, where: str) -> OfferingTerms:
    """Return the terms that an opening announces, from the fields of the contract's struct.

    The contract takes any bytes as a name: what cannot be printed is replaced here.

    Raises:
        RpcError: terms that no contract of ours opens an offering with.
    """
    *rest, name, symbol = fields
    texts = printable(name, MAX_NAME_BYTES), printable(symbol, MAX_SYMBOL_BYTES)
    try:
        terms = OfferingTerms.from_abi([*rest, *texts])
    except ValidationError as error:
        raise RpcError(f"expected the terms of an offering, found {explain(error)} {where}") from error
    except FormatError as error:
        raise RpcError(f"expected the terms of an offering, found {error.message} {where}") from error
    if not terms.total_shares or not terms.price:
        raise RpcError(f"expected shares at a price, found {terms.total_shares} at {terms.price} {where}")
    return terms


def printable(text: str, most: int) -> str:
    """Return foreign text for people: at most so many characters, none of which moves a cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:most])


def _artifact(fields: Sequence[Any], where: str) -> Artifact:
    try:
        return Artifact(*fields)
    except FormatError as error:
        raise RpcError(f"expected an artifact, found {error.message} {where}") from error


def _check_sound(facts: OfferingFacts, where: str) -> None:
    """Check what holds of every offering, whatever happened to it."""
    is_sold, is_default = facts.is_sold_out, facts.outcome is OfferingOutcome.DEFAULTED
    is_failed = facts.outcome is OfferingOutcome.FAILED
    is_ended_otherwise = facts.outcome in (OfferingOutcome.TRADING, OfferingOutcome.DEFAULTED)
    contradictions = {
        "no shares or no price": facts.public_shares == 0 or facts.price == 0,
        "more reserved than offered": facts.reserved > facts.public_shares,
        "a lock without a sale": is_sold is not (facts.left == 0),
        "a lock that ends before it begins": is_sold and facts.unlock_at <= facts.soft_locked_at,
        "an unlock time without a lock": not is_sold and facts.unlock_at != 0,
        "a reveal before the lock": facts.revealed_at != 0
        and not (is_sold and facts.soft_locked_at <= facts.revealed_at),
        "an outcome that its sale rules out": is_failed if is_sold else is_ended_otherwise,
        "a release without a reveal": facts.outcome is OfferingOutcome.TRADING and facts.revealed_at == 0,
        "unpaid shares or a bonus without a default": not is_default and facts.unpaid + facts.bonus != 0,
        "more unpaid than sold": facts.unpaid > facts.public_shares,
        "more than the whole for the pool": facts.seed_ppm > PPM,
    }
    found = [words for words, is_wrong in contradictions.items() if is_wrong]
    if found:
        raise RpcError(f"expected a sound offering, found {found[0]} in number {facts.offering_id} {where}")
