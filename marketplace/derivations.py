"""What a job's id says about it: a check of somebody's answers, for clients and auditors alike. No I/O.

A job's id is the hash of its requester, nonce and request. Who knows the id needs nobody's word for the
model, the input's commitment, the fee or the deadline: an endpoint that tells others gives another id.
"""

from zkml.core.identifiers import JobSpec, job_id
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError

MAX_NONCES = 100_000
"""How many jobs of one requester are searched for a job's nonce: a few seconds of hashing."""


def find_nonce(job: bytes, requester: str, spec: JobSpec, count: int, *, chain_id: int, manager: str) -> int:
    """Return the nonce with which a job's id is the hash of this requester and request.

    Args:
        job: id, 32 bytes.
        requester: who is said to have opened it, checksummed.
        spec: what is said to be asked for.
        count: how many jobs the requester has opened.
        chain_id: EIP-155 id.
        manager: address of the job manager.

    Raises:
        BindingError: the id is the hash of something else.
        EvidenceUnavailableError: the requester has opened more jobs than are searched.
    """
    if count > MAX_NONCES:
        raise EvidenceUnavailableError(f"expected at most {MAX_NONCES} jobs of {requester}, found {count}")
    # The newest first: most questions are about recent jobs.
    for nonce in reversed(range(count)):
        if job_id(chain_id, manager, requester, nonce, spec) == job:
            return nonce
    raise BindingError(
        f"expected {to_hex(job)} to be the hash of its request, found that none of {count} nonces "
        f"of {requester} gives it"
    )
