"""`zkml infer` and `zkml mcp` against a whole node: exit codes, what is shown, what is kept, what is spent."""

import asyncio
import json
import os
import sys

import numpy as np
import pytest
from chain_fixtures import ONE_TOKEN
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from node_simulator import PRICE, VALUES, serving, start_market

from zkml.cli.main import run
from zkml.client.mcp_server import make_server, make_tools
from zkml.client.spending import Budget
from zkml.core.records import ProofFile
from zkml.errors import PaymentRequiredError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with start_market(tmp_path_factory.mktemp("infer-cli")) as market:
        yield market


@pytest.fixture
def node(market):
    with serving(market, account=market.prover) as node:
        yield node


@pytest.fixture
def account(market):
    return market.built.funded(100 * ONE_TOKEN)


@pytest.fixture
def home(market, tmp_path, account, monkeypatch):
    """A home of its own with the market's deployment record, an input, and the requester's key."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "deployments").symlink_to(market.folder / "deployments")
    (tmp_path / "input.json").write_text(json.dumps([VALUES]))
    monkeypatch.setenv("ZKML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZKML_CHAIN_RPC_URL", market.endpoint)
    monkeypatch.setenv("ZKML_PRIVATE_KEY", "0x" + account.key.hex().removeprefix("0x"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def infer(market, node, *more):
    argv = ["infer", market.did, "--input", "input.json", "--node", node.url, *more]
    return run([*argv, *(() if "--max-fee" in more else ("--max-fee", "4"))])


def test_infer__honest_node__output_price_and_transaction(market, node, home, capsys):
    """The command shows the verified output, what was paid, and by which transaction; both files are written."""
    assert infer(market, node, "--output", "out.npy", "--proof", "proof.json") == 0
    out, err = capsys.readouterr()
    assert out.startswith(
        "output       [-1.25, 17500.0]\npaid         3.010000 zUSD, of it 2.000000 zUSD to 0x"
    )
    assert "transaction  0x" in out
    assert "note: input and output become public on chain, for ever, when they are settled" in err
    assert "note: insecure SRS: no security" in err
    assert np.load("out.npy").tolist() == [[-1.25, 17_500.0]]
    proof = ProofFile.from_bytes((home / "proof.json").read_bytes(), where="proof.json")
    assert proof.output == node.answers[next(iter(node.answers))]["output"]


def test_infer__json__one_object_with_the_receipt(market, node, home, capsys):
    """With --json everything is one object, and --no-wait leaves the settlement open."""
    node.settles = False
    assert infer(market, node, "--json", "--no-wait", "--output", "out.json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["output"] == [[-1.25, 17_500.0]] == json.loads((home / "out.json").read_text())
    assert value["receipt"]["transaction"] is None
    assert value["receipt"]["price"] == "3.010000 zUSD"
    assert (home / value["proof_file"]).exists()


def test_infer__dry_run__price_and_nothing_signed(market, node, home, account, capsys):
    """A dry run asks the price and signs nothing."""
    assert infer(market, node, "--dry-run", "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["price"] == "3.010000 zUSD"
    assert value["transactions"] == ["LocalPaymentToken.approve", "JobManager.openTab"]
    assert node.paid == []
    assert not (home / "home" / "client" / "calls").exists()


@pytest.mark.parametrize(
    ("lie", "code", "name"),
    [
        ({"output": "0xfffffffb00011171"}, 3, "ProofRejectedError"),
        ({"prover": "0x" + "11" * 20}, 3, "BindingError"),
        ({"proof": "nonsense \x1b[2J"}, 1, "ServiceUnreachableError"),
    ],
)
def test_infer__cheating_node__nothing_shown(market, node, home, capsys, lie, code, name):
    """A cheat ends with its exit code and no output at all, and writes no file."""
    node.twist_answer = lambda fields: fields.update(lie)
    node.settles = False
    more = ("--output", "out.npy", "--timeout", "1", "--json")
    assert infer(market, node, *more) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["type"] == name
    assert "17500" not in out + err
    assert "\x1b[2J" not in out + err
    assert not (home / "out.npy").exists()


def test_infer__too_dear_or_wrong_options__exit_codes(market, node, home, capsys):
    """A price above the limit fails with 1, unusable options with 2, and nothing is signed."""
    assert infer(market, node, "--max-fee", "3") == 1
    assert "ZK-SVC-005" in capsys.readouterr().err
    for argv in (
        ["infer", "nonsense", "--input", "input.json", "--max-fee", "4", "--node", node.url],
        ["infer", market.did, "--input", "input.json", "--max-fee", "four", "--node", node.url],
        ["infer", market.did, "--input", "input.json", "--max-fee", "4", "--node", "ftp://x"],
        ["infer", market.did, "--input", "input.json"],
    ):
        assert run(argv) == 2, argv
    assert node.paid == []


def test_infer__repeated_after_a_withheld_answer__resumed(market, node, home, capsys):
    """The next call for the same input asks for the same request, and says so."""
    node.before_answer = lambda handler: handler.problem(500, "gone") or True
    assert infer(market, node, "--timeout", "0.5") == 1
    assert "nothing is paid twice" in capsys.readouterr().err
    node.before_answer = lambda handler: False
    assert infer(market, node) == 0
    assert "an earlier request for this input was taken up" in capsys.readouterr().err


# --- tools ----------------------------------------------------------------------------------------


def call(server, *calls):
    """Call tools of a server in this process and return tools and results."""

    async def talk():
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            return tools, [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(talk())


@pytest.fixture
def tools(market, node, tmp_path, account):
    model = market.model(market.requester(tmp_path, account), node=node.url)
    return make_tools([model, model], max_fee=PRICE)


def test_mcp__tool_of_a_model__schema_output_proof_and_receipt(market, node, tools, tmp_path):
    """A tool's schema is the model's shape and range; its result has output, proof and what was paid."""
    server = make_server(tools, Budget(tmp_path / "budget.json", 10 * PRICE))
    listed, (result,) = call(server, ("tiny", {"input": [1, *[0.25] * 10]}))
    assert [tool.name for tool in listed] == ["tiny", "tiny_2"]
    schema = listed[0].input_schema["properties"]["input"]
    assert (schema["minItems"], schema["maxItems"]) == (11, 11)
    assert schema["items"] == {"type": "number", "minimum": -300 / 128, "maximum": 700 / 128}
    assert not result.is_error
    found = result.structured_content
    assert found["output"] == [-1.25, 17_500.0]
    assert found["receipt"]["price"] == "3.010000 zUSD"
    assert found["receipt"]["transaction"].startswith("0x")
    assert json.loads(result.content[0].text) == found
    # JSON's 1 is the number 1.0, not an integer of the circuit.
    assert node.answers[found["receipt"]["request"]]["input"].startswith("0x0080")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "expected the argument input alone"),
        ({"input": [1.0] * 11, "max_fee": 100}, "found 'max_fee'"),
        ({"input": [1.0] * 10}, "expected 11 input elements"),
        ({"input": [9.0] * 11}, "expected elements in"),
        ({"input": ["1"] * 11}, "expected numbers"),
        ({"input": [[1.0], 2.0]}, "expected lists of numbers"),
        ({"input": [None] * 11}, "expected numbers"),
    ],
)
def test_mcp__unusable_input__tool_error_and_nothing_signed(node, tools, tmp_path, arguments, words):
    """What does not fit the model is an error of the tool, in words, before anything is signed."""
    _, (result,) = call(make_server(tools, Budget(tmp_path / "b.json", 10 * PRICE)), ("tiny", arguments))
    assert result.is_error
    assert words in result.content[0].text
    assert node.paid == []


def test_mcp__budget__holds_over_calls_runs_and_failures(node, tools, tmp_path):
    """What all calls may cost is counted before a request is sent, on disk, whether it is answered or not."""
    path = tmp_path / "budget.json"
    node.twist_answer = lambda fields: fields.update(output="0x" + "00" * 8)
    node.settles = False
    _, (cheated,) = call(make_server(tools, Budget(path, 2 * PRICE)), ("tiny", {"input": VALUES}))
    assert cheated.is_error
    assert "ZK-VER-002" in cheated.content[0].text
    node.twist_answer = lambda fields: None
    node.settles = True
    asked = [("tiny", {"input": [0.5] * 11}), ("tiny", {"input": [0.75] * 11})]
    _, (paid, refused) = call(make_server(tools, Budget(path, 2 * PRICE)), *asked)
    assert not paid.is_error
    assert "for at most 0.000000 zUSD" in refused.content[0].text
    assert len({payment["request"]["nonce"] for payment in node.paid}) == 2
    _, (resumed,) = call(make_server(tools, Budget(path, 2 * PRICE)), ("tiny", {"input": VALUES}))
    assert resumed.structured_content["receipt"]["resumed"]
    assert Budget(path, 2 * PRICE).left() == 0


def test_budget__less_left_than_a_call_costs__refused_unsigned(node, tools, tmp_path):
    """A call that would go over the limit is refused at its price, before a tab is opened for it."""
    budget = Budget(tmp_path / "b.json", PRICE - 1)
    with pytest.raises(PaymentRequiredError, match="for at most"):
        tools[0].call({"input": VALUES}, budget)
    assert node.paid == []
    assert budget.left() == PRICE - 1


def test_mcp__over_stdio__served_by_the_command(market, node, home):
    """`zkml mcp` serves a client on standard input and output, with the node's models."""
    argv = ["-m", "zkml.cli", "mcp", "--node", node.url, "--max-fee", "4", "--max-total", "20", "--quiet"]
    kept = {name: value for name, value in os.environ.items() if name.startswith("ZKML_")}
    parameters = StdioServerParameters(command=sys.executable, args=argv, env=kept, cwd=home)

    async def talk():
        async with Client(stdio_client(parameters)) as client:
            tools = (await client.list_tools()).tools
            return tools, await client.call_tool(tools[0].name, {"input": VALUES})

    tools, result = asyncio.run(talk())
    assert [tool.name for tool in tools] == ["tiny"]
    assert result.structured_content["output"] == [-1.25, 17_500.0]
    assert run(["mcp", "--node", node.url, "--max-fee", "4", "--max-total", "20", "--dry-run"]) == 0
