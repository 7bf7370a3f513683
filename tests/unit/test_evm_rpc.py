"""An endpoint is a stranger: whatever it answers, one of our errors comes out, and nothing hangs."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zkml.adapters.evm import answers, transport
from zkml.adapters.evm.gas import estimate_gas, fee_fields
from zkml.adapters.evm.reverts import STANDARD_REVERTS
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.errors import (
    ChainError,
    ConfigError,
    InsufficientFundsError,
    RevertedError,
    RpcError,
    WrongChainError,
)

HASH = "0x" + "ab" * 32
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
BLOCK = {"number": "0x0", "hash": HASH, "timestamp": "0x10", "gasLimit": "0x1c9c380"}
HEALTHY = {"eth_chainId": "0x7a69", "eth_getBlockByNumber": BLOCK, "eth_blockNumber": "0x5"}


class RefusalError(Exception):
    """The fake node answers with this error object."""


class FakeNode:
    """A node that answers what a test says: a result, an error object, or raw bytes."""

    def __init__(self):
        self.answers = dict(HEALTHY)
        self.requests = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append(request)
                body = fake.body(request)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def body(self, request):
        answer = self.answers.get(
            request["method"], RefusalError({"code": -32601, "message": "Method not found"})
        )
        if callable(answer):
            answer = answer(request["params"])
        if isinstance(answer, bytes):
            return answer
        kind, value = ("error", answer.args[0]) if isinstance(answer, RefusalError) else ("result", answer)
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], kind: value}).encode()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def node():
    fake = FakeNode()
    yield fake
    fake.close()


@pytest.fixture
def chain(node):
    with Chain(node.endpoint, attempts=2) as connected:
        yield connected


def test_connect__nobody_listening__says_where_and_what_to_do():
    """A node that is down is an RpcError with a hint, retryable."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(RpcError, match="nobody listening") as caught:
            Chain(endpoint, attempts=2)
    assert caught.value.retryable
    assert "zkml chain up" in caught.value.hint


def test_connect__node_that_never_answers__is_slow():
    """A node that accepts and stays silent costs the timeout and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(RpcError, match="no answer within"):
        Chain(f"http://127.0.0.1:{silent.getsockname()[1]}", attempts=1, timeout_seconds=0.1)


def test_connect__other_chain__names_both():
    """The wrong chain is refused before anything else is asked."""
    fake = FakeNode()
    try:
        with pytest.raises(WrongChainError, match=r"expected chain 1, found chain 31337"):
            Chain(fake.endpoint, expected_chain_id=1)
        assert [request["method"] for request in fake.requests] == ["eth_chainId"]
    finally:
        fake.close()


@pytest.mark.parametrize("endpoint", ["", "localhost:8545", "ftp://x", "file:///etc/passwd", "ws://x"])
def test_connect__no_http_url__is_a_configuration_error(endpoint):
    """Only http and https are endpoints."""
    with pytest.raises(ConfigError):
        Chain(endpoint)


def test_endpoint__with_credentials__is_shown_without():
    """An API key in a URL appears in no message."""
    with pytest.raises(RpcError) as caught:
        Chain("http://user:secret@127.0.0.1:1/v3/apikey?k=apikey", attempts=1)
    assert "secret" not in str(caught.value.as_json())
    assert "apikey" not in str(caught.value.as_json())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"5",
        b"null",
        b'{"result": 1, "error": {"code": 1}}',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","result":' + b'{"a":' * 100_000,
    ],
)
def test_request__body_that_is_no_json_rpc__is_nonsense(chain, node, body):
    """Whatever is not one JSON-RPC answer is an RpcError."""
    node.answers["eth_blockNumber"] = body
    with pytest.raises(RpcError):
        chain.height()


@pytest.mark.parametrize(
    "value", [None, 5, "5", "0x", "0xzz", "0x" + "1" * 17, ["0x1"], {"a": 1}, True, "0x-1"]
)
def test_height__of_another_form__is_nonsense(chain, node, value):
    """A height is a hexadecimal number of 64 bits, and nothing else."""
    node.answers["eth_blockNumber"] = value
    with pytest.raises(RpcError, match="hexadecimal number"):
        chain.height()


def test_request__endless_answer__is_cut(chain, node, monkeypatch):
    """A node cannot fill our memory."""
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    node.answers["eth_blockNumber"] = b" " * 100_000
    with pytest.raises(RpcError, match="more than 1000 bytes"):
        chain.height()


def test_request__faulty_once__is_repeated(chain, node):
    """A connection that fails once costs a retry."""
    replies = [b"", b'{"jsonrpc":"2.0","id":1,"result":"0x7"}']
    node.answers["eth_blockNumber"] = lambda _: replies.pop(0)
    assert chain.height() == 7


def test_request__refusal__is_not_repeated(chain, node):
    """What the node refuses on purpose is asked once."""
    node.requests.clear()
    with pytest.raises(RpcError, match="Method not found"):
        chain.request("eth_foo")
    assert len(node.requests) == 1


def test_call__revert__is_decoded(chain, node):
    """A revert is a RevertedError that says what the contract said."""
    data = (
        "0x08c379a0"
        + (32).to_bytes(32, "big").hex()
        + (2).to_bytes(32, "big").hex()
        + b"no".ljust(32, b"\0").hex()
    )
    for found in (data, {"data": data}):
        node.answers["eth_call"] = RefusalError({"code": 3, "message": "execution reverted", "data": found})
        with pytest.raises(RevertedError, match="'no'"):
            chain.call(ADDRESS, b"", what="Thing.do")


def test_call__revert_without_data__is_a_revert(chain, node):
    """Some nodes send no data: it is a revert all the same."""
    node.answers["eth_call"] = RefusalError({"code": -32000, "message": "execution reverted"})
    with pytest.raises(RevertedError, match="no reason"):
        chain.call(ADDRESS, b"", what="Thing.do")


def test_request__insufficient_funds__is_its_own_error(chain, node):
    """Too little ether is told apart from a faulty node."""
    node.answers["eth_sendRawTransaction"] = RefusalError(
        {"code": -32000, "message": "insufficient funds for gas"}
    )
    with pytest.raises(InsufficientFundsError):
        chain.request("eth_sendRawTransaction", "0x00")


def test_receipt__of_another_transaction__is_nonsense(chain, node):
    """A node cannot pass off one transaction's receipt as another's."""
    node.answers["eth_getTransactionReceipt"] = {"transactionHash": "0x" + "cd" * 32}
    with pytest.raises(RpcError, match="receipt of"):
        chain.receipt(HASH)


def log_answer(**changes):
    fields = {
        "address": ADDRESS,
        "topics": [HASH],
        "data": "0x",
        "blockNumber": "0x1",
        "blockHash": HASH,
        "transactionHash": HASH,
        "logIndex": "0x0",
    }
    return {**fields, **changes}


@pytest.mark.parametrize(
    "lie",
    [
        {"address": "0x" + "22" * 20},
        {"topics": ["0x" + "00" * 32]},
        {"topics": []},
        {"blockNumber": "0x9"},
        {"removed": True},
        {"topics": [HASH] * 5},
        {"data": "0x1"},
    ],
)
def test_logs__other_than_asked_for__are_nonsense(chain, node, lie):
    """A node cannot slip in logs of another contract, event or block."""
    node.answers["eth_getLogs"] = [log_answer(**lie)]
    with pytest.raises(RpcError):
        list(chain.logs(ADDRESS, [bytes.fromhex(HASH[2:])], from_block=0))


def test_logs__node_with_a_small_range__are_asked_for_in_pieces(chain, node):
    """A limit of the node on ranges is worked around, and every block is asked for exactly once."""
    node.answers["eth_blockNumber"] = hex(4_999)
    asked = []

    def answer(params):
        start, end = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        if end - start + 1 > 300:
            return RefusalError({"code": -32005, "message": "range too large"})
        asked.extend(range(start, end + 1))
        return [log_answer(blockNumber=hex(start))]

    node.answers["eth_getLogs"] = answer
    found = list(chain.logs(ADDRESS, [bytes.fromhex(HASH[2:])], from_block=0))
    assert asked == list(range(5_000))
    assert [log.block for log in found] == sorted(log.block for log in found)


def as_log_node(node, logs_in, last):
    """Make a node answer with the given number of logs for each block, and return what it is asked."""
    asked = []

    def answer(params):
        start, end = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        asked.append((start, end))
        blocks = [number for number in range(start, end + 1) for _ in range(logs_in(number))]
        return [
            log_answer(blockNumber=hex(number), logIndex=hex(index)) for index, number in enumerate(blocks)
        ]

    node.answers["eth_blockNumber"] = hex(last)
    node.answers["eth_getLogs"] = answer
    return asked


def found_blocks(chain):
    return [log.block for log in chain.logs(ADDRESS, [bytes.fromhex(HASH[2:])], from_block=0)]


def test_logs__answer_of_too_many_bytes__are_asked_for_in_halves(chain, node, monkeypatch):
    """Whoever fills a range with logs stops nobody: the range is halved, and grows again after the spam."""
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 10_000)
    asked = as_log_node(node, lambda number: 5 if 2_000 <= number < 2_020 else number % 4_000 == 1, 9_999)
    expected = [1, *(number for number in range(2_000, 2_020) for _ in range(5)), 4_001, 8_001]
    assert found_blocks(chain) == expected
    assert asked.count((2_000, 3_999)) == 1
    assert max(end - start for start, end in asked if start > 2_020) > 1_000
    assert len(asked) < 60


def test_logs__too_many_of_them__are_asked_for_in_halves(chain, node, monkeypatch):
    """The limit on the number of logs asks for less, like the limit on bytes."""
    monkeypatch.setattr(answers, "MAX_LOGS_PER_ANSWER", 5)
    as_log_node(node, lambda number: 3, 9)
    assert found_blocks(chain) == [number for number in range(10) for _ in range(3)]


@pytest.mark.parametrize(
    ("module", "limit", "value"), [(transport, "MAX_ANSWER_BYTES", 500), (answers, "MAX_LOGS_PER_ANSWER", 2)]
)
def test_logs__one_block_with_too_many__names_the_block(chain, node, monkeypatch, module, limit, value):
    """A block that cannot be read even alone is an RpcError that says which."""
    as_log_node(node, lambda number: 3 if number == 4 else 0, 9)
    monkeypatch.setattr(module, limit, value)
    with pytest.raises(RpcError, match="eth_getLogs of block 4"):
        found_blocks(chain)


def test_request__answer_too_large__is_not_asked_for_again(chain, node, monkeypatch):
    """What was too large once is too large again: it is not read a second time."""
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    node.answers["eth_blockNumber"] = b" " * 100_000
    node.requests.clear()
    with pytest.raises(RpcError):
        chain.height()
    assert len(node.requests) == 1


def test_has_block__hash_changed__is_false(chain, node):
    """A reorg is seen by the block's hash."""
    node.answers["eth_getBlockByNumber"] = lambda params: {**BLOCK, "number": params[0]}
    assert chain.has_block(3, HASH)
    assert not chain.has_block(3, "0x" + "cd" * 32)
    assert not chain.has_block(6, HASH)


def test_pass_time__node_without_a_movable_clock__says_so(chain):
    """On a real node one has to wait, and is told so."""
    with pytest.raises(ChainError, match="clock can be moved") as caught:
        pass_time(chain, 10)
    assert "wait" in caught.value.hint
    assert not isinstance(caught.value, RpcError)


def test_fee_fields__chain_without_base_fee__has_a_gas_price(chain, node):
    """A chain before EIP-1559 is paid with one gas price."""
    node.answers["eth_gasPrice"] = "0x9"
    assert fee_fields(chain) == {"gasPrice": 9}


def test_fee_fields__node_without_a_tip__falls_back(chain, node):
    """A node that suggests no tip costs one gwei, and the maximum outlasts a doubled base fee."""
    node.answers["eth_getBlockByNumber"] = {**BLOCK, "baseFeePerGas": "0x64"}
    assert fee_fields(chain) == {
        "maxFeePerGas": 200 + 10**9,
        "maxPriorityFeePerGas": 10**9,
        "type": 2,
    }


GWEI = 10**9


@pytest.mark.parametrize(
    ("base_fee", "tip"), [(GWEI, 100 * GWEI), (100 * GWEI, GWEI), (0, 2**127)], ids=["tip", "base", "huge"]
)
def test_fee_fields__endpoint_asks_for_more_than_the_limit__refused(chain, node, base_fee, tip):
    """No base fee and no tip that an endpoint makes up spends the signer's ether."""
    node.answers["eth_getBlockByNumber"] = {**BLOCK, "baseFeePerGas": hex(base_fee)}
    node.answers["eth_maxPriorityFeePerGas"] = hex(tip)
    chain.max_fee_gwei = 100.0
    with pytest.raises(ChainError, match="at most 100 gwei") as caught:
        fee_fields(chain)
    assert "chain.max_fee_gwei" in caught.value.hint
    assert not isinstance(caught.value, RpcError)


def test_fee_fields__base_fee_may_double__but_not_beyond_the_limit(chain, node):
    """The reserve for a rising base fee ends at the limit."""
    node.answers["eth_getBlockByNumber"] = {**BLOCK, "baseFeePerGas": hex(60 * GWEI)}
    node.answers["eth_maxPriorityFeePerGas"] = hex(GWEI)
    chain.max_fee_gwei = 100.0
    assert fee_fields(chain)["maxFeePerGas"] == 100 * GWEI


def test_fee_fields__legacy_price_above_the_limit__refused(chain, node):
    """The one price of a chain before EIP-1559 is bounded, too."""
    node.answers["eth_gasPrice"] = hex(501 * GWEI)
    with pytest.raises(ChainError, match="found 501"):
        fee_fields(chain)
    node.answers["eth_gasPrice"] = hex(500 * GWEI)
    assert fee_fields(chain) == {"gasPrice": 500 * GWEI}


def test_estimate_gas__beyond_any_transaction__is_refused(chain, node):
    """A call that no transaction can make is refused before it is signed."""
    node.answers["eth_estimateGas"] = hex((1 << 24) + 1)
    with pytest.raises(ChainError, match="16777216"):
        estimate_gas(chain, {}, "Thing.do", STANDARD_REVERTS)
    node.answers["eth_estimateGas"] = hex(1 << 24)
    assert estimate_gas(chain, {}, "Thing.do", STANDARD_REVERTS) == 1 << 24
