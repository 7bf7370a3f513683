"""Offerings of a deployment as evidence of prices: those alike to a model, and those of one creator."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from marketplace.block_times import BlockTimes, EventScan
from marketplace.offering_events import OfferingEvents, OfferingOpened
from marketplace.revenue import RevenueLedgerBinding
from registry.lineage import LineageRegistryBinding
from registry.model_reader import ModelReader
from verifier_contracts.router import VerifierRouter
from zkml.core.demand_forecast import LEAST_PERIODS
from zkml.core.offering_machine import DefaultCause, OfferingFacts, OfferingStatus
from zkml.core.offering_suggestion import CreatorRecord, Kinship, PricedOffering
from zkml.core.revenue import holders_part, holders_ppm

MAX_COMPARED = 64
"""So many offerings alike are looked at, the newest first."""

_FOUND_BUYERS = (
    OfferingStatus.SOFT_LOCKED,
    OfferingStatus.REVEALED,
    OfferingStatus.RELEASABLE,
    OfferingStatus.TRADING,
)
_BROKEN = (OfferingStatus.DEFAULTED, OfferingStatus.OVERDUE)


class OfferingsView(Protocol):
    """What is read of the offering contract; see `marketplace.offerings`."""

    @property
    def events(self) -> OfferingEvents:
        """What happened to offerings."""

    def status(self, offering_id: int) -> OfferingStatus:
        """Return what an offering is now."""

    def facts(self, offering_id: int) -> OfferingFacts:
        """Return an offering's facts."""

    def last_offering_of(self, model_id: int) -> int:
        """Return a model's last offering, or 0."""


class CatalogueView(Protocol):
    """What is read of models."""

    @property
    def registry(self) -> ModelReader:
        """The model registry."""

    @property
    def lineage(self) -> LineageRegistryBinding:
        """Who derives from whom."""

    @property
    def router(self) -> VerifierRouter:
        """The circuits."""

    @property
    def ledger(self) -> RevenueLedgerBinding:
        """What models earned."""

    @property
    def offerings(self) -> OfferingsView:
        """The offerings."""


@dataclass(frozen=True, slots=True)
class AlikeOfferings:
    """Other creators' offerings of models of the same family or class.

    Attributes:
        sold: those that found their buyers and have not broken what was promised.
        running: how many are open.
        unsold: how many did not sell out.
        broken: how many defaulted or are overdue.
        not_looked_at: how many older ones there are.
    """

    sold: tuple[PricedOffering, ...] = ()
    running: int = 0
    unsold: int = 0
    broken: int = 0
    not_looked_at: int = 0


class ModelClasses:
    """Which models are alike: of one lineage family, or of one proof system and size class.

    The size class is the number of public elements in powers of two: what the chain knows of a circuit's
    size. A family is what shares an ancestor, and edges are declared, not proved.
    """

    def __init__(self, catalogue: CatalogueView, *, last_block: int) -> None:
        """Read the lineages that were declared up to a height."""
        self._catalogue = catalogue
        self._families = {
            found.child_id: {share.model_id for share in found.shares} | {found.child_id}
            for found in catalogue.lineage.declarations(to_block=last_block)
        }
        self._classes: dict[int, tuple[bytes, int]] = {}

    def kinship(self, model_id: int, other_id: int) -> Kinship | None:
        """Return how two models are alike, or None."""
        if not self._family(model_id).isdisjoint(self._family(other_id)):
            return Kinship.FAMILY
        return Kinship.CLASS if self.class_of(model_id) == self.class_of(other_id) else None

    def class_of(self, model_id: int) -> tuple[bytes, int]:
        """Return the proof system's id and the size class of a model's first circuit."""
        if model_id not in self._classes:
            circuit = self._catalogue.registry.commitment_of(model_id).circuit_id
            spec = self._catalogue.router.circuit(circuit)
            elements = spec.layout.input_count + spec.layout.output_count
            self._classes[model_id] = (spec.proof_system_id, elements.bit_length())
        return self._classes[model_id]

    def _family(self, model_id: int) -> set[int]:
        return self._families.get(model_id, {model_id})


class OfferingReader:
    """Reads what offerings say of prices."""

    def __init__(
        self,
        catalogue: CatalogueView,
        scan: EventScan,
        times: BlockTimes,
        *,
        proven: dict[int, int],
        period_seconds: int,
        periods: int,
    ) -> None:
        """Bind it.

        Args:
            catalogue: the bindings.
            scan: up to which height.
            times: of blocks.
            proven: at which height each model became usable.
            period_seconds: length of a period.
            periods: how many periods before an offering count for its income.
        """
        self._catalogue, self._scan, self._times, self._proven = catalogue, scan, times, proven
        self._period_seconds, self._periods = period_seconds, periods
        self._all = [
            found for found in catalogue.offerings.events.offerings() if found.where.block <= scan.last_block
        ]

    def alike(self, model_id: int, classes: ModelClasses, *, own: Collection[str]) -> AlikeOfferings:
        """Return other creators' offerings of models alike to one."""
        kin = [
            (found, kinship)
            for found in reversed(self._all)
            if found.model_id != model_id and found.creator not in own
            for kinship in [classes.kinship(model_id, found.model_id)]
            if kinship is not None
        ]
        looked_at = [(*each, self._status(each[0])) for each in kin[:MAX_COMPARED]]
        statuses = [status for *_, status in looked_at]
        return AlikeOfferings(
            sold=tuple(
                self._priced(found, kinship)
                for found, kinship, status in looked_at
                if status in _FOUND_BUYERS
            ),
            running=statuses.count(OfferingStatus.OPEN),
            unsold=statuses.count(OfferingStatus.FAILED),
            broken=sum(status in _BROKEN for status in statuses),
            not_looked_at=len(kin[MAX_COMPARED:]),
        )

    def record_of(self, creator: str, *, besides: int) -> CreatorRecord:
        """Return what became of a creator's offerings; of the model `besides`, if it failed or broke."""
        record = CreatorRecord()
        for found in self._all:
            if found.creator != creator:
                continue
            status = self._status(found)
            if found.model_id == besides and status not in (OfferingStatus.FAILED, *_BROKEN):
                continue
            if status is OfferingStatus.TRADING:
                priced = self._priced(found, Kinship.CREATOR)
                record = replace(record, released=(*record.released, priced))
            elif status is OfferingStatus.FAILED:
                record = replace(record, failed=record.failed + 1)
            elif self._is_blameless(found, status):
                record = replace(record, blameless=record.blameless + 1)
            elif status in _BROKEN:
                record = replace(record, defaulted=record.defaulted + 1)
            else:
                record = replace(record, running=record.running + 1)
        return record

    def income_between(self, model_id: int, first_block: int, last_block: int) -> tuple[int, int]:
        """Return how often a model was paid in a range of blocks, and what that brought the holders."""
        ppm = holders_ppm(self._catalogue.ledger.split_of(model_id))
        revenues = [
            event.arguments["revenue"]
            for event in self._scan.read(
                self._catalogue.ledger.contract,
                "RevenueSettled",
                {"modelId": model_id},
                first_block=first_block,
                last_block=last_block,
            )
        ]
        return len(revenues), sum(holders_part(revenue, ppm) for revenue in revenues)

    def _is_blameless(self, found: OfferingOpened, status: OfferingStatus) -> bool:
        if status is not OfferingStatus.DEFAULTED:
            return False
        ended = self._catalogue.offerings.events.defaulted(found.offering_id)
        return ended is not None and ended.cause is DefaultCause.TOMBSTONED

    def _status(self, found: OfferingOpened) -> OfferingStatus:
        return self._catalogue.offerings.status(found.offering_id)

    def _priced(self, found: OfferingOpened, kinship: Kinship) -> PricedOffering:
        """Return an offering with what its model brought before it opened."""
        priced = PricedOffering(
            found.offering_id, found.model_id, kinship, found.terms.price, found.terms.total_shares
        )
        usable = self._proven.get(found.model_id, found.where.block)
        opened_at, usable_at = self._times.time_of(found.where.block), self._times.time_of(usable)
        since = max(usable_at, opened_at - self._periods * self._period_seconds)
        if opened_at - since < LEAST_PERIODS * self._period_seconds:
            return priced
        first = self._times.first_after(since, first=usable, last=found.where.block)
        _, income = self.income_between(found.model_id, first, found.where.block)
        return replace(priced, income=income, observed_seconds=opened_at - since)


def usable_since(scan: EventScan, registry: ModelReader, *, first_block: int) -> Iterator[tuple[int, int]]:
    """Yield models with the height at which each became usable."""
    for event in scan.read(registry.contract, "ModelProven", first_block=first_block):
        yield event.arguments["modelId"], event.log.block
