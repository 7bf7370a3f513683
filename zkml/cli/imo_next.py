"""What can be done with an offering now, by whom, and until when: for people, from facts alone."""

from dataclasses import asdict, dataclass
from typing import Any

from zkml.cli.imo_times import describe_time
from zkml.core.offering_machine import (
    OfferingFacts,
    OfferingOutcome,
    OfferingStatus,
    Rules,
    ends_at,
    releasable_at,
    status_of,
)


@dataclass(frozen=True, slots=True)
class NextMove:
    """One thing that can be done.

    Attributes:
        who: may do it.
        what: it does.
        command: that does it.
        until: the last chain second for it; None: no end by time.
    """

    who: str
    what: str
    command: str
    until: int | None = None

    def line(self) -> str:
        """Write it for people."""
        end = "" if self.until is None else f", until {describe_time(self.until)}"
        return f"{self.who}: {self.what}{end}\n    {self.command}"


def next_moves(
    facts: OfferingFacts, rules: Rules, now: int, *, is_tombstoned: bool = False
) -> list[NextMove]:
    """Return what can be done with an offering at chain time `now`, and what comes then.

    Args:
        facts: of the offering.
        rules: of its deployment.
        now: chain time in seconds.
        is_tombstoned: whether the circuit that releases it is.
    """
    status, number = status_of(facts, rules, now), facts.offering_id
    end = ends_at(facts, rules, now)
    if is_tombstoned and status.is_sold and status is not OfferingStatus.OVERDUE:
        text = "declare the default: the circuit is tombstoned, money and bond go back"
        return [NextMove("anyone", text, f"zkml imo default {number}")]
    if is_tombstoned and status is OfferingStatus.OPEN:
        return [_ending(number)]
    moves = {
        OfferingStatus.OPEN: [_reserving(facts, end)],
        OfferingStatus.SOFT_LOCKED: [_revealing(number, end)],
        OfferingStatus.REVEALED: _judging(facts, rules, end),
        OfferingStatus.RELEASABLE: [_releasing(number, "anyone", end)],
    }
    if status in moves:
        return [*moves[status], *_passing(number, end)]
    if status is OfferingStatus.OVERDUE:
        text = "declare the default: nobody delivered in time"
        return [NextMove("anyone", text, f"zkml imo default {number}")]
    return _after(facts, status)


def _reserving(facts: OfferingFacts, end: int | None) -> NextMove:
    text = f"reserve some of the {facts.left} shares that are left"
    return NextMove("anyone", text, f"zkml imo reserve {facts.offering_id} --shares N", end)


def _ending(number: int) -> NextMove:
    text = "take money, or model and bond, back at once: the circuit is tombstoned"
    return NextMove("holders and creator", text, f"zkml imo claim {number}")


def _passing(number: int, end: int | None) -> list[NextMove]:
    return [
        NextMove("holders", "offer shares at the price", f"zkml imo resell {number} --shares N", end),
        NextMove("anyone", "take what holders offer", f"zkml imo buy {number} --shares N", end),
    ]


def _revealing(number: int, end: int | None) -> NextMove:
    return NextMove("the creator (whoever has the key)", "reveal the key", f"zkml imo reveal {number}", end)


def _judging(facts: OfferingFacts, rules: Rules, end: int | None) -> list[NextMove]:
    number, begin = facts.offering_id, releasable_at(facts, rules)
    return [
        NextMove("anyone", "try every chunk and refute a wrong one", f"zkml imo challenge {number}", end),
        NextMove(
            "anyone, above all the guardian",
            "rebuild the verifying key from the revealed weights",
            f"zkml model open {facts.model_id:#066x} --offering {number}",
            end,
        ),
        NextMove("the guardian", "call the default", f"zkml imo default {number} --reason TEXT", end),
        _releasing(number, f"anyone, from {describe_time(begin)} on", begin + rules.grace_seconds),
    ]


def _releasing(number: int, who: str, until: int | None) -> NextMove:
    return NextMove(who, "release it by a fresh proof", f"zkml imo finalize {number} --bundle DIR", until)


def _after(facts: OfferingFacts, status: OfferingStatus) -> list[NextMove]:
    number = facts.offering_id
    claim, show = f"zkml imo claim {number}", f"zkml steward show {number}"
    if status is OfferingStatus.FAILED:
        moves = [NextMove("holders", "take their money back", claim)]
        if facts.outcome is OfferingOutcome.NONE:
            moves.insert(0, NextMove("the creator", "take model and bond back", claim))
        return moves
    if status is OfferingStatus.DEFAULTED:
        text = "take their money back, and their part of bond and held income"
        return [NextMove("holders", text, claim), NextMove("holders", "decide about the model", show)]
    if status is OfferingStatus.TRADING:
        return [
            NextMove("the creator", "take what has vested, and income", claim),
            NextMove("holders", "take their income", claim),
            NextMove("holders", "decide about the model", show),
        ]
    return []


def moves_as_json(moves: list[NextMove]) -> list[dict[str, Any]]:
    """Return moves as plain JSON."""
    return [asdict(move) for move in moves]
