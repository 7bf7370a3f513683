"""What a transaction would do, before anybody signs it: its events, decoded, from a simulation by the node.

Shown by `--dry-run`. Nodes without `eth_simulateV1` give none; then the call and its cost are all there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from verifier_contracts.artifacts import load_artifact, shipped_names
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm import abi, answers
from zkml.adapters.evm.abi import Entry, Event
from zkml.adapters.evm.answers import Log
from zkml.adapters.evm.rpc import Chain, call_fields
from zkml.adapters.evm.transactions import DryRun
from zkml.errors import RpcError

MAX_EFFECTS = 1_000
_NO_TRANSACTION = "0x" + "00" * 32


@dataclass(frozen=True, slots=True)
class Effect:
    """One event that the transaction would emit.

    Attributes:
        address: the contract that emits it, checksummed.
        contract: what the caller calls it; the address if it is none of the known ones.
        event: its name; empty if it is of no contract of ours.
        arguments: decoded, by name.
    """

    address: str
    contract: str
    event: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a transaction would do and cost.

    Attributes:
        dry_run: the call, decoded, and its cost.
        effects: its events in order; None where the node simulates none.
    """

    dry_run: DryRun
    effects: tuple[Effect, ...] | None


def preview(
    contract: BoundContract, sender: str, function: str, *arguments: Any, names: Mapping[str, str]
) -> Preview:
    """Simulate a transaction and return what it would do.

    Args:
        contract: what is called.
        sender: who would sign.
        function: its name.
        arguments: in the order of the ABI.
        names: addresses by the names to show, e.g. `Deployment.addresses`.

    Raises:
        ZkmlError: see `BoundContract.call`.
    """
    dry_run = contract.dry_run(sender, function, *arguments)
    known = {address: name for name, address in names.items()}
    return Preview(dry_run, effects_of(contract.chain, dry_run, sender, known))


def effects_of(
    chain: Chain, dry_run: DryRun, sender: str, known: Mapping[str, str]
) -> tuple[Effect, ...] | None:
    """Return the events of a call that was found to succeed, or None where the node simulates none.

    Args:
        chain: where.
        dry_run: the call.
        sender: who would sign.
        known: names to show, by address.

    Raises:
        RpcError: an answer that is no simulation's.
    """
    fields = call_fields(dry_run.target, dry_run.calldata, sender)
    request = {"blockStateCalls": [{"calls": [fields]}], "traceTransfers": False, "validation": False}
    try:
        found = chain.request("eth_simulateV1", request, "latest")
    except RpcError as error:
        if "rpc_code" not in error.context:
            raise
        return None
    return tuple(_effect(log, known) for log in _logs(found))


def _logs(found: Any) -> tuple[Log, ...]:
    where = "eth_simulateV1"
    try:
        ((result,),) = [block["calls"] for block in found]
        items = result["logs"]
    except (TypeError, KeyError, ValueError) as error:
        raise answers.nonsense("one simulated call", found, where) from error
    if not isinstance(items, list) or len(items) > MAX_EFFECTS:
        raise answers.nonsense(f"at most {MAX_EFFECTS} logs", items, where)
    placed = [_placed(item, index) for index, item in enumerate(items)]
    return answers.logs(placed, where, MAX_EFFECTS)


def _placed(item: Any, index: int) -> Any:
    """Give a simulated log the place that it has not been mined at."""
    if not isinstance(item, dict):
        return item
    nowhere = {"blockNumber": "0x0", "blockHash": _NO_TRANSACTION, "transactionHash": _NO_TRANSACTION}
    return {**item, **nowhere, "logIndex": hex(index), "removed": False}


def _effect(log: Log, known: Mapping[str, str]) -> Effect:
    event = _decode(log)
    contract = known.get(log.address, log.address)
    if event is None:
        return Effect(log.address, contract, "", {})
    return Effect(log.address, contract, event.name, event.arguments)


def _decode(log: Log) -> Event | None:
    for entry in _events().get(log.topics[:1], ()):
        try:
            return abi.decode_log(entry, log)
        except RpcError:
            # Somebody else's event of the same signature, with other indexed arguments.
            continue
    return None


@cache
def _events() -> dict[tuple[bytes, ...], tuple[Entry, ...]]:
    """Return the events of all shipped contracts by their topic."""
    found: dict[tuple[bytes, ...], tuple[Entry, ...]] = {}
    for name in shipped_names():
        for entry in abi.entries(load_artifact(name).abi, "event"):
            others = found.get((entry.topic,), ())
            if all(entry.indexed != other.indexed for other in others):
                found[entry.topic,] = (*others, entry)
    return found
