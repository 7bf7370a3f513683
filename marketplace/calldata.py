"""What a transaction gives a contract as proofs, from its calldata alone. No I/O.

Contracts put only digests of a proof into their events. Where a transaction calls them itself, its calldata
has the rest. It is read strictly: what does not encode to the same bytes again could be read in two ways.
What is returned was said by an endpoint: callers compare it with the digests of the events.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import Transaction
from zkml.core.signed_requests import SignedRequest, request_digest
from zkml.errors import BindingError, EvidenceUnavailableError, FormatError


@dataclass(frozen=True, slots=True)
class GivenProof:
    """One proof as a contract was given it.

    Attributes:
        function: which function took it; empty where an event tells of it, which does not say.
        subject: what it is about, 32 bytes: a job's id, for a batch the first job's; a signed request's
            digest; a model's id; an offering's number.
        job_ids: the jobs that it settles, in order; none for a signed request or a model.
        circuit_id: the circuit where the call names it (a batch, a signed request, a model), or None.
        request: what was signed, or None.
        signature: of the request; empty where there is none.
        packed_input: the input; empty for a model or an offering, whose input the contract draws itself.
        packed_output: the output.
        proof: the proof.
    """

    function: str
    subject: bytes
    job_ids: tuple[bytes, ...]
    circuit_id: bytes | None
    request: SignedRequest | None
    signature: bytes
    packed_input: bytes
    packed_output: bytes
    proof: bytes

    @classmethod
    def from_event(cls, values: Mapping[str, Any], job_ids: tuple[bytes, ...] = ()) -> Self:
        """Return the proof that an event `ProofPublished` tells of.

        Args:
            values: the event's arguments.
            job_ids: the jobs that it settled, which the event does not say.
        """
        return cls(
            function="",
            subject=values["subject"],
            job_ids=job_ids,
            circuit_id=None,
            request=None,
            signature=b"",
            packed_input=values["input"],
            packed_output=values["output"],
            proof=values["proof"],
        )


def given_settlements(chain_id: int, manager: str, sent: Transaction) -> tuple[GivenProof, ...] | None:
    """Return the proofs that a transaction gives a job manager, or None where it settles nothing itself.

    Args:
        chain_id: EIP-155 id.
        manager: address of the job manager.
        sent: the transaction.

    Raises:
        BindingError: such a call whose arguments do not decode: the contract cannot have accepted it.
        EvidenceUnavailableError: such a call in another encoding than the canonical one.
    """
    call = _call_of("JobManager", ("settle", "settleMany", "settleBatch", "settleSigned"), manager, sent)
    if call is None:
        return None
    function, values = call
    if function == "settleSigned":
        return (_signed(chain_id, manager, values),)
    if function == "settleBatch":
        return (_batch(values),)
    if function == "settleMany":
        return tuple(_single(function, *fields) for fields in values["settlements"])
    return (_single(function, values["jobId"], values["input"], values["output"], values["proof"]),)


def given_activation(registry: str, sent: Transaction) -> GivenProof | None:
    """Return the genesis proof that a transaction gives a model registry, or None where it gives none itself.

    Raises:
        BindingError, EvidenceUnavailableError: see `given_settlements`.
    """
    call = _call_of("ModelRegistry", ("activate",), registry, sent)
    if call is None:
        return None
    function, values = call
    return GivenProof(
        function=function,
        subject=values["modelId"].to_bytes(32, "big"),
        job_ids=(),
        circuit_id=values["circuitId"],
        request=None,
        signature=b"",
        packed_input=b"",
        packed_output=values["output"],
        proof=values["proof"],
    )


def given_release(offerings: str, sent: Transaction) -> GivenProof | None:
    """Return the proof that a transaction gives a contract of offerings, or None where it gives none itself.

    Raises:
        BindingError, EvidenceUnavailableError: see `given_settlements`.
    """
    call = _call_of("InitialModelOffering", ("finalize",), offerings, sent)
    if call is None:
        return None
    function, values = call
    subject = values["offeringId"].to_bytes(32, "big")
    return GivenProof(function, subject, (), None, None, b"", b"", values["output"], values["proof"])


def _single(
    function: str, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes
) -> GivenProof:
    return GivenProof(function, job_id, (job_id,), None, None, b"", packed_input, packed_output, proof)


def _batch(values: Mapping[str, Any]) -> GivenProof:
    jobs = tuple(values["jobIds"])
    if not jobs:
        raise BindingError("expected a batch of jobs, found none: the contract cannot have accepted it")
    tensors = (values["input"], values["output"], values["proof"])
    return GivenProof("settleBatch", jobs[0], jobs, values["circuitId"], None, b"", *tensors)


def _signed(chain_id: int, manager: str, values: Mapping[str, Any]) -> GivenProof:
    request = SignedRequest(*values["request"])
    return GivenProof(
        function="settleSigned",
        subject=request_digest(chain_id, manager, request),
        job_ids=(),
        circuit_id=request.circuit_id,
        request=request,
        signature=values["signature"],
        packed_input=values["input"],
        packed_output=values["output"],
        proof=values["proof"],
    )


def _call_of(
    artifact: str, functions: tuple[str, ...], address: str, sent: Transaction
) -> tuple[str, dict[str, Any]] | None:
    """Return which of these functions a transaction calls, and with what."""
    if sent.target != address:
        return None
    for name in functions:
        entry = abi.function(load_artifact(artifact).abi, name)
        if sent.data[:4] == entry.selector:
            return name, _strictly(entry, sent)
    return None


def _strictly(entry: abi.Entry, sent: Transaction) -> dict[str, Any]:
    if entry.name == "settleMany" and _reads_twice(sent.data[4:]):
        raise _ambiguous(entry, sent)
    try:
        values = abi.decode_calldata(entry, sent.data)
        again = abi.encode_call(entry, list(values.values()))
    except FormatError as error:
        raise BindingError(f"{error.message} in {sent.transaction}") from error
    if again != sent.data:
        raise _ambiguous(entry, sent)
    return values


def _reads_twice(arguments: bytes) -> bool:
    """Say whether elements of an array of settlements overlap or reach beyond their own place.

    Found out before decoding: a small array whose elements all point to one large text would fill any memory.
    """

    def word(position: int) -> int:
        return int.from_bytes(arguments[position : position + 32], "big")

    count, base = word(32), 64
    if word(0) != 32 or count > len(arguments) // 32:
        return True
    starts = [base + word(base + 32 * position) for position in range(count)]
    ends = [*starts[1:], len(arguments)][:count]
    for start, end in zip(starts, ends, strict=True):
        if not base + 32 * count <= start < end:
            return True
        for slot in (1, 2, 3):
            text = start + word(start + 32 * slot)
            if text > end or text + 32 + word(text) > end:
                return True
    return False


def _ambiguous(entry: abi.Entry, sent: Transaction) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"expected calldata of {entry.signature} in its one canonical encoding, found another one "
        f"in {sent.transaction}",
        hint="whoever settled encoded it so that it can be read in two ways",
    )
