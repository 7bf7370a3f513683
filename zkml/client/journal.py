"""What a requester must not lose: the signed opening of a job, kept before it leaves this machine.

One file per job, named by its id. A Ctrl-C after the transaction was sent leaves the file, and with it the
job's id and the bytes to send again.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.pending_records import PendingRecords
from zkml.core.market_identifiers import JobSpec
from zkml.core.records import MAX_NAMED_PROVERS, Address, Amount, Hex32, HexBytes, Record, from_hex


class OpeningRecord(Record):
    """A job's opening, as it was signed.

    Attributes:
        chain_id, genesis_hash, manager: which deployment it is for.
        job_id: predicted from the nonces that the chain had when it was signed.
        nonce: how many jobs and tabs the requester had opened at that time.
        model_id, circuit_id, input_commitment, input_uri, min_prover_fee, max_prover_fee, max_total,
            ramp_seconds, claim_seconds, deadline, provers: what was asked for; see `JobSpec`.
        raw, transaction, account_nonce: the signed transaction.
        note: why it was put aside.
    """

    tag: ClassVar[str] = "zkml.opening/2"

    chain_id: int
    genesis_hash: Hex32
    manager: Address
    requester: Address
    nonce: int
    job_id: Hex32
    model_id: Amount
    circuit_id: Hex32
    input_commitment: Hex32
    input_uri: Annotated[str, Field(max_length=256)]
    min_prover_fee: Amount
    max_prover_fee: Amount
    max_total: Amount
    ramp_seconds: int
    claim_seconds: int
    deadline: int
    provers: Annotated[tuple[Address, ...], Field(max_length=MAX_NAMED_PROVERS)] = ()
    transaction: Hex32
    raw: HexBytes
    account_nonce: int
    note: Annotated[str, Field(max_length=1000)] = ""

    @property
    def spec(self) -> JobSpec:
        """The request."""
        return JobSpec(
            model_id=int(self.model_id),
            circuit_id=from_hex(self.circuit_id),
            input_commitment=from_hex(self.input_commitment),
            input_uri=self.input_uri,
            min_prover_fee=int(self.min_prover_fee),
            max_prover_fee=int(self.max_prover_fee),
            max_total=int(self.max_total),
            ramp_seconds=self.ramp_seconds,
            claim_seconds=self.claim_seconds,
            deadline=self.deadline,
            provers=self.provers,
        )

    @property
    def signed(self) -> SignedTransaction:
        """The transaction that opens the job; sending it again changes nothing."""
        return SignedTransaction(
            self.transaction, from_hex(self.raw), self.requester, self.account_nonce, "JobManager.open"
        )


class OpeningJournal(PendingRecords[OpeningRecord]):
    """Openings of jobs under one directory; see `PendingRecords`."""

    kind: ClassVar[type[Record]] = OpeningRecord
    what: ClassVar[str] = "an opening of"
    name_field: ClassVar[str] = "job_id"
