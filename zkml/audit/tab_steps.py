"""Steps 0 and 1 of a signed request's audit: the tab is what it was opened as, and its signer signed."""

from marketplace.answers import fee_quote
from marketplace.derivations import find_tab_nonce
from zkml.adapters.keys.typed_signatures import recover_signer
from zkml.audit.circuit_steps import check_contracts
from zkml.audit.request_case import RequestCase
from zkml.core.records import to_hex
from zkml.core.signed_requests import request_message
from zkml.errors import BindingError, FormatError


def tab_exists(case: RequestCase) -> str:
    """Step 0: the contracts are the ones we know, the tab exists, opening and facts agree."""
    check_contracts(case.reader)
    if not case.facts.exists:
        raise BindingError(
            f"expected a tab, found none with id {to_hex(case.tab_id)}",
            hint="check the chain, the deployment and the request",
        )
    mined = case.reader.transaction_of(case.opened)
    if not mined.receipt.succeeded:
        raise BindingError(f"expected a successful opening, found a failed {mined.sent.transaction}")
    _check_opening(case)
    return f"tab {to_hex(case.tab_id)}, opened in block {mined.block}"


def request_is_signed(case: RequestCase) -> str:
    """Step 1: tab id and digest are hashes of tab and request, and the tab's signer signed."""
    reader, facts = case.reader, case.facts
    chain_id, manager = reader.chain.chain_id, reader.contracts.manager
    opened = reader.nonces(facts.requester)
    find_tab_nonce(case.tab_id, facts.requester, case.tab_spec, opened, chain_id=chain_id, manager=manager)
    request, signature = case.signed
    if request.tab_id != case.tab_id:
        raise BindingError(
            f"expected a request on tab {to_hex(case.tab_id)}, found one on {to_hex(request.tab_id)}"
        )
    try:
        message = request_message(chain_id, manager, request)
    except FormatError as error:
        raise BindingError(error.message) from error
    if message.digest != case.digest:
        raise BindingError(
            f"expected a request that hashes to {to_hex(case.digest)}, found {to_hex(message.digest)}"
        )
    found = recover_signer(message, signature)
    if found != facts.signer:
        raise BindingError(
            f"expected the signature of the tab's signer {facts.signer}, found that of {found}"
        )
    return f"signer {found}, nonce {request.nonce}"


def _check_opening(case: RequestCase) -> None:
    told, facts, spec = case.opened.arguments, case.facts, case.tab_spec
    stated = {
        "requester": told["requester"],
        "model": told["modelId"],
        "spec's model": spec.model_id,
        "prover": told["prover"],
        "spec's prover": spec.prover,
        "signer": spec.signer,
        "expiry": spec.expiry,
        "quote": fee_quote(told["quote"], where=f"in {case.opened.log.transaction}"),
    }
    stored = (
        facts.requester,
        facts.model_id,
        facts.model_id,
        facts.prover,
        facts.prover,
        facts.signer,
        facts.expiry,
        facts.quote,
    )
    wrong = [name for (name, value), kept in zip(stated.items(), stored, strict=True) if value != kept]
    if wrong:
        raise BindingError(f"expected the opening's terms in the tab, found another {', '.join(wrong)}")
