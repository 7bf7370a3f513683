"""What may be done with an offering, when and by whom, and why not: refusals foreseen. No I/O."""

from datetime import UTC, datetime

from zkml.core.business_calendar import LAST_SECOND
from zkml.core.offering_machine import (
    DefaultCause,
    OfferingFacts,
    OfferingOutcome,
    OfferingStatus,
    Rules,
    ends_at,
    status_of,
)
from zkml.errors import InvalidTransitionError, MarketError, NotOwnerError, TombstonedError

_PASSABLE = (
    OfferingStatus.OPEN,
    OfferingStatus.SOFT_LOCKED,
    OfferingStatus.REVEALED,
    OfferingStatus.RELEASABLE,
)
MOVES = {
    "reserve": (OfferingStatus.OPEN,),
    "offer_resale": _PASSABLE,
    "buy_resale": _PASSABLE,
    "reveal": (OfferingStatus.SOFT_LOCKED,),
    "challenge": (OfferingStatus.REVEALED,),
    "guardian_default": (OfferingStatus.REVEALED,),
    "finalize": (OfferingStatus.RELEASABLE,),
    "declare_default": (OfferingStatus.OVERDUE,),
    "close": (OfferingStatus.FAILED,),
    "repay": (OfferingStatus.FAILED, OfferingStatus.DEFAULTED),
}
"""Each move and the statuses that allow it."""

_SITUATIONS = {
    OfferingStatus.OPEN: "its shares are on sale until {end}",
    OfferingStatus.FAILED: "it did not sell out: holders and creator are paid back",
    OfferingStatus.SOFT_LOCKED: "it is sold and locked; its key can be revealed until {end}",
    OfferingStatus.REVEALED: "its key is public and can be refuted until {end}",
    OfferingStatus.RELEASABLE: "a fresh proof can release it until {end}",
    OfferingStatus.OVERDUE: "its creator did not deliver in time: anyone may declare the default",
    OfferingStatus.TRADING: "it is released: its shares trade",
    OfferingStatus.DEFAULTED: "it defaulted: its holders are paid back",
}


def check_move(
    facts: OfferingFacts,
    rules: Rules,
    move: str,
    now: int,
    *,
    caller: str = "",
    is_tombstoned: bool = False,
) -> None:
    """Check that a move is allowed at chain time `now`.

    Args:
        facts: of the offering.
        rules: of its deployment.
        move: one of `MOVES`.
        now: chain time in seconds.
        caller: who moves, checksummed; empty: whoever may.
        is_tombstoned: whether the model's circuit is: then nothing is sold or released, what is on sale can
            be closed at once, and what is sold defaulted.

    Raises:
        MarketError: there is no such offering.
        InvalidTransitionError: the status does not allow the move.
        NotOwnerError: only the guardian may.
        TombstonedError: the circuit is tombstoned.
    """
    status = status_of(facts, rules, now)
    if status is OfferingStatus.NONE:
        raise MarketError(f"expected an existing offering, found none with number {facts.offering_id}")
    is_dead = is_tombstoned and (
        (move == "declare_default" and status.is_sold) or (move == "close" and status is OfferingStatus.OPEN)
    )
    if is_dead:
        return
    is_closed = move == "close" and facts.outcome is OfferingOutcome.FAILED
    if status not in MOVES[move] or is_closed:
        raise _refusal(facts, rules, move, now)
    if move in ("reserve", "finalize") and is_tombstoned:
        raise TombstonedError(
            f"expected a circuit that is trusted to {move}, found a tombstoned one for offering "
            f"{facts.offering_id}",
            hint="what is sold can be defaulted, what is open closed: zkml imo default, zkml imo claim",
        )
    if move == "guardian_default" and caller not in ("", facts.guardian):
        raise NotOwnerError(f"expected the guardian {facts.guardian}, found {caller}")


def declared_cause(facts: OfferingFacts, rules: Rules, now: int) -> DefaultCause:
    """Return why an offering that anyone may default would; a tombstone that is late excuses nobody."""
    is_overdue = status_of(facts, rules, now) is OfferingStatus.OVERDUE
    return DefaultCause.OVERDUE if is_overdue else DefaultCause.TOMBSTONED


def _moment(seconds: int | None) -> str:
    """Write chain time for people; beyond the year 9999 it stays a number."""
    if seconds is None or seconds > LAST_SECOND:
        return str(seconds)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _refusal(facts: OfferingFacts, rules: Rules, move: str, now: int) -> InvalidTransitionError:
    status = status_of(facts, rules, now)
    expected = " or ".join(allowed.name for allowed in MOVES[move])
    found = "FAILED and closed" if move == "close" and status is OfferingStatus.FAILED else status.name
    return InvalidTransitionError(
        f"expected status {expected} to {move.replace('_', ' ')}, found {found} for offering "
        f"{facts.offering_id}",
        hint=_SITUATIONS[status].format(end=_moment(ends_at(facts, rules, now))),
    )
