"""Payments in x402 version 2's envelopes, with the package's own models; the scheme is ours.

Source: x402 specification, "HTTP Transport": PAYMENT-REQUIRED, PAYMENT-SIGNATURE and PAYMENT-RESPONSE carry
JSON in base64.
"""

import base64
import binascii

from pydantic import ValidationError
from x402.http.constants import PAYMENT_REQUIRED_HEADER, PAYMENT_RESPONSE_HEADER, PAYMENT_SIGNATURE_HEADER
from x402.http.utils import encode_payment_required_header, encode_payment_response_header
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements, ResourceInfo, SettleResponse

from prover_nodes.direct.requests import RequestCase, RequestState
from zkml.core.api_messages import SCHEME, ModelOffer, PaymentBody, SettlementMessage, caip2
from zkml.core.digests import canonical_json
from zkml.core.records import explain
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError, PaymentRequiredError

REQUIRED, SIGNATURE, RESPONSE = (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    PAYMENT_RESPONSE_HEADER,
)
X402_VERSION = 2
MAX_SIGNATURE_CHARACTERS = 16_384


class Envelopes:
    """The envelopes of one node: who is paid, in which token, on which chain."""

    def __init__(self, *, chain_id: int, prover: str, token: str, timeout_seconds: float) -> None:
        """Use the facts that every envelope of a node names.

        Args:
            chain_id: EIP-155 id.
            prover: who is paid, checksummed.
            token: address of the payment token, checksummed.
            timeout_seconds: longest that a request is held open.
        """
        self.network = caip2(chain_id)
        self._prover = prover
        self._token = token
        self._timeout_seconds = max(1, round(timeout_seconds))

    def required(self, offer: ModelOffer, url: str, problem: str) -> str:
        """Return the header that asks for a payment.

        Args:
            offer: what it costs.
            url: of the resource.
            problem: why it is asked for, one line.
        """
        fees = offer.offer
        price = int(fees.model_fee) + int(fees.prover_fee) + int(fees.flat_fee)
        requirements = PaymentRequirements(
            scheme=SCHEME,
            network=self.network,
            asset=self._token,
            amount=str(price),
            pay_to=self._prover,
            max_timeout_seconds=self._timeout_seconds,
            extra=fees.model_dump(mode="json"),
        )
        required = PaymentRequired(
            x402_version=X402_VERSION,
            error=problem,
            resource=ResourceInfo(
                url=url,
                description=f"one proved inference of {offer.name}",
                mime_type="application/json",
            ),
            accepts=[requirements],
        )
        return encode_payment_required_header(required)

    def body(self, header: str) -> PaymentBody:
        """Return what a client pays with.

        Raises:
            FormatError: the header is no payment of x402's version 2, or not of our scheme's form.
            PaymentRequiredError: it is for another scheme, chain, token or prover.
        """
        payment = _payload(header)
        accepted = payment.accepted
        found = (accepted.scheme, accepted.network)
        if found != (SCHEME, self.network):
            raise PaymentRequiredError(
                f"expected a payment by scheme {SCHEME} on {self.network}, found {found[0]!r:.40} on "
                f"{found[1]!r:.40}",
                hint="take what the node's answer 402 offers",
            )
        for name, ours, theirs in (
            ("to", self._prover, accepted.pay_to),
            ("in token", self._token, accepted.asset),
        ):
            if theirs.lower() != ours.lower():
                raise PaymentRequiredError(
                    f"expected a payment {name} {ours}, found {theirs!r:.60}",
                    hint="take what the node's answer 402 offers",
                )
        try:
            return PaymentBody.model_validate_json(canonical_json(payment.payload))
        except ValidationError as error:
            raise FormatError(
                f"expected a payload of scheme {SCHEME}, found {explain(error)}", hint="see docs/x402.md"
            ) from error

    def response(self, case: RequestCase, settlement: SettlementMessage | None) -> str:
        """Return the header that tells of the payment: under way, or mined."""
        return encode_payment_response_header(
            SettleResponse(
                success=True,
                transaction="" if settlement is None else settlement.transaction,
                network=self.network,
                amount=case.accepted.price,
                extra={
                    "state": (RequestState.PROVED if settlement is None else RequestState.SETTLED).value,
                    "request": case.id,
                },
            )
        )


def _payload(header: str) -> PaymentPayload:
    if len(header) > MAX_SIGNATURE_CHARACTERS:
        raise FormatError(
            f"expected at most {MAX_SIGNATURE_CHARACTERS} characters, found {len(header)} in {SIGNATURE}"
        )
    try:
        data = base64.b64decode(header.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise FormatError(f"expected base64, found something else in {SIGNATURE}") from error
    fields = parse_object(data, where=SIGNATURE)
    if fields.get("x402Version") != X402_VERSION:
        raise FormatError(
            f"expected x402Version {X402_VERSION}, found {fields.get('x402Version')!r:.20} in {SIGNATURE}"
        )
    try:
        return PaymentPayload.model_validate(fields)
    except ValidationError as error:
        raise FormatError(f"expected an x402 payment, found {explain(error)} in {SIGNATURE}") from error
