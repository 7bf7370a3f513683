"""The federal holidays of the United States, against the published lists of the Office of Personnel Management."""

from datetime import date, timedelta

import pytest

from zkml.core.business_calendar import is_business_day
from zkml.core.federal_holidays import federal_holidays

EPOCH = date(1970, 1, 1)
PUBLISHED = {
    2022: "2021-12-31 01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26",
    2026: "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24",
}


@pytest.mark.parametrize("year", PUBLISHED)
def test_federal_holidays__published_years__as_observed(year):
    """Eleven days, moved where they fall on a weekend."""
    found = [(EPOCH + timedelta(number)).isoformat() for number in federal_holidays(year)]
    expected = [day if len(day) == 10 else f"{year}-{day}" for day in PUBLISHED[year].split()]
    assert found == expected


def test_federal_holidays__of_a_century__are_taken_by_the_calendar():
    """None is of a weekend or another's day, and never are more than seven days off in a row."""
    days = [day for year in range(2024, 2101) for day in federal_holidays(year)]
    assert len(set(days)) == len(days) == 11 * 77
    assert all(is_business_day(day) for day in days)
    table, run = frozenset(days), 0
    for day in range(days[0], days[-1]):
        run = 0 if is_business_day(day, table) else run + 1
        assert run <= 4
