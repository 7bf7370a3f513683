"""Move a development node's clock. Only such nodes can."""

from zkml.adapters.evm.rpc import Chain
from zkml.errors import ChainError, RpcError


def pass_time(chain: Chain, seconds: int) -> int:
    """Let `seconds` of chain time pass and mine a block.

    Returns:
        The new chain time in seconds.

    Raises:
        ChainError: the node's clock cannot be moved.
        RpcError: see `Chain.request`.
    """
    if seconds < 0:
        raise ValueError("time goes forward only")
    try:
        chain.send_once("evm_increaseTime", [seconds])
        chain.send_once("evm_mine", [])
    except RpcError as error:
        if "rpc_code" not in error.context:
            raise
        raise ChainError(
            f"expected a development node whose clock can be moved, found none at {chain.endpoint}",
            hint="wait until the time has passed",
        ) from error
    return chain.block("latest").timestamp


def catch_up(chain: Chain) -> None:
    """Move a restarted node's clock on to its latest block, so that chain time never goes back.

    Anvil forgets on a restart that its clock was moved: its next block would be older than its last one,
    and jobs that had expired would be open again.
    """
    ahead = chain.block("latest").timestamp - chain.block("pending").timestamp
    if ahead > 0:
        chain.send_once("evm_increaseTime", [ahead])
