"""The embedded node: goes on where it stopped, and never outlives its parent."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from zkml.adapters.evm.anvil import (
    Anvil,
    AnvilFiles,
    detached_endpoint,
    start_detached_anvil,
    stop_detached_anvil,
)
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.evm.transactions import Call, send
from zkml.adapters.keys.dev_keys import dev_account
from zkml.errors import ChainError, RpcError, ToolchainError

pytestmark = pytest.mark.integration

# Creates a contract that emits its calldata's first word as a log and returns the time.
LOGGER = bytes.fromhex("600f8060095f395ff3" + "5f355f5260205fa0425f5260205ff3")


def leave_traces(chain):
    """Deploy a contract and have it emit a log; return both receipts."""
    account = dev_account(chain.chain_id)
    created = send(chain, account, Call(None, LOGGER, "create"))
    return created, send(chain, account, Call(created.contract, b"\x07" * 32, "log"))


def test_restart__chain_with_history__keeps_all_of_it(tmp_path):
    """Blocks, code, receipts, logs and calldata are the same after a stop and a start."""
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        created, logged = leave_traces(chain)
        genesis, height = chain.genesis_hash, chain.height()
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert (chain.genesis_hash, chain.height()) == (genesis, height)
        assert chain.receipt(logged.transaction) == logged
        assert chain.transaction(logged.transaction).data == b"\x07" * 32
        assert list(chain.logs(created.contract, [], from_block=0)) == list(logged.logs)
        assert chain.code(created.contract)
        assert len(logged.logs) == 1
        assert send(chain, dev_account(31337), Call(created.contract, b"", "log")).block == height + 1


def test_restart__many_times__genesis_stays_the_same(tmp_path):
    """A chain that was stopped and started five times is still the chain that deployments were recorded for."""
    found = set()
    for _ in range(6):
        with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
            pass_time(chain, 1)
            found.add(chain.genesis_hash)
    assert len(found) == 1


def test_restart__after_time_was_moved__never_goes_back(tmp_path):
    """Chain time after a restart is not before the latest block: what expired stays expired."""
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        leave_traces(chain)
        later = pass_time(chain, 100_000)
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert chain.now() >= later
        _, logged = leave_traces(chain)
        assert chain.block(logged.block).timestamp >= later


def test_start__broken_state__is_moved_aside_with_a_notice(tmp_path):
    """A state that cannot be read costs the chain, not the command, and is kept for whoever looks."""
    notices = []
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        first = chain.genesis_hash
    files = AnvilFiles(tmp_path)
    whole = files.next_state.read_bytes()
    files.next_state.write_bytes(whole[: len(whole) // 2])
    with Anvil.start(tmp_path, notice=notices.append) as node, Chain(node.endpoint) as chain:
        assert chain.height() == 0
        assert first
    assert len(notices) == 1
    assert (tmp_path / "next.broken-1.json").read_bytes() == whole[: len(whole) // 2]


def test_start__cut_while_it_wrote__goes_on_from_the_state_before(tmp_path):
    """A node killed while it writes its state costs the last session only."""
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        _, logged = leave_traces(chain)
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        leave_traces(chain)
    AnvilFiles(tmp_path).next_state.write_bytes(b'{"block')
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert chain.height() == 2
        assert chain.receipt(logged.transaction) == logged


def test_parent_killed__node_dies_and_keeps_its_state(tmp_path):
    """SIGKILL of the parent ends the node, which still writes what happened."""
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from test_anvil import leave_traces
        from zkml.adapters.evm.anvil import Anvil
        from zkml.adapters.evm.rpc import Chain
        node = Anvil.start(Path(sys.argv[1]))
        _, logged = leave_traces(Chain(node.endpoint))
        print(node.identity.pid, node.endpoint, logged.transaction, flush=True)
        time.sleep(600)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        pid, endpoint, transaction = parent.stdout.readline().split()
        anvil = psutil.Process(int(pid))
        parent.send_signal(signal.SIGKILL)
    anvil.wait(30)
    with pytest.raises(RpcError):
        Chain(endpoint, attempts=1)
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert chain.receipt(transaction) is not None


def test_start__port_taken__says_so(tmp_path):
    """A port in use is an error with a hint, not a hang."""
    with Anvil.start(tmp_path / "one") as node:
        port = int(node.endpoint.rsplit(":", 1)[1])
        with pytest.raises(ChainError, match="Anvil") as caught:
            Anvil.start(tmp_path / "two", port=port)
    assert "--port" in caught.value.hint


def test_start__no_such_program__is_a_toolchain_error(tmp_path, monkeypatch):
    """A missing Anvil names what to install."""
    monkeypatch.setenv("ZKML_ANVIL", str(tmp_path / "none"))
    with pytest.raises(ToolchainError):
        Anvil.start(tmp_path / "chain")


def test_two_folders__run_side_by_side(tmp_path):
    """Two checkouts have two nodes that do not disturb each other."""
    with (
        Anvil.start(tmp_path / "a") as one,
        Anvil.start(tmp_path / "b") as two,
        Chain(one.endpoint) as first,
        Chain(two.endpoint) as second,
    ):
        leave_traces(first)
        assert (first.height(), second.height()) == (2, 0)


def test_detached__up_and_down__keeps_its_state(tmp_path):
    """`chain up` outlives the command, is found again, refuses a second node, and stops with its state."""
    assert detached_endpoint(tmp_path) is None
    endpoint = start_detached_anvil(tmp_path)
    try:
        assert detached_endpoint(tmp_path) == endpoint
        with Chain(endpoint) as chain:
            _, logged = leave_traces(chain)
        with pytest.raises(ChainError, match="found one at") as caught:
            Anvil.start(tmp_path)
        assert "chain down" in caught.value.hint
    finally:
        assert stop_detached_anvil(tmp_path)
    assert detached_endpoint(tmp_path) is None
    assert not stop_detached_anvil(tmp_path)
    with Anvil.start(tmp_path) as node, Chain(node.endpoint) as chain:
        assert chain.receipt(logged.transaction) == logged
