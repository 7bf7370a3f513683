"""Calls that were paid by a signature: kept before the signature is sent, until their answer is verified.

After a crash or a cut connection the same signed request is asked for again; a second one would be a second
payment for one answer.
"""

import contextlib
from collections.abc import Iterator
from typing import Annotated, ClassVar

from filelock import FileLock, Timeout
from pydantic import Field

from zkml.client.pending_records import MAX_NOTE, PendingRecords
from zkml.core.api_messages import TabOpening
from zkml.core.records import Address, Amount, Hex32, HexBytes, Record, SignedRequestRecord
from zkml.errors import StorageError

MAX_TERMS = 8192
"""Longest text of the payment requirements that a node asked for."""


class CallRecord(Record):
    """One paid call.

    Attributes:
        chain_id, genesis_hash, manager: which deployment it is for.
        request_id: digest of the signed request.
        did, model_id: the model.
        prover: who is paid.
        endpoint: base URL of the prover's API.
        private_allowed: whether that may be on this machine or in a private network.
        idempotency_key: sent with every repetition.
        input: packed.
        price: what the answer draws from the tab, in the token's smallest unit.
        request: what was signed.
        opening: the signature that opens its tab; None where the tab was open.
        terms: the payment requirements that the node asked for, as JSON.
        note: why it was put aside.
    """

    tag: ClassVar[str] = "zkml.call/1"

    chain_id: int
    genesis_hash: Hex32
    manager: Address
    request_id: Hex32
    did: Annotated[str, Field(max_length=128)]
    model_id: Amount
    prover: Address
    endpoint: Annotated[str, Field(max_length=300)]
    private_allowed: bool
    idempotency_key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    input: HexBytes
    price: Amount
    request: SignedRequestRecord
    opening: TabOpening | None = None
    terms: Annotated[str, Field(max_length=MAX_TERMS)]
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""


class CallJournal(PendingRecords[CallRecord]):
    """Paid calls under one directory; see `PendingRecords`."""

    kind: ClassVar[type[Record]] = CallRecord
    what: ClassVar[str] = "a call"
    name_field: ClassVar[str] = "request_id"

    @contextlib.contextmanager
    def held(self, request_id: str) -> Iterator[bool]:
        """Hold a call, or say that another thread or process does; the system frees it after a crash.

        Raises:
            StorageError: the lock file cannot be written.
        """
        path = self.directory / f".{request_id}.lock"
        lock = FileLock(path)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise StorageError(f"expected a writable {path}, found {error.strerror}") from error
        try:
            yield True
        finally:
            lock.release()
