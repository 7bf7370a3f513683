"""What a node asks to be paid, held against the chain: no field of it is taken on trust.

Source: x402 specification version 2, `PaymentRequired` and `PaymentPayload`; docs/x402.md for the scheme.
"""

import base64
import binascii
import math
from dataclasses import dataclass

from pydantic import ValidationError
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements

from zkml.adapters.http.client import printable
from zkml.client.known_model import KnownModel, check_choice
from zkml.client.models import CheckedCircuit
from zkml.core.api_messages import SCHEME, Offer, PaymentBody, caip2
from zkml.core.digests import canonical_json
from zkml.core.pricing import MAX_AMOUNT, least_model_fee, signed_payment
from zkml.core.records import explain, from_hex, to_hex
from zkml.core.strict_json import parse_object
from zkml.core.verifier_classes import class_name
from zkml.errors import BindingError, FormatError, PaymentRequiredError, ServiceUnreachableError
from zkml.wiring import Market

MAX_HEADER_BYTES = 16_384
MAX_EXPIRY_SECONDS = 6 * 3600
"""Longest time to settle a signed request in: so long its price is bound if the node keeps silent."""
_VERSION = 2


@dataclass(frozen=True, slots=True)
class CheckedOffer:
    """A node's offer that agrees with the chain.

    Attributes:
        prover: who would be paid, checksummed.
        circuit: the circuit that it would prove.
        prover_fee: what it asks for itself, in the token's smallest unit.
        price: the whole price, as it is for a tab that opens now.
        expected_seconds: how long it says the answer takes; infinity where it does not say.
        expiry_seconds: how far ahead a signed request must expire, at least.
    """

    prover: str
    circuit: CheckedCircuit
    prover_fee: int
    price: int
    expected_seconds: float
    expiry_seconds: float


def read_required(header: str) -> PaymentRequired:
    """Read the header PAYMENT-REQUIRED.

    Raises:
        ServiceUnreachableError: it is something else.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise ServiceUnreachableError(
            f"expected at most {MAX_HEADER_BYTES} bytes of PAYMENT-REQUIRED, found {len(header)}"
        )
    try:
        fields = parse_object(base64.b64decode(header, validate=True), where="PAYMENT-REQUIRED")
        required = PaymentRequired.model_validate(fields)
    except (binascii.Error, FormatError, ValidationError, ValueError) as error:
        found = explain(error) if isinstance(error, ValidationError) else printable(error, 160)
        raise ServiceUnreachableError(
            f"expected payment requirements of x402 in PAYMENT-REQUIRED, found {found}"
        ) from error
    if required.x402_version != _VERSION:
        raise ServiceUnreachableError(
            f"expected x402 version {_VERSION}, found {required.x402_version} in PAYMENT-REQUIRED"
        )
    return required


def pick_terms(required: PaymentRequired, chain_id: int) -> PaymentRequirements:
    """Return the requirements of the scheme and chain that a tab can pay.

    Raises:
        PaymentRequiredError: there are none.
    """
    for terms in required.accepts:
        if (terms.scheme, terms.network) == (SCHEME, caip2(chain_id)):
            return terms
    kinds = ", ".join(printable(f"{terms.scheme} on {terms.network}", 60) for terms in required.accepts[:5])
    raise PaymentRequiredError(
        f"expected to pay by {SCHEME} on {caip2(chain_id)}, found {kinds or 'no way to pay'}",
        hint="the node works on another chain, or is none of zkml's",
    )


def check_terms(
    market: Market, known: KnownModel, terms: PaymentRequirements, *, prover: str, trusted: frozenset[int]
) -> CheckedOffer:
    """Check payment requirements in full against the chain; see `check_offer`.

    Raises:
        BindingError: they pay another token or prover, or another amount than the fees add up to.
        ServiceUnreachableError: they carry no offer.
    """
    try:
        offer = Offer.model_validate(terms.extra)
    except ValidationError as error:
        raise ServiceUnreachableError(
            f"expected an offer in the payment requirements, found {explain(error)}"
        ) from error
    checked = check_offer(market, known, offer, prover=prover, trusted=trusted)
    _agree("asset", terms.asset.lower(), market.token.address.lower())
    _agree("payee", terms.pay_to.lower(), prover.lower())
    _agree("amount", terms.amount, str(checked.price))
    if not 0 < terms.max_timeout_seconds <= MAX_EXPIRY_SECONDS:
        raise PaymentRequiredError(
            f"expected a timeout of at most {MAX_EXPIRY_SECONDS} seconds, found {terms.max_timeout_seconds}"
        )
    return checked


def check_offer(
    market: Market, known: KnownModel, offer: Offer, *, prover: str, trusted: frozenset[int]
) -> CheckedOffer:
    """Check a node's offer against the chain.

    Args:
        market: chain and contracts.
        known: the model that was asked for.
        offer: what the node says.
        prover: whose node it is.
        trusted: numbers of the verifier classes that are trusted.

    Raises:
        BindingError: it is of another model, circuit, key, contract or price than the chain's.
        UnsuitableCircuitError, TombstonedError: its circuit must not be paid for.
        PaymentRequiredError: it asks for what no tab can pay, or for too long.
        RpcError: see `Chain.request`.
    """
    _agree("job manager", offer.manager.lower(), market.tabs.address.lower())
    _agree("model", int(offer.model_id), known.model_id)
    circuit = check_choice(market, known, from_hex(offer.circuit_id), trusted)
    spec = circuit.spec
    _agree("verifying key", offer.verifying_key, to_hex(spec.verifying_key_digest))
    _agree("verifier class", offer.verifier_class, class_name(spec.verifier_class))
    _agree("length of the input", offer.input_bytes, spec.layout.input_length_bytes)
    prover_fee = int(offer.prover_fee)
    if prover_fee > MAX_AMOUNT:
        raise PaymentRequiredError(f"expected a fee of at most 80 bits, found {offer.prover_fee}")
    model_fee = least_model_fee(known.quote, prover_fee)
    _agree("model fee", int(offer.model_fee), model_fee)
    _agree("flat fee", int(offer.flat_fee), known.quote.flat_fee)
    expiry, expected = offer.least_expiry_seconds, offer.expected_seconds
    if not 0 <= expiry <= MAX_EXPIRY_SECONDS:
        raise PaymentRequiredError(
            f"expected requests of at most {MAX_EXPIRY_SECONDS} seconds, found {expiry:g}"
        )
    is_known = expected is not None and math.isfinite(expected) and expected >= 0
    return CheckedOffer(
        prover=prover,
        circuit=circuit,
        prover_fee=prover_fee,
        price=signed_payment(known.quote, model_fee, prover_fee).price,
        expected_seconds=float(expected) if is_known and expected is not None else math.inf,
        expiry_seconds=expiry,
    )


def payment_header(terms: PaymentRequirements, body: PaymentBody) -> str:
    """Return the header PAYMENT-SIGNATURE: a signed request as an x402 payload."""
    payload = PaymentPayload(
        x402_version=_VERSION, payload=body.model_dump(mode="json", exclude_none=True), accepted=terms
    )
    fields = payload.model_dump(mode="json", by_alias=True, exclude_none=True)
    return base64.b64encode(canonical_json(fields)).decode()


def _agree(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BindingError(
            f"expected the {what} that the chain has, {printable(expected, 80)}, "
            f"found {printable(found, 80)} in the node's offer",
            hint="do not use this node, or ask again if a fee has just changed",
        )
