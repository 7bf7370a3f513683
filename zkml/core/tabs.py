"""Tabs: what is reserved for one prover and one model, and drawn by signed requests. No I/O.

The checks are those of `JobManager.settleSigned` that need no proof: a prover makes them before it proves.
"""

from dataclasses import dataclass

from zkml.core.job_machine import is_zero
from zkml.core.pricing import FeeQuote, Payment, least_model_fee, signed_payment
from zkml.core.signed_requests import SignedRequest
from zkml.errors import BindingError, TabRefusedError


@dataclass(frozen=True, slots=True)
class TabFacts:
    """A tab as the contract stores it.

    Attributes:
        tab_id: 32 bytes.
        requester: checksummed address; zero when there is no such tab.
        prover: the only one who is paid from it.
        signer: whose key signs requests.
        model_id: ERC-721 id of the model.
        balance: what is left, in the payment token's smallest unit.
        expiry: chain time in seconds; settling is allowed up to and including it.
        quote: what model and platform asked when it opened.
        closed: whether the rest went back.
    """

    tab_id: bytes
    requester: str
    prover: str
    signer: str
    model_id: int
    balance: int
    expiry: int
    quote: FeeQuote
    closed: bool

    @property
    def exists(self) -> bool:
        """Whether it was ever opened."""
        return not is_zero(self.requester)

    def payment_for(self, request: SignedRequest) -> Payment:
        """Return what settling a request pays; its price is drawn from the tab."""
        return signed_payment(self.quote, request.model_fee, request.prover_fee)


def check_open(tab: TabFacts) -> None:
    """Check that a tab was opened and not closed.

    Raises:
        TabRefusedError: there is no such tab, or it is closed.
    """
    if not tab.exists:
        raise TabRefusedError(f"expected an existing tab, found none with id {_name(tab)}")
    if tab.closed:
        raise TabRefusedError(
            f"expected an open tab, found {_name(tab)} closed", hint="its rest went back: open another one"
        )


def check_request(tab: TabFacts, request: SignedRequest, now: int, *, is_nonce_used: bool) -> Payment:
    """Check that a request could be settled from its tab now, and return what that pays.

    The signature is not looked at; see `zkml.adapters.keys.typed_signatures`.

    Args:
        tab: its facts.
        request: what was signed.
        now: chain time in seconds.
        is_nonce_used: what the contract says of the request's nonce.

    Raises:
        BindingError: the request is for another tab.
        TabRefusedError: the tab is not open or has too little left, request or tab has expired, the nonce was
            used, or the model gets less than was agreed.
    """
    check_open(tab)
    if request.tab_id != tab.tab_id:
        raise BindingError(f"expected a request on tab {_name(tab)}, found one on 0x{request.tab_id.hex()}")
    expiry = min(request.expiry, tab.expiry)
    if now > expiry:
        raise TabRefusedError(f"expected a request before {expiry}, found it expired at {now}")
    if is_nonce_used:
        raise TabRefusedError(
            f"expected an unused nonce, found {request.nonce} used on tab {_name(tab)}",
            hint="sign the request again with another nonce",
        )
    least = least_model_fee(tab.quote, request.prover_fee)
    if request.model_fee < least:
        raise TabRefusedError(f"expected a model fee of at least {least}, found {request.model_fee}")
    payment = tab.payment_for(request)
    if payment.price > tab.balance:
        raise TabRefusedError(
            f"expected {payment.price} on tab {_name(tab)}, found {tab.balance}", hint="open another tab"
        )
    return payment


def check_close(tab: TabFacts, caller: str, now: int) -> None:
    """Check that `caller` may close a tab at chain time `now`: after its expiry anyone, before it its prover.

    Raises:
        TabRefusedError: it is not open, or has not expired.
    """
    check_open(tab)
    if now <= tab.expiry and caller != tab.prover:
        raise TabRefusedError(
            f"expected a tab past its expiry {tab.expiry}, found {_name(tab)} open at {now}",
            hint="wait for the expiry, or ask the prover to close it",
        )


def _name(tab: TabFacts) -> str:
    return "0x" + tab.tab_id.hex()
