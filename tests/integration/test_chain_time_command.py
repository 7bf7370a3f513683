"""`zkml chain pass-time` on a real node: local chains only, forward only."""

import json

import pytest

from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.cli.main import run

pytestmark = pytest.mark.integration

DAY = 86_400
TEN_YEARS = 3650 * DAY
# A public chain's.
ELSEWHERE = 10


@pytest.fixture
def node(tmp_path):
    """A local node's endpoint."""
    with Anvil.start(tmp_path / "chain") as started:
        yield started.endpoint


def ask(node, capsys, *words, code=0):
    """Run the command against the node; return its exit code's JSON."""
    assert run(["chain", "pass-time", *words, "--rpc-url", node, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def latest(node):
    """Return the node's latest block: its number and time."""
    with Chain(node) as chain:
        block = chain.block("latest")
        return block.number, block.timestamp


def test_pass_time__a_span__is_on_the_chain_afterwards(node, capsys):
    """The chain is at least as much older as was asked for, and says the time that was printed."""
    _, before = latest(node)
    told = ask(node, capsys, "30d")
    _, after = latest(node)
    assert after == told["timestamp"] >= before + 30 * DAY


def test_pass_time__until_a_time__gets_there_and_never_back(node, capsys):
    """An instant ahead is reached; one behind moves nothing, so a script can be run again."""
    wanted = latest(node)[1] + TEN_YEARS
    assert ask(node, capsys, "--until", str(wanted))["timestamp"] >= wanted
    reached = latest(node)
    assert ask(node, capsys, "--until", str(wanted))["timestamp"] == reached[1]
    assert latest(node) == reached


def test_pass_time__on_another_chain__is_refused_untouched(node, capsys):
    """A node that would move its clock, but whose chain is not a local one, is left alone."""
    with Chain(node) as chain:
        chain.send_once("anvil_setChainId", [ELSEWHERE])
    before = latest(node)
    error = ask(node, capsys, "1d", code=2)["error"]
    assert error["type"] == "ConfigError"
    assert "found chain 10" in error["message"]
    assert latest(node) == before


@pytest.mark.parametrize("words", [(), ("1d", "--until", "9999999999"), ("tomorrow",)])
def test_pass_time__what_says_no_one_time__is_refused(node, words, capsys):
    """Nothing, two times, and a word that is no span are errors of usage."""
    before = latest(node)
    assert ask(node, capsys, *words, code=2)["error"]["type"] == "ConfigError"
    assert latest(node) == before
