"""The Pacific business calendar against the public time zone database, from 2024 to 2099."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from zkml.core.business_calendar import (
    clock_changes,
    first_day_from,
    is_business_day,
    midnight_of,
    unlock_at,
    weekday_of,
    year_of,
)

PACIFIC = ZoneInfo("America/Los_Angeles")
EPOCH = date(1970, 1, 1)
FIRST = int(datetime(2024, 1, 1, tzinfo=PACIFIC).timestamp())
LAST = int(datetime(2100, 1, 1, tzinfo=PACIFIC).timestamp())
LEAD = timedelta(hours=4)
HOLIDAYS = frozenset(
    (date(year, month, day) - EPOCH).days
    for year in range(2024, 2101)
    for month, day in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 24), (12, 25), (12, 26))
)


def expected(timestamp, holidays=()):
    """The same, said with the database's clocks: the next midnights, one by one, until one will do."""
    earliest = datetime.fromtimestamp(timestamp, UTC) + LEAD
    day = earliest.astimezone(PACIFIC).date()
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=PACIFIC)
        if midnight >= earliest and day.weekday() < 5 and (day - EPOCH).days not in holidays:
            return int(midnight.timestamp())
        day += timedelta(1)


def boundaries():
    """Every moment of 76 years about which clocks or days change, and those four hours before."""
    for year in range(2024, 2100):
        for day, hour in zip(clock_changes(year), (10, 9), strict=True):
            change = day * 86_400 + hour * 3600
            midnights = [midnight_of(day + k) for k in range(-3, 4)]
            for moment in (change, *midnights):
                for lead in (0, 4 * 3600):
                    yield from (moment - lead - 1, moment - lead, moment - lead + 1)
    for day in HOLIDAYS:
        for moment in (midnight_of(day), midnight_of(day + 1)):
            yield from (moment - 14_401, moment - 14_400, moment - 14_399)


@pytest.mark.parametrize("holidays", [frozenset(), HOLIDAYS], ids=["no holidays", "holidays"])
def test_unlock_at__110000_random_moments__as_the_time_zone_database_has_it(holidays):
    """At random moments of 76 years the calendar and the database agree to the second."""
    draw = random.Random(7)
    wrong = [
        moment
        for moment in (draw.randrange(FIRST, LAST) for _ in range(110_000))
        if unlock_at(moment, holidays) != expected(moment, holidays)
    ]
    assert not wrong


@pytest.mark.parametrize("holidays", [frozenset(), HOLIDAYS], ids=["no holidays", "holidays"])
def test_unlock_at__every_change_of_clocks_and_holiday__right_to_the_second(holidays):
    """A second before, at and after every change of clocks, and the midnights about it, the two agree."""
    moments = list(boundaries())
    assert len(moments) > 8_000
    assert not [moment for moment in moments if unlock_at(moment, holidays) != expected(moment, holidays)]


def test_midnight_of__every_day_of_the_century__as_the_time_zone_database_has_it():
    """Every day begins when the database says, in the year and on the weekday that it says."""
    for number in range((date(2024, 1, 1) - EPOCH).days, (date(2100, 1, 1) - EPOCH).days):
        day = EPOCH + timedelta(number)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=PACIFIC).timestamp())
        assert midnight_of(number) == midnight
        assert first_day_from(midnight) == number
        assert first_day_from(midnight + 1) == number + 1
        assert year_of(number) == day.year
        assert weekday_of(number) == day.isoweekday() % 7


def test_year_of__four_hundred_years__as_the_calendar_has_it():
    """Leap days of a whole Gregorian period, 2000 and 2100 among them, fall where they should."""
    first, last = (date(1970, 1, 1) - EPOCH).days, (date(2401, 1, 1) - EPOCH).days
    assert all(year_of(number) == (EPOCH + timedelta(number)).year for number in range(first, last))


def test_unlock_at__days_off_in_a_row__the_first_day_after_them():
    """A table of holidays is asked day by day, weekends are days off without it."""
    friday = (date(2026, 7, 3) - EPOCH).days
    assert not is_business_day(friday + 1)
    late_thursday = midnight_of(friday) - 14_399
    assert unlock_at(late_thursday) == midnight_of(friday + 3)
    assert unlock_at(late_thursday, {friday + 3, friday + 4}) == midnight_of(friday + 5)
    assert unlock_at(late_thursday - 1) == midnight_of(friday)
