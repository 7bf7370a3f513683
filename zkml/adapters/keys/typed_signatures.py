"""Sign typed messages with a local key, and tell who signed one."""

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from zkml.core.eip712 import TypedMessage
from zkml.errors import BindingError

SIGNATURE_BYTES = 65
_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


def sign_message(account: LocalAccount, message: TypedMessage) -> bytes:
    """Sign a typed message.

    Returns:
        65 bytes: r, s, v, as the contracts read them.

    Raises:
        FormatError: a value does not fit its field.
    """
    return bytes(account.sign_message(_signable(message)).signature)


def recover_signer(message: TypedMessage, signature: bytes) -> str:
    """Return the checksummed address whose key signed a message.

    Stricter than the curve, as the contracts are: of the two signatures that every signer can turn into
    each other, only the one with the lower s counts.

    Raises:
        BindingError: no signature of anybody.
        FormatError: a value does not fit its field.
    """
    v = signature[64] if len(signature) == SIGNATURE_BYTES else 0
    if v not in (27, 28) or int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise BindingError(
            f"expected a signature of {SIGNATURE_BYTES} bytes with a low s and v 27 or 28, "
            f"found {len(signature)} other bytes for {message.name}"
        )
    try:
        return str(Account.recover_message(_signable(message), signature=signature))
    except (BadSignature, ValidationError, ValueError) as error:
        raise BindingError(f"expected a signature of {message.name}, found one of nobody") from error


def _signable(message: TypedMessage) -> SignableMessage:
    return SignableMessage(b"\x01", message.domain.separator, message.struct_hash)
