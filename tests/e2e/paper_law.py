"""The rules of offerings that a test changes one at a time, and when an offering unlocks. Shares no code with zkml."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
FRIDAY = 4


@dataclass(frozen=True)
class Law:
    """What holds for every offering. Times are in seconds.

    Attributes:
        creator_percent: of all whole shares; what is no whole share falls to the public.
        creator_up: it falls to the creator.
        challenge_seconds: least time from the reveal to the release.
        grace_seconds: for the reveal after the lock, and for the release.
        lead_seconds: how far ahead an offering unlocks at least.
        open_on_saturday: locks may end on Saturdays.
        summer_time: midnights are those that Pacific clocks show, the whole year.
        earns_from: "lock" or "release": from when on income is the shares' and not the owner's.
        pays_ancestors: the model that was sold goes on paying lineage.
        resale_extra: what a resale costs beyond the price of a whole share.
        bond_at_release: who gets the bond of a creator who delivered.
        bond_at_failure: who gets it when not all was sold.
        bond_at_default: who gets it when what was sold was not delivered.
        bond_without_fault: who gets it when the circuit was tombstoned.
        income_at_default: who gets what the creator's shares have earned by then.
        repays_the_rest: after a default a part is taken of what is left, by the shares left: no unit stays.
        burned_return: what destroyed shares would earn becomes income of all shares.
        seed_money_up: the pool's part of the raise is rounded up.
        seed_dilutes: the pool's shares are made in addition, and not taken from the creator's.
        vests_from: "lock" or "release".
        vested_up: what has vested is rounded up.
        early_seconds: by which vesting is over too early.
        pool_keeps: of a thousand units paid in a trade, those that count for the price.
        least_liquidity: what stays in the pool for ever.
        pool_returns: what the pool's shares earn becomes income of all shares.
        returned_pays_ancestors: and is revenue again, of which ancestors have their part.
        donations_vest: what strangers gave to the pool before the release vests with the raise.
    """

    creator_percent: int = 49
    creator_up: bool = False
    challenge_seconds: int = 60
    grace_seconds: int = 600
    lead_seconds: int = 4 * 3600
    open_on_saturday: bool = False
    summer_time: bool = True
    earns_from: str = "lock"
    pays_ancestors: bool = True
    resale_extra: int = 0
    bond_at_release: str = "creator"
    bond_at_failure: str = "creator"
    bond_at_default: str = "holders"
    bond_without_fault: str = "creator"
    income_at_default: str = "holders"
    repays_the_rest: bool = True
    burned_return: bool = True
    seed_money_up: bool = False
    seed_dilutes: bool = False
    vests_from: str = "release"
    vested_up: bool = False
    early_seconds: int = 0
    pool_keeps: int = 997
    least_liquidity: int = 1000
    pool_returns: bool = True
    returned_pays_ancestors: bool = False
    donations_vest: bool = False

    def creator_shares(self, total: int) -> int:
        """Return how many whole shares are the creator's."""
        return _part(total, self.creator_percent, 100, up=self.creator_up)

    def seed_money(self, raised: int, ppm: int) -> int:
        """Return what of the raise goes into the pool."""
        return _part(raised, ppm, 1_000_000, up=self.seed_money_up)

    def vested(self, whole: int, elapsed: int, over_seconds: int) -> int:
        """Return what of `whole` has vested."""
        over_seconds -= self.early_seconds
        return _part(whole, min(elapsed, over_seconds), over_seconds, up=self.vested_up)

    def unlock_at(self, sold_at: int) -> int:
        """Return the first midnight that begins a day of business and is far enough ahead.

        Stories keep away from holidays.
        """
        earliest = sold_at + self.lead_seconds
        day = datetime.fromtimestamp(earliest, PACIFIC).date()
        last = FRIDAY + self.open_on_saturday
        while day.weekday() > last or self._midnight(day, sold_at) < earliest:
            day += timedelta(days=1)
        return self._midnight(day, sold_at)

    def _midnight(self, day: date, sold_at: int) -> int:
        local = datetime.combine(day, time(), PACIFIC)
        if not self.summer_time:
            offset = datetime.fromtimestamp(sold_at, PACIFIC).utcoffset()
            assert offset is not None
            local = local.replace(tzinfo=None) - offset
            local = local.replace(tzinfo=ZoneInfo("UTC"))
        return int(local.timestamp())


def _part(whole: int, times: int, over: int, *, up: bool) -> int:
    return -(-whole * times // over) if up else whole * times // over
