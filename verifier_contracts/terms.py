"""The numbers of one deployment, with their defaults: what its contracts are constructed with."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from zkml.core.identifiers import VerifierClass
from zkml.core.records import Address, Amount

DAY_SECONDS = 24 * 3600
BLOCKS_PER_DAY = 7_200
"""Of a chain with a block every twelve seconds."""

_LOCAL_CLASSES = 1 << VerifierClass.LOCAL | 1 << VerifierClass.CEREMONY | 1 << VerifierClass.UNVOUCHED
_STRICT_CLASSES = 1 << VerifierClass.CEREMONY

_Ppm = Annotated[int, Field(ge=0, le=1_000_000)]
_Uint32 = Annotated[int, Field(ge=0, lt=1 << 32)]


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class JobTerms(_Terms):
    """The numbers of a job manager, in the order of the Solidity struct; see `IJobManager`.

    Attributes:
        min_collateral: least collateral of a claim, in the token's smallest unit.
        collateral_ppm: collateral as a part of the price, in millionths.
        min_duration_seconds: least time from opening to deadline.
        max_duration_seconds: greatest time from opening to deadline, and to a tab's expiry.
        min_claim_seconds: least time that a job gives a claimer; above `grace_seconds`.
        grace_seconds: how long after a reclaim only the previous claimer may settle.
        bonus_ppm: part of the previous claimer's collateral that the next one earns by settling.
        treasury_ppm: part of what is forfeited besides the bonus that the treasury gets; the rest burns.
        accepted_classes: bit 1 << class for every class of verifier that jobs may use.
    """

    min_collateral: Amount = "1000000"
    collateral_ppm: _Ppm = 100_000
    min_duration_seconds: _Uint32 = 30
    max_duration_seconds: _Uint32 = 30 * DAY_SECONDS
    min_claim_seconds: _Uint32 = 60
    grace_seconds: _Uint32 = 36
    bonus_ppm: _Ppm = 500_000
    treasury_ppm: _Ppm = 500_000
    accepted_classes: Annotated[int, Field(ge=0, le=255)] = _LOCAL_CLASSES

    def as_abi(self) -> tuple[int, ...]:
        """Return the fields in the order of the Solidity struct."""
        return (int(self.min_collateral), *list(self.model_dump().values())[1:])

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> Self:
        """Return the terms of a decoded Solidity struct."""
        numbers = dict(zip(cls.model_fields, values, strict=True))
        return cls(**{**numbers, "min_collateral": str(numbers["min_collateral"])})


class PlatformTerms(_Terms):
    """What the platform takes: a part of every model fee, and so much of every settlement besides.

    Attributes:
        fee_ppm: of the model fee, in millionths; never above 100,000.
        flat_fee: in the token's smallest unit.
    """

    fee_ppm: _Ppm = 25_000
    flat_fee: Amount = "10000"

    def as_abi(self) -> tuple[int, int]:
        """Return the fields in the order of the Solidity struct."""
        return (self.fee_ppm, int(self.flat_fee))

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> Self:
        """Return the terms of a decoded Solidity struct."""
        fee_ppm, flat_fee = values
        return cls(fee_ppm=fee_ppm, flat_fee=str(flat_fee))


class ProtocolTerms(_Terms):
    """What everything besides the job manager is constructed with.

    Attributes:
        administrator: proposes what the timelock does, and may cancel it.
        guardian: tombstones circuits without delay at first.
        treasury: takes the platform's income at first.
        platform: what the platform takes at first.
        caps: what it can never exceed.
        timelock_delay_seconds: from proposing to executing, at first.
        unstake_delay_seconds: from asking for stake to taking it.
        min_commit_blocks: least age of a registration's commitment when it is revealed.
        max_commit_blocks: greatest age of it.
    """

    administrator: Address
    guardian: Address
    treasury: Address
    platform: PlatformTerms = PlatformTerms()
    caps: PlatformTerms = PlatformTerms(fee_ppm=100_000, flat_fee="1000000")
    timelock_delay_seconds: _Uint32 = 2 * DAY_SECONDS
    unstake_delay_seconds: _Uint32 = 7 * DAY_SECONDS
    min_commit_blocks: Annotated[int, Field(ge=1, lt=1 << 32)] = 5
    max_commit_blocks: Annotated[int, Field(ge=1, lt=1 << 32)] = 7 * BLOCKS_PER_DAY


class OfferingRules(_Terms):
    """The numbers of a deployment's offerings, in the order of the Solidity struct.

    Attributes:
        min_bond: the least bond, in the token's smallest unit.
        bond_ppm: the least bond as a part of the raise, in millionths.
        challenge_seconds: least time from the reveal to the release, in which the artifact can be refuted.
        grace_seconds: time for the reveal after the lock, and for the release after it became possible.
        min_vesting_seconds: least time over which the creator's rest vests.
        min_lp_lock_seconds: least time for which the pool's liquidity is locked.
        min_seed_ppm: least part of the raise that seeds the pool, in millionths.
        accepted_classes: bit 1 << class for every class of verifier that a model may be offered with.
    """

    min_bond: Amount = "1000000"
    bond_ppm: _Ppm = 100_000
    challenge_seconds: _Uint32 = 3 * DAY_SECONDS
    grace_seconds: _Uint32 = 7 * DAY_SECONDS
    min_vesting_seconds: _Uint32 = 90 * DAY_SECONDS
    min_lp_lock_seconds: _Uint32 = 180 * DAY_SECONDS
    min_seed_ppm: _Ppm = 50_000
    accepted_classes: Annotated[int, Field(ge=0, le=255)] = _STRICT_CLASSES

    def as_abi(self) -> tuple[int, ...]:
        """Return the fields in the order of the Solidity struct."""
        return (int(self.min_bond), *list(self.model_dump().values())[1:])


def default_offering_rules(*, is_local: bool) -> OfferingRules:
    """Return the defaults of a chain: on local ones challenges last a minute, and any class may be sold."""
    if is_local:
        return OfferingRules(challenge_seconds=60, grace_seconds=600, accepted_classes=_LOCAL_CLASSES)
    return OfferingRules()


def default_job_terms(*, is_local: bool) -> JobTerms:
    """Return the defaults of a chain: jobs of every class on local ones, elsewhere of audited code alone."""
    return JobTerms() if is_local else JobTerms(accepted_classes=_STRICT_CLASSES)


def default_protocol_terms(deployer: str, *, is_local: bool) -> ProtocolTerms:
    """Return the defaults of a chain, with every office the deployer's.

    On a local chain nothing waits: the timelock has no delay, and a commitment is revealed a block later.
    """
    terms = ProtocolTerms(administrator=deployer, guardian=deployer, treasury=deployer)
    return (
        terms.model_copy(update={"timelock_delay_seconds": 0, "min_commit_blocks": 1}) if is_local else terms
    )
