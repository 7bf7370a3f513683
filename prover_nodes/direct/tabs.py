"""The tab that a request is on: open, deep enough, of this prover and model, or to be opened first."""

from prover_nodes.direct.openings import check_opening
from prover_nodes.direct.parts import DirectParts
from prover_nodes.policy import is_same
from zkml.adapters.keys.typed_signatures import recover_signer
from zkml.core.api_messages import PaymentBody, TabOpening
from zkml.core.eip712 import TypedMessage
from zkml.core.records import from_hex, to_hex
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts
from zkml.errors import BindingError, NotFinalError, PaymentRequiredError, TabRefusedError


def tab_of(
    parts: DirectParts, payment: PaymentBody, model_id: int, request: SignedRequest, now: int
) -> tuple[TabFacts, TabOpening | None]:
    """Return a request's tab, and its opening where that is not on chain yet.

    Args:
        parts: what the service works with.
        payment: what came with the request.
        model_id: the model that was asked for.
        request: what was signed.
        now: chain time in seconds.

    Raises:
        TabRefusedError: there is no such tab, or it is for another model or prover.
        PaymentRequiredError: its opening does not do.
        NotFinalError: a reorg could still undo its opening.
        RpcError: the endpoint does not answer.
    """
    market, opening = parts.market, payment.opening
    tab = market.tab(request.tab_id)
    if tab is None:
        if opening is None:
            raise TabRefusedError(
                f"expected an existing tab, found none with id {to_hex(request.tab_id)}",
                hint="open it first, or send its signed opening along",
            )
        if int(opening.model_id) != model_id:
            raise PaymentRequiredError(
                f"expected a tab for model {model_id:#x}, found an opening for another model"
            )
        return check_opening(parts, opening, request, now), opening
    if tab.model_id != model_id:
        raise TabRefusedError(
            f"expected a tab for model {model_id:#x}, found one for {tab.model_id:#x}",
            hint="open a tab for this model",
        )
    if not is_same(tab.prover, market.account):
        raise TabRefusedError(
            f"expected a tab for prover {market.account}, found one for {tab.prover}",
            hint="ask that prover, or open a tab for this one",
        )
    if not market.is_tab_deep(request.tab_id, parts.policy.confirmations):
        raise NotFinalError(
            f"expected {parts.policy.confirmations} blocks on top of the opening of tab "
            f"{to_hex(request.tab_id)}, found fewer",
            hint="send the same request again in a while",
        )
    return tab, None


def check_signer(tab: TabFacts, message: TypedMessage, signature: str) -> None:
    """Check that the key that a tab names signed a request.

    Raises:
        PaymentRequiredError: another key did, or none.
    """
    hint = "sign with the key that the tab was opened for"
    try:
        found = recover_signer(message, from_hex(signature))
    except BindingError as error:
        raise PaymentRequiredError(error.message, hint=hint) from error
    if not is_same(found, tab.signer):
        raise PaymentRequiredError(
            f"expected a request signed by {tab.signer}, found one by {found}", hint=hint
        )
