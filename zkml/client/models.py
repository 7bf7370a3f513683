"""What a model is, whatever an endpoint says: its id is the hash of its publisher and commitment."""

from registry.derivations import check_model_id
from zkml.core.identifiers import ModelCommitment
from zkml.wiring import Market


def checked_commitment(market: Market, model_id: int) -> ModelCommitment:
    """Return what a model's publisher committed to: circuit, digests, manifest and name.

    Args:
        market: chain and contracts.
        model_id: ERC-721 id, from somebody you trust.

    Raises:
        NotRegisteredError: no such model.
        BindingError: the endpoint tells a commitment or a publisher that is not this model's.
        RpcError: see `Chain.request`.
    """
    commitment = market.registry.commitment_of(model_id)
    registered = market.registry.registration_of(model_id, from_block=market.deployment.block)
    check_model_id(
        model_id,
        registered.publisher,
        commitment,
        chain_id=market.chain.chain_id,
        registry=market.registry.address,
    )
    return commitment
