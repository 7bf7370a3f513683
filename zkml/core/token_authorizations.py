"""What a token's holder signs so that a contract can take its tokens without an approval. No keys here."""

from zkml.core.eip712 import Eip712Domain, TypedMessage

_RECEIVE_FIELDS = (
    ("address", "from"),
    ("address", "to"),
    ("uint256", "value"),
    ("uint256", "validAfter"),
    ("uint256", "validBefore"),
    ("bytes32", "nonce"),
)
_PERMIT_FIELDS = (
    ("address", "owner"),
    ("address", "spender"),
    ("uint256", "value"),
    ("uint256", "nonce"),
    ("uint256", "deadline"),
)


def receive_authorization(
    token: Eip712Domain,
    *,
    payer: str,
    receiver: str,
    amount: int,
    valid_after: int,
    valid_before: int,
    nonce: bytes,
) -> TypedMessage:
    """Return the authorization by which `receiver` itself may take tokens, once.

    Args:
        token: the token's domain.
        payer: who signs.
        receiver: the only one who can use it.
        amount: in the token's smallest unit.
        valid_after: chain time in seconds; usable later than it.
        valid_before: chain time in seconds; usable earlier than it.
        nonce: 32 bytes; used once.

    Source: EIP-3009, ReceiveWithAuthorization.
    """
    values = (payer, receiver, amount, valid_after, valid_before, nonce)
    return TypedMessage(token, "ReceiveWithAuthorization", _RECEIVE_FIELDS, values)


def permit_message(
    token: Eip712Domain, *, owner: str, spender: str, amount: int, nonce: int, deadline: int
) -> TypedMessage:
    """Return the permit by which `spender` gets an allowance.

    Args:
        token: the token's domain.
        owner: who signs.
        spender: who may take.
        amount: in the token's smallest unit.
        nonce: the token's next one for the owner.
        deadline: chain time in seconds; usable up to and including it.

    Source: EIP-2612.
    """
    return TypedMessage(token, "Permit", _PERMIT_FIELDS, (owner, spender, amount, nonce, deadline))
