"""What models have earned and who has taken it, from the revenue ledger's events."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.places import Where
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event


@dataclass(frozen=True, slots=True)
class RevenueSettled:
    """A settlement as the ledger booked it."""

    model_id: int
    prover: str
    prover_fee: int
    revenue: int
    platform_amount: int
    where: Where


@dataclass(frozen=True, slots=True)
class RevenueTaken:
    """Income that left a model.

    Attributes:
        event: LineageClaimed, OwnerIncomeClaimed, PartClaimed or PlatformCollected.
        model_id: whose income it was.
        receiver: the account that was credited; for lineage the ancestor's id in hexadecimal.
        amount: in the token's smallest unit.
        where: the event's place.
    """

    event: str
    model_id: int
    receiver: str
    amount: int
    where: Where


class RevenueEvents:
    """The events of one revenue ledger."""

    def __init__(self, contract: BoundContract, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of the ledger's deployment."""
        self._contract = contract
        self._from_block = from_block

    def settlements_of(self, model_id: int) -> Iterator[RevenueSettled]:
        """Yield what a model has earned, oldest first.

        Raises:
            RpcError: see `Chain.logs`.
        """
        for event in self._find("RevenueSettled", "modelId", model_id):
            values = event.arguments
            yield RevenueSettled(
                model_id,
                values["prover"],
                values["proverFee"],
                values["revenue"],
                values["platformAmount"],
                Where.of(event),
            )

    def taken_from(self, model_id: int) -> list[RevenueTaken]:
        """Return what has left a model, oldest first; raises as `settlements_of` does."""
        found = [
            *self._taken("LineageClaimed", "descendantId", "ancestorId", model_id),
            *self._taken("OwnerIncomeClaimed", "modelId", "owner", model_id),
            *self._taken("PartClaimed", "modelId", "receiver", model_id),
            *self._taken("SharesClaimed", "modelId", "holder", model_id),
            *self._taken("PlatformCollected", "modelId", "treasury", model_id),
        ]
        return sorted(found, key=lambda taken: (taken.where.block, taken.where.log_index))

    def returned(self, model_id: int) -> list[RevenueTaken]:
        """Return income given back to all shares of a model, oldest first: a pool's, or burned shares' (0x0).

        It counts as inherited from then on, besides what `claim_lineage` brought; raises as `settlements_of`.
        """
        return list(self._taken("SharesReturned", "modelId", "holder", model_id))

    def _taken(self, event: str, subject: str, receiver: str, model_id: int) -> Iterator[RevenueTaken]:
        for found in self._find(event, subject, model_id):
            to = found.arguments[receiver]
            name = to if isinstance(to, str) else f"{to:#x}"
            yield RevenueTaken(event, model_id, name, found.arguments["amount"], Where.of(found))

    def _find(self, event: str, subject: str, model_id: int) -> Iterator[Event]:
        return self._contract.find_events(event, {subject: model_id}, from_block=self._from_block)
