"""Who has earned what of a model's income: the revenue ledger's formulas, integers alone.

Of a revenue R, with lineage S ppm and other parts p_k ppm: an ancestor with share s has earned
floor(R * s / 10^6), a part floor(R * p_k / 10^6), and the holders R - floor(R * (S + sum p_k) / 10^6) and
what was inherited. Each only grows with R, and together they never pass R.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.pricing import PPM


class PayeeKind(IntEnum):
    """Who a part of a model's income is for; the numbers of the contract's enum."""

    NONE = 0
    LINEAGE = 1
    HOLDERS = 2
    CONTRIBUTORS = 3
    STAKERS = 4


class Part(NamedTuple):
    """A part of a model's income after the platform's, in the order of the Solidity struct.

    Attributes:
        kind: who it is for.
        ppm: how much, in millionths.
        receiver: who takes it, checksummed; zero for LINEAGE and HOLDERS.
    """

    kind: PayeeKind
    ppm: int
    receiver: str


class ModelIncome(NamedTuple):
    """What a model has earned, in the token's smallest unit, in the order of the Solidity struct.

    Attributes:
        revenue: from settlements, after the platform's part.
        platform: the platform's part and flat fees, not collected yet.
        inherited: taken from descendants; for holders alone, never split again.
    """

    revenue: int
    platform: int
    inherited: int


def part_earned(revenue: int, ppm: int) -> int:
    """Return what an ancestor or another part of `ppm` millionths has earned so far."""
    return revenue * ppm // PPM


def holders_earned(income: ModelIncome, taken_ppm: int) -> int:
    """Return what the holders have earned so far: what the other parts leave, and what was inherited.

    Args:
        income: of the model.
        taken_ppm: lineage and other parts together.
    """
    return holders_part(income.revenue, PPM - taken_ppm) + income.inherited


def holders_part(revenue: int, ppm: int) -> int:
    """Return what of a revenue is the holders', who have `ppm` millionths: what the other parts leave."""
    return revenue - revenue * (PPM - ppm) // PPM


def holders_ppm(split: Iterable[Part]) -> int:
    """Return the holders' part of a model's income after the platform's, in millionths."""
    return sum(part.ppm for part in split if part.kind is PayeeKind.HOLDERS)


def split_of(lineage_ppm: int, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return how a model's revenue is split: lineage, the other parts, and holders; sums to 10^6."""
    holders_ppm = PPM - lineage_ppm - sum(part.ppm for part in parts)
    return (
        Part(PayeeKind.LINEAGE, lineage_ppm, ZERO_ADDRESS),
        *parts,
        Part(PayeeKind.HOLDERS, holders_ppm, ZERO_ADDRESS),
    )
