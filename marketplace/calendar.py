"""The typed binding of BusinessCalendar: when business begins on the Pacific coast of the United States."""

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.rpc import Chain
from zkml.core.business_calendar import unlock_at


class BusinessCalendarBinding:
    """The calendar at an address. Days are numbers of calendar days since 1970-01-01, which is day 0."""

    def __init__(self, chain: Chain, address: str) -> None:
        """Bind it."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("BusinessCalendar"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def holiday_count(self) -> int:
        """Return how many holidays there are."""
        return int(self.contract.call("holidayCount"))

    def holidays(self, count: int | None = None) -> tuple[int, ...]:
        """Return the first `count` holidays, or all, in the order in which they were added."""
        known = self.holiday_count() if count is None else count
        return tuple(int(self.contract.call("holidayAt", position)) for position in range(1, known + 1))

    def foreseen_unlock(self, timestamp: int, counted: int | None = None) -> int:
        """Return when a lock that begins at `timestamp` ends, computed here from the first holidays."""
        return unlock_at(timestamp, frozenset(self.holidays(counted)))

    def unlock_at(self, timestamp: int, counted: int | None = None) -> int:
        """Return when a lock that begins at `timestamp` ends, as the contract computes it.

        Args:
            timestamp: UTC seconds.
            counted: how many holidays count, the first ones; all of them when None.

        Raises:
            MarketError: there are not that many holidays, or the time is beyond what it knows.
            RpcError: see `Chain.request`.
        """
        known = self.holiday_count() if counted is None else counted
        return int(self.contract.call("unlockAt", timestamp, known))

    def is_business_day(self, day: int, counted: int | None = None) -> bool:
        """Say whether a day is one of business; raises as `unlock_at` does."""
        known = self.holiday_count() if counted is None else counted
        return bool(self.contract.call("isBusinessDay", day, known))

    def midnight_of(self, day: int) -> int:
        """Return when a day begins, in UTC seconds."""
        return int(self.contract.call("midnightOf", day))
