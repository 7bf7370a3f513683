"""What a job manager published of proofs that stand in no transaction's calldata of its own. No I/O.

Called by a contract, the manager ends every call with one `ProofPublished`, and guards against being called
again meanwhile: so the first one behind a settlement's event is the settlement's.
"""

from collections.abc import Sequence

from marketplace.calldata import GivenProof
from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.errors import EvidenceUnavailableError

EVENT = "ProofPublished"


def published_after(manager: str, logs: Sequence[Log], log_index: int) -> GivenProof:
    """Return the proof that belongs to the settlement at a place of a receipt.

    Args:
        manager: address of the job manager.
        logs: all logs of the receipt, in order.
        log_index: of the settlement's own event.

    Raises:
        EvidenceUnavailableError: nothing was published behind it.
        RpcError: an event does not decode.
    """
    published = _events(manager, logs, EVENT)
    own = next((event for event in published if event.log.index > log_index), None)
    if own is None:
        raise EvidenceUnavailableError(
            f"expected a direct call of the job manager or an event {EVENT} in its receipt, found neither",
            hint="the endpoint keeps the event back, or the contracts are of another version: ask another",
        )
    start = max((event.log.index for event in published if event.log.index < log_index), default=-1)
    settled = [
        event.arguments["jobId"]
        for event in _events(manager, logs, "JobSettled")
        if start < event.log.index < own.log.index
    ]
    return GivenProof.from_event(own.arguments, tuple(settled))


def _events(manager: str, logs: Sequence[Log], name: str) -> list[Event]:
    entry = abi.event(load_artifact("JobManager").abi, name)
    return [
        abi.decode_log(entry, log)
        for log in logs
        if log.address == manager and log.topics[:1] == (entry.topic,)
    ]
