"""What a contract was given to release an offering: found by the event, and checked against it."""

from dataclasses import dataclass

from marketplace.calldata import given_release
from marketplace.places import Where, receipt_at, sent_at
from marketplace.published_proofs import published_after
from zkml.adapters.evm.rpc import Chain
from zkml.core.digests import keccak256
from zkml.errors import BindingError


@dataclass(frozen=True, slots=True)
class OfferingReleased:
    """A release by a fresh proof, of which digests (keccak256) are kept, and what seeded the pool."""

    offering_id: int
    caller: str
    output_digest: bytes
    proof_digest: bytes
    seed_money: int
    seed_shares: int
    where: Where


@dataclass(frozen=True, slots=True)
class ReleaseData:
    """What the contract was given to release an offering, and who signed the transaction; anyone may."""

    released: OfferingReleased
    sender: str
    packed_output: bytes
    proof: bytes


def release_data(chain: Chain, offerings: str, released: OfferingReleased) -> ReleaseData:
    """Return output and proof of a release, checked against its event's digests.

    Args:
        chain: where it is.
        offerings: address of the contract of offerings.
        released: the event.

    Raises:
        EvidenceUnavailableError: the node no longer has the transaction, its receipt or the event in place of
            calldata; or calldata that can be read in two ways.
        BindingError: what was given is of another offering, output or proof.
        RpcError: see `Chain.request`.
    """
    sent = sent_at(chain, released.where)
    found = given_release(offerings, sent)
    if found is None:
        logs = receipt_at(chain, released.where).logs
        found = published_after(offerings, logs, released.where.log_index)
    number = released.offering_id
    carried = (found.subject, keccak256(found.packed_output), keccak256(found.proof))
    if carried != (number.to_bytes(32, "big"), released.output_digest, released.proof_digest):
        raise BindingError(
            f"expected the bytes of the release of offering {number}, found another offering, output or "
            f"proof in {released.where.transaction}"
        )
    return ReleaseData(released, sent.sender, found.packed_output, found.proof)
