"""How much gas a transaction needs, and at what price."""

from collections.abc import Mapping

from zkml.adapters.evm import answers
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.adapters.evm.rpc import Chain
from zkml.errors import ChainError, RpcError

MAX_TRANSACTION_GAS = 1 << 24
"""EIP-7825 caps what one transaction may use."""

WEI_PER_GWEI = 10**9
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

    Base fee, tip and price are the endpoint's word, and are paid from the signer's account: none of them
    makes one gas cost more than `Chain.max_fee_gwei`.

    Raises:
        ChainError: one gas costs more than that.
        RpcError: see `Chain.request`.
    """
    limit = int(chain.max_fee_gwei * WEI_PER_GWEI)
    base_fee = chain.block("latest").base_fee_wei
    if base_fee is None:
        price = answers.quantity(chain.request("eth_gasPrice"), "eth_gasPrice", 128)
        _check_price(chain, price, limit)
        return {"gasPrice": price}
    tip = _tip_wei(chain)
    _check_price(chain, base_fee + tip, limit)
    # Twice the base fee outlasts six full blocks in a row; what is not needed is not paid.
    return {"maxFeePerGas": min(2 * base_fee + tip, limit), "maxPriorityFeePerGas": tip, "type": 2}


def most_per_gas_wei(fees: Mapping[str, int]) -> int:
    """Return the most that one gas costs in a transaction with these fee fields; see `fee_fields`."""
    return fees.get("maxFeePerGas") or fees["gasPrice"]


def expected_price_wei(chain: Chain) -> int:
    """Return what one gas of a transaction sent now will cost, as near as the endpoint can tell.

    Raises:
        RpcError: see `Chain.request`.
    """
    base_fee = chain.block("latest").base_fee_wei
    if base_fee is None:
        return answers.quantity(chain.request("eth_gasPrice"), "eth_gasPrice", 128)
    return base_fee + _tip_wei(chain)


def _tip_wei(chain: Chain) -> int:
    try:
        return answers.quantity(chain.request("eth_maxPriorityFeePerGas"), "eth_maxPriorityFeePerGas", 128)
    except RpcError:
        return _FALLBACK_TIP_WEI


def _check_price(chain: Chain, price_wei: int, limit_wei: int) -> None:
    if price_wei > limit_wei:
        raise ChainError(
            f"expected one gas for at most {chain.max_fee_gwei:g} gwei, "
            f"found {price_wei / WEI_PER_GWEI:g} at {chain.endpoint}",
            hint="ask another endpoint; if the chain is that dear, raise chain.max_fee_gwei",
        )
