"""What a requester must not lose: the signed opening of a job, kept before it leaves this machine.

One file per job, named by its id. A Ctrl-C after the transaction was sent leaves the file, and with it the
job's id and the bytes to send again.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.pending_records import PendingRecords
from zkml.core.records import MAX_NAMED_PROVERS, Address, AskedJob, Hex32, HexBytes, Record, from_hex


class OpeningRecord(AskedJob):
    """A job's opening, as it was signed; its id is predicted from the nonces that the chain had then.

    Attributes:
        genesis_hash: the chain's, beside its id.
        nonce: how many jobs and tabs the requester had opened at that time.
        raw, transaction, account_nonce: the signed transaction.
        note: why it was put aside.
    """

    tag: ClassVar[str] = "zkml.opening/2"

    genesis_hash: Hex32
    nonce: int
    provers: Annotated[tuple[Address, ...], Field(max_length=MAX_NAMED_PROVERS)] = ()
    transaction: Hex32
    raw: HexBytes
    account_nonce: int
    note: Annotated[str, Field(max_length=1000)] = ""

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
