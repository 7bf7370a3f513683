"""Suggested prices: ranges that follow what was paid, and nothing where nothing is known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.demand_forecast import (
    LEAST_PERIODS,
    YEAR_SECONDS,
    Demand,
    Outlook,
    PaidUse,
    Quotes,
    ValueRange,
    forecast,
    periods_ahead,
)
from zkml.core.offering_suggestion import (
    WEIGHTS_PPM,
    CreatorRecord,
    Kinship,
    PricedOffering,
    SuggestionInput,
    scaled_value,
    suggest,
)
from zkml.errors import ConfigError

WEEK = 7 * 24 * 3600
AMOUNT = st.integers(0, 2**80 - 1)
PAYERS = st.sampled_from(["alice", "bob", "carol"])
USES = st.lists(st.builds(PaidUse, period=st.integers(0, 11), payer=PAYERS, income=AMOUNT), max_size=20)
QUOTES = st.builds(
    Quotes,
    waiting=st.integers(0, 9),
    waiting_income=AMOUNT,
    ended=st.integers(0, 9),
    used=st.integers(0, 9),
)
DEMANDS = st.builds(
    Demand,
    period_seconds=st.sampled_from([1, 3600, WEEK]),
    periods=st.integers(0, 12),
    uses=USES.map(tuple),
    quotes=QUOTES,
)
OUTLOOKS = st.builds(Outlook, st.integers(0, 10 * YEAR_SECONDS), st.integers(0, 10**7))
OFFERINGS = st.builds(
    PricedOffering,
    offering_id=st.integers(1, 99),
    model_id=st.integers(1, 99),
    kinship=st.sampled_from(Kinship),
    price=st.integers(1, 2**80 - 1),
    total_shares=st.integers(100, 10**12),
    income=AMOUNT,
    observed_seconds=st.integers(0, YEAR_SECONDS),
)
SEVERAL = st.lists(OFFERINGS, max_size=6).map(tuple)
RECORDS = st.builds(CreatorRecord, released=SEVERAL, defaulted=st.integers(0, 8))
SHARES = st.integers(100, 10**12)
YEAR = Outlook(YEAR_SECONDS, 0)
NEWCOMER = CreatorRecord()


def value_of(demand, comparables=(), record=NEWCOMER, outlook=YEAR, shares=100):
    """Return the range of all shares, zero where nothing is suggested."""
    found = suggest(demand, comparables, record, outlook=outlook, total_shares=shares)
    return found.value or ValueRange(0, 0)


@given(DEMANDS, SEVERAL, RECORDS, OUTLOOKS, SHARES)
def test_suggest__of_any_evidence__is_a_range_that_an_offering_can_have_or_nothing(
    demand, comparables, record, outlook, shares
):
    """Whatever strangers put on the chain: a range and no number, prices that fit the contract, weights that sum up."""
    found = suggest(demand, comparables, record, outlook=outlook, total_shares=shares)
    based = [each for each in found.inputs if each.value is not None]
    assert all(0 <= each.value.low <= each.value.high for each in based)
    assert sum(each.weight_ppm for each in found.inputs) == (10**6 if based else 0)
    assert all((each.value is None) == (each.weight_ppm == 0) == bool(each.reason) for each in found.inputs)
    assert (found.price is None) == bool(found.reason) == (found.basis == "none")
    if found.price is not None:
        assert 1 <= found.price.low < found.price.high < 2**80
        public = shares - shares * 49 // 100
        assert found.raise_total == (public * found.price.low, public * found.price.high)


@given(DEMANDS, SEVERAL, RECORDS, OUTLOOKS, st.data())
def test_suggest__more_paid__never_suggests_less(demand, comparables, record, outlook, data):
    """More income in any period, by anybody, old or new, lowers neither end."""
    period = data.draw(st.integers(0, 11))
    more = PaidUse(period, data.draw(st.sampled_from(["alice", "bob", "dave"])), data.draw(AMOUNT))
    grown = replace(demand, uses=(*demand.uses, more))
    before = value_of(demand, comparables, record, outlook)
    after = value_of(grown, comparables, record, outlook)
    assert after.low >= before.low
    assert after.high >= before.high


@given(DEMANDS, OUTLOOKS, st.integers(1, 10**12))
def test_forecast__all_amounts_times_a_factor__grows_by_that_factor(demand, outlook, factor):
    """The unit of money does not matter: only rounding down, to less than three units, lies between."""
    grown = replace(
        demand,
        uses=tuple(use._replace(income=use.income * factor) for use in demand.uses),
        quotes=replace(demand.quotes, waiting_income=demand.quotes.waiting_income * factor),
    )
    small, great = forecast(demand, outlook), forecast(grown, outlook)
    assert (small is None) == (great is None)
    for less, more in zip(small or (), great or (), strict=True):
        assert less * factor <= more < (less + 3) * factor


@given(SEVERAL, DEMANDS, st.integers(1, 10**6))
def test_scaled_value__of_any_offering__is_at_most_ten_times_its_own(offerings, demand, factor):
    """An income of one unit cannot make another model's price absurd."""
    for offering in offerings:
        low, high = scaled_value(offering, demand)
        assert offering.value // 10 <= low <= offering.value <= high <= 10 * offering.value


@given(DEMANDS, SEVERAL, SEVERAL, st.integers(0, 12))
def test_suggest__one_default_more__lowers_both_ends_or_leaves_nothing(
    demand, comparables, released, defaulted
):
    """A default never pays: each one cuts the range, and more of them than releases end it."""
    before = value_of(demand, comparables, CreatorRecord(released, defaulted=defaulted))
    record = CreatorRecord(released, defaulted=defaulted + 1)
    after = suggest(demand, comparables, record, outlook=YEAR, total_shares=100)
    left = after.value or ValueRange(0, 0)
    assert left.low <= before.low
    assert left.high <= before.high
    if defaulted + 1 > len(released):
        assert after.basis == "none"
        assert after.reason == "the creator defaulted more often than it released"


@given(DEMANDS.filter(lambda demand: demand.periods < LEAST_PERIODS), SHARES)
def test_suggest__nothing_known__suggests_nothing(demand, shares):
    """Too young a model of a new creator without anything alike has no basis, however much was paid on its first day."""
    found = suggest(demand, (), CreatorRecord(failed=2, running=1), outlook=YEAR, total_shares=shares)
    assert found.basis == "none"
    assert found.price is found.value is found.raise_total is None
    assert all(each.value is None and each.reason for each in found.inputs)


def test_suggest__nobody_paid_for_long_enough__is_a_basis_that_lowers_what_others_say():
    """An unused model is no unknown model: its demand counts as zero beside comparables."""
    alike = PricedOffering(1, 2, Kinship.CLASS, price=800, total_shares=100)
    unused = suggest(Demand(WEEK, 4), (alike,), CreatorRecord(), outlook=YEAR, total_shares=100)
    young = suggest(Demand(WEEK, 3), (alike,), CreatorRecord(), outlook=YEAR, total_shares=100)
    assert [each.weight_ppm for each in unused.inputs] == [625_000, 375_000, 0]
    assert [each.weight_ppm for each in young.inputs] == [0, 1_000_000, 0]
    # One comparable says half to double; with demand's zero: (150 + 0) / 2 and (600 + 1600) / 2.
    assert unused.price == (75, 1100)
    assert young.price == (400, 1600)
    nothing = suggest(Demand(WEEK, 4), (), CreatorRecord(), outlook=YEAR, total_shares=100)
    assert nothing.reason == "nobody has paid, and nothing alike was sold"


def test_forecast__computed_by_hand__agrees():
    """Four weeks of 100, 200, 0 and 300, without each week's largest payer 40, 0, 0 and 100; two weeks ahead, no discount."""
    uses = (
        PaidUse(0, "a", 60),
        PaidUse(0, "b", 40),
        PaidUse(1, "a", 200),
        PaidUse(3, "a", 200),
        PaidUse(3, "c", 100),
    )
    demand = Demand(WEEK, 4, uses, Quotes(waiting=3, waiting_income=90, ended=6, used=4))
    # low: the least week brings 0; high: the greatest brings 300, twice, and 60 of the quotes that wait.
    assert forecast(demand, Outlook(2 * WEEK, 0)) == (0, 660)
    # A year's rate of 100 % halves what comes after one year.
    yearly = Demand(
        YEAR_SECONDS, 4, tuple(PaidUse(period, "abcd"[i], 1000) for period in range(4) for i in (0, 1))
    )
    assert forecast(yearly, Outlook(YEAR_SECONDS, 10**6)) == (500, 1000)


def test_forecast__one_payer_alone__has_no_low_end():
    """Whoever is each period's only payer, as a creator in disguise, raises the high end and never the low one."""
    uses = tuple(PaidUse(period, "whale", 10**12) for period in range(12))
    low, high = forecast(Demand(WEEK, 12, uses), YEAR)
    assert low == 0
    assert high > 0


def test_forecast__quotes_alone__are_worth_nothing():
    """Jobs that are opened and not settled cost only time, so without income they raise no end."""
    quotes = Quotes(waiting=1000, waiting_income=2**80, ended=0, used=0)
    assert forecast(Demand(WEEK, 12, (), quotes), YEAR) == (0, 0)
    used = replace(quotes, ended=1, used=1)
    assert forecast(Demand(WEEK, 12, (), used), YEAR) == (0, 0)


def test_forecast__short_history__is_not_extrapolated_beyond_four_times_its_length():
    """Four good hours are no basis for ten years."""
    assert periods_ahead(Demand(3600, 4), Outlook(10 * YEAR_SECONDS, 0)) == 16
    assert periods_ahead(Demand(WEEK, 12), Outlook(2 * WEEK, 0)) == 2


def test_suggest__extreme_numbers__neither_overflow_nor_crash():
    """The greatest amounts of every field at once still give a price that the contract takes."""
    top = 2**256 - 1
    uses = tuple(PaidUse(period, str(payer), top) for period in range(104) for payer in range(3))
    demand = Demand(1, 104, uses, Quotes(top, top, top, top))
    alike = PricedOffering(1, 2, Kinship.FAMILY, 2**80 - 1, 10**12, top, top)
    found = suggest(
        demand, (alike,) * 64, CreatorRecord((alike,)), outlook=Outlook(top, top), total_shares=100
    )
    assert found.price == (2**80 - 2, 2**80 - 1)
    assert found.basis == "full"


def test_suggest__worth_less_than_two_units_a_share__says_so():
    """A range needs two prices, and the smallest unit is not split."""
    alike = PricedOffering(1, 2, Kinship.CLASS, price=1, total_shares=100)
    found = suggest(Demand(WEEK, 0), (alike,), CreatorRecord(), outlook=YEAR, total_shares=101)
    assert found.basis == "none"
    assert "take fewer shares" in found.reason


@pytest.mark.parametrize("shares", [0, 99, 10**12 + 1])
def test_suggest__impossible_number_of_shares__is_refused(shares):
    """What no offering can have is no suggestion's business."""
    with pytest.raises(ConfigError, match="whole shares"):
        suggest(Demand(WEEK, 12), (), CreatorRecord(), outlook=YEAR, total_shares=shares)


def test_suggest__few_units_a_share__rounds_the_low_end_down_and_the_high_end_up():
    """The range is not narrower than what it stands for: 393 to 406 units for 100 shares are 3 to 5 each."""
    alike = PricedOffering(1, 2, Kinship.CLASS, price=4, total_shares=100)
    found = suggest(Demand(WEEK, 0), (alike,) * 64, NEWCOMER, outlook=YEAR, total_shares=100)
    assert (found.value, found.price, found.raise_total) == ((393, 406), (3, 5), (153, 255))


@pytest.mark.parametrize(
    ("kept", "broken", "left"), [(0, 0, 10**6), (3, 0, 10**6), (1, 1, 400_000), (4, 1, 625_000), (1, 2, 0)]
)
def test_record__of_releases_and_defaults__leaves_a_part_of_the_range(kept, broken, left):
    """One default weighs as much as three releases, and with more defaults than releases nothing is left."""
    released = (PricedOffering(1, 2, Kinship.CREATOR, 4, 100),) * kept
    assert CreatorRecord(released, defaulted=broken).trust_ppm == left


def test_quotes__more_used_than_ended__never_promise_more_than_waits():
    """Counts that contradict each other make nothing out of nothing."""
    assert Quotes(waiting=1, waiting_income=10, ended=1, used=9).expected == 10
    assert Quotes(waiting=1, waiting_income=10, ended=4, used=1).expected == 2


def test_suggest__inputs_that_contradict_each_other__make_a_wide_range():
    """A mean would hide that one input says a hundred times what another does."""
    dear = PricedOffering(1, 2, Kinship.CLASS, price=10**6, total_shares=100)
    uses = tuple(PaidUse(period, payer, 10**5) for period in range(12) for payer in ("a", "b"))
    found = suggest(Demand(WEEK, 12, uses), (dear,) * 9, NEWCOMER, outlook=YEAR, total_shares=100)
    values = [each.value for each in found.inputs if each.value]
    assert found.value.low - values[0].low < (values[1].low - values[0].low) // 4
    assert found.value.high > values[1].high // 2


def test_weights__sum_to_the_whole():
    """The three inputs have half, three tenths and a fifth."""
    assert sum(WEIGHTS_PPM.values()) == 10**6
    assert list(WEIGHTS_PPM) == list(SuggestionInput)
