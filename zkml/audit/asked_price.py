"""What model and platform asked when a job opened, from the events that set it."""

from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, is_before
from zkml.core.pricing import FeeQuote
from zkml.errors import EvidenceUnavailableError, PaymentMismatchError


def verify_quote(reader: ChainReader, model_id: int, quote: FeeQuote, opened: Event) -> None:
    """Check that a quote is what the terms in force said: the model's fee terms and the platform's.

    Args:
        reader: the chain.
        model_id: ERC-721 id.
        quote: what the opening wrote down.
        opened: JobOpened or TabOpened.

    Raises:
        PaymentMismatchError: others were in force.
        EvidenceUnavailableError: the events that set them are missing.
    """
    model = _last_before(reader.model_events("FeeTermsSet", model_id), opened)
    platform = _last_before(reader.events("admin", "PlatformTermsSet", []), opened)
    asked = model.arguments
    expected = FeeQuote(
        model_fee_floor=max(asked["modelFee"], asked["minModelFee"]),
        model_fee_ppm=asked["minModelFeePpm"],
        flat_fee=platform.arguments["flatFee"],
        platform_ppm=platform.arguments["feePpm"],
    )
    if quote != expected:
        raise PaymentMismatchError(
            f"expected the quote {expected} of the terms in force, found {quote} in {opened.log.transaction}"
        )


def _last_before(events: list[Event], opened: Event) -> Event:
    known = [event for event in events if is_before(event, opened)]
    if not known:
        raise EvidenceUnavailableError(
            f"expected the terms in force at {opened.log.transaction}, found no event that set them",
            hint="the endpoint may not keep old logs, or the deployment's first block is wrong",
        )
    return known[-1]
