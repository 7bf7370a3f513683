"""The offering machine: status is derived from facts, rules and time by one function, never stored.

The twin is `InitialModelOffering.statusOf`; a test holds the two equal at every boundary.

    OPEN -all public shares reserved-> SOFT_LOCKED -reveal-> REVEALED -lock and challenge over-> RELEASABLE
    RELEASABLE -finalize with a fresh proof-> TRADING
    OPEN past its window: FAILED, in which everybody is paid back
    SOFT_LOCKED or RELEASABLE past its grace: OVERDUE -anyone-> DEFAULTED
    REVEALED -wrong chunk, or the guardian-> DEFAULTED; so is any that is sold and whose circuit is tombstoned
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from zkml.core.artifact_encryption import Artifact
from zkml.core.digests import keccak256
from zkml.core.job_machine import is_zero


class OfferingStatus(IntEnum):
    """The numbers of the contract's enum."""

    NONE = 0
    OPEN = 1
    FAILED = 2
    SOFT_LOCKED = 3
    REVEALED = 4
    RELEASABLE = 5
    OVERDUE = 6
    TRADING = 7
    DEFAULTED = 8

    @property
    def is_sold(self) -> bool:
        """Whether all public shares are sold and nothing is decided yet."""
        return self in (
            OfferingStatus.SOFT_LOCKED,
            OfferingStatus.REVEALED,
            OfferingStatus.RELEASABLE,
            OfferingStatus.OVERDUE,
        )

    @property
    def is_final(self) -> bool:
        """Whether the status never changes any more."""
        return self in (OfferingStatus.FAILED, OfferingStatus.TRADING, OfferingStatus.DEFAULTED)


class OfferingOutcome(IntEnum):
    """How an offering ended, as the contract records it: FAILED once the creator has model and bond back."""

    NONE = 0
    FAILED = 1
    TRADING = 2
    DEFAULTED = 3


class DefaultCause(IntEnum):
    """Why an offering defaulted; the numbers of the contract's enum."""

    NONE = 0
    OVERDUE = 1
    REFUTED = 2
    GUARDIAN = 3
    TOMBSTONED = 4


class Rules(Protocol):
    """The numbers of a deployment; see `verifier_contracts.terms.OfferingRules`."""

    @property
    def min_bond(self) -> str:
        """The least bond, in the token's smallest unit, as decimal text."""

    @property
    def bond_ppm(self) -> int:
        """The least bond as a part of the raise, in millionths."""

    @property
    def challenge_seconds(self) -> int:
        """Least time between reveal and release."""

    @property
    def grace_seconds(self) -> int:
        """Time for the reveal after the lock, and for the release once it is possible."""

    @property
    def min_vesting_seconds(self) -> int:
        """Least time over which the creator's rest vests."""

    @property
    def min_lp_lock_seconds(self) -> int:
        """Least time for which the pool's liquidity is locked."""

    @property
    def min_seed_ppm(self) -> int:
        """Least part of the raise that seeds the pool, in millionths."""


@dataclass(frozen=True, slots=True)
class OfferingFacts:
    """An offering as the contract stores it; times in chain seconds, money in the token's smallest unit.

    Attributes:
        offering_id: its number, from 1.
        model_id: what is offered.
        creator: who offers, checksummed; zero when there is no such offering.
        public_shares: whole shares that are sold.
        seed_ppm: part of the raise that seeds the pool, in millionths.
        guardian: who may call a default while a reveal can be refuted, checksummed.
        price: of one whole share.
        outcome: NONE until it is recorded.
        fixed_weights: whether nobody outside can rebuild the verifying key before the reveal.
        shares: address of the share token.
        creator_shares: whole shares of the creator's.
        holiday_count: how many entries of the calendar's table count.
        vault: address of what is the creator's, but not yet.
        reserved: whole shares that are sold already.
        vesting_seconds: over which the creator's rest vests, from the release on.
        steward: address of the model's owner.
        lp_lock_seconds: for which the pool's liquidity is locked, from the release on.
        successor_rate_ppm: the least lineage rate of a recognised successor.
        bond: what the creator stands for.
        bonus: after a default what is left of bond and held income for holders that are not paid back.
        closes_at: the last second in which shares can be reserved.
        soft_locked_at: when the last share was sold; 0 before.
        unlock_at: when the lock ends; 0 before the soft lock.
        revealed_at: when the key was revealed; 0 before.
        max_model_fee: the fee's upper end.
        unpaid: after a default the whole shares whose holders are not paid back.
        seed: 32 bytes, drawn at the soft lock, zero before; hashed with the key at the reveal, and from then
            on the seed of the release's input and the context of its proof.
        key: the revealed key, 32 bytes; zero before.
        artifact: what is sold; None when there is no such offering.
    """

    offering_id: int
    model_id: int
    creator: str
    public_shares: int
    seed_ppm: int
    guardian: str
    price: int
    outcome: OfferingOutcome
    fixed_weights: bool
    shares: str
    creator_shares: int
    holiday_count: int
    vault: str
    reserved: int
    vesting_seconds: int
    steward: str
    lp_lock_seconds: int
    successor_rate_ppm: int
    bond: int
    bonus: int
    closes_at: int
    soft_locked_at: int
    unlock_at: int
    revealed_at: int
    max_model_fee: int
    unpaid: int
    seed: bytes
    key: bytes
    artifact: Artifact | None

    @property
    def exists(self) -> bool:
        """Whether it was ever opened."""
        return not is_zero(self.creator)

    @property
    def total_shares(self) -> int:
        """All whole shares, the creator's included."""
        return self.public_shares + self.creator_shares

    @property
    def left(self) -> int:
        """Whole shares that nobody has reserved yet."""
        return self.public_shares - self.reserved

    @property
    def is_sold_out(self) -> bool:
        """Whether the last public share was sold."""
        return self.soft_locked_at != 0

    @property
    def raise_total(self) -> int:
        """What all public shares cost."""
        return self.public_shares * self.price

    @property
    def raised(self) -> int:
        """What has been paid for shares."""
        return self.reserved * self.price


def releasable_at(facts: OfferingFacts, rules: Rules) -> int:
    """Return when the release becomes possible: lock over, and challenge time over; 0 before the reveal."""
    if facts.revealed_at == 0:
        return 0
    return max(facts.unlock_at, facts.revealed_at + rules.challenge_seconds)


def release_seed(sale_seed: bytes, key: bytes) -> bytes:
    """Return the seed of the release's input, 32 bytes: the sale's, hashed with the revealed key."""
    return keccak256(sale_seed + key)


def status_of(facts: OfferingFacts, rules: Rules, now: int) -> OfferingStatus:
    """Derive the status of an offering at chain time `now`, in seconds."""
    if not facts.exists:
        return OfferingStatus.NONE
    if facts.outcome is not OfferingOutcome.NONE:
        return OfferingStatus[facts.outcome.name]
    if not facts.is_sold_out:
        return OfferingStatus.OPEN if now <= facts.closes_at else OfferingStatus.FAILED
    due = releasable_at(facts, rules) or facts.unlock_at
    if now > due + rules.grace_seconds:
        return OfferingStatus.OVERDUE
    if facts.revealed_at == 0:
        return OfferingStatus.SOFT_LOCKED
    return OfferingStatus.REVEALED if now < due else OfferingStatus.RELEASABLE


def ends_at(facts: OfferingFacts, rules: Rules, now: int) -> int | None:
    """Return the last second of the present status if time alone ends it, or None."""
    status = status_of(facts, rules, now)
    if status is OfferingStatus.OPEN:
        return facts.closes_at
    if status is OfferingStatus.SOFT_LOCKED:
        return facts.unlock_at + rules.grace_seconds
    if status is OfferingStatus.REVEALED:
        return releasable_at(facts, rules) - 1
    if status is OfferingStatus.RELEASABLE:
        return releasable_at(facts, rules) + rules.grace_seconds
    return None
