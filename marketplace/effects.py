"""What a move of the market does with money and to whom: computed from facts, as data. No I/O.

A test holds every effect here equal to what the contracts do. Nothing is left out: each token that leaves a
pocket arrives in another one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ShowAmount = Callable[[int], str]
"""Writes an amount for people; see `PaymentToken.show`."""


class PocketKind(StrEnum):
    """Where tokens can be; everything but a wallet is inside the contracts."""

    WALLET = "wallet"
    ESCROW = "escrow"
    TAB = "tab"
    CREDITS = "credits"
    REVENUE = "revenue"
    INHERITED = "inherited revenue"
    PLATFORM = "platform's part"
    FREE_STAKE = "free stake"
    LOCKED_STAKE = "locked stake"
    TO_TREASURY = "forfeits for the treasury"
    TO_BURN = "forfeits to burn"
    RAISE = "raise"
    BOND = "bond"
    BONUS = "bonus"
    OFFERING_CREDITS = "credits with the offerings"
    VAULT = "vault"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class Pocket:
    """One place of tokens: what kind it is and whose; an account, a job, a tab or a model."""

    kind: PocketKind
    owner: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.owner}" if self.owner else str(self.kind)


@dataclass(frozen=True, slots=True)
class Flow:
    """Tokens that move: an amount in the token's smallest unit, from one pocket to another."""

    amount: int
    source: Pocket
    target: Pocket


@dataclass(frozen=True, slots=True)
class Change:
    """A fact that becomes another one, in words."""

    subject: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effects:
    """All that a move does.

    Attributes:
        flows: tokens that move; none of an amount of zero.
        changes: facts that change.
    """

    flows: tuple[Flow, ...] = ()
    changes: tuple[Change, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the effects as plain JSON; amounts as decimal text."""
        return {
            "flows": [
                {"amount": str(flow.amount), "from": str(flow.source), "to": str(flow.target)}
                for flow in self.flows
            ],
            "changes": [
                {"subject": change.subject, "before": change.before, "after": change.after}
                for change in self.changes
            ],
        }

    def lines(self, show: ShowAmount) -> list[str]:
        """Return the effects for people, one line each."""
        moved = [f"{show(flow.amount)}: {flow.source} -> {flow.target}" for flow in self.flows]
        return moved + [f"{change.subject}: {change.before} -> {change.after}" for change in self.changes]


def effects_of(flows: list[Flow], *changes: Change) -> Effects:
    """Return effects without flows of nothing."""
    return Effects(tuple(flow for flow in flows if flow.amount), changes)
