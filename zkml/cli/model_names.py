"""What `zkml model open` and `fetch` are asked about: a model, by its id or DID, and its offering."""

from typing import Any

from zkml.cli.identifiers import parse_model
from zkml.errors import ConfigError, MarketError


def model_named(market: Any, text: str) -> int:
    """Return the id of a model that is named by its id or its DID.

    Raises:
        ConfigError: neither, or the DID of none on this chain.
        FormatError: another kind of DID.
    """
    if not text.startswith("did:"):
        return parse_model(text)
    from registry.dids import DidResolver
    from zkml.core.dids import parse_did

    deployment = market.deployment
    resolver = DidResolver(market.chain, deployment.addresses, from_block=deployment.block)
    chain_id, account = parse_did(text)
    found = resolver.model_of(account) if chain_id == market.chain.chain_id else None
    if found is None:
        raise ConfigError(
            f"expected the DID of a model on chain {market.chain.chain_id}, found {text:.100}",
            hint="list models: zkml registry list",
        )
    return found


def offering_named(market: Any, model: int, offering: int | None) -> Any:
    """Return the facts of a model's offering, of its last one where no number is given.

    Raises:
        MarketError: there is none.
        ConfigError: the number is that of another model's offering.
    """
    number = offering or market.offerings.last_offering_of(model)
    if not number:
        raise MarketError(
            f"expected an offering of model {model:#066x}, found none",
            hint="look at the model: zkml registry show",
        )
    facts = market.offerings.facts(number)
    if facts.model_id != model:
        raise ConfigError(f"expected an offering of model {model:#066x}, found offering {number} of another")
    return facts
