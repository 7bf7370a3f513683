"""When business begins on the Pacific coast of the United States, in integers. No I/O, no time zone database.

The twin of `BusinessCalendar`: tests hold the two, and the public time zone database, equal. Days are numbers
of calendar days since 1970-01-01, which is day 0, in Los Angeles. Clocks follow the rule in force since 2007.
"""

from collections.abc import Container

DAY = 86_400
LEAD_SECONDS = 4 * 3600
"""How far ahead at least an offering unlocks."""
STANDARD_OFFSET = 8 * 3600
SUMMER_OFFSET = 7 * 3600
LAST_SECOND = 253_402_300_799
"""Of the year 9999: what comes later is no date that people read, and stays a number."""

_MARCH, _NOVEMBER = 3, 11
_EPOCH_FROM_YEAR_0 = 719_468
_DAYS_MARCH_TO_DECEMBER = 306


def unlock_at(timestamp: int, holidays: Container[int] = ()) -> int:
    """Return the first 00:00 of a business day that is at least four hours ahead.

    Args:
        timestamp: UTC seconds, from 1970-01-02 on.
        holidays: the days that count as holidays: for an offering the first `holidayCount` of the contract,
            as noted when it opened.

    Returns:
        UTC seconds.
    """
    day = first_day_from(timestamp + LEAD_SECONDS)
    while not is_business_day(day, holidays):
        day += 1
    return midnight_of(day)


def is_business_day(day: int, holidays: Container[int] = ()) -> bool:
    """Whether a day is neither of a weekend nor a holiday."""
    return weekday_of(day) % 6 != 0 and day not in holidays


def midnight_of(day: int) -> int:
    """Return when a day begins, in UTC seconds."""
    summer, winter = clock_changes(year_of(day))
    # Of the days of change themselves, midnight comes before the change.
    return day * DAY + (SUMMER_OFFSET if summer < day <= winter else STANDARD_OFFSET)


def first_day_from(timestamp: int) -> int:
    """Return the first day that begins at or after a time."""
    # Summer or not, it is then the day before, or the one that begins now.
    day = (timestamp - SUMMER_OFFSET) // DAY
    return day + 1 if midnight_of(day) < timestamp else day


def weekday_of(day: int) -> int:
    """Return 0 for a Sunday to 6 for a Saturday; day 0 was a Thursday."""
    return (day + 4) % 7


def clock_changes(year: int) -> tuple[int, int]:
    """Return the days of a year on which clocks go forward and back."""
    return _sunday(year, _MARCH, 2), _sunday(year, _NOVEMBER, 1)


def year_of(day: int) -> int:
    """Return the year that a day is in."""
    era, day_of_era = divmod(day + _EPOCH_FROM_YEAR_0, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    # Years are counted from March, so that a leap day ends one.
    return era * 400 + year_of_era + (day_of_year >= _DAYS_MARCH_TO_DECEMBER)


def _sunday(year: int, month: int, n: int) -> int:
    first = _first_of(year, month)
    return first + -weekday_of(first) % 7 + 7 * (n - 1)


def _first_of(year: int, month: int) -> int:
    """Return the first day of March or a later month."""
    march_years = year * 365 + year // 4 - year // 100 + year // 400
    return march_years + (153 * (month - _MARCH) + 2) // 5 - _EPOCH_FROM_YEAR_0
