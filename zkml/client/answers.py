"""Answers on a tab: a proof is verified here before its output is used, or anybody is paid for it."""

from dataclasses import dataclass
from typing import NamedTuple

from zkml.adapters.keys.typed_signatures import recover_signer
from zkml.client.inputs import real_values
from zkml.client.models import check_single_circuit
from zkml.client.proofs import verify_proved
from zkml.client.tabs import checked_tab
from zkml.core.ports.store import ArtifactStore
from zkml.core.pricing import Payment
from zkml.core.records import SignedRequestRecord, from_hex, to_hex
from zkml.core.signed_requests import SignedRequest, request_from_record, request_message
from zkml.core.tensors import input_commitment, unpack_output
from zkml.errors import BindingError, InvalidTransitionError
from zkml.wiring import Market


class Proved(NamedTuple):
    """What a prover answers with: packed tensors and the proof."""

    packed_input: bytes
    packed_output: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class TabAnswer:
    """A verified answer to a signed request.

    Attributes:
        request: what was signed.
        digest: its name on chain, 32 bytes.
        packed: the output.
        elements: integers of the circuit, row-major.
        values: the same as real numbers; None where the manifest is not in the store.
        prover: who is paid for it.
        payment: what settling it pays.
    """

    request: SignedRequest
    digest: bytes
    packed: bytes
    elements: tuple[int, ...]
    values: tuple[float, ...] | None
    prover: str
    payment: Payment


def read_request(market: Market, record: SignedRequestRecord) -> SignedRequest:
    """Return the request of a record of this chain and deployment; its signature is not looked at.

    Raises:
        WrongChainError: it is of another chain or job manager.
        FormatError: a number does not fit its field.
    """
    return request_from_record(market.chain.chain_id, market.tabs.address, record)


def verify_answer(
    market: Market,
    record: SignedRequestRecord,
    proved: Proved,
    *,
    accepted_classes: frozenset[int],
    store: ArtifactStore | None = None,
) -> TabAnswer:
    """Return the output of an answer after verifying its proof in this process.

    Args:
        market: chain and contracts.
        record: the signed request.
        proved: the prover's answer.
        accepted_classes: numbers of the verifier classes that the reader trusts.
        store: where the model's manifest is looked up, for the scale of real numbers.

    Raises:
        WrongChainError: the request is of another chain or job manager.
        TabRefusedError: no such tab.
        BindingError: the tab's signer did not sign it; the input is not the request's; or tab, model or
            circuit are not those that the tab's id is the hash of.
        UnsuitableCircuitError: the verifier's class is not accepted, or the circuit is tombstoned.
        VerificationError: it is no proof of this input and output.
        RpcError: see `Chain.request`.
    """
    request = read_request(market, record)
    tab = checked_tab(market, request.tab_id)
    message = request_message(market.chain.chain_id, market.tabs.address, request)
    signer = recover_signer(message, from_hex(record.signature))
    if signer != tab.signer:
        raise BindingError(f"expected a request signed by {tab.signer}, found {signer} on {record.tab_id}")
    if input_commitment(proved.packed_input) != request.input_commitment:
        raise BindingError(
            f"expected the input of request {record.nonce} on {record.tab_id}, found another in the answer"
        )
    circuit = check_single_circuit(market, tab.model_id, accepted_classes, request.circuit_id)
    verify_proved(
        market,
        circuit,
        context=market.tabs.context_of(request, tab.prover),
        **proved._asdict(),
    )
    elements = unpack_output(circuit.spec.layout, proved.packed_output)
    return TabAnswer(
        request=request,
        digest=message.digest,
        packed=proved.packed_output,
        elements=elements,
        values=real_values(circuit.commitment, elements, store),
        prover=tab.prover,
        payment=tab.payment_for(request),
    )


def read_answer(
    market: Market,
    record: SignedRequestRecord,
    *,
    accepted_classes: frozenset[int],
    store: ArtifactStore | None = None,
) -> TabAnswer:
    """Return the output of a request that was settled, from the chain alone; raises as `verify_answer` does.

    Raises:
        InvalidTransitionError: it is not settled.
        EvidenceUnavailableError: the settling transaction cannot be had.
    """
    request = read_request(market, record)
    digest = market.tabs.digest_of(request)
    settled = market.tabs.events.request_settled(digest)
    if settled is None:
        raise InvalidTransitionError(
            f"expected a settled request, found {to_hex(digest)} without a settlement",
            hint="ask its prover for the answer",
        )
    data = market.tabs.events.request_data(settled)
    proved = Proved(data.packed_input, data.packed_output, data.proof)
    return verify_answer(market, record, proved, accepted_classes=accepted_classes, store=store)
