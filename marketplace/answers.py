"""What a job manager's answers say, as records: one reading for bindings and auditors. No I/O.

Where the answer came from and whether it is true is the caller's matter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from zkml.core.job_machine import JobFacts, JobStatus
from zkml.core.records import JobRequest, to_hex
from zkml.errors import RpcError


def job_status(number: int, *, where: str) -> JobStatus:
    """Return the status of a number of the contract's enum.

    Raises:
        RpcError: no status has this number.
    """
    try:
        return JobStatus(number)
    except ValueError as error:
        raise RpcError(f"expected a job status, found {number} {where}") from error


def job_facts(job_id: bytes, fields: Sequence[Any], *, where: str) -> JobFacts:
    """Return a job from the fields of the contract's struct, in its order.

    Raises:
        RpcError: the outcome is no status.
    """
    requester, fee, prover, collateral, model_id, circuit_id, commitment, deadline, outcome = fields
    return JobFacts(
        job_id=job_id,
        requester=requester,
        fee=fee,
        prover=prover,
        collateral=collateral,
        model_id=model_id,
        circuit_id=circuit_id,
        input_commitment=commitment,
        deadline=deadline,
        outcome=job_status(outcome, where=where),
    )


def job_request(
    opened: Mapping[str, Any], *, chain_id: int, manager: str, transaction: str, block: int, block_hash: str
) -> JobRequest:
    """Return the request that a `JobOpened` event announces.

    Args:
        opened: the event's arguments.
        chain_id: EIP-155 id.
        manager: address of the job manager.
        transaction: hash of the opening transaction.
        block: its height.
        block_hash: of that block.

    Raises:
        FormatError: a field is out of range, e.g. a URI that no node would fetch.
    """
    return JobRequest.from_fields(
        {
            "chain_id": chain_id,
            "manager": manager,
            "job_id": to_hex(opened["jobId"]),
            "model_id": str(opened["modelId"]),
            "circuit_id": to_hex(opened["circuitId"]),
            "requester": opened["requester"],
            "input_commitment": to_hex(opened["inputCommitment"]),
            "input_uri": opened["inputUri"],
            "input": to_hex(opened["input"]),
            "fee": str(opened["fee"]),
            "collateral": str(opened["collateral"]),
            "deadline": opened["deadline"],
            "opened_transaction": transaction,
            "opened_block": block,
            "opened_block_hash": block_hash,
        },
        where=f"the opening in transaction {transaction}",
    )
