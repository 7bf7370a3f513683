"""What happened to offerings, from the chain's events and calldata. Money is in the token's smallest unit."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.offering_answers import default_cause, offering_terms
from marketplace.places import Where
from marketplace.releases import OfferingReleased, ReleaseData, release_data
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.core.offering_machine import DefaultCause
from zkml.core.offering_terms import OfferingTerms
from zkml.errors import MarketError, RpcError


@dataclass(frozen=True, slots=True)
class OfferingOpened:
    """An offering as it was opened; `closes_at` is the last second in which shares can be reserved."""

    offering_id: int
    model_id: int
    creator: str
    shares: str
    fixed_weights: bool
    closes_at: int
    terms: OfferingTerms
    where: Where


@dataclass(frozen=True, slots=True)
class SharesReserved:
    """Whole shares that a holder bought of the offering."""

    offering_id: int
    holder: str
    count: int
    cost: int
    where: Where


@dataclass(frozen=True, slots=True)
class ResaleOffered:
    """Whole shares that a holder offers at the price from now on; 0: none any more."""

    offering_id: int
    holder: str
    count: int
    where: Where


@dataclass(frozen=True, slots=True)
class SharesPassedOn:
    """Whole shares that one holder bought of another, at the price."""

    offering_id: int
    seller: str
    buyer: str
    count: int
    cost: int
    where: Where


@dataclass(frozen=True, slots=True)
class SoftLocked:
    """The sale of the last share: when the lock ends, and the seed that the reveal hashes with the key."""

    offering_id: int
    unlock_at: int
    seed: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class KeyRevealed:
    """The artifact's key, 32 bytes, and when the release becomes possible."""

    offering_id: int
    key: bytes
    releasable_at: int
    where: Where


@dataclass(frozen=True, slots=True)
class OfferingDefaulted:
    """A default: why, who called it, and what holders get beyond their money."""

    offering_id: int
    cause: DefaultCause
    caller: str
    bonus: int
    reason: str
    where: Where


@dataclass(frozen=True, slots=True)
class HolderRepaid:
    """A holder who was credited after a failure or a default."""

    offering_id: int
    holder: str
    count: int
    amount: int
    where: Where


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Credits that an account took."""

    account: str
    to: str
    amount: int
    where: Where


class OfferingEvents:
    """The events of one contract of offerings."""

    def __init__(self, contract: BoundContract, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of its deployment."""
        self._contract = contract
        self._from_block = from_block

    def offerings(
        self, *, model_id: int | None = None, creator: str = "", from_block: int | None = None
    ) -> Iterator[OfferingOpened]:
        """Yield offerings, oldest first; of one model or one creator where given.

        Raises:
            RpcError: see `Chain.logs`.
        """
        start = self._from_block if from_block is None else from_block
        filters: dict[str, object] = {"creator": creator} if creator else {}
        if model_id is not None:
            filters["modelId"] = model_id
        for event in self._contract.find_events("OfferingOpened", filters, from_block=start):
            yield _opened(event)

    def opened(self, offering_id: int) -> OfferingOpened:
        """Return an offering as it was opened.

        Raises:
            MarketError: no such offering.
            RpcError: see `Chain.logs`.
        """
        for event in self._find("OfferingOpened", offering_id):
            return _opened(event)
        raise MarketError(f"expected an existing offering, found none with number {offering_id}")

    def reservations(self, offering_id: int) -> Iterator[SharesReserved]:
        """Yield what was reserved, oldest first; raises as `offerings` does."""
        for event in self._find("SharesReserved", offering_id):
            values = event.arguments
            yield SharesReserved(
                offering_id, values["holder"], values["count"], values["cost"], Where.of(event)
            )

    def resales(self, offering_id: int) -> Iterator[ResaleOffered]:
        """Yield what holders offered to each other, oldest first; raises as `offerings` does."""
        for event in self._find("ResaleOffered", offering_id):
            values = event.arguments
            yield ResaleOffered(offering_id, values["holder"], values["count"], Where.of(event))

    def passed_on(self, offering_id: int) -> Iterator[SharesPassedOn]:
        """Yield what holders bought of each other, oldest first; raises as `offerings` does."""
        for event in self._find("SharesPassedOn", offering_id):
            values = event.arguments
            parties = values["from"], values["to"]
            yield SharesPassedOn(offering_id, *parties, values["count"], values["cost"], Where.of(event))

    def holders(self, offering_id: int) -> dict[str, int]:
        """Return the whole shares of every account that reserved some, resales included; none of zero.

        What was paid back is not taken off; see `repaid`.

        Raises:
            RpcError: somebody passed on more than it had; see also `Chain.logs`.
        """
        found: dict[str, int] = {}
        for reserved in self.reservations(offering_id):
            found[reserved.holder] = found.get(reserved.holder, 0) + reserved.count
        for passed in self.passed_on(offering_id):
            found[passed.seller] = found.get(passed.seller, 0) - passed.count
            found[passed.buyer] = found.get(passed.buyer, 0) + passed.count
        if any(count < 0 for count in found.values()):
            raise RpcError(f"expected reservations before resales, found less in offering {offering_id}")
        return {holder: count for holder, count in found.items() if count}

    def soft_locked(self, offering_id: int) -> SoftLocked | None:
        """Return the sale of the last share, or None."""
        for event in self._find("SoftLocked", offering_id):
            values = event.arguments
            return SoftLocked(offering_id, values["unlockAt"], values["seed"], Where.of(event))
        return None

    def revealed(self, offering_id: int) -> KeyRevealed | None:
        """Return the reveal, or None."""
        for event in self._find("KeyRevealed", offering_id):
            values = event.arguments
            return KeyRevealed(offering_id, values["key"], values["releasableAt"], Where.of(event))
        return None

    def released(self, offering_id: int) -> OfferingReleased | None:
        """Return the release, or None."""
        for event in self._find("OfferingReleased", offering_id):
            values = event.arguments
            return OfferingReleased(
                offering_id,
                values["caller"],
                values["outputDigest"],
                values["proofDigest"],
                values["seedMoney"],
                values["seedShares"],
                Where.of(event),
            )
        return None

    def release_data(self, released: OfferingReleased) -> ReleaseData:
        """Return what the contract was given to release an offering; see `releases.release_data`."""
        return release_data(self._contract.chain, self._contract.address, released)

    def failed(self, offering_id: int) -> Where | None:
        """Return where a failed offering was closed, or None."""
        return next((Where.of(event) for event in self._find("OfferingFailed", offering_id)), None)

    def defaulted(self, offering_id: int) -> OfferingDefaulted | None:
        """Return the default, or None."""
        for event in self._find("OfferingDefaulted", offering_id):
            values = event.arguments
            cause = default_cause(values["cause"], where=f"in {event.log.transaction}")
            return OfferingDefaulted(
                offering_id, cause, values["caller"], values["bonus"], values["reason"], Where.of(event)
            )
        return None

    def repaid(self, offering_id: int) -> Iterator[HolderRepaid]:
        """Yield who was paid back, oldest first; raises as `offerings` does."""
        for event in self._find("HolderRepaid", offering_id):
            values = event.arguments
            yield HolderRepaid(
                offering_id, values["holder"], values["count"], values["amount"], Where.of(event)
            )

    def withdrawn(self, account: str) -> Iterator[Withdrawn]:
        """Yield what an account took of its credits, oldest first; raises as `offerings` does."""
        filters = {"account": account}
        for event in self._contract.find_events("Withdrawn", filters, from_block=self._from_block):
            yield Withdrawn(account, event.arguments["to"], event.arguments["amount"], Where.of(event))

    def _find(self, event: str, offering_id: int) -> Iterator[Event]:
        return self._contract.find_events(event, {"offeringId": offering_id}, from_block=self._from_block)


def _opened(event: Event) -> OfferingOpened:
    values, where = event.arguments, Where.of(event)
    terms = offering_terms(values["terms"], where=f"in {where.transaction}")
    if terms.model_id != values["modelId"]:
        raise RpcError(f"expected one model, found two in the opening in {where.transaction}")
    return OfferingOpened(
        values["offeringId"],
        terms.model_id,
        values["creator"],
        values["shares"],
        values["fixedWeights"],
        values["closesAt"],
        terms,
        where,
    )
