"""What a requester offers for a job: checked in full before anything is signed.

The total is what leaves the account: the greatest prover fee, the model's fee and the platform's part, as
they are when the job opens. What a claim fixes below it comes back as credits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from verifier_contracts.terms import JobTerms
from zkml.client.inputs import check_packed
from zkml.client.models import CheckedCircuit, check_model
from zkml.core.market_identifiers import JobSpec
from zkml.core.pricing import MAX_AMOUNT, FeeQuote, escrow_for
from zkml.core.records import MAX_NAMED_PROVERS
from zkml.core.tensors import input_commitment
from zkml.errors import FormatError, MarketError
from zkml.wiring import Market

MAX_URI_BYTES = 256
_RAMP_PARTS = 4
_CLAIM_PARTS = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that may be opened.

    Attributes:
        spec: what is asked for.
        given_input: what the opening carries: the packed input, or nothing where a URI says where it is.
        quote: what model and platform ask now.
        escrow: what opening it takes, in the token's smallest unit.
        circuit: the job's circuit.
    """

    spec: JobSpec
    given_input: bytes
    quote: FeeQuote
    escrow: int
    circuit: CheckedCircuit


def make_offer(
    market: Market,
    requester: str,
    *,
    model_id: int,
    packed_input: bytes,
    min_prover_fee: int,
    max_prover_fee: int,
    max_total: int,
    deadline: int,
    accepted_classes: frozenset[int],
    ramp_seconds: int | None = None,
    claim_seconds: int | None = None,
    circuit_id: bytes | None = None,
    input_uri: str = "",
    provers: Sequence[str] = (),
) -> Offer:
    """Check a request as the chain will, and more: policy, price, times, input and funds.

    Args: see `openings.open_job`.

    Raises: as `openings.open_job` does; nothing is signed or sent here.
    """
    circuit = check_model(market, model_id, accepted_classes, circuit_id)
    check_packed(packed_input, circuit.spec.layout, circuit.spec.domain)
    _check_fees(min_prover_fee, max_prover_fee)
    now, terms = market.chain.now(), market.manager.terms()
    left = deadline - now
    check_end(left, terms)
    if ramp_seconds is None:
        ramp_seconds = left // _RAMP_PARTS if min_prover_fee < max_prover_fee else 0
    if claim_seconds is None:
        claim_seconds = max(terms.min_claim_seconds, left // _CLAIM_PARTS)
    _check_times(ramp_seconds, claim_seconds, left, terms)
    _check_uri(input_uri)
    if len(provers) > MAX_NAMED_PROVERS:
        raise MarketError(f"expected at most {MAX_NAMED_PROVERS} named provers, found {len(provers)}")
    spec = JobSpec(
        model_id=model_id,
        circuit_id=circuit.circuit_id,
        input_commitment=input_commitment(packed_input),
        input_uri=input_uri,
        min_prover_fee=min_prover_fee,
        max_prover_fee=max_prover_fee,
        max_total=max_total,
        ramp_seconds=ramp_seconds,
        claim_seconds=claim_seconds,
        deadline=deadline,
        provers=tuple(provers),
    )
    quote = market.manager.quote_for(model_id)
    escrow = _checked_escrow(market, quote, spec)
    market.token.require(requester, escrow, "pay for the job")
    return Offer(spec, b"" if input_uri else packed_input, quote, escrow, circuit)


def check_end(left: int, terms: JobTerms) -> None:
    """Check that something may end `left` seconds from now.

    Raises:
        MarketError: the deployment's terms do not allow it.
    """
    if not terms.min_duration_seconds <= left <= terms.max_duration_seconds:
        raise MarketError(
            f"expected a deadline {terms.min_duration_seconds} to {terms.max_duration_seconds} seconds from "
            f"now, found {left}",
            hint="deadlines are chain time",
        )


def _check_fees(minimum: int, maximum: int) -> None:
    if not 0 < minimum <= maximum <= MAX_AMOUNT:
        raise MarketError(
            f"expected prover fees above 0, the least not above the greatest, found {minimum} and {maximum}"
        )


def _check_times(ramp_seconds: int, claim_seconds: int, left: int, terms: JobTerms) -> None:
    if not 0 <= ramp_seconds <= left:
        raise MarketError(f"expected a ramp of 0 to {left} seconds, found {ramp_seconds}")
    if not terms.min_claim_seconds <= claim_seconds <= left:
        raise MarketError(
            f"expected a claim period of {terms.min_claim_seconds} to {left} seconds, found {claim_seconds}",
            hint="a claimer needs it to prove before anybody may take over",
        )


def _check_uri(input_uri: str) -> None:
    length = len(input_uri.encode())
    if length > MAX_URI_BYTES:
        raise FormatError(
            f"expected an input URI of at most {MAX_URI_BYTES} bytes, found {length}",
            hint="the contract refuses longer ones",
        )


def _checked_escrow(market: Market, quote: FeeQuote, spec: JobSpec) -> int:
    escrow, show = escrow_for(quote, spec.max_prover_fee), market.token.show
    if not escrow <= spec.max_total <= MAX_AMOUNT:
        raise MarketError(
            f"expected a total of at most {show(spec.max_total)}, found {show(escrow)}: "
            f"{show(spec.max_prover_fee)} for the prover, the rest for model and platform",
            hint="raise the cap or offer less",
        )
    return escrow
