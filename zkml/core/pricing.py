"""What a job costs, what its claimer locks, and who gets what: integers alone, rounded as the contract does.

Each function is the twin of one of `JobManager`; tests hold the two equal. Amounts are in the payment
token's smallest unit, parts in millionths.
"""

from typing import NamedTuple

PPM = 1_000_000
MAX_AMOUNT = (1 << 80) - 1
"""Amounts on the path of a job have 80 bits: 1.2 million units of a token with 18 decimals."""


class FeeQuote(NamedTuple):
    """What the model and the platform asked when a job or tab opened, in the order of the Solidity struct.

    Attributes:
        model_fee_floor: the greater of the owner's fee and the model's minimum.
        model_fee_ppm: least part of the whole price that is the model's.
        flat_fee: the platform's flat fee.
        platform_ppm: the platform's part of the model fee.
    """

    model_fee_floor: int
    model_fee_ppm: int
    flat_fee: int
    platform_ppm: int


class Payment(NamedTuple):
    """What a settlement pays, in the order of the Solidity struct.

    Attributes:
        prover_fee: to the prover.
        revenue: to the model, after the platform's part.
        platform_amount: the platform's part of the model fee, and its flat fee.
    """

    prover_fee: int
    revenue: int
    platform_amount: int

    @property
    def price(self) -> int:
        """What the requester pays in all."""
        return self.prover_fee + self.revenue + self.platform_amount


class Forfeit(NamedTuple):
    """Where the collateral of a broken claim goes; the three targets add up to `amount`."""

    amount: int
    bonus: int
    to_treasury: int
    to_burn: int


def prover_fee_at(minimum: int, maximum: int, opened_at: int, ramp_seconds: int, time: int) -> int:
    """Return what a prover is offered at a time: floor(min + (max - min) * elapsed / ramp), at most max.

    Args:
        minimum: offered when the job opens.
        maximum: offered from `ramp_seconds` on; not below `minimum`.
        opened_at: chain time in seconds.
        ramp_seconds: how long the offer rises; 0: it is `maximum` at once.
        time: chain time in seconds; before the opening it counts as the opening.
    """
    elapsed = max(0, time - opened_at)
    if elapsed >= ramp_seconds:
        return maximum
    return minimum + (maximum - minimum) * elapsed // ramp_seconds


def least_model_fee(quote: FeeQuote, prover_fee: int) -> int:
    """Return what the model gets at least besides this prover fee, the platform's part included.

    max(floor, ceil(ppm * (prover fee + flat fee) / (10^6 - ppm))): with it the model's fee is `ppm`
    millionths of the whole price or more.
    """
    part = -(-quote.model_fee_ppm * (prover_fee + quote.flat_fee) // (PPM - quote.model_fee_ppm))
    return max(quote.model_fee_floor, part)


def payment_for(quote: FeeQuote, prover_fee: int) -> Payment:
    """Return how a job's price splits, given what its prover gets."""
    return signed_payment(quote, least_model_fee(quote, prover_fee), prover_fee)


def signed_payment(quote: FeeQuote, model_fee: int, prover_fee: int) -> Payment:
    """Return how the price of a signed request splits, which names both fees itself."""
    platform_part = model_fee * quote.platform_ppm // PPM
    return Payment(prover_fee, model_fee - platform_part, platform_part + quote.flat_fee)


def escrow_for(quote: FeeQuote, max_prover_fee: int) -> int:
    """Return what opening a job takes from its requester: the price at the greatest prover fee."""
    return payment_for(quote, max_prover_fee).price


def collateral_for(price: int, minimum: int, ppm: int) -> int:
    """Return what a prover locks to claim a job: max(minimum, ceil(price * ppm / 10^6))."""
    return max(minimum, -(-price * ppm // PPM))


def split_forfeit(collateral: int, bonus_ppm: int, treasury_ppm: int, *, has_heir: bool) -> Forfeit:
    """Return where the collateral of a broken claim goes.

    Args:
        collateral: what was locked.
        bonus_ppm: part that the prover who settled instead earns.
        treasury_ppm: part of the rest that the treasury gets; what is left burns.
        has_heir: whether another prover settled the job; otherwise there is no bonus.
    """
    bonus = collateral * bonus_ppm // PPM if has_heir else 0
    to_treasury = (collateral - bonus) * treasury_ppm // PPM
    return Forfeit(collateral, bonus, to_treasury, collateral - bonus - to_treasury)
