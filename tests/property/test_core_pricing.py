"""Prices: every part is accounted for, and rounded in the promised direction. The contract's twin: tests/stateful."""

from hypothesis import given
from hypothesis import strategies as st

from zkml.core.pricing import (
    FeeQuote,
    collateral_for,
    escrow_for,
    payment_for,
    prover_fee_at,
    signed_payment,
    split_forfeit,
)

AMOUNT = st.integers(0, 2**80 - 1)
QUOTES = st.builds(
    FeeQuote,
    model_fee_floor=AMOUNT,
    model_fee_ppm=st.integers(0, 500_000),
    flat_fee=AMOUNT,
    platform_ppm=st.integers(0, 100_000),
)


@given(QUOTES, AMOUNT)
def test_payment__of_any_quote__gives_the_model_its_part_and_no_unit_more(quote, prover_fee):
    """I6: the model has its floor and its part of the whole price, and one unit less would break one of them."""
    payment = payment_for(quote, prover_fee)
    model_fee = payment.price - prover_fee - quote.flat_fee
    assert model_fee >= quote.model_fee_floor
    assert model_fee * 10**6 >= quote.model_fee_ppm * payment.price
    less = model_fee - 1
    assert less < quote.model_fee_floor or less * 10**6 < quote.model_fee_ppm * (payment.price - 1)


@given(QUOTES, AMOUNT, AMOUNT)
def test_signed_payment__of_any_fees__sums_to_the_price(quote, model_fee, prover_fee):
    """I6: prover, model and platform together get exactly what is drawn, and the platform never more than its part."""
    payment = signed_payment(quote, model_fee, prover_fee)
    assert payment.price == model_fee + prover_fee + quote.flat_fee
    assert (payment.platform_amount - quote.flat_fee) * 10**6 <= quote.platform_ppm * model_fee


@given(QUOTES, AMOUNT, AMOUNT)
def test_escrow__at_the_greatest_fee__covers_every_price(quote, first, second):
    """Escrow is taken once at the greatest fee: no smaller fee costs more."""
    smaller, greater = sorted((first, second))
    assert payment_for(quote, smaller).price <= escrow_for(quote, greater)


@given(AMOUNT, AMOUNT, st.integers(0, 2**32 - 1), st.integers(0, 2**33))
def test_prover_fee__at_any_time__stays_between_its_ends(first, second, ramp, time):
    """The offer is never outside what the requester named, whatever the clock says."""
    minimum, maximum = sorted((first, second))
    assert minimum <= prover_fee_at(minimum, maximum, 1000, ramp, time) <= maximum
    assert prover_fee_at(minimum, maximum, 1000, ramp, 1000 + ramp) == maximum


@given(AMOUNT, AMOUNT, st.integers(0, 1_000_000))
def test_collateral__is_the_ceiling_and_the_minimum(price, minimum, ppm):
    """Collateral is the least integer not below both the minimum and price * ppm / 10^6."""
    collateral = collateral_for(price, minimum, ppm)
    assert collateral >= minimum
    assert collateral * 1_000_000 >= price * ppm
    assert collateral == minimum or (collateral - 1) * 1_000_000 < price * ppm


@given(AMOUNT, st.integers(0, 500_000), st.integers(0, 1_000_000), st.booleans())
def test_forfeit__of_any_collateral__is_split_whole(collateral, bonus_ppm, treasury_ppm, has_heir):
    """I11: what is forfeited goes somewhere to the last unit, and no more than half of it to another prover."""
    found = split_forfeit(collateral, bonus_ppm, treasury_ppm, has_heir=has_heir)
    assert found.bonus + found.to_treasury + found.to_burn == found.amount == collateral
    assert min(found) >= 0
    assert 2 * found.bonus <= collateral
    assert has_heir or found.bonus == 0
