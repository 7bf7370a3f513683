"""The data of a price suggestion, from a deployment's events in bounded ranges of blocks."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from marketplace.block_times import BlockTimes, EventScan
from marketplace.demand_history import DemandHistory, DemandReader, Periods, Tally
from marketplace.jobs import JobManagerBinding
from marketplace.offering_history import (
    AlikeOfferings,
    CatalogueView,
    ModelClasses,
    OfferingReader,
    usable_since,
)
from marketplace.tokens import PaymentToken
from verifier_contracts.deployments import Deployment
from zkml.adapters.evm.rpc import Chain
from zkml.core.offering_suggestion import CreatorRecord
from zkml.core.progress import Progress, silent
from zkml.core.revenue import holders_ppm

MAX_OWN_MODELS = 16
"""Of so many of the creator's other models the uses are counted, the newest first."""


class MarketView(CatalogueView, Protocol):
    """What is read of a deployment; `zkml.wiring.Market` is one."""

    @property
    def chain(self) -> Chain:
        """Where it is."""

    @property
    def deployment(self) -> Deployment:
        """Its record."""

    @property
    def manager(self) -> JobManagerBinding:
        """Its job manager."""

    @property
    def token(self) -> PaymentToken:
        """What is paid in."""


class Scope(NamedTuple):
    """What is looked at.

    Attributes:
        period_seconds: length of a period, at least 1.
        periods: how many periods at most, the newest.
        leave_out: addresses whose payments do not count, besides the creator's.
    """

    period_seconds: int
    periods: int
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnModels:
    """The creator's other models: how many there are, and what those that were looked at were paid."""

    models: int
    looked_at: int
    paid: Tally


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a suggestion rests on.

    Attributes:
        model_id: what is to be offered.
        creator: who offers it, checksummed.
        own: the addresses that are taken for the creator's.
        funded: how many addresses had payment tokens straight from these.
        usable_since: height at which the model was PROVEN; None if it was not.
        history: of its demand.
        alike: offerings of models alike.
        record: of the creator's other offerings.
        own_models: the creator's other models.
    """

    model_id: int
    creator: str
    own: tuple[str, ...]
    funded: int
    usable_since: int | None
    history: DemandHistory
    alike: AlikeOfferings
    record: CreatorRecord
    own_models: OwnModels


def collect(market: MarketView, model_id: int, scope: Scope, *, progress: Progress = silent) -> Evidence:
    """Read what a price suggestion for a model rests on.

    Args:
        market: a deployment.
        model_id: what is to be offered.
        scope: what is looked at.
        progress: told after each range of blocks.

    Raises:
        NotRegisteredError: no such model.
        RpcError: events that contradict each other; see also `Chain.logs`.
    """
    return _Collector(market, scope, progress).collect(model_id)


@dataclass
class _Collector:
    """One run, up to the height at which it began."""

    market: MarketView
    scope: Scope
    progress: Progress
    now: int = field(init=False)
    scan: EventScan = field(init=False)
    times: BlockTimes = field(init=False)
    start: int = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.market.chain.now()
        self.scan = EventScan(self.market.chain.height(), self.progress)
        self.times = BlockTimes(self.market.chain)
        self.start = self.market.deployment.block

    def collect(self, model_id: int) -> Evidence:
        creator = self._creator_of(model_id)
        proven = dict(usable_since(self.scan, self.market.registry, first_block=self.start))
        own = self._own(model_id, creator)
        funded = self._funded_by(own) - set(own)
        offerings = OfferingReader(
            self.market,
            self.scan,
            self.times,
            proven=proven,
            period_seconds=self.scope.period_seconds,
            periods=self.scope.periods,
        )
        classes = ModelClasses(self.market, last_block=self.scan.last_block)
        return Evidence(
            model_id=model_id,
            creator=creator,
            own=own,
            funded=len(funded),
            usable_since=proven.get(model_id),
            history=self._demand(model_id, proven.get(model_id), own, funded),
            alike=offerings.alike(model_id, classes, own=own),
            record=offerings.record_of(creator, besides=model_id),
            own_models=self._own_models(offerings, model_id, creator),
        )

    def _creator_of(self, model_id: int) -> str:
        """Return who offers a model: its owner, or where a steward has it, who gave it to the steward."""
        owner = self.market.registry.owner_of(model_id)
        last = self.market.offerings.last_offering_of(model_id)
        if last == 0:
            return owner
        facts = self.market.offerings.facts(last)
        return facts.creator if owner == facts.steward else owner

    def _own(self, model_id: int, creator: str) -> tuple[str, ...]:
        registry = self.market.registry
        found = (creator, registry.publisher_of(model_id), registry.account_of(model_id))
        return tuple(dict.fromkeys((*found, *self.scope.leave_out)))

    def _funded_by(self, own: Collection[str]) -> set[str]:
        """Return who had payment tokens straight from some addresses, since the deployment."""
        return {
            event.arguments["to"]
            for address in own
            for event in self.scan.read(
                self.market.token.contract, "Transfer", {"from": address}, first_block=self.start
            )
        }

    def _demand(
        self, model_id: int, since: int | None, own: Collection[str], funded: Collection[str]
    ) -> DemandHistory:
        reader = DemandReader(
            self.market.manager.contract,
            self.market.ledger.contract,
            self.scan,
            model_id=model_id,
            holders_ppm=holders_ppm(self.market.ledger.split_of(model_id)),
        )
        first = self.scan.last_block + 1 if since is None else since
        return reader.read(self._periods(since), since_block=first, own=own, funded=funded)

    def _periods(self, since: int | None) -> Periods:
        """Return the whole periods up to now in which a model could be used."""
        seconds = self.scope.period_seconds
        if since is None:
            return Periods(seconds, (), self.now)
        count = max(0, min(self.scope.periods, (self.now - self.times.time_of(since)) // seconds))
        edges: list[int] = []
        for number in range(count, 0, -1):
            first = edges[-1] if edges else since
            instant = self.now - number * seconds
            edges.append(self.times.first_after(instant, first=first, last=self.scan.last_block))
        return Periods(seconds, tuple(edges), self.now)

    def _own_models(self, offerings: OfferingReader, model_id: int, creator: str) -> OwnModels:
        registered = self.scan.read(
            self.market.registry.contract, "ModelRegistered", {"publisher": creator}, first_block=self.start
        )
        others = [
            (event.arguments["modelId"], event.log.block)
            for event in registered
            if event.arguments["modelId"] != model_id
        ]
        looked_at = others[-MAX_OWN_MODELS:]
        last = self.scan.last_block
        paid = [offerings.income_between(number, block, last) for number, block in looked_at]
        total = Tally(sum(uses for uses, _ in paid), sum(amount for _, amount in paid))
        return OwnModels(len(others), len(looked_at), total)
