"""The tour's node: time passes by moving the clock, or, where that cannot be done, by waiting."""

import pytest

from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.core.progress import silent
from zkml.demo.node import can_move_clock, wait_until_past
from zkml.errors import RpcError

pytestmark = pytest.mark.integration


def test_wait__clock_moved__deadline_past_at_once(tmp_path):
    """On Anvil a deadline a day away is past at once."""
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert can_move_clock(chain)
        deadline = chain.now() + 86_400
        wait_until_past(chain, deadline, dev_account(chain.chain_id), silent, movable=True)
        assert chain.block("latest").timestamp > deadline


def test_wait__clock_left_alone__deadline_past_after_real_time(tmp_path):
    """Elsewhere the tour waits, and has a block mined once the deadline should have passed."""
    events = []
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        deadline = chain.now() + 2
        wait_until_past(chain, deadline, dev_account(chain.chain_id), events.append, movable=False)
        assert chain.now() > deadline
    assert events[-1].finished


def test_can_move_clock__node_without_the_method__says_no():
    """A node that refuses evm_increaseTime is one to wait on."""

    class Refusing:
        endpoint = "http://127.0.0.1"

        def send_once(self, _method, _params):
            raise RpcError("expected evm_increaseTime, found no such method", rpc_code=-32601)

    assert not can_move_clock(Refusing())
