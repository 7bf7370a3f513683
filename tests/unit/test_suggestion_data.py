"""What a price suggestion reads: who paid what in which period, whose payments are left out, and what others sold."""

import dataclasses
from types import SimpleNamespace

import pytest

from marketplace.block_times import STEP_BLOCKS, BlockTimes, EventScan
from marketplace.demand_history import DemandReader, Periods, Tally
from marketplace.offering_history import MAX_COMPARED, ModelClasses, OfferingReader
from registry.lineage import AncestorShare
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.core.demand_forecast import PaidUse, Quotes
from zkml.core.market_identifiers import JobSpec, TabSpec
from zkml.core.offering_machine import DefaultCause, OfferingStatus
from zkml.core.offering_suggestion import Kinship, PricedOffering
from zkml.core.pricing import FeeQuote
from zkml.core.revenue import Part, PayeeKind
from zkml.errors import RpcError

CREATOR, FRIEND, ALICE, BOB, PROVER = ("0x" + digit * 40 for digit in "12345")
MODEL = 7
NOW = 10_000
QUOTE = FeeQuote(model_fee_floor=100, model_fee_ppm=0, flat_fee=0, platform_ppm=0)
HOLDERS_PPM = 800_000
# Ten blocks make a period of a hundred seconds: periods begin at heights 60, 70, 80 and 90.
PERIODS = Periods(100, (60, 70, 80, 90), NOW)


class Chronicle:
    """A contract with these events, which are told as filters and blocks ask for them."""

    artifact = SimpleNamespace(name="Chronicle")

    def __init__(self):
        self.events = []
        self.ranges = []

    def add(self, name, block, transaction="", **arguments):
        index = len(self.events)
        log = Log("0x", (), b"", block, "0xbb", transaction or f"0x{index}", index)
        self.events.append(Event(name, arguments, log))

    def find_events(self, name, filters=None, *, from_block, to_block):
        self.ranges.append((from_block, to_block))
        named = [event for event in self.events if event.name == name]
        for event in named:
            wanted = all(event.arguments[key] == value for key, value in (filters or {}).items())
            if wanted and from_block <= event.log.block <= to_block:
                yield event


class Market(Chronicle):
    """A job manager and a ledger in one, with the moves of requesters and provers."""

    def job(self, name, payer, block, *, deadline=NOW - 1, model=MODEL):
        spec = JobSpec(model, bytes(32), bytes(32), "", 5, 5, 1000, 0, 60, deadline, ())
        asked = {"spec": tuple(spec), "quote": tuple(QUOTE)}
        self.add("JobOpened", block, jobId=name, modelId=model, requester=payer, **asked)

    def tab(self, name, payer, block, *, amount=1000, expiry=NOW - 1):
        spec = TabSpec(MODEL, PROVER, payer, amount, expiry)
        asked = {"spec": tuple(spec), "quote": tuple(QUOTE)}
        self.add("TabOpened", block, tabId=name, modelId=MODEL, requester=payer, **asked)

    def settle(self, name, block, revenue, *, transaction, event="JobSettled", prover=PROVER, model=MODEL):
        key = "jobId" if event == "JobSettled" else "tabId"
        self.add(event, block, transaction, **{key: name, "prover": prover})
        self.book(block, revenue, transaction=transaction, model=model)

    def draw(self, name, block, revenue, *, transaction):
        self.settle(name, block, revenue, transaction=transaction, event="RequestSettled")

    def book(self, block, revenue, *, transaction, model=MODEL):
        paid = {"proverFee": 100, "revenue": revenue, "platformAmount": 0}
        self.add("RevenueSettled", block, transaction, modelId=model, prover=PROVER, **paid)

    def read(self, *, own=(CREATOR,), funded=()):
        reader = DemandReader(self, self, EventScan(99), model_id=MODEL, holders_ppm=HOLDERS_PPM)
        return reader.read(PERIODS, since_block=5, own=own, funded=funded)


def test_demand__of_jobs_and_tabs__is_counted_by_payer_and_period_after_lineage():
    """Each settlement counts in its period, for whoever asked, with what is left for holders."""
    market = Market()
    market.job("a", ALICE, 10)
    market.job("b", BOB, 61)
    market.tab("t", ALICE, 62)
    market.settle("a", 65, 1000, transaction="0xa")
    market.settle("b", 90, 500, transaction="0xb")
    market.draw("t", 90, 11, transaction="0xc")
    found = market.read()
    assert found.demand.uses == (PaidUse(0, ALICE, 800), PaidUse(3, BOB, 400), PaidUse(3, ALICE, 9))
    assert found.demand.totals == [800, 0, 0, 409]
    assert found.demand.totals_without_largest == [0, 0, 0, 9]
    assert (found.first_block, found.last_block) == (60, 99)


def test_demand__settled_before_the_time_observed__does_not_count():
    """What came before the first period is no evidence of the present."""
    market = Market()
    market.job("a", ALICE, 10)
    market.settle("a", 59, 1000, transaction="0xa")
    assert market.read().demand.uses == ()


def test_demand__paid_by_the_creator_or_whom_it_funded__is_left_out_and_said():
    """A creator who asks its own model raises nothing, by its own address or by one that it sent tokens to."""
    market = Market()
    for number, payer in enumerate((CREATOR, FRIEND, ALICE)):
        name, place = f"job{number}", f"0x{number}"
        market.job(name, payer, 70)
        market.settle(name, 75, 100, transaction=place, prover=CREATOR)
    found = market.read(funded={FRIEND})
    assert [use.payer for use in found.demand.uses] == [ALICE]
    assert found.paid_by_creator == Tally(1, 80)
    assert found.paid_by_funded == Tally(1, 80)
    assert found.proved_by_creator == 1
    assert found.demand.quotes == Quotes(ended=1, used=1)


def test_demand__several_settlements_in_one_transaction__are_paired_in_their_order():
    """A batch pays each of its jobs, and other models' settlements in between are none of this one's."""
    market = Market()
    market.job("a", ALICE, 70)
    market.job("b", BOB, 70)
    market.job("other", BOB, 70, model=8)
    for name, revenue, model in (("b", 20, MODEL), ("other", 999, 8), ("a", 10, MODEL)):
        market.settle(name, 75, revenue, transaction="0xbatch", model=model)
    assert market.read().demand.by_payer == {BOB: 16, ALICE: 8}


def test_demand__payment_without_a_settlement__is_the_endpoints_lie():
    """An endpoint that keeps settlements back cannot make one payer's money another's."""
    market = Market()
    market.job("a", ALICE, 70)
    market.settle("a", 75, 10, transaction="0xa")
    market.book(76, 10, transaction="0xhidden")
    with pytest.raises(RpcError, match="found 0 and 1"):
        market.read()


def test_quotes__of_jobs_and_tabs__wait_or_have_ended():
    """What can still be settled waits; what was cancelled, closed, or is past its time has ended."""
    market = Market()
    for name in ("used", "expired", "cancelled", "waiting"):
        market.job(name, ALICE, 70, deadline=NOW if name == "waiting" else NOW - 1)
    market.job("cancelled early", ALICE, 55, deadline=NOW + 9)
    market.tab("closed", BOB, 70, expiry=NOW + 9)
    market.tab("half drawn", BOB, 50, amount=600, expiry=NOW)
    market.settle("used", 75, 100, transaction="0xa")
    market.draw("half drawn", 52, 300, transaction="0xb")
    market.add("JobCancelled", 76, jobId="cancelled")
    market.add("JobCancelled", 56, jobId="cancelled early")
    market.add("TabClosed", 76, tabId="closed")
    # The job brings 100; of the tab 200 are left, of which the model has had 400 of 600 so far.
    assert market.read().demand.quotes == Quotes(waiting=2, waiting_income=80 + 107, ended=4, used=1)


def test_first_after__in_any_chain__is_the_first_later_block():
    """The height of an instant is found by halving, with equal times and at both ends."""
    times = [0, 5, 5, 5, 9, 20]
    chain = SimpleNamespace(block=lambda height: SimpleNamespace(timestamp=times[height]))
    for instant in range(-1, 22):
        expected = next((height for height in range(1, 6) if times[height] > instant), 6)
        assert BlockTimes(chain).first_after(instant, first=1, last=5) == expected


def test_scan__of_a_long_chain__asks_for_bounded_ranges_and_reports_each():
    """No question spans more than so many blocks, none goes beyond the scan's end, and each is reported."""
    told, chronicle = [], Chronicle()
    chronicle.add("Happened", 2 * STEP_BLOCKS)
    scan = EventScan(2 * STEP_BLOCKS, told.append)
    assert len(list(scan.read(chronicle, "Happened", first_block=1, last_block=10**9))) == 1
    assert chronicle.ranges == [(1, STEP_BLOCKS), (STEP_BLOCKS + 1, 2 * STEP_BLOCKS)]
    assert [event.finished for event in told] == [False, True]
    assert told[0].note == f"block {STEP_BLOCKS} of {2 * STEP_BLOCKS}"


@dataclasses.dataclass
class Offered:
    """An offering as its event tells of it."""

    offering_id: int
    model_id: int
    creator: str
    status: OfferingStatus
    block: int = 90
    cause: DefaultCause = DefaultCause.OVERDUE

    @property
    def where(self):
        return SimpleNamespace(block=self.block)

    @property
    def terms(self):
        return SimpleNamespace(price=10 * self.offering_id, total_shares=1000)


class Catalogue(Market):
    """Models 7 and 8 of one class, 9 of another, 5 of another class but a common ancestor with 7."""

    def __init__(self, *offered):
        super().__init__()
        by_id = {each.offering_id: each for each in offered}
        ended = lambda number: SimpleNamespace(cause=by_id[number].cause)  # noqa: E731
        self.offerings = SimpleNamespace(
            events=SimpleNamespace(offerings=lambda: iter(offered), defaulted=ended),
            status=lambda number: by_id[number].status,
        )
        lineages = {7: (3,), 5: (4, 3), 9: (4,)}
        self.lineage = SimpleNamespace(
            declarations=lambda to_block: [
                SimpleNamespace(child_id=child, shares=[AncestorShare(number, 1) for number in ancestors])
                for child, ancestors in lineages.items()
            ]
        )
        self.registry = SimpleNamespace(commitment_of=lambda model: SimpleNamespace(circuit_id=model))
        self.router = SimpleNamespace(circuit=self._circuit)
        split = (Part(PayeeKind.LINEAGE, 200_000, ""), Part(PayeeKind.HOLDERS, HOLDERS_PPM, ""))
        self.ledger = SimpleNamespace(contract=self, split_of=lambda model: split)
        chain = SimpleNamespace(block=lambda height: SimpleNamespace(timestamp=10 * height))
        self.offering_reader = OfferingReader(
            self, EventScan(99), BlockTimes(chain), proven={8: 20}, period_seconds=100, periods=5
        )

    @staticmethod
    def _circuit(model):
        layout = SimpleNamespace(input_count={9: 100, 5: 100}.get(model, 11), output_count=2)
        return SimpleNamespace(proof_system_id=b"halo", layout=layout)

    def alike(self):
        return self.offering_reader.alike(MODEL, ModelClasses(self, last_block=99), own=(CREATOR,))

    def record(self):
        return self.offering_reader.record_of(CREATOR, besides=MODEL)


def test_alike__of_family_or_class__and_by_others_alone():
    """Comparable is another creator's offering with a common ancestor, or of one proof system and size class."""
    trading = OfferingStatus.TRADING
    found = Catalogue(
        Offered(1, 8, ALICE, trading),
        Offered(2, 5, ALICE, OfferingStatus.SOFT_LOCKED),
        Offered(3, 9, ALICE, trading),
        Offered(4, 8, CREATOR, trading),
        Offered(5, MODEL, ALICE, trading),
    ).alike()
    assert [(each.offering_id, each.kinship) for each in found.sold] == [
        (2, Kinship.FAMILY),
        (1, Kinship.CLASS),
    ]


def test_alike__unsold_open_and_broken_offerings__are_counted_and_no_price():
    """A price that nobody paid, or that was paid for nothing, is no evidence."""
    states = (OfferingStatus.OPEN, OfferingStatus.FAILED, OfferingStatus.OVERDUE, OfferingStatus.DEFAULTED)
    found = Catalogue(*(Offered(number, 8, ALICE, state) for number, state in enumerate(states, 1))).alike()
    assert (found.sold, found.running, found.unsold, found.broken) == ((), 1, 1, 2)


def test_alike__very_many__are_cut_to_the_newest_and_said():
    """Whoever opens offerings by the thousand costs a reader no more than so many questions."""
    offered = (Offered(number, 8, ALICE, OfferingStatus.FAILED) for number in range(1, MAX_COMPARED + 11))
    found = Catalogue(*offered).alike()
    assert (found.unsold, found.not_looked_at) == (MAX_COMPARED, 10)


def test_alike__income_before_the_opening__is_what_holders_got_in_the_time_before():
    """The multiple of income is that of the day of the offering: five periods before it, none of it after."""
    catalogue = Catalogue(Offered(1, 8, ALICE, OfferingStatus.TRADING, block=90))
    for block, revenue in ((30, 10**6), (45, 1000), (90, 500), (91, 10**6)):
        catalogue.book(block, revenue, transaction=f"0x{block}", model=8)
    expected = PricedOffering(1, 8, Kinship.CLASS, 10, 1000, income=1200, observed_seconds=500)
    assert catalogue.alike().sold == (expected,)
    young = Catalogue(Offered(1, 8, ALICE, OfferingStatus.TRADING, block=59))
    assert young.alike().sold == (PricedOffering(1, 8, Kinship.CLASS, 10, 1000),)


def test_record__of_a_creator__tells_broken_from_unlucky():
    """Overdue counts as default before anybody says so; a tombstone is nobody's fault; others' offerings do not count."""
    states = [
        (1, OfferingStatus.TRADING, DefaultCause.NONE),
        (2, OfferingStatus.FAILED, DefaultCause.NONE),
        (3, OfferingStatus.OVERDUE, DefaultCause.NONE),
        (4, OfferingStatus.DEFAULTED, DefaultCause.REFUTED),
        (5, OfferingStatus.DEFAULTED, DefaultCause.TOMBSTONED),
        (6, OfferingStatus.OPEN, DefaultCause.NONE),
    ]
    own = [Offered(number, 8, CREATOR, status, cause=cause) for number, status, cause in states]
    this = [
        Offered(7, MODEL, CREATOR, OfferingStatus.OPEN),
        Offered(8, MODEL, CREATOR, OfferingStatus.FAILED),
    ]
    found = Catalogue(*own, *this, Offered(9, 8, ALICE, OfferingStatus.DEFAULTED)).record()
    assert [each.offering_id for each in found.released] == [1]
    counts = (found.failed, found.defaulted, found.blameless, found.running)
    assert counts == (2, 2, 1, 1)
