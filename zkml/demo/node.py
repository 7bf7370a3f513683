"""The node that the tour runs on: the embedded Anvil, or any other of a local chain id."""

import contextlib
import time
from collections.abc import Iterator

from eth_account.signers.local import LocalAccount

from zkml.adapters.evm import transactions
from zkml.adapters.evm.anvil import Anvil, detached_endpoint
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.evm.transactions import Call
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.core.identifiers import LOCAL_CHAIN_IDS
from zkml.core.progress import Progress, ProgressEvent
from zkml.errors import ChainError, WrongChainError
from zkml.wiring import connect

_POLL_SECONDS = 1.0


@contextlib.contextmanager
def running_chain(settings: Settings, home: Home, progress: Progress) -> Iterator[Chain]:
    """Connect to the configured endpoint, to this home's node, or to an Anvil that ends with the block.

    Raises:
        WrongChainError: not a local chain; the tour's SRS is insecure and its token worthless.
        ToolchainError, StorageError, ChainError: the node does not start or answer.
    """
    endpoint = settings.chain.rpc_url or detached_endpoint(home.chain)
    with contextlib.ExitStack() as stack:
        if endpoint is None:
            notice = lambda text: progress(ProgressEvent("embedded node", finished=True, note=text))  # noqa: E731
            endpoint = stack.enter_context(Anvil.start(home.chain, notice=notice)).endpoint
        chain = stack.enter_context(connect(settings, endpoint))
        if not chain.is_local:
            ids = " or ".join(str(number) for number in sorted(LOCAL_CHAIN_IDS))
            raise WrongChainError(
                f"expected a local chain (id {ids}), found chain {chain.chain_id} at {chain.endpoint}",
                hint="the demo makes an insecure SRS and a worthless token: run it on a local node",
            )
        yield chain


def can_move_clock(chain: Chain) -> bool:
    """Say whether the node lets its clock be moved."""
    try:
        pass_time(chain, 0)
    except ChainError as error:
        if error.retryable:
            raise
        return False
    return True


def wait_until_past(
    chain: Chain, deadline: int, funder: LocalAccount, progress: Progress, *, movable: bool
) -> None:
    """Let chain time pass `deadline`: by moving the clock, or by waiting.

    A node that mines on demand stands still while nobody sends anything, so while waiting the funder
    sends itself nothing, once the deadline should have passed.

    Raises:
        ChainError: see `pass_time` and `transactions.send`.
    """
    began, remaining = time.monotonic(), deadline + 1 - chain.now()
    if movable:
        pass_time(chain, max(remaining, 0))
        return
    stage = "wait for the deadline"
    while chain.now() <= deadline:
        elapsed = time.monotonic() - began
        progress(ProgressEvent(stage, elapsed, float(max(remaining, 1))))
        time.sleep(_POLL_SECONDS)
        if elapsed > remaining:
            transactions.send(chain, funder, Call(funder.address, b"", "let a block be mined"))
    progress(ProgressEvent(stage, time.monotonic() - began, finished=True))
