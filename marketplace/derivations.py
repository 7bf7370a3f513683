"""What an id or a quote says about the market's answers: checks for clients and auditors alike. No I/O.

A job's or tab's id is the hash of its requester, nonce and request. Who knows the id needs nobody's word for
the model, the circuit, the input's commitment, fees or deadline: an endpoint that tells others gives another
id.
"""

from collections.abc import Callable

from zkml.core.market_identifiers import JobSpec, TabSpec, job_id, tab_id
from zkml.core.pricing import FeeQuote, Payment, payment_for, signed_payment
from zkml.core.records import to_hex
from zkml.errors import BindingError, EvidenceUnavailableError, PaymentMismatchError

MAX_NONCES = 100_000
"""How many openings of one requester are searched for one's nonce: a few seconds of hashing."""


def find_nonce(job: bytes, requester: str, spec: JobSpec, count: int, *, chain_id: int, manager: str) -> int:
    """Return the nonce with which a job's id is the hash of this requester and request.

    Args:
        job: id, 32 bytes.
        requester: who is said to have opened it, checksummed.
        spec: what is said to be asked for.
        count: how many jobs and tabs the requester has opened.
        chain_id: EIP-155 id.
        manager: address of the job manager.

    Raises:
        BindingError: the id is the hash of something else.
        EvidenceUnavailableError: the requester has opened more than is searched.
    """
    return _search(job, requester, count, lambda nonce: job_id(chain_id, manager, requester, nonce, spec))


def find_tab_nonce(
    tab: bytes, requester: str, spec: TabSpec, count: int, *, chain_id: int, manager: str
) -> int:
    """Return the nonce with which a tab's id is the hash of this requester and spec; see `find_nonce`."""
    return _search(tab, requester, count, lambda nonce: tab_id(chain_id, manager, requester, nonce, spec))


def check_payment(quote: FeeQuote, found: Payment, *, model_fee: int | None = None) -> None:
    """Check that a payment follows from its quote and prover fee.

    Args:
        quote: what model and platform asked when the job or tab opened.
        found: what was paid.
        model_fee: what a signed request names; None for a job, whose model fee follows.

    Raises:
        PaymentMismatchError: it does not.
    """
    expected = (
        payment_for(quote, found.prover_fee)
        if model_fee is None
        else signed_payment(quote, model_fee, found.prover_fee)
    )
    if found != expected:
        raise PaymentMismatchError(
            f"expected {expected} for a prover fee of {found.prover_fee} under {quote}, found {found}"
        )


def _search(wanted: bytes, requester: str, count: int, id_of: Callable[[int], bytes]) -> int:
    if count > MAX_NONCES:
        raise EvidenceUnavailableError(
            f"expected at most {MAX_NONCES} openings of {requester}, found {count}"
        )
    # The newest first: most questions are about recent ones.
    for nonce in reversed(range(count)):
        if id_of(nonce) == wanted:
            return nonce
    raise BindingError(
        f"expected {to_hex(wanted)} to be the hash of its request, found that none of {count} nonces "
        f"of {requester} gives it"
    )
