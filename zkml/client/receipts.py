"""What an answer cost: what was signed, and the transaction that paid it."""

from dataclasses import dataclass

from marketplace.tab_events import RequestSettled
from zkml.client.call_journal import CallRecord
from zkml.client.requester import Requester
from zkml.core.pricing import Payment
from zkml.core.progress import Progress, ProgressEvent
from zkml.core.records import from_hex
from zkml.errors import RpcError

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was paid for an answer. Amounts are in the payment token's smallest unit.

    Attributes:
        request_id: digest of the signed request, its name on chain.
        tab_id: the tab that pays.
        prover: who is paid.
        price: what is drawn from the tab in all.
        prover_fee: the prover's part.
        revenue: the model's part.
        platform_amount: the platform's part.
        expiry: chain time in seconds; nothing is drawn later.
        opening_transaction: the transaction that opened the tab, where this call did.
        transaction: the settlement; empty while it is not seen on chain.
        block: its height, or None.
    """

    request_id: str
    tab_id: str
    prover: str
    price: int
    prover_fee: int
    revenue: int
    platform_amount: int
    expiry: int
    opening_transaction: str
    transaction: str
    block: int | None


def make_receipt(
    call: CallRecord, payment: Payment, opening_transaction: str, settled: RequestSettled | None
) -> Receipt:
    """Return the receipt of a call."""
    return Receipt(
        request_id=call.request_id,
        tab_id=call.request.tab_id,
        prover=call.prover,
        price=payment.price,
        prover_fee=payment.prover_fee,
        revenue=payment.revenue,
        platform_amount=payment.platform_amount,
        expiry=call.request.expiry,
        opening_transaction=opening_transaction,
        transaction="" if settled is None else settled.where.transaction,
        block=None if settled is None else settled.where.block,
    )


def wait_for_payment(
    requester: Requester, call: CallRecord, *, seconds: float, progress: Progress
) -> RequestSettled | None:
    """Return the settlement of a call once the chain has it, or None when the time is over.

    An endpoint that does not answer is no reason to lose an answer that was verified: then it is None too.
    """
    clock = requester.clock
    start = clock.monotonic()
    while True:
        try:
            settled = _confirmed(requester, call)
        except RpcError:
            settled = None
        elapsed = clock.monotonic() - start
        if settled is not None:
            progress(ProgressEvent("settle", elapsed, finished=True, note=settled.where.transaction))
            return settled
        if elapsed >= seconds:
            return None
        progress(ProgressEvent("settle", elapsed))
        clock.sleep(min(_POLL_SECONDS, seconds - elapsed))


def _confirmed(requester: Requester, call: CallRecord) -> RequestSettled | None:
    """Return the settlement of a call if it is deep enough."""
    chain = requester.market.chain
    settled = requester.market.tabs.events.request_settled(from_hex(call.request_id))
    if settled is None or chain.height() < settled.where.block + chain.confirmations:
        return None
    return settled if chain.has_block(settled.where.block, settled.where.block_hash) else None
