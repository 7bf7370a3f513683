"""What an offering moves: bond, seed, repayment, vesting, the pool's quotes; integers, rounded as on chain.

Prices are per whole share, of 10^18 units; money is in the payment token's smallest unit.
"""

from typing import NamedTuple

from zkml.core.offering_machine import OfferingFacts, Rules
from zkml.core.pricing import PPM

SHARE = 10**18
"""Units of the share token in a whole share."""

CREATOR_PERCENT = 49
_FEE_NUMERATOR, _FEE_DENOMINATOR = 997, 1000


class Seed(NamedTuple):
    """What goes into the pool: money of the raise, and as many share units of the creator's as it buys."""

    money: int
    shares: int


def show_shares(units: int) -> str:
    """Write share units as whole shares for people, to the last unit: e.g. `12.75`."""
    whole, rest = divmod(units, SHARE)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")


def creator_shares_of(total_shares: int) -> int:
    """Return the creator's whole shares: floor(49 %)."""
    return total_shares * CREATOR_PERCENT // 100


def least_bond(raise_total: int, rules: Rules) -> int:
    """Return the least bond for a raise: max(the rules' minimum, their part of it, rounded up)."""
    return max(int(rules.min_bond), -(-raise_total * rules.bond_ppm // PPM))


def seed_of(public_shares: int, price: int, seed_ppm: int) -> Seed:
    """Return what seeds the pool: at the price, to less than a unit."""
    return Seed(public_shares * price * seed_ppm // PPM, public_shares * SHARE * seed_ppm // PPM)


def most_seed_ppm(public_shares: int, creator_shares: int) -> int:
    """Return the greatest part of the raise that can seed the pool: as many shares as the creator has."""
    return creator_shares * PPM // public_shares


def bonus_part(bonus: int, count: int, unpaid: int) -> int:
    """Return what `count` shares get of the bonus: of what is left, by what is left."""
    return bonus * count // unpaid


def repayment(facts: OfferingFacts, count: int, *, is_default: bool) -> int:
    """Return what a holder of `count` whole shares is credited after a failure or a default."""
    bonus = bonus_part(facts.bonus, count, facts.unpaid) if is_default else 0
    return count * facts.price + bonus


def vested(total: int, elapsed: int, vesting_seconds: int) -> int:
    """Return what of `total` has vested after `elapsed` seconds."""
    return total * min(max(0, elapsed), vesting_seconds) // vesting_seconds


def bought_for(paid: int, reserve_in: int, reserve_out: int) -> int:
    """Return what a pool of Uniswap v2 gives for `paid`, after its fee of 0.3 %; 0 for an empty pool."""
    if reserve_in == 0 or reserve_out == 0:
        return 0
    counted = paid * _FEE_NUMERATOR
    return counted * reserve_out // (reserve_in * _FEE_DENOMINATOR + counted)


def cost_of(bought: int, reserve_in: int, reserve_out: int) -> int | None:
    """Return the least that buys `bought` from a pool of Uniswap v2, or None if no amount does."""
    if bought >= reserve_out or reserve_in == 0:
        return None
    whole, rest = divmod(reserve_in * bought * _FEE_DENOMINATOR, (reserve_out - bought) * _FEE_NUMERATOR)
    return whole + (rest != 0)
