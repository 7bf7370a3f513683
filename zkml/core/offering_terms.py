"""What a creator offers, as the contract takes it, and checks of its numbers before it is signed. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zkml.core.artifact_encryption import Artifact
from zkml.core.identifiers import FeeTerms
from zkml.core.job_machine import is_zero
from zkml.core.offering_machine import Rules
from zkml.core.offering_money import SHARE, Seed, creator_shares_of, least_bond, most_seed_ppm, seed_of
from zkml.core.pricing import MAX_AMOUNT, PPM
from zkml.core.records import Address, explain, to_hex
from zkml.errors import ConfigError, MarketError

DAY_SECONDS = 86_400
MIN_SHARES, MAX_SHARES = 100, 10**12
MAX_WINDOW_SECONDS = 90 * DAY_SECONDS
MAX_SECONDS = 3650 * DAY_SECONDS
MAX_NAME_BYTES, MAX_SYMBOL_BYTES = 31, 16
"""Of a name as long as EIP-712 domains of OpenZeppelin's are kept."""

_MAX_BOND = (1 << 128) - 1
_MAX_RESERVE = (1 << 112) - 1
_DONATION_MARGIN = 20_000
_MIN_SEED_UNITS = 10_000

_Uint32 = Annotated[int, Field(ge=0, lt=1 << 32)]
_Uint64 = Annotated[int, Field(ge=0, lt=1 << 64)]
_Uint80 = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
_Uint128 = Annotated[int, Field(ge=0, le=_MAX_BOND)]
_Uint256 = Annotated[int, Field(ge=0, lt=1 << 256)]


class OfferingTerms(BaseModel):
    """What a creator offers, in the order of the Solidity struct; see `IInitialModelOffering`.

    Fields are as wide as the contract's types; what it accepts of them is `check_terms`' matter.

    Attributes:
        model_id: a PROVEN model of the creator's with an encrypted artifact, which allows derivatives.
        total_shares: all whole shares; floor(49 %) are the creator's, the rest is sold.
        price: of one whole share, in the payment token's smallest unit.
        bond: what the creator loses if what was sold is not delivered.
        window_seconds: how long shares can be reserved.
        seed_ppm: part of the raise that seeds the pool, in millionths.
        vesting_seconds: over which the creator's rest vests, from the release on.
        lp_lock_seconds: for which the pool's liquidity is locked, from the release on.
        fees: the model's fee, and the minimums below which it never falls.
        max_model_fee: the fee's upper end while the steward holds the model.
        successor_rate_ppm: the least lineage rate of a recognised successor, in millionths.
        guardian: who may call a default while a reveal can be refuted; not the creator.
        artifact: what is sold, as it was published.
        name: of the share token.
        symbol: of the share token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    model_id: _Uint256
    total_shares: _Uint64
    price: _Uint80
    bond: _Uint128
    window_seconds: _Uint32
    seed_ppm: _Uint32
    vesting_seconds: _Uint32
    lp_lock_seconds: _Uint32
    fees: FeeTerms
    max_model_fee: _Uint80
    successor_rate_ppm: _Uint32
    guardian: Address
    artifact: Artifact
    name: str
    symbol: str

    @property
    def creator_shares(self) -> int:
        """The creator's whole shares."""
        return creator_shares_of(self.total_shares)

    @property
    def public_shares(self) -> int:
        """Whole shares that are sold."""
        return self.total_shares - self.creator_shares

    @property
    def raise_total(self) -> int:
        """What all public shares cost."""
        return self.public_shares * self.price

    @property
    def seed(self) -> Seed:
        """What goes into the pool at the release."""
        return seed_of(self.public_shares, self.price, self.seed_ppm)

    @classmethod
    def build(cls, **fields: Any) -> Self:
        """Build terms from what a creator says.

        Raises:
            ConfigError: a field is missing, foreign, or does not fit the contract's type.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise ConfigError(f"expected the terms of an offering, found {explain(error)}") from error

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> Self:
        """Return the terms of a decoded Solidity struct.

        Raises:
            ValidationError, ZkmlError: it is none that a contract of ours announces.
        """
        fields = dict(zip(cls.model_fields, values, strict=True))
        return cls(**{**fields, "fees": FeeTerms(*fields["fees"]), "artifact": Artifact(*fields["artifact"])})

    def as_abi(self) -> tuple[Any, ...]:
        """Return the nested tuple that an ABI encoder takes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return tuple({**values, "fees": tuple(self.fees), "artifact": self.artifact.as_abi()}.values())

    def as_json(self) -> dict[str, Any]:
        """Return the terms as plain JSON; amounts and the model's id as text."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        wide = {name: str(values[name]) for name in ("price", "bond", "max_model_fee")}
        fees = {
            "model_fee": str(self.fees.model_fee),
            "min_model_fee": str(self.fees.min_model_fee),
            "min_model_fee_ppm": self.fees.min_model_fee_ppm,
        }
        artifact = {
            name: to_hex(value) if isinstance(value, bytes) else value
            for name, value in asdict(self.artifact).items()
        }
        return {**values, **wide, "model_id": f"{self.model_id:#x}", "fees": fees, "artifact": artifact}


class _Range(NamedTuple):
    field: str
    found: int
    least: int
    most: int


def check_terms(terms: OfferingTerms, rules: Rules, *, creator: str, token_supply: int) -> None:
    """Check the numbers of an offering as `open` does; whether the model may be sold is not looked at.

    Args:
        terms: what would be offered.
        rules: of the deployment.
        creator: who would offer it, checksummed.
        token_supply: of the payment token: a pool must open at the price even if all of it was donated.

    Raises:
        MarketError: a number is out of range, or there is no guardian besides the creator.
    """
    for field, found, least, most in _ranges(terms, rules, token_supply):
        if not least <= found <= most:
            raise MarketError(
                f"expected {field} from {least} to {most}, found {found} in the terms of an offering",
                hint=_hint(field, least, most),
                field=field,
            )
    if is_zero(terms.guardian) or int(terms.guardian, 16) == int(creator, 16):
        raise MarketError(
            f"expected a guardian other than the creator, found {terms.guardian}",
            hint="name an account that buyers trust to look at the revealed model",
        )


def _ranges(terms: OfferingTerms, rules: Rules, token_supply: int) -> Iterator[_Range]:
    yield _Range("total_shares", terms.total_shares, MIN_SHARES, MAX_SHARES)
    yield _Range("price", terms.price, 1, MAX_AMOUNT)
    yield _Range("window_seconds", terms.window_seconds, 1, MAX_WINDOW_SECONDS)
    yield _Range("bond", terms.bond, least_bond(terms.raise_total, rules), _MAX_BOND)
    yield _Range("vesting_seconds", terms.vesting_seconds, rules.min_vesting_seconds, MAX_SECONDS)
    yield _Range("lp_lock_seconds", terms.lp_lock_seconds, rules.min_lp_lock_seconds, MAX_SECONDS)
    yield _Range("min_model_fee", terms.fees.min_model_fee, 1, terms.max_model_fee)
    yield _Range("min_model_fee_ppm", terms.fees.min_model_fee_ppm, 1, PPM // 2)
    yield _Range("model_fee", terms.fees.model_fee, terms.fees.min_model_fee, terms.max_model_fee)
    yield _Range("successor_rate_ppm", terms.successor_rate_ppm, 1, PPM // 2)
    yield _Range("name", len(terms.name.encode()), 1, MAX_NAME_BYTES)
    yield _Range("symbol", len(terms.symbol.encode()), 1, MAX_SYMBOL_BYTES)
    most_ppm = most_seed_ppm(terms.public_shares, terms.creator_shares)
    yield _Range("seed_ppm", terms.seed_ppm, rules.min_seed_ppm, most_ppm)
    yield _Range("seed_money", terms.seed.money, _MIN_SEED_UNITS, _MAX_RESERVE)
    least_shares = token_supply * _DONATION_MARGIN // max(1, terms.seed.money) + _MIN_SEED_UNITS
    yield _Range("seed_shares", terms.seed.shares, least_shares, _MAX_RESERVE)


def _hint(field: str, least: int, most: int) -> str:
    if field == "bond":
        return f"the least bond for this raise is {least} of the token's smallest unit"
    if field == "seed_money":
        return "raise the price, the shares or the part that seeds the pool"
    if field == "seed_shares":
        return f"a pool needs {-(-least // SHARE)} whole shares at least: offer more, or seed a greater part"
    return f"choose from {least} to {most}" if least <= most else "the terms contradict each other"
