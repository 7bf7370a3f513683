"""Chain times and spans of offerings as people read and write them: UTC and Pacific side by side."""

import re
from datetime import UTC, datetime, timedelta, timezone

from zkml.core.business_calendar import (
    DAY,
    LAST_SECOND,
    STANDARD_OFFSET,
    SUMMER_OFFSET,
    clock_changes,
    year_of,
)
from zkml.errors import ConfigError

_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
_CHANGE_HOUR = 2 * 3600
"""Clocks change at two o'clock, by the time that was valid before."""


def pacific_offset(timestamp: int) -> int:
    """Return how many seconds Los Angeles is behind UTC at a time.

    Args:
        timestamp: UTC seconds, from 2007 on, when the present rule came into force.
    """
    # Around New Year the year is told by standard time, which is then valid on both sides.
    summer, winter = clock_changes(year_of((timestamp - STANDARD_OFFSET) // DAY))
    begins = summer * DAY + _CHANGE_HOUR + STANDARD_OFFSET
    ends = winter * DAY + _CHANGE_HOUR + SUMMER_OFFSET
    return SUMMER_OFFSET if begins <= timestamp < ends else STANDARD_OFFSET


def describe_time(timestamp: int) -> str:
    """Write a chain time, e.g. `2026-11-23 08:00:00 UTC (Mon 00:00:00 PST)`; `-` for zero.

    Beyond the year 9999, which only a strange endpoint tells of, it stays a number.
    """
    if timestamp == 0:
        return "-"
    if timestamp > LAST_SECOND:
        return str(timestamp)
    offset = pacific_offset(timestamp)
    name = "PDT" if offset == SUMMER_OFFSET else "PST"
    there = datetime.fromtimestamp(timestamp, timezone(timedelta(seconds=-offset)))
    here = datetime.fromtimestamp(timestamp, UTC)
    return f"{here:%Y-%m-%d %H:%M:%S} UTC ({there:%a %H:%M:%S} {name})"


def describe_span(seconds: int) -> str:
    """Write a span by its two greatest units, e.g. `2d 4h`."""
    left, parts = max(seconds, 0), []
    for name in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[name])
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2]) or "0s"


def parse_span(text: str, what: str) -> int:
    """Read a span such as `30d`, `12h`, `10m` or `90s`, and return its seconds.

    Raises:
        ConfigError: another form; names `what`.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            f"expected a span as {what}, found {text!r:.40}",
            hint="a number and its unit: 30d, 2w, 12h, 10m or 90s",
        )
    return int(found[1]) * _UNITS[found[2]]
