"""A request on a tab as the node remembers it, and the records that its stages file.

AcceptedRequest -> WitnessRecord -> RequestProof -> SettlementRecord
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from zkml.core.api_messages import State, TabOpening
from zkml.core.records import (
    Address,
    Amount,
    DigestText,
    HexBytes,
    Name,
    Record,
    SignedRequestRecord,
    from_hex,
)
from zkml.core.signed_requests import SignedRequest, request_from_record


class RequestState(StrEnum):
    """What became of a request; the words are those of `zkml.core.api_messages.State`."""

    WAITING = "waiting"
    """Accepted; its price counts against its tab."""
    WORKING = "working"
    """A stage was begun."""
    PROVED = "proved"
    """Proved and checked: the answer may be told, and the settlement is under way."""
    SETTLED = "settled"
    """Paid for, and deep enough in the chain."""
    REFUSED = "refused"
    """Through the requester's own doing there is nothing to settle; nothing is owed."""
    FAILED = "failed"
    """Not proved, or not collected, in time; nothing more is done about it."""

    @property
    def wire(self) -> State:
        """The state as clients are told."""
        return self.value


UNPROVED = (RequestState.WAITING, RequestState.WORKING)
UNSETTLED = (*UNPROVED, RequestState.PROVED)
"""The price of a request in one of these counts against its tab."""


class RequestStage(StrEnum):
    """The stages whose output is filed, in their order."""

    WITNESS = "witness"
    PROVE = "prove"
    SETTLE = "settle"


class AcceptedRequest(Record):
    """A signed request that the node took on, with its input: all that a restart needs.

    Attributes:
        request: what the tab's signer signed.
        prover: this node's account.
        did, model_id, name: the model.
        input: packed; hashes to the request's commitment.
        price: what settling draws from the tab.
        accepted_at: chain time in seconds.
        opening: of its tab, where this node has to open it first.
    """

    tag: ClassVar[str] = "zkml.accepted-request/1"

    request: SignedRequestRecord
    prover: Address
    did: Annotated[str, Field(max_length=128)]
    model_id: Amount
    name: Name
    input: HexBytes
    price: Amount
    accepted_at: int
    opening: TabOpening | None = None

    @property
    def signed(self) -> SignedRequest:
        """The request as the contract reads it."""
        record = self.request
        return request_from_record(record.chain_id, record.manager, record)

    @property
    def packed_input(self) -> bytes:
        """The input."""
        return from_hex(self.input)

    @property
    def tab_id(self) -> bytes:
        """The tab, 32 bytes."""
        return from_hex(self.request.tab_id)


class RequestProof(Record):
    """A proof of an accepted request, not checked yet."""

    tag: ClassVar[str] = "zkml.request-proof/1"

    witness: DigestText
    proof: HexBytes
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request in the journal.

    Attributes:
        id: digest of the signed request, 0x and 64 digits.
        accepted: what the node took on.
        state: what became of it.
        reason: of REFUSED and FAILED: code and words of the error; else the last trouble, or empty.
        failures: how often a stage failed through no fault of its surroundings.
    """

    id: str
    accepted: AcceptedRequest
    state: RequestState
    reason: str
    failures: int

    @property
    def digest(self) -> bytes:
        """The id, 32 bytes."""
        return from_hex(self.id)

    @property
    def expiry(self) -> int:
        """Chain time in seconds up to which the request itself may be settled; the tab may end before."""
        return self.accepted.request.expiry
