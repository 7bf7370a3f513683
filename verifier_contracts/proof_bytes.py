"""Find the bytes that a proof was accepted with: in calldata, or in the event that stands in for it.

JobManager.settle and ModelRegistry.activate put only digests of a proof into their own events. Where the
transaction calls them itself, its calldata has the proof; where they were called any other way they emit
ProofPublished. What is returned here was said by an endpoint: callers compare it with the digests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import Log, Transaction
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError, FormatError

EVENT = "ProofPublished"


@dataclass(frozen=True, slots=True)
class ProofBytes:
    """What a contract was given as a proof.

    Attributes:
        subject: the job's or the model's id, 32 bytes.
        packed_input: the input; empty where calldata does not carry it, because the contract drew it itself.
        packed_output: the output.
        proof: the proof.
        in_calldata: whether the transaction itself made the call, so that its sender is the caller.
    """

    subject: bytes
    packed_input: bytes
    packed_output: bytes
    proof: bytes
    in_calldata: bool


@dataclass(frozen=True, slots=True)
class ProofCall:
    """A function that takes proofs.

    Attributes:
        artifact: its contract's name.
        function: its name.
        subject: its argument that says what the proof is for.
    """

    artifact: str
    function: str
    subject: str


SETTLE = ProofCall("JobManager", "settle", "jobId")
ACTIVATE = ProofCall("ModelRegistry", "activate", "modelId")


def proof_in_calldata(call: ProofCall, address: str, sent: Transaction) -> ProofBytes | None:
    """Return what a transaction's calldata gives to a function, or None where it is no call of it.

    A call of another function of the contract is none either: a transfer of a model may lead to an
    activation further down.

    Args:
        call: the function.
        address: its contract.
        sent: the transaction.

    Raises:
        BindingError: it is such a call, but its arguments do not decode.
    """
    entry = abi.function(load_artifact(call.artifact).abi, call.function)
    if sent.target != address or sent.data[:4] != entry.selector:
        return None
    try:
        values = abi.decode_calldata(entry, sent.data)
    except FormatError as error:
        raise BindingError(f"{error.message} in {sent.transaction}") from error
    subject = values[call.subject]
    return ProofBytes(
        subject=subject if isinstance(subject, bytes) else subject.to_bytes(32, "big"),
        packed_input=values.get("input", b""),
        packed_output=values["output"],
        proof=values["proof"],
        in_calldata=True,
    )


def proof_in_logs(call: ProofCall, address: str, subject: bytes, logs: Sequence[Log]) -> ProofBytes:
    """Return what a contract published about a subject in one transaction.

    Args:
        call: the function that was called.
        address: its contract.
        subject: the job's or the model's id, 32 bytes.
        logs: all logs of the transaction's receipt.

    Raises:
        EvidenceUnavailableError: nothing was published.
        BindingError: several proofs of one subject were.
        RpcError: the event does not decode.
    """
    entry = abi.event(load_artifact(call.artifact).abi, EVENT)
    found = [log for log in logs if log.address == address and log.topics == (entry.topic, subject)]
    if not found:
        raise EvidenceUnavailableError(
            f"expected a direct call of {call.artifact}.{call.function} or an event {EVENT} of "
            f"{to_hex(subject)}, found neither",
            hint="the endpoint keeps the event back, or the contracts are of another version: ask another",
        )
    if len(found) > 1:
        raise BindingError(f"expected one event {EVENT} of {to_hex(subject)}, found {len(found)}")
    values = abi.decode_log(entry, found[0]).arguments
    return ProofBytes(subject, values["input"], values["output"], values["proof"], in_calldata=False)
