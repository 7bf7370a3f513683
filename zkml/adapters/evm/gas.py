"""How much gas a transaction needs, and at what price."""

from zkml.adapters.evm import answers
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.adapters.evm.rpc import Chain
from zkml.errors import ChainError, RpcError

MAX_TRANSACTION_GAS = 1 << 24
"""EIP-7825 caps what one transaction may use."""

_MARGIN_PERCENT = 15
_FALLBACK_TIP_WEI = 1_000_000_000


def estimate_gas(chain: Chain, fields: dict[str, str], what: str, reverts: RevertDecoder) -> int:
    """Return a gas limit for a call at the head of the chain: the node's estimate and 15 %.

    Args:
        chain: where it will be sent.
        fields: the transaction object, see `rpc.call_fields`.
        what: what is called, for error messages.
        reverts: knows the errors that may come back.

    Raises:
        RevertedError: the contract would refuse; decoded.
        ChainError: no transaction may use that much.
        RpcError: see `Chain.request`.
    """
    found = chain.execute("eth_estimateGas", [fields, chain.head], what, reverts)
    estimate = answers.quantity(found, "eth_estimateGas", 64)
    if estimate > MAX_TRANSACTION_GAS:
        raise ChainError(
            f"expected {what} to use at most {MAX_TRANSACTION_GAS} gas, found an estimate of {estimate}",
            hint="a smaller circuit needs less gas to verify",
        )
    return min(estimate + estimate * _MARGIN_PERCENT // 100, MAX_TRANSACTION_GAS)


def fee_fields(chain: Chain) -> dict[str, int]:
    """Return the fee fields of a transaction: EIP-1559 where the chain has a base fee, else a gas price.

    Raises:
        RpcError: see `Chain.request`.
    """
    base_fee = chain.block("latest").base_fee_wei
    if base_fee is None:
        return {"gasPrice": answers.quantity(chain.request("eth_gasPrice"), "eth_gasPrice", 128)}
    try:
        tip = answers.quantity(chain.request("eth_maxPriorityFeePerGas"), "eth_maxPriorityFeePerGas", 128)
    except RpcError:
        tip = _FALLBACK_TIP_WEI
    # Twice the base fee outlasts six full blocks in a row; what is not needed is not paid.
    return {"maxFeePerGas": 2 * base_fee + tip, "maxPriorityFeePerGas": tip, "type": 2}
