"""The page of the payment scheme: its bytes are made by the code, its words are the code's."""

import base64
import json
import re
import sys
from pathlib import Path

from eth_account import Account
from x402.http.utils import encode_payment_signature_header
from x402.schemas import PaymentPayload, PaymentRequired

from prover_nodes.api.envelopes import Envelopes
from prover_nodes.api.problems import STATUSES, status_of
from prover_nodes.direct.requests import AcceptedRequest, RequestCase, RequestState
from zkml.adapters.keys.typed_signatures import recover_signer, sign_message
from zkml.core.api_messages import SCHEME, ModelOffer, Offer, PaymentBody, SettlementMessage
from zkml.core.market_identifiers import TabSpec
from zkml.core.records import SignedRequestRecord, to_hex
from zkml.core.signed_requests import SignedRequest, opening_message, record_of_request, request_message
from zkml.core.tensors import input_commitment

PAGE = Path(__file__).parents[2] / "docs" / "x402.md"
CHAIN_ID, MANAGER = 31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3"
PROVER, TOKEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
SIGNER = Account.from_key(32 * b"\x07")
INPUT = bytes.fromhex("0001fffe00030004")
URL = f"https://prover.example/v1/models/did:ethr:0x7a69:{PROVER}/infer"

REQUEST = SignedRequest(
    tab_id=32 * b"\x11",
    circuit_id=32 * b"\x22",
    input_commitment=input_commitment(INPUT),
    model_fee=1_000_000,
    prover_fee=2_000_000,
    expiry=1_800_000_600,
    nonce=7,
)
OFFER = ModelOffer(
    did=f"did:ethr:0x7a69:{PROVER}",
    name="digits",
    offer=Offer(
        manager=MANAGER,
        model_id="42",
        circuit_id=to_hex(REQUEST.circuit_id),
        verifying_key="0x" + 64 * "3",
        verifier_class="local",
        model_fee="1000000",
        prover_fee="2000000",
        flat_fee="10000",
        input_bytes=len(INPUT),
        expected_seconds=4.0,
        least_expiry_seconds=154.0,
        manifest="",
    ),
)
ENVELOPES = Envelopes(chain_id=CHAIN_ID, prover=PROVER, token=TOKEN, timeout_seconds=600)


def record() -> SignedRequestRecord:
    """Return the example's request, signed."""
    signature = sign_message(SIGNER, request_message(CHAIN_ID, MANAGER, REQUEST))
    return record_of_request(CHAIN_ID, MANAGER, REQUEST, signature)


def decoded(header: str) -> str:
    """Return the JSON of a header, one value a line."""
    return json.dumps(json.loads(base64.b64decode(header)), indent=2)


def payment(required: str) -> str:
    """Return the header that pays what another one asks for."""
    asked = PaymentRequired.model_validate_json(base64.b64decode(required))
    body = PaymentBody(request=record()).model_dump(mode="json", exclude_none=True)
    return encode_payment_signature_header(
        PaymentPayload(x402_version=2, payload=body, accepted=asked.accepts[0])
    )


def response() -> str:
    """Return the header that tells of the payment, once it is mined."""
    accepted = AcceptedRequest(
        request=record(),
        prover=PROVER,
        did=OFFER.did,
        model_id="42",
        name="digits",
        input=to_hex(INPUT),
        price="3010000",
        accepted_at=1_800_000_000,
    )
    name = to_hex(request_message(CHAIN_ID, MANAGER, REQUEST).digest)
    case = RequestCase(name, accepted, RequestState.SETTLED, "", 0)
    settlement = SettlementMessage(
        transaction="0x" + 64 * "4", block=12, gas_used=611_000, prover_fee="2000000"
    )
    return ENVELOPES.response(case, settlement)


def example() -> str:
    """Return the part of the page that is made here."""
    message = request_message(CHAIN_ID, MANAGER, REQUEST)
    required = ENVELOPES.required(OFFER, URL, "expected a payment in PAYMENT-SIGNATURE, found none")
    paid = payment(required)
    parts = (
        ("`PAYMENT-REQUIRED` of the answer 402, decoded:", "json", decoded(required)),
        (
            "The typed message that the tab's signer signs, and its digest, the request's name:",
            "json",
            typed(message),
        ),
        ("`PAYMENT-SIGNATURE`, decoded:", "json", decoded(paid)),
        ("and as it is sent:", "text", paid),
        ("`PAYMENT-RESPONSE` of an answer whose settlement is mined, decoded:", "json", decoded(response())),
    )
    return "\n".join(f"{words}\n\n```{kind}\n{text}\n```\n" for words, kind, text in parts)


def typed(message) -> str:
    """Return a typed message with its hashes."""
    shown = {
        "type": message.type_string,
        "domainSeparator": to_hex(message.domain.separator),
        "structHash": to_hex(message.struct_hash),
        "digest": to_hex(message.digest),
        "signer": SIGNER.address,
    }
    return json.dumps(shown, indent=2)


def status_rows() -> str:
    """Return the table of errors and their HTTP statuses."""
    rows = [f"| `{kind.code}` | {kind.__name__} | {status} |" for kind, status in STATUSES]
    return "\n".join(["| code | error, and those below it | HTTP status |", "|---|---|---:|", *rows, ""])


def between(name: str) -> str:
    return PAGE.read_text().partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def test_page__example__is_what_the_code_makes_and_reads():
    """The bytes of the page are those that a node writes and accepts, signed by the key that it names."""
    assert between("example") == example()
    header = re.search(r"```text\n(\S+)\n```", between("example"))[1]
    body = ENVELOPES.body(header)
    assert body.request == record()
    message = request_message(CHAIN_ID, MANAGER, REQUEST)
    assert recover_signer(message, bytes.fromhex(body.request.signature[2:])) == SIGNER.address


def test_page__statuses__are_the_codes():
    """The page lists every class of error that has an HTTP status, with that status."""
    assert between("statuses") == status_rows()
    assert all(status_of(kind("x")) == status for kind, status in STATUSES)


def test_page__types_and_scheme__are_the_contracts():
    """The types that the page tells people to sign are those whose hashes the contracts check."""
    page = PAGE.read_text()
    spec = TabSpec(1, PROVER, PROVER, 1, 1)
    for message in (
        request_message(CHAIN_ID, MANAGER, REQUEST),
        opening_message(CHAIN_ID, MANAGER, spec, 0),
    ):
        assert message.type_string in page
    assert f'"{SCHEME}"' in page


if __name__ == "__main__":
    print({"example": example, "statuses": status_rows}[sys.argv[1]](), end="")
