"""One inference that is paid by a tab: found, priced, signed, proved, verified, and only then shown.

A call that was cut off, at any point after its signature, is taken up where it was: the same request is asked
for again, or read from the chain. Only its expiry ends it without an answer, and then nothing was paid.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from zkml.adapters.atomic_write import write_atomically
from zkml.client.answers import Proved, TabAnswer
from zkml.client.call_journal import CallRecord
from zkml.client.calls import Approve, Begun, Priced, api_of, approve_all, ask_price, begin_call
from zkml.client.discovery import ServingNode, find_nodes
from zkml.client.inputs import check_packed
from zkml.client.known_model import KnownModel, load_manifest
from zkml.client.receipts import Receipt, make_receipt, wait_for_payment
from zkml.client.receiving import receive, settled_answer
from zkml.client.requester import Requester
from zkml.client.tab_choice import never_opens
from zkml.core.manifest import BundleManifest
from zkml.core.progress import Progress, silent
from zkml.core.records import ProofFile, to_hex
from zkml.errors import (
    ArtifactNotFoundError,
    PaymentRequiredError,
    RegistryError,
    ServiceError,
    VerificationError,
)

WAIT_SECONDS = 60.0
"""How long a settlement is waited for, once the answer is verified."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A verified answer, and what it cost.

    Attributes:
        call: what was signed.
        answer: the verified output.
        proof: input, output and proof, as a portable file.
        receipt: what was paid, and by which transaction.
        is_resumed: whether the call had been begun earlier.
    """

    call: CallRecord
    answer: TabAnswer
    proof: ProofFile
    receipt: Receipt
    is_resumed: bool


def find_manifest(
    requester: Requester, known: KnownModel, *, max_fee: int, node: str = ""
) -> tuple[BundleManifest, list[ServingNode]]:
    """Return a model's manifest, and the nodes that were looked up for want of it.

    Raises:
        ArtifactNotFoundError: neither the store nor a node has it.
        ServiceError: no node serves the model.
        ZkmlError: see `known_model.load_manifest`.
    """
    try:
        return load_manifest(known, requester.store), []
    except ArtifactNotFoundError:
        nodes = find_nodes(requester, known, max_fee=max_fee, node=node)
    for serving in nodes:
        try:
            return load_manifest(known, requester.store, serving.api.fetch), nodes
        except ServiceError as error:
            failure = error
    raise ArtifactNotFoundError(
        f"expected a node with the manifest of {known.did}, found none: {failure.message}", hint=failure.hint
    )


def infer(
    requester: Requester,
    known: KnownModel,
    manifest: BundleManifest,
    packed_input: bytes,
    *,
    max_fee: int,
    node: str = "",
    nodes: list[ServingNode] | None = None,
    fresh: bool = False,
    left: int | None = None,
    approve: Approve = approve_all,
    timeout_seconds: float = 0.0,
    wait_seconds: float = WAIT_SECONDS,
    progress: Progress = silent,
) -> Inference:
    """Have one input proved, and return the output after verifying its proof in this process.

    Args:
        requester: who asks and pays.
        known: the model.
        manifest: of the model.
        packed_input: see `inputs.pack_input`.
        max_fee: the most that the answer may cost in all, in the token's smallest unit.
        node: base URL of the only node to ask; those of the prover registry when empty.
        nodes: the nodes, where they have been looked up already.
        fresh: sign a new request even if an earlier one for this input has no answer yet; both may be paid.
        left: the most that a new request may cost, where that is less than `max_fee`; an earlier one that is
            taken up was counted before.
        approve: called with the signed request before it is kept or sent; what it raises ends the call.
        timeout_seconds: the longest wait for the answer; until the signed request expires when 0.
        wait_seconds: how long to wait for the settlement afterwards; 0 to return at once.
        progress: told what goes on.

    Raises:
        PaymentRequiredError: it costs more.
        VerificationError: the answer is not proved; nothing of it is returned.
        ServiceError: no answer came; call again, and the same request is asked for.
        InsufficientFundsError: too few tokens.
        ZkmlError: see `calls.begin_call`.
    """
    check_packed(packed_input, manifest.tensor_layout, manifest.input_domain)
    known = replace(known, quote=requester.market.manager.quote_for(known.model_id))
    with ExitStack() as held:
        begun = None if fresh else _resumable(requester, known, packed_input, max_fee, held)
        if begun is None:
            limit = max_fee if left is None else min(max_fee, left)
            found = nodes or find_nodes(requester, known, max_fee=limit, node=node)
            priced = _first_price(requester, known, manifest, found, packed_input=packed_input, max_fee=limit)
            begun = begin_call(
                requester,
                known,
                priced,
                packed_input=packed_input,
                max_fee=limit,
                held=held,
                approve=approve,
                progress=progress,
            )
        call = begun.call
        found_answer = settled_answer(requester, call) if begun.is_resumed else None
        if found_answer is None:
            api = api_of(requester, call, node)
            found_answer = receive(requester, call, api, timeout_seconds=timeout_seconds, progress=progress)
        answer, proved = found_answer
        proof = _keep_proof(requester, call, manifest, proved)
        settled = wait_for_payment(requester, call, seconds=wait_seconds, progress=progress)
        # Last of all: whoever is interrupted before gets this answer again, and pays for none.
        requester.calls.finish(call)
    receipt = make_receipt(call, answer.payment, begun.opening_transaction, settled)
    return Inference(call, answer, proof, receipt, begun.is_resumed)


def _first_price(
    requester: Requester,
    known: KnownModel,
    manifest: BundleManifest,
    nodes: list[ServingNode],
    *,
    packed_input: bytes,
    max_fee: int,
) -> Priced:
    """Return the least price that is asked, of nodes in the order of their offers; nothing is signed here."""
    failure: ServiceError | VerificationError | RegistryError | None = None
    best: Priced | None = None
    for node in nodes:
        if best is not None and best.offer.price <= node.offer.price:
            break
        try:
            found = ask_price(requester, known, manifest, node, packed_input=packed_input, max_fee=max_fee)
        except (ServiceError, VerificationError, RegistryError) as error:
            # One that offers little and then asks for something else must not keep the others out.
            failure = failure or error
        else:
            best = found if best is None or found.offer.price < best.offer.price else best
    if best is not None:
        return best
    assert failure is not None  # a list of nodes is never empty
    raise failure


def _resumable(
    requester: Requester, known: KnownModel, packed_input: bytes, max_fee: int, held: ExitStack
) -> Begun | None:
    """Return an unfinished call for the same input that no other process is at, and hold it."""
    for call in _unfinished(requester, known, packed_input):
        with ExitStack() as attempt:
            if not attempt.enter_context(requester.calls.held(call.request_id)):
                continue
            if not (requester.calls.directory / f"{call.request_id}.json").exists():
                continue
            if _is_over(requester, call) and settled_answer(requester, call) is None:
                requester.calls.abandon(call, "nothing was paid, and nothing can be any more")
                continue
            if int(call.price) > max_fee:
                show = requester.market.token.show
                raise PaymentRequiredError(
                    f"expected an answer for at most {show(max_fee)}, found an earlier request for this "
                    f"input signed for {show(int(call.price))} and not answered yet",
                    hint="allow that price, or sign a new request (--fresh): then both may be paid",
                )
            held.push(attempt.pop_all())
            return Begun(call, is_resumed=True)
    return None


def _is_over(requester: Requester, call: CallRecord) -> bool:
    """Say whether nobody can be paid for a call any more."""
    if requester.market.chain.now() > call.request.expiry:
        return True
    return call.opening is not None and never_opens(requester, call.request.tab_id)


def _unfinished(requester: Requester, known: KnownModel, packed_input: bytes) -> Iterator[CallRecord]:
    chain = requester.market.chain
    wanted = (chain.chain_id, chain.genesis_hash, requester.market.tabs.address)
    for call in requester.calls.pending():
        is_same = (int(call.model_id), call.input) == (known.model_id, to_hex(packed_input))
        if is_same and (call.chain_id, call.genesis_hash, call.manager) == wanted:
            yield call


def _keep_proof(
    requester: Requester, call: CallRecord, manifest: BundleManifest, proved: Proved
) -> ProofFile:
    """Write what was paid for to disk, before the call counts as done."""
    proof = ProofFile(
        system=manifest.system,
        system_version=manifest.system_version,
        circuit=manifest.circuit,
        verifying_key=manifest.verifying_key,
        input=to_hex(proved.packed_input),
        output=to_hex(proved.packed_output),
        proof=to_hex(proved.proof),
    )
    write_atomically(requester.answers / f"{call.request_id}.json", proof.to_bytes(), mode=0o600)
    return proof
