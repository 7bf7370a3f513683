"""Several calls of one sender, one after the other, simulated together: none is sent, all or none succeed.

A move that needs an approval first cannot be simulated alone. Together they can, so that what the last one
would be refused for is known before the first is sent.
"""

from collections.abc import Sequence
from typing import Any

from verifier_contracts.bindings import contract_errors
from zkml.adapters.evm import answers
from zkml.adapters.evm.rpc import Chain, call_fields
from zkml.adapters.evm.transactions import Call
from zkml.errors import RpcError

_METHOD = "eth_simulateV1"


def rehearse(chain: Chain, calls: Sequence[Call], sender: str) -> tuple[int, ...] | None:
    """Simulate calls one after the other at the head of the chain.

    Args:
        chain: where.
        calls: in their order; each sees what those before it did.
        sender: who would sign all of them.

    Returns:
        The gas that each used; None where the node simulates none.

    Raises:
        ZkmlError: the twin of the first refusal; `RevertedError` where it has none.
        RpcError: an answer that is no simulation's.
    """
    fields = [call_fields(call.target, call.data, sender) for call in calls]
    block = {"blockOverrides": _time(chain), "calls": fields}
    request = {"blockStateCalls": [block], "traceTransfers": False, "validation": False}
    try:
        found = chain.request(_METHOD, request, "latest")
    except RpcError as error:
        if "rpc_code" not in error.context:
            raise
        return None
    return tuple(_gas(call, one) for call, one in zip(calls, _results(found, len(calls)), strict=True))


def _time(chain: Chain) -> dict[str, str]:
    """Return the time to simulate at: a local node stands still between transactions, and they would not."""
    now = chain.now()
    return {"time": hex(now)} if now > chain.block("latest").timestamp else {}


def _results(found: Any, count: int) -> list[dict[str, Any]]:
    try:
        (block,) = found
        results = block["calls"]
    except (TypeError, KeyError, ValueError) as error:
        raise answers.nonsense("one simulated block", found, _METHOD) from error
    if not isinstance(results, list) or [type(one) for one in results] != [dict] * count:
        raise answers.nonsense(f"{count} simulated calls", results, _METHOD)
    return results


def _gas(call: Call, result: dict[str, Any]) -> int:
    if answers.quantity(result.get("status"), _METHOD, 8) == 1:
        return answers.quantity(result.get("gasUsed"), _METHOD, 64)
    with contract_errors():
        raise call.reverts.error(_revert_data(result), call.what)


def _revert_data(result: dict[str, Any]) -> bytes:
    """Return what a refusing call returned: nodes put it beside the error, or into it."""
    error = result.get("error")
    inside = error.get("data") if isinstance(error, dict) else None
    for text in (inside, result.get("returnData")):
        if isinstance(text, str) and text not in ("", "0x"):
            return answers.data(text, _METHOD)
    return b""
