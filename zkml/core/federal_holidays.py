"""The federal holidays of the United States, as days of the business calendar. No I/O.

What a deployment gives its calendar to begin with; later years are added by the admin's owner.

Source: 5 U.S.C. 6103, for employees who work from Monday to Friday.
"""

from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)
_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6

_FIXED = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
"""New Year, Juneteenth, Independence, Veterans, Christmas: month and day."""

_FLOATING = (
    (1, _MONDAY, 3),
    (2, _MONDAY, 3),
    (5, _MONDAY, -1),
    (9, _MONDAY, 1),
    (10, _MONDAY, 2),
    (11, _THURSDAY, 4),
)
"""King, Washington, Memorial, Labor, Columbus, Thanksgiving: month, weekday, which of them; -1: the last."""


def federal_holidays(year: int) -> tuple[int, ...]:
    """Return the days on which a year's federal holidays are observed, sorted.

    A holiday on a Saturday is observed the day before, one on a Sunday the day after: so New Year may be
    observed in the year before.

    Args:
        year: from 1971 to 9998.

    Returns:
        Calendar days since 1970-01-01, as `BusinessCalendar` counts them; never of a weekend.
    """
    fixed = [_observed(date(year, month, day)) for month, day in _FIXED]
    floating = [_nth(year, month, weekday, n) for month, weekday, n in _FLOATING]
    return tuple(sorted((day - _EPOCH).days for day in fixed + floating))


def _observed(day: date) -> date:
    return day + timedelta({_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    if n < 0:
        return _nth(year, month + 1, weekday, 1) - timedelta(7)
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))
