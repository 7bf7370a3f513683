"""The batch opening by itself: its two quotients are polynomials exactly when the values are right."""

import random

import pytest

from circuits.octet.spec.batch_opening import (
    Opened,
    all_points,
    batch_quotient,
    exact_quotient,
    quotient_at,
    vanishing,
)
from circuits.octet.spec.field import evaluate_polynomial, multiply_by_root
from zkml.core.field import R

RANDOM = random.Random(9)
POINTS = ((5, 7), (7, 11, 13), (5,))
POLYNOMIALS = [[RANDOM.randrange(R) for _ in range(size)] for size in (4, 9, 2)]
DELTA, Y, X = (RANDOM.randrange(R) for _ in range(3))


def opened(wrong: int | None = None):
    """Return the openings, with the last value of one of them wrong by one."""
    result = []
    for index, (polynomial, points) in enumerate(zip(POLYNOMIALS, POINTS, strict=True)):
        values = [evaluate_polynomial(polynomial, x) for x in points]
        values[-1] = (values[-1] + (index == wrong)) % R
        result.append(Opened(points, tuple(values)))
    return result


def test_batch_opening__the_quotients_satisfy_the_equation_a_verifier_checks():
    """At a random X: sum delta^k Z(y)(p_k(X) - r_k(y)) - Z_T(y) W(X) = W'(X) (X - y)."""
    batch = opened()
    w = batch_quotient(POLYNOMIALS, batch, DELTA)
    w_y = quotient_at(POLYNOMIALS, batch, DELTA, w, Y)
    everywhere = all_points(batch)
    assert everywhere == (5, 7, 11, 13)
    left = -vanishing(everywhere, Y) * evaluate_polynomial(w, X)
    for power, (polynomial, at) in enumerate(zip(POLYNOMIALS, batch, strict=True)):
        missing = tuple(x for x in everywhere if x not in at.points)
        weight = pow(DELTA, power, R) * vanishing(missing, Y)
        left += weight * (evaluate_polynomial(polynomial, X) - at.value_at(Y))
    assert left % R == evaluate_polynomial(w_y, X) * (X - Y) % R


@pytest.mark.parametrize("wrong", range(len(POINTS)))
def test_batch_opening__a_wrong_value_leaves_no_quotient(wrong):
    """One value of one polynomial wrong by one: the division does not come out, and is refused."""
    with pytest.raises(ValueError, match="vanishes"):
        batch_quotient(POLYNOMIALS, opened(wrong), DELTA)


def test_batch_opening__a_division_that_does_not_come_out_is_refused():
    """A remainder is never dropped, or an honest prover could send a proof that no verifier accepts."""
    product = multiply_by_root([3, 1, 4], 15)
    assert exact_quotient(product, 15) == [3, 1, 4]
    with pytest.raises(ValueError, match="vanishes"):
        exact_quotient([product[0] + 1, *product[1:]], 15)
