"""What a requester signs to be served from a tab: each request, and the opening of the tab. No keys here.

The twins are `JobManager.requestDigest` and the opening that `JobManager.openTabPermitted` checks.
"""

from typing import NamedTuple

from zkml.core.eip712 import Eip712Domain, TypedMessage
from zkml.core.market_identifiers import TabSpec
from zkml.core.records import SignedRequestRecord, from_hex, to_hex
from zkml.errors import WrongChainError

_REQUEST_FIELDS = (
    ("bytes32", "tabId"),
    ("bytes32", "circuitId"),
    ("bytes32", "inputCommitment"),
    ("uint80", "modelFee"),
    ("uint80", "proverFee"),
    ("uint40", "expiry"),
    ("uint64", "nonce"),
)
_OPENING_FIELDS = (
    ("uint256", "modelId"),
    ("address", "prover"),
    ("address", "signer"),
    ("uint80", "amount"),
    ("uint40", "expiry"),
    ("uint256", "nonce"),
)


class SignedRequest(NamedTuple):
    """One inference on a tab, in the order of the Solidity struct.

    Attributes:
        tab_id: the tab, 32 bytes.
        circuit_id: one of the model's circuits for one input, 32 bytes.
        input_commitment: keccak256 of the packed input.
        model_fee: exactly what the model gets, the platform's part included, in the token's smallest unit.
        prover_fee: exactly what the prover gets.
        expiry: chain time in seconds; settling is allowed up to and including it.
        nonce: used once on its tab, 64 bits.
    """

    tab_id: bytes
    circuit_id: bytes
    input_commitment: bytes
    model_fee: int
    prover_fee: int
    expiry: int
    nonce: int


def market_domain(chain_id: int, manager: str) -> Eip712Domain:
    """Return the domain of what is signed for a job manager."""
    return Eip712Domain("zkML JobManager", "1", chain_id, manager)


def request_message(chain_id: int, manager: str, request: SignedRequest) -> TypedMessage:
    """Return what a tab's signer signs for one inference."""
    return TypedMessage(market_domain(chain_id, manager), "SignedRequest", _REQUEST_FIELDS, tuple(request))


def request_digest(chain_id: int, manager: str, request: SignedRequest) -> bytes:
    """Return the digest of a signed request, 32 bytes: its name in events and contexts.

    Raises:
        FormatError: a value does not fit its field.
    """
    return request_message(chain_id, manager, request).digest


def record_of_request(
    chain_id: int, manager: str, request: SignedRequest, signature: bytes
) -> SignedRequestRecord:
    """Return the record of a signed request, as it travels; `request_from_record` reads it back."""
    return SignedRequestRecord(
        chain_id=chain_id,
        manager=manager,
        tab_id=to_hex(request.tab_id),
        circuit_id=to_hex(request.circuit_id),
        input_commitment=to_hex(request.input_commitment),
        model_fee=str(request.model_fee),
        prover_fee=str(request.prover_fee),
        expiry=request.expiry,
        nonce=str(request.nonce),
        signature=to_hex(signature),
    )


def request_from_record(chain_id: int, manager: str, record: SignedRequestRecord) -> SignedRequest:
    """Return the request of a record of this chain and job manager; its signature is not looked at.

    Raises:
        WrongChainError: it is of another chain or job manager.
        FormatError: a number does not fit its field.
    """
    if (record.chain_id, record.manager) != (chain_id, manager):
        raise WrongChainError(
            f"expected a request for {manager} on chain {chain_id}, "
            f"found one for {record.manager} on chain {record.chain_id}"
        )
    request = SignedRequest(
        tab_id=from_hex(record.tab_id),
        circuit_id=from_hex(record.circuit_id),
        input_commitment=from_hex(record.input_commitment),
        model_fee=int(record.model_fee),
        prover_fee=int(record.prover_fee),
        expiry=record.expiry,
        nonce=int(record.nonce),
    )
    request_digest(chain_id, manager, request)
    return request


def opening_message(chain_id: int, manager: str, spec: TabSpec, nonce: int) -> TypedMessage:
    """Return what a requester signs so that others can open its tab by an ERC-2612 permit.

    Args:
        chain_id: EIP-155 id.
        manager: address of the job manager.
        spec: the tab.
        nonce: the requester's next one, `JobManager.nonces`.
    """
    return TypedMessage(
        market_domain(chain_id, manager), "TabOpening", _OPENING_FIELDS, (*tuple(spec), nonce)
    )
