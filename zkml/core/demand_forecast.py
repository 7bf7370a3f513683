"""What a model's holders may earn, forecast from what was paid so far: integers alone, rounded down.

What was observed is cut into periods of one length. The low end takes the lower quartile of the periods, or
their mean where that is less, and leaves the largest payer of each period out; the high end takes the upper
quartile, or the mean where that is more, and adds quotes that still wait. Each is then paid once a period
over the horizon, and a payment t seconds away is worth 1 / (1 + d * t / year) of one today.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from zkml.core.pricing import PPM

YEAR_SECONDS = 365 * 24 * 3600
LEAST_PERIODS = 4
"""With fewer whole periods there is no variation to speak of."""
MOST_AHEAD = 4
"""No more than so many times what was observed is looked ahead."""

_SCALE = 10**18


class ValueRange(NamedTuple):
    """A least and a greatest value, in the payment token's smallest unit."""

    low: int
    high: int


class PaidUse(NamedTuple):
    """One settled job or signed request.

    Attributes:
        period: in which it was settled, from 0 for the oldest.
        payer: the requester's address.
        income: what it brought the holders.
    """

    period: int
    payer: str
    income: int


@dataclass(frozen=True, slots=True)
class Quotes:
    """Jobs and tabs that were opened at a quoted price in the time observed.

    Attributes:
        waiting: how many can still be settled.
        waiting_income: what these would bring the holders.
        ended: how many others there were.
        used: how many of those were settled at least once.
    """

    waiting: int = 0
    waiting_income: int = 0
    ended: int = 0
    used: int = 0

    @property
    def expected(self) -> int:
        """What of the waiting income comes, if as many are used as before."""
        return self.waiting_income * min(self.used, self.ended) // self.ended if self.ended else 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What was paid for a model, and by whom.

    Attributes:
        period_seconds: length of a period, at least 1.
        periods: how many whole periods were observed.
        uses: what was settled in them.
        quotes: what was asked for in them.
    """

    period_seconds: int
    periods: int
    uses: tuple[PaidUse, ...] = ()
    quotes: Quotes = Quotes()

    @property
    def seconds(self) -> int:
        """How long was observed."""
        return self.periods * self.period_seconds

    @property
    def is_long_enough(self) -> bool:
        """Whether anything follows from it, be it that nobody pays."""
        return self.periods >= LEAST_PERIODS

    @property
    def income(self) -> int:
        """What all uses brought the holders."""
        return sum(self.totals)

    @property
    def totals(self) -> list[int]:
        """What each period brought, the oldest first."""
        return [sum(paid.values()) for paid in self._by_payer()]

    @property
    def totals_without_largest(self) -> list[int]:
        """What each period brought without whoever paid most in it."""
        return [sum(paid.values()) - max(paid.values(), default=0) for paid in self._by_payer()]

    @property
    def by_payer(self) -> dict[str, int]:
        """What each payer brought in all periods."""
        found: dict[str, int] = defaultdict(int)
        for paid in self._by_payer():
            for payer, income in paid.items():
                found[payer] += income
        return dict(found)

    def _by_payer(self) -> list[dict[str, int]]:
        found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for use in self.uses:
            found[use.period][use.payer] += use.income
        return [found.get(period, {}) for period in range(self.periods)]


class Outlook(NamedTuple):
    """How far a forecast looks, and what it makes of the time until money comes.

    Attributes:
        horizon_seconds: how far at most.
        discount_ppm: simple yearly rate in millionths, not compounded.
    """

    horizon_seconds: int
    discount_ppm: int


def periods_ahead(demand: Demand, outlook: Outlook) -> int:
    """Return how many periods a forecast looks ahead."""
    return min(outlook.horizon_seconds // demand.period_seconds, MOST_AHEAD * demand.periods)


def forecast(demand: Demand, outlook: Outlook) -> ValueRange | None:
    """Return what all shares of a model may bring their holders over the horizon, as of today.

    More paid, in whatever period and by whomever, never makes an end smaller.

    Returns:
        A range whose low end is at most its high end; None where too few periods were observed.
    """
    if not demand.is_long_enough:
        return None
    without, totals, count = demand.totals_without_largest, demand.totals, demand.periods
    low = min(sum(without), count * _quartiles(without).low)
    high = max(sum(totals), count * _quartiles(totals).high)
    factor = _present_value(demand.period_seconds, periods_ahead(demand, outlook), outlook.discount_ppm)
    # Opening a job or a tab costs nothing but time, so quotes count no more than one period does.
    waiting = min(demand.quotes.expected, sum(totals) // count)
    return ValueRange(low * factor // (count * _SCALE), high * factor // (count * _SCALE) + waiting)


def quartile_range(ranges: list[ValueRange]) -> ValueRange:
    """Return the lower quartile of the low ends and the upper one of the high ends, of at least one."""
    return ValueRange(
        _quartiles([found.low for found in ranges]).low, _quartiles([found.high for found in ranges]).high
    )


def _quartiles(amounts: list[int]) -> ValueRange:
    """Return the lower and the upper quartile as two of the amounts: nothing is interpolated."""
    ordered, skipped = sorted(amounts), (len(amounts) - 1) // 4
    return ValueRange(ordered[skipped], ordered[len(ordered) - 1 - skipped])


def _present_value(period_seconds: int, periods: int, discount_ppm: int) -> int:
    """Return what one unit at the end of each period is worth today, times `_SCALE`."""
    whole = YEAR_SECONDS * PPM
    return sum(
        _SCALE * whole // (whole + discount_ppm * number * period_seconds) for number in range(1, periods + 1)
    )
