"""Tabs that this prover opens in a requester's name: what is asked of one, and getting it mined, once."""

from eth_utils.address import to_checksum_address

from prover_nodes.direct.parts import DirectParts
from prover_nodes.journal import Purpose
from prover_nodes.policy import BLOCK_SECONDS
from zkml.adapters.evm.transactions import Call
from zkml.core.api_messages import TabOpening
from zkml.core.pricing import signed_payment
from zkml.core.records import to_hex
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts
from zkml.errors import (
    FormatError,
    InsufficientFundsError,
    MarketError,
    PaymentRequiredError,
    RegistryError,
    RevertedError,
    RpcError,
    VerificationError,
    ZkmlError,
)

_REFUSALS = (MarketError, RegistryError, VerificationError, RevertedError, InsufficientFundsError)
_MINING_SECONDS = 30.0
"""What a transaction may take to be mined, beside its confirmations."""


def check_opening(parts: DirectParts, opening: TabOpening, request: SignedRequest, now: int) -> TabFacts:
    """Check that a tab would open for this request, and be worth the gas; return it as it would be.

    Raises:
        FormatError: a number does not fit its field.
        PaymentRequiredError: it is another tab, too small, or too late; or token or contract would refuse.
        RpcError: the endpoint does not answer.
    """
    _check_ranges(opening)
    market = parts.market
    if market.opened_tab_id(opening) != request.tab_id:
        raise PaymentRequiredError(
            f"expected a request on the tab that its opening opens, found one on 0x{request.tab_id.hex()}",
            hint="predict the tab's id with the requester's next nonce on chain",
        )
    _check_key(parts, opening)
    quote = market.quote(int(opening.model_id))
    price = signed_payment(quote, request.model_fee, request.prover_fee).price
    gas_price = market.gas_price_wei() if parts.fees.needs_gas_price else 0
    least = price + parts.fees.opening_cost(gas_price)
    if int(opening.amount) < least:
        raise PaymentRequiredError(
            f"expected an opening of at least {least}, found {opening.amount}",
            hint="it has to pay for the request, and for the gas of opening it",
        )
    needed = now + _MINING_SECONDS
    if opening.deadline < needed:
        raise PaymentRequiredError(
            f"expected an opening that can be used until {needed:.0f} or later, found {opening.deadline}",
            hint="sign it with a later deadline",
        )
    _simulate(parts, market.plan_open(opening))
    return TabFacts(
        tab_id=request.tab_id,
        requester=str(to_checksum_address(opening.requester)),
        prover=market.account,
        signer=str(to_checksum_address(opening.signer)),
        model_id=int(opening.model_id),
        balance=int(opening.amount),
        expiry=opening.expiry,
        quote=quote,
        closed=False,
    )


def send_opening(parts: DirectParts, opening: TabOpening, tab_id: bytes) -> None:
    """Have a tab opened, unless its opening is worth nothing by now.

    Raises:
        PaymentRequiredError: token or contract refuse it: its money or its nonce went elsewhere.
        ChainError: it may be opened later; see `Outbox.deliver`.
    """
    _check_key(parts, opening)
    call = parts.market.plan_open(opening)
    try:
        # Named by the tab: requests that carry the same opening share its transaction.
        parts.deliveries.deliver(to_hex(tab_id), Purpose.OPEN_TAB, call)
    except _REFUSALS as error:
        if parts.market.tab(tab_id) is not None:
            # Whoever was faster opened the same tab.
            return
        if isinstance(error, InsufficientFundsError):
            # Ours for the gas, or the requester's for the tab: a simulation costs no gas.
            _simulate(parts, call)
            raise
        raise _void(error) from error


def opening_seconds(confirmations: int) -> float:
    """Return how long opening a tab may take until requests on it count."""
    return _MINING_SECONDS + confirmations * BLOCK_SECONDS


def _check_key(parts: DirectParts, opening: TabOpening) -> None:
    """Check that a key signs for the requester: a contract's code may burn gas, or refuse, when mined."""
    if parts.market.code_of(str(to_checksum_address(opening.requester))):
        raise PaymentRequiredError(
            f"expected an opening for an account with a key, found a contract at {opening.requester}",
            hint="a contract opens its tab itself, and names a signer",
        )


def _simulate(parts: DirectParts, call: Call) -> None:
    try:
        parts.deliveries.simulate(call)
    except RpcError:
        raise
    except ZkmlError as error:
        raise _void(error) from error


def _void(error: ZkmlError) -> PaymentRequiredError:
    return PaymentRequiredError(
        f"expected an opening that the contracts accept, found {error.message}", hint=error.hint
    )


def _check_ranges(opening: TabOpening) -> None:
    for name, number, bits in (
        ("model_id", int(opening.model_id), 256),
        ("amount", int(opening.amount), 80),
        ("expiry", opening.expiry, 40),
        ("deadline", opening.deadline, 40),
    ):
        if not 0 <= number < 1 << bits:
            raise FormatError(f"expected a number of {bits} bits, found {number} as {name} of the opening")
