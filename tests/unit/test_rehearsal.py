"""Calls that are simulated together: their gas, the first refusal in our words, and nodes that lie or cannot."""

from types import SimpleNamespace

import pytest

from verifier_contracts.contract_errors import known_reverts
from verifier_contracts.rehearsal import rehearse
from zkml.adapters.evm.transactions import Call
from zkml.core.digests import keccak256
from zkml.errors import InsufficientFundsError, RevertedError, RpcError

SENDER = "0x" + "11" * 20
CALLS = [
    Call("0x" + "22" * 20, bytes([number]), f"Contract.move{number}", reverts=known_reverts())
    for number in (1, 2)
]
BROKE = (
    keccak256(b"ERC20InsufficientBalance(address,uint256,uint256)")[:4] + bytes(31) + b"\x01" + bytes(64)
).hex()


class FakeChain:
    """A node that answers one simulation."""

    def __init__(self, answer, *, now=5):
        self._answer = answer
        self._now = now
        self.asked = None

    def now(self):
        return self._now

    def block(self, _tag):
        return SimpleNamespace(timestamp=5)

    def request(self, method, request, tag):
        self.asked = (method, request, tag)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def done(gas):
    return {"status": "0x1", "gasUsed": hex(gas), "returnData": "0x", "logs": []}


def test_rehearse__all_succeed__their_gas_in_order():
    """Every call is simulated in one block, in order, from the sender."""
    chain = FakeChain([{"calls": [done(21_000), done(50_000)]}])
    assert rehearse(chain, CALLS, SENDER) == (21_000, 50_000)
    method, request, tag = chain.asked
    (block,) = request["blockStateCalls"]
    assert (method, tag, block["blockOverrides"]) == ("eth_simulateV1", "latest", {})
    assert [call["data"] for call in block["calls"]] == ["0x01", "0x02"]
    assert {call["from"] for call in block["calls"]} == {SENDER}


def test_rehearse__where_time_has_passed_without_a_block__simulates_the_present():
    """A local node stands still between transactions; the moves are judged by the time they would be mined at."""
    chain = FakeChain([{"calls": [done(1), done(2)]}], now=600)
    rehearse(chain, CALLS, SENDER)
    assert chain.asked[1]["blockStateCalls"][0]["blockOverrides"] == {"time": "0x258"}


@pytest.mark.parametrize(
    "refusal",
    [
        {
            "status": "0x0",
            "returnData": "0x",
            "error": {"code": 3, "message": "reverted", "data": "0x" + BROKE},
        },
        {"status": "0x0", "returnData": "0x" + BROKE, "error": {"code": 3, "message": "reverted"}},
    ],
)
def test_rehearse__one_is_refused__is_the_contracts_error_in_our_tree(refusal):
    """Wherever a node puts the revert data, the refusal is named, with the call that it is of."""
    with pytest.raises(InsufficientFundsError, match=r"Contract\.move2"):
        rehearse(FakeChain([{"calls": [done(1), refusal]}]), CALLS, SENDER)


def test_rehearse__refused_without_a_reason__is_reverted():
    """A call that ran out of gas, say, has no data to decode."""
    with pytest.raises(RevertedError, match="no reason"):
        rehearse(FakeChain([{"calls": [{"status": "0x0"}, done(1)]}]), CALLS, SENDER)


def test_rehearse__a_node_without_simulation__none():
    """Nodes without the method refuse it by a code; whoever asked goes on without."""
    assert rehearse(FakeChain(RpcError("no such method", rpc_code=-32601)), CALLS, SENDER) is None


def test_rehearse__a_node_that_is_down__says_so():
    """What is no refusal is no answer either."""
    with pytest.raises(RpcError, match="down"):
        rehearse(FakeChain(RpcError("down")), CALLS, SENDER)


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, [{}], [{"calls": None}], [{"calls": []}], [{"calls": [done(1)]}], [{"calls": [done(1), 7]}],
     [{"calls": [done(1), {}]}], [{"calls": [done(1), {"status": "0x1", "gasUsed": "x"}]}], [{"calls": []}, {}]],
)  # fmt: skip
def test_rehearse__nonsense__is_an_endpoints_fault(answer):
    """What is no simulation of just these calls is refused, whatever it is."""
    with pytest.raises(RpcError):
        rehearse(FakeChain(answer), CALLS, SENDER)
