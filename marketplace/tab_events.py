"""What happened to tabs, from the chain's events and calldata alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.answers import fee_quote, payment
from marketplace.calldata import given_settlements
from marketplace.places import Where, receipt_at, sent_at
from marketplace.published_proofs import published_after
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.core.digests import keccak256
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import FeeQuote, Payment
from zkml.core.records import to_hex
from zkml.core.signed_requests import SignedRequest
from zkml.errors import BindingError, RpcError, TabRefusedError


@dataclass(frozen=True, slots=True)
class TabOpened:
    """A tab as it was opened: who paid, for what, and what model and platform asked then."""

    tab_id: bytes
    requester: str
    spec: TabSpec
    quote: FeeQuote
    where: Where


@dataclass(frozen=True, slots=True)
class RequestSettled:
    """A signed request that was paid: the output of the accepted proof, and keccak256 of the proof."""

    request_digest: bytes
    tab_id: bytes
    prover: str
    nonce: int
    payment: Payment
    packed_output: bytes
    proof_digest: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class TabClosed:
    """A tab whose rest was credited to its requester."""

    tab_id: bytes
    requester: str
    amount: int
    where: Where


@dataclass(frozen=True, slots=True)
class RequestData:
    """What the contract was given to settle a signed request.

    Attributes:
        settled: the settlement's event.
        sender: who signed the transaction; anyone may.
        request: what was signed; None where nothing but an event is left.
        signature: of the request; empty where it is None.
        packed_input: the input that was proved.
        packed_output: the output that was proved.
        proof: the proof.
    """

    settled: RequestSettled
    sender: str
    request: SignedRequest | None
    signature: bytes
    packed_input: bytes
    packed_output: bytes
    proof: bytes


class TabEvents:
    """The events of one job manager's tabs."""

    def __init__(self, contract: BoundContract, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of the manager's deployment."""
        self._contract = contract
        self._from_block = from_block

    def opened(self, tab_id: bytes) -> TabOpened:
        """Return a tab as it was opened.

        Raises:
            TabRefusedError: no such tab.
            RpcError: see `Chain.logs`.
        """
        for event in self._find("TabOpened", tab_id):
            return _opened(event)
        raise TabRefusedError(f"expected an existing tab, found none with id {to_hex(tab_id)}")

    def tabs(
        self, *, requester: str = "", prover: str = "", from_block: int | None = None
    ) -> Iterator[TabOpened]:
        """Yield tabs, oldest first; of one requester or one prover where given."""
        start = self._from_block if from_block is None else from_block
        filters = {"prover": prover} if prover else {}
        for event in self._contract.find_events("TabOpened", filters, from_block=start):
            if requester in ("", event.arguments["requester"]):
                yield _opened(event)

    def requests_settled(self, tab_id: bytes) -> list[RequestSettled]:
        """Return what was settled from a tab, oldest first."""
        return [_settled(event) for event in self._find("RequestSettled", tab_id)]

    def request_settled(self, request_digest: bytes) -> RequestSettled | None:
        """Return the settlement of one signed request, or None."""
        filters = {"requestDigest": request_digest}
        found = self._contract.find_events("RequestSettled", filters, from_block=self._from_block)
        return next(map(_settled, found), None)

    def closed(self, tab_id: bytes) -> TabClosed | None:
        """Return a tab's end, or None."""
        for event in self._find("TabClosed", tab_id):
            values = event.arguments
            return TabClosed(tab_id, values["requester"], values["amount"], Where.of(event))
        return None

    def request_data(self, settled: RequestSettled) -> RequestData:
        """Return request, input, output and proof of a settlement.

        Raises:
            EvidenceUnavailableError: the node no longer has the transaction, its receipt or the event in
                place of calldata; or calldata that can be read in two ways.
            BindingError: what was given is of another request, output or proof than the settlement's event.
            RpcError: see `Chain.request`.
        """
        chain, address = self._contract.chain, self._contract.address
        sent = sent_at(chain, settled.where)
        given = given_settlements(chain.chain_id, address, sent)
        if given is None:
            given = (
                published_after(address, receipt_at(chain, settled.where).logs, settled.where.log_index),
            )
        found = given[0]
        carried = (found.subject, found.packed_output, keccak256(found.proof), len(given))
        expected = (settled.request_digest, settled.packed_output, settled.proof_digest, 1)
        if carried != expected or found.job_ids:
            raise BindingError(
                f"expected the bytes of the settlement of {to_hex(settled.request_digest)}, found another "
                f"request, output or proof in {settled.where.transaction}"
            )
        return RequestData(
            settled=settled,
            sender=sent.sender,
            request=found.request,
            signature=found.signature,
            packed_input=found.packed_input,
            packed_output=found.packed_output,
            proof=found.proof,
        )

    def _find(self, event: str, tab_id: bytes) -> Iterator[Event]:
        return self._contract.find_events(event, {"tabId": tab_id}, from_block=self._from_block)


def _opened(event: Event) -> TabOpened:
    values = event.arguments
    spec, where = TabSpec(*values["spec"]), Where.of(event)
    if (spec.model_id, spec.prover) != (values["modelId"], values["prover"]):
        raise RpcError(f"expected one model and prover, found two in the opening in {where.transaction}")
    quote = fee_quote(values["quote"], where=f"in {where.transaction}")
    return TabOpened(values["tabId"], values["requester"], spec, quote, where)


def _settled(event: Event) -> RequestSettled:
    values = event.arguments
    return RequestSettled(
        values["requestDigest"],
        values["tabId"],
        values["prover"],
        values["nonce"],
        payment(values["payment"]),
        values["output"],
        values["proofDigest"],
        Where.of(event),
    )
