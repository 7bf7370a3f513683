"""What a requester must not lose: the signed opening of a job, kept before it leaves this machine.

One file per job, named by its id. A Ctrl-C after the transaction was sent leaves the file, and with it the
job's id and the bytes to send again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.core.market_identifiers import JobSpec
from zkml.core.records import MAX_NAMED_PROVERS, Address, Amount, Hex32, HexBytes, Record, from_hex
from zkml.errors import ArtifactNotFoundError, StorageError


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


@dataclass(frozen=True, slots=True)
class OpeningJournal:
    """Openings under one directory.

    `<job id>.json` while it is not known what became of one, `<job id>.done` when the chain has the job, and
    `<job id>.abandoned`, with a note, when the transaction opened nothing and never will.
    """

    directory: Path

    def keep(self, record: OpeningRecord) -> Path:
        """Write a record and flush it to disk.

        Raises:
            StorageError: no space or no permission; then nothing must be sent.
        """
        path = self.directory / f"{record.job_id}.json"
        write_atomically(path, record.to_bytes(), mode=0o600)
        return path

    def finish(self, record: OpeningRecord) -> None:
        """Mark an opening as seen on chain; the record stays."""
        path = self.directory / f"{record.job_id}.json"
        try:
            path.replace(path.with_suffix(".done"))
        except OSError as error:
            raise StorageError(f"expected to rename {path}, found {error.strerror}") from error

    def abandon(self, record: OpeningRecord, note: str) -> Path:
        """Put an opening aside that opened nothing and never will; record and note stay.

        Raises:
            StorageError: no space or no permission.
        """
        path = self.directory / f"{record.job_id}.json"
        kept = path.with_suffix(".abandoned")
        write_atomically(kept, record.model_copy(update={"note": note[:1000]}).to_bytes(), mode=0o600)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"expected to remove {path}, found {error.strerror}") from error
        return kept

    def pending(self) -> Iterator[OpeningRecord]:
        """Yield the openings that were signed and not yet seen on chain, by job id.

        Raises:
            FormatError: a record is damaged.
            StorageError: a record cannot be read.
        """
        for path in sorted(self.directory.glob("0x*.json")):
            yield _read(path)

    def find(self, job_id: str) -> OpeningRecord:
        """Return the record of a job.

        Raises:
            ArtifactNotFoundError: there is none.
            FormatError, StorageError: it is damaged, or cannot be read.
        """
        for suffix in (".json", ".done", ".abandoned"):
            path = self.directory / f"{job_id}{suffix}"
            if path.exists():
                return _read(path)
        raise ArtifactNotFoundError(f"expected an opening of {job_id}, found none in {self.directory}")


def _read(path: Path) -> OpeningRecord:
    try:
        return OpeningRecord.from_bytes(path.read_bytes(), where=str(path))
    except OSError as error:
        raise StorageError(f"expected a readable record, found {error.strerror} at {path}") from error
