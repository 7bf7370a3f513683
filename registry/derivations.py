"""What a model's id says about it: checks of somebody's answers, for clients and auditors alike. No I/O.

A model's id is the hash of its publisher and commitment. Who knows the id needs nobody's word for the
circuit, the manifest or the digests: an endpoint that tells others gives another id.
"""

from zkml.core.identifiers import ModelCommitment, model_id
from zkml.errors import BindingError


def check_model_id(
    model: int, publisher: str, commitment: ModelCommitment, *, chain_id: int, registry: str
) -> None:
    """Check that a model's id is the hash of this publisher and commitment.

    Args:
        model: ERC-721 id.
        publisher: who is said to have registered it, checksummed.
        commitment: what is said to be committed to.
        chain_id: EIP-155 id.
        registry: address of the registry.

    Raises:
        BindingError: it is the hash of something else.
    """
    derived = model_id(chain_id, registry, publisher, commitment)
    if derived != model:
        raise BindingError(
            f"expected model id {model:#x}, found that publisher and commitment hash to {derived:#x}"
        )


def check_model_circuit(commitment: ModelCommitment, circuit_id: bytes) -> None:
    """Check that a circuit is one of those that a model's publisher committed to.

    Raises:
        BindingError: it is another one.
    """
    if circuit_id not in commitment.circuit_ids:
        own = ", ".join("0x" + own_id.hex() for own_id in commitment.circuit_ids)
        raise BindingError(f"expected the model's circuit 0x{circuit_id.hex()}, found {own}")
