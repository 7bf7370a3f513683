"""A signed transaction whose nonce another one takes: the same for more, or nothing in its place."""

from typing import Any

import rlp
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from zkml.adapters.evm import transactions
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.gas import WEI_PER_GWEI, fee_fields
from zkml.adapters.evm.reverts import STANDARD_REVERTS, RevertDecoder
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.errors import ChainError, FormatError, RpcError

_OUTBID_PERCENT = 25
"""Nodes that still have a transaction take another one with its nonce only for 10 % more."""
_REPLACE_PERMILLE = 1125
_LEAST_PERMILLE = 1100

_LEGACY_FIELDS = ("nonce", "gasPrice", "gas", "to", "value", "data", "v", "r", "s")
_EIP1559_FIELDS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "data")


def call_of(signed: SignedTransaction, reverts: RevertDecoder = STANDARD_REVERTS) -> Call:
    """Return what a signed transaction does, from its bytes.

    Raises:
        FormatError: the bytes are no transaction of the kinds that `transactions.sign` makes.
    """
    fields = _fields(signed)
    target = bytes(fields["to"])
    return Call(
        target=str(to_checksum_address(target)) if target else None,
        data=bytes(fields["data"]),
        what=signed.what,
        reverts=reverts,
        value_wei=_number(fields["value"]),
    )


def outbid(chain: Chain, account: LocalAccount, signed: SignedTransaction) -> SignedTransaction | None:
    """Sign the same transaction again, with the same nonce, for 12.5 % more or what the chain asks by now.

    Nothing is simulated and nothing is sent: where the first one waits, the chain's next block has its
    effect already, and would refuse a second one.

    Returns:
        What replaces it; None where that would cost more than the chain's `max_fee_gwei`.

    Raises:
        FormatError: see `call_of`.
        RpcError: see `Chain.request`.
    """
    fields = _fields(signed)
    try:
        asked = fee_fields(chain)
    except RpcError:
        raise
    except ChainError:
        # Gas is dearer than the limit: nothing that may be signed would be mined.
        return None
    fees = _higher(asked, fields, int(chain.max_fee_gwei * WEI_PER_GWEI))
    if fees is None:
        return None
    call, gas = call_of(signed), _number(fields["gas"])
    return transactions.sign(chain, account, call, gas=gas, nonce=signed.nonce, fees=fees)


def spend_nonce(chain: Chain, account: LocalAccount, signed: SignedTransaction) -> TransactionReceipt:
    """See to it that a signed transaction can never be mined: mine an empty one with its nonce.

    Args:
        chain: where.
        account: the sender of `signed`.
        signed: what nobody must be able to send any more.

    Returns:
        The receipt of the empty transaction.

    Raises:
        FormatError: see `call_of`.
        ChainError: `signed` or another transaction was mined first, with `void` in the context; see also
            `transactions.wait`.
    """
    fields = _fields(signed)
    nothing = Call(account.address, b"", f"nothing in place of {signed.what}")
    fees = _outbid(chain, fee_fields(chain), fields)
    empty = transactions.sign(chain, account, nothing, nonce=signed.nonce, fees=fees)
    transactions.broadcast(chain, empty)
    return transactions.wait(chain, empty)


def _higher(asked: dict[str, int], replaced: dict[str, Any], limit: int) -> dict[str, int] | None:
    """Return fees that replace those of a transaction of the same kind, or None beyond the limit."""
    if "gasPrice" in replaced:
        wanted = {"gasPrice": asked.get("gasPrice", asked.get("maxFeePerGas", 0))}
    else:
        price = asked.get("gasPrice", 0)
        names = ("maxFeePerGas", "maxPriorityFeePerGas")
        wanted = {name: asked.get(name, price) for name in names}
    fees = {}
    for name, wei in wanted.items():
        held = _number(replaced[name])
        fees[name] = min(max(wei, held * _REPLACE_PERMILLE // 1000 + 1), limit)
        if fees[name] * 1000 < held * _LEAST_PERMILLE:
            return None
    if "maxFeePerGas" in fees:
        fees["maxPriorityFeePerGas"] = min(fees["maxPriorityFeePerGas"], fees["maxFeePerGas"])
        fees["type"] = 2
    return fees


def _outbid(chain: Chain, fees: dict[str, int], replaced: dict[str, Any]) -> dict[str, int]:
    limit = int(chain.max_fee_gwei * WEI_PER_GWEI)
    for name in ("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"):
        if name in fees and name in replaced:
            least = _number(replaced[name]) * (100 + _OUTBID_PERCENT) // 100 + 1
            fees[name] = min(max(fees[name], least), limit)
    return fees


def _fields(signed: SignedTransaction) -> dict[str, Any]:
    is_typed = signed.raw[:1] == b"\x02"
    names = _EIP1559_FIELDS if is_typed else _LEGACY_FIELDS
    try:
        values = rlp.decode(signed.raw[1:] if is_typed else signed.raw)
    except rlp.DecodingError as error:
        raise FormatError(f"expected a signed transaction, found other bytes of {signed.what}") from error
    if not isinstance(values, list) or len(values) < len(names):
        raise FormatError(f"expected a signed transaction, found other fields of {signed.what}")
    return dict(zip(names, values, strict=False))


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")
