"""Fetch: get a job's input, from its opening transaction or by content address, and check it."""

from typing import ClassVar

from zkml.core.cid import Cid, parse_cid
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import DigestText, HexBytes, JobRequest, Record, from_hex, to_hex
from zkml.core.tensors import input_commitment
from zkml.errors import BindingError

SCHEME = "ipfs://"


class FetchedInput(Record):
    """A job's packed input, which hashes to what the job committed to."""

    tag: ClassVar[str] = "zkml.fetched-input/1"

    request: DigestText
    input: HexBytes


def fetch_input(request: JobRequest, store: ArtifactStore, *, limit_bytes: int) -> FetchedInput:
    """Get the packed input of a job; nothing else looks at it before it matches the commitment.

    Args:
        request: the job.
        store: where content addresses are looked up; no other address is followed.
        limit_bytes: largest input to read by content address.

    Raises:
        ArtifactNotFoundError: the store does not have it.
        DigestMismatchError: the store's bytes are not what the content address says.
        FormatError: the URI is no content address, or the input is larger than the limit.
        BindingError: the input is not what the job committed to.
    """
    packed = from_hex(request.input)
    if not packed:
        packed = store.read(cid_of_uri(request.input_uri), limit_bytes=limit_bytes)
    found = to_hex(input_commitment(packed))
    if found != request.input_commitment:
        raise BindingError(
            f"expected an input with keccak256 {request.input_commitment}, found {found} "
            f"in job {request.job_id}",
            hint="its requester committed to other bytes: nobody can settle it",
        )
    return FetchedInput(request=request.own_digest, input=to_hex(packed))


def cid_of_uri(uri: str) -> Cid:
    """Return the content identifier that a job's input URI names: `ipfs://<cid>` or the bare CID.

    Raises:
        FormatError: it is anything else, such as a path or a web address.
    """
    return parse_cid(uri.removeprefix(SCHEME))
