"""What a model was paid for so far, by whom, and what is asked of it now: from the chain's events alone.

What the creator's own addresses paid is left out, and what was paid by addresses that had payment tokens
straight from them. Neither stops somebody who sends tokens by a third address.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from marketplace.answers import fee_quote
from marketplace.block_times import EventScan
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.core.demand_forecast import Demand, PaidUse, Quotes
from zkml.core.market_identifiers import JobSpec, TabSpec
from zkml.core.pricing import Payment, payment_for
from zkml.core.revenue import holders_part
from zkml.errors import RpcError


class Tally(NamedTuple):
    """How many uses, and how much in the payment token's smallest unit."""

    uses: int
    amount: int


class Periods(NamedTuple):
    """The time observed.

    Attributes:
        seconds: length of a period.
        edges: the first height of each period, the oldest first.
        now: chain time in seconds, the end of the last period.
    """

    seconds: int
    edges: tuple[int, ...]
    now: int

    def of(self, block: int) -> int:
        """Return the period of a height; -1 before the first."""
        return bisect_right(self.edges, block) - 1


@dataclass(frozen=True, slots=True)
class Ask:
    """A job or a tab as it was opened.

    Attributes:
        payer: the requester.
        ends_at: last second in which it can be settled.
        block: height of the opening.
        reserved: what a tab holds; 0 for a job.
        income: the least that a job brings the model, before others' parts; 0 for a tab.
    """

    payer: str
    ends_at: int
    block: int
    reserved: int = 0
    income: int = 0


class Settled(NamedTuple):
    """One settlement: of which job or tab, by whom, and what it paid."""

    ask: bytes
    prover: str
    payment: Payment
    block: int


@dataclass(frozen=True, slots=True)
class DemandHistory:
    """A model's demand, and what was left out of it.

    Attributes:
        demand: what counts.
        paid_by_creator: what the creator's own addresses paid, and what that brought the holders.
        paid_by_funded: the same of addresses that had tokens straight from these.
        proved_by_creator: how many of the uses that count were proved by the creator's addresses.
        first_block: where the time observed begins.
        last_block: where it ends.
    """

    demand: Demand
    paid_by_creator: Tally
    paid_by_funded: Tally
    proved_by_creator: int
    first_block: int
    last_block: int


class DemandReader:
    """Reads what was paid for one model."""

    def __init__(
        self,
        manager: BoundContract,
        ledger: BoundContract,
        scan: EventScan,
        *,
        model_id: int,
        holders_ppm: int,
    ) -> None:
        """Bind it.

        Args:
            manager: the job manager.
            ledger: the revenue ledger.
            scan: up to which height.
            model_id: whose demand.
            holders_ppm: the holders' part of the model's revenue, in millionths.
        """
        self._manager, self._ledger, self._scan = manager, ledger, scan
        self._model = {"modelId": model_id}
        self._holders_ppm = holders_ppm

    def read(
        self, periods: Periods, *, since_block: int, own: Collection[str], funded: Collection[str]
    ) -> DemandHistory:
        """Read a model's demand.

        Args:
            periods: the time observed.
            since_block: since when the model could be used.
            own: the creator's addresses.
            funded: who had tokens straight from them.

        Raises:
            RpcError: settlements and what they paid do not match; see also `Chain.logs`.
        """
        asks = {**self._jobs(since_block), **self._tabs(since_block)}
        first = periods.edges[0] if periods.edges else self._scan.last_block + 1
        # What was opened before the time observed and may still wait, may have ended before it as well.
        start = min([first, *(ask.block for ask in asks.values() if ask.ends_at >= periods.now)])
        settled = self._settled(asks, start)
        uses = [(use, asks[use.ask].payer, self._net(use)) for use in settled if use.block >= first]
        outside = {*own, *funded}
        counted = [found for found in uses if found[1] not in outside]
        theirs = {name: ask for name, ask in asks.items() if ask.payer not in outside}
        quotes = self._quotes(theirs, settled, periods, set(self._given_up(start)))
        paid = tuple(PaidUse(periods.of(use.block), payer, income) for use, payer, income in counted)
        by_creator = [income for _, payer, income in uses if payer in own]
        by_funded = [income for _, payer, income in uses if payer in outside and payer not in own]
        return DemandHistory(
            demand=Demand(periods.seconds, len(periods.edges), paid, quotes),
            paid_by_creator=Tally(len(by_creator), sum(by_creator)),
            paid_by_funded=Tally(len(by_funded), sum(by_funded)),
            proved_by_creator=sum(use.prover in own for use, _, _ in counted),
            first_block=first,
            last_block=self._scan.last_block,
        )

    def _jobs(self, since: int) -> dict[bytes, Ask]:
        found = {}
        for event in self._scan.read(self._manager, "JobOpened", self._model, first_block=since):
            values, spec = event.arguments, JobSpec(*event.arguments["spec"])
            quote = fee_quote(values["quote"], where=f"in {event.log.transaction}")
            least = payment_for(quote, spec.min_prover_fee).revenue
            ask = Ask(values["requester"], spec.deadline, event.log.block, income=least)
            found[values["jobId"]] = ask
        return found

    def _tabs(self, since: int) -> dict[bytes, Ask]:
        found = {}
        for event in self._scan.read(self._manager, "TabOpened", self._model, first_block=since):
            values, spec = event.arguments, TabSpec(*event.arguments["spec"])
            ask = Ask(values["requester"], spec.expiry, event.log.block, reserved=spec.amount)
            found[values["tabId"]] = ask
        return found

    def _settled(self, asks: dict[bytes, Ask], first: int) -> list[Settled]:
        """Pair settlements with what the ledger booked for them in the same transaction, in order."""
        if not asks:
            return []
        settlements, booked = defaultdict(list), defaultdict(list)
        for event, ask in self._settlements(asks, first):
            settlements[event.log.transaction].append((event.log.index, ask, event))
        for event in self._scan.read(self._ledger, "RevenueSettled", self._model, first_block=first):
            booked[event.log.transaction].append((event.log.index, event.arguments))
        found = []
        for transaction in {**settlements, **booked}:
            moves = sorted(settlements[transaction], key=lambda move: move[0])
            payments = sorted(booked[transaction], key=lambda move: move[0])
            if len(moves) != len(payments):
                raise RpcError(
                    f"expected as many settlements as payments, found {len(moves)} and {len(payments)} in "
                    f"{transaction}",
                    hint="the endpoint keeps back events: ask another node",
                )
            found += [
                _paired(ask, event, paid) for (_, ask, event), (_, paid) in zip(moves, payments, strict=True)
            ]
        return found

    def _settlements(self, asks: dict[bytes, Ask], first: int) -> Iterator[tuple[Event, bytes]]:
        for name, key in (("JobSettled", "jobId"), ("RequestSettled", "tabId")):
            for event in self._scan.read(self._manager, name, first_block=first):
                if event.arguments[key] in asks:
                    yield event, event.arguments[key]

    def _net(self, use: Settled) -> int:
        return self._holders(use.payment.revenue)

    def _holders(self, revenue: int) -> int:
        """Return what of a revenue is the holders'."""
        return holders_part(revenue, self._holders_ppm)

    def _quotes(
        self, asks: dict[bytes, Ask], settled: list[Settled], periods: Periods, gone: set[bytes]
    ) -> Quotes:
        """Say what became of what was asked for, and what still waits."""
        drawn: dict[bytes, int] = {}
        revenue = price = 0
        for use in settled:
            if use.ask in asks:
                drawn[use.ask] = drawn.get(use.ask, 0) + use.payment.price
                revenue, price = revenue + use.payment.revenue, price + use.payment.price
        waiting = income = ended = used = 0
        for name, ask in asks.items():
            rest = ask.reserved - drawn.get(name, 0)
            is_done = name in drawn and rest <= 0
            if name not in gone and ask.ends_at >= periods.now and not is_done:
                waiting += 1
                income += self._holders(ask.income or (rest * revenue // price if price else 0))
            elif periods.of(ask.block) >= 0:
                ended, used = ended + 1, used + (name in drawn)
        return Quotes(waiting, income, ended, used)

    def _given_up(self, first: int) -> Iterator[bytes]:
        for name, key in (("JobCancelled", "jobId"), ("TabClosed", "tabId")):
            for event in self._scan.read(self._manager, name, first_block=first):
                yield event.arguments[key]


def _paired(ask: bytes, event: Event, paid: dict[str, int]) -> Settled:
    payment = Payment(paid["proverFee"], paid["revenue"], paid["platformAmount"])
    return Settled(ask, event.arguments["prover"], payment, event.log.block)
