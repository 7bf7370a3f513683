"""The bytes that the job manager was given to settle one signed request."""

from dataclasses import dataclass

from marketplace.calldata import GivenProof, given_settlements
from marketplace.published_proofs import published_after
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader
from zkml.core.market_identifiers import context_of
from zkml.core.records import to_hex
from zkml.errors import BindingError


@dataclass(frozen=True, slots=True)
class SettledRequest:
    """A proof that settled a signed request.

    Attributes:
        given: the proof.
        in_calldata: whether the transaction itself made the call.
    """

    given: GivenProof
    in_calldata: bool

    @property
    def own_input(self) -> bytes:
        """The input that was proved."""
        return self.given.packed_input

    @property
    def own_output(self) -> bytes:
        """The output that was proved."""
        return self.given.packed_output

    def context(self, chain_id: int, manager: str, payee: str) -> bytes:
        """Return what the proof had to be bound to."""
        return context_of(chain_id, manager, self.given.subject, payee)


def settled_request(reader: ChainReader, digest: bytes, settled: Event) -> SettledRequest:
    """Return the proof that settled a signed request, from calldata or from the event in its place.

    Args:
        reader: the chain.
        digest: of the request, 32 bytes.
        settled: its event RequestSettled.

    Raises:
        EvidenceUnavailableError: it is no direct call, and its receipt does not hold the event; or calldata
            that can be read in two ways.
        BindingError: calldata that does not decode, or the proof of another request or of jobs.
        RpcError: an event that does not decode.
    """
    mined, manager = reader.transaction_of(settled), reader.contracts.manager
    given = given_settlements(reader.chain.chain_id, manager, mined.sent)
    found = given or (published_after(manager, mined.receipt.logs, settled.log.index),)
    if len(found) != 1 or found[0].subject != digest or found[0].job_ids:
        raise BindingError(
            f"expected the proof of request {to_hex(digest)} in its settlement, found another "
            f"in {settled.log.transaction}"
        )
    return SettledRequest(found[0], given is not None)
