"""What a prover node's HTTP API and its clients say to each other. Pure: schemas and their limits.

Requests are refused when they carry anything unknown; of answers, unknown fields are ignored, so that a
newer node can serve an older client. Nothing here is true because a node says it: clients take from the
chain what the chain has, and hash or verify the rest.

Payment travels in x402 version 2's envelopes (specs/x402-specification.md of the x402 foundation): the
headers PAYMENT-REQUIRED, PAYMENT-SIGNATURE and PAYMENT-RESPONSE. The scheme is ours: `docs/x402.md`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zkml.core.records import Address, Amount, DigestText, Hex32, HexBytes, Name, SignedRequestRecord

SCHEME = "accepted-proof"
"""x402 scheme: the payment is drawn from a tab in the transaction in which the proof is accepted."""
VERSION_PREFIX = "/v1"
IDEMPOTENCY_HEADER = "Idempotency-Key"

MAX_STAGES = 16

DidText = Annotated[str, Field(pattern=r"^did:ethr:0x[0-9a-f]+:0x[0-9a-fA-F]{40}$", max_length=128)]
State = Literal["waiting", "working", "proved", "settled", "refused", "failed"]


class ApiRequest(BaseModel):
    """What a client sends: known fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ApiAnswer(BaseModel):
    """What a node answers: unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class InferRequest(ApiRequest):
    """Body of `POST /v1/models/{did}/infer`.

    Attributes:
        input: packed by the circuit's layout.
        circuit_id: one of the model's circuits for one input; the node's choice when None.
    """

    input: HexBytes
    circuit_id: Hex32 | None = None


class TabOpening(ApiRequest):
    """A tab that the prover opens in the requester's name, who needs no ether.

    Attributes:
        kind: `eip3009`: the token's receiveWithAuthorization; `permit`: ERC-2612 and a signed opening.
        requester: whose money it is.
        model_id, signer, amount, expiry: the tab; its prover is the node.
        signature: of the token's message.
        opening_signature: of the opening; for `permit` alone.
        deadline: of the token's message, chain time in seconds.
    """

    kind: Literal["eip3009", "permit"]
    requester: Address
    model_id: Amount
    signer: Address
    amount: Amount
    expiry: int
    signature: HexBytes
    opening_signature: HexBytes = "0x"
    deadline: int


class PaymentBody(ApiRequest):
    """`payload` of an x402 PaymentPayload: a signed request, and the opening of its tab where it is new."""

    request: SignedRequestRecord
    opening: TabOpening | None = None


class Offer(ApiAnswer):
    """`extra` of the scheme's x402 PaymentRequirements: what one inference costs and is checked by.

    Attributes:
        manager: address of the job manager; the EIP-712 domain's contract.
        model_id: ERC-721 id of the model.
        circuit_id: the circuit that the node would prove.
        verifying_key: digest that the router pins for it.
        verifier_class: name of its class.
        model_fee: what model and platform get of it, in the token's smallest unit.
        prover_fee: what the prover gets.
        flat_fee: what the platform gets besides.
        input_bytes: length of the packed input.
        expected_seconds: how long the answer should take now, queue included, or None.
        least_expiry_seconds: how far ahead, at least, a signed request must expire.
        manifest: CID of the model's manifest, which the node serves below `/v1/artifacts`; or empty.
    """

    manager: Address
    model_id: Amount
    circuit_id: Hex32
    verifying_key: Hex32
    verifier_class: str
    model_fee: Amount
    prover_fee: Amount
    flat_fee: Amount
    input_bytes: int
    expected_seconds: float | None = None
    least_expiry_seconds: float
    manifest: str = ""


class ModelOffer(ApiAnswer):
    """One model in `GET /v1/models`."""

    did: DidText
    name: Name
    offer: Offer


class ModelList(ApiAnswer):
    """Answer of `GET /v1/models`."""

    prover: Address
    network: str
    asset: Address
    models: tuple[ModelOffer, ...]


class ProverMessage(ApiAnswer):
    """Answer of `GET /v1/prover`: who answers here, and how busy it is.

    Attributes:
        prover: its account.
        network: CAIP-2 id of the chain.
        manager: the job manager that settles.
        asset: address of the payment token.
        models: how many it answers for.
        waiting: requests that are not proved yet.
        wait_seconds: how long a proof asked for now would wait for its turn.
        draining: whether it takes nothing new, because it is about to stop.
    """

    prover: Address
    network: str
    manager: Address
    asset: Address
    models: int
    waiting: int
    wait_seconds: float
    draining: bool


class ProgressMessage(ApiAnswer):
    """Data of the server-sent event `progress`."""

    stage: str
    elapsed_seconds: float
    expected_seconds: float | None = None
    finished: bool = False


class InferAnswer(ApiAnswer):
    """A proved output; data of the event `answer`, and the body of a finished request.

    Attributes:
        id: digest of the signed request, its name in `/v1/jobs` and on chain.
        request: what was signed.
        prover: who is paid.
        input, output, proof: packed tensors and proof bytes; believed only when they verify.
        prove_seconds: how long the proof took.
    """

    id: Hex32
    request: SignedRequestRecord
    prover: Address
    input: HexBytes
    output: HexBytes
    proof: HexBytes
    prove_seconds: float


class SettlementMessage(ApiAnswer):
    """The transaction that paid; data of the event `settled`."""

    transaction: Hex32
    block: int
    gas_used: int
    prover_fee: Amount


class ApiProblem(ApiAnswer):
    """Body of every refusal, and data of the event `error`.

    Attributes:
        code: stable identifier `ZK-<area>-<nnn>`.
        message: what was expected and found, one line.
        hint: the next step, or empty.
        retryable: whether the same request may succeed later.
    """

    code: str
    message: str
    hint: str = ""
    retryable: bool = False


class JobMessage(ApiAnswer):
    """Answer of `GET /v1/jobs/{id}`: a job of the market, or a request on a tab, as this node knows it.

    Attributes:
        id: of the job, or digest of the signed request.
        kind: which of the two.
        state: where it stands.
        stages: what is done, in order.
        answer: the proved output of a request, once there is one.
        settlement: once it is paid.
        problem: why it was refused or failed.
    """

    id: Hex32
    kind: Literal["job", "request"]
    state: State
    stages: tuple[str, ...] = ()
    answer: InferAnswer | None = None
    settlement: SettlementMessage | None = None
    problem: ApiProblem | None = None


class AttestationMessage(ApiAnswer):
    """Answer of `GET /v1/attestations/{id}`: where anybody finds the proof of settled work on chain.

    Attributes:
        id: of the job, or digest of the signed request.
        network: CAIP-2 id of the chain.
        manager: the contract that settled.
        circuit_id: what verified it.
        input_commitment, output_hash, proof_hash: keccak256 of the packed tensors and the proof.
        settlement: the transaction.
        record: digest of the node's own settlement record.
    """

    id: Hex32
    network: str
    manager: Address
    circuit_id: Hex32
    input_commitment: Hex32
    output_hash: Hex32
    proof_hash: Hex32
    settlement: SettlementMessage
    record: DigestText


def caip2(chain_id: int) -> str:
    """Return the CAIP-2 id of an EVM chain: `eip155:<chain id>`."""
    return f"eip155:{chain_id}"


_INNER_CODES = re.compile(r"ZK-(CHN-00[12457]|CFG-\d{3}|ART-006|PRV-00[1456])")
"""Of errors whose words may name the node's endpoint, its files or its programs."""


def problem_of(error: Any) -> ApiProblem:
    """Return what a client is told of an error of ours."""
    return ApiProblem(
        code=error.code,
        message=told_of(error.code, error.message),
        hint="" if _INNER_CODES.fullmatch(error.code) else error.hint,
        retryable=error.retryable,
    )


def told_of(code: str, message: str) -> str:
    """Return the words of an error that strangers are told: none about the node's own machines."""
    if not _INNER_CODES.fullmatch(code):
        return message
    return "expected the node's chain endpoint, disk and programs to work, found that one does not"
