"""The specification's G1 and pairing against py_ecc and the precompiles of the EVM."""

import random

import py_ecc.optimized_bn128 as ecc
import pyrevm
import pytest

from circuits.octet.spec import curve, pairing
from circuits.octet.spec.curve import GENERATOR, INFINITY, Q
from circuits.octet.spec.fixed_base import multiply_generator
from zkml.core.field import R
from zkml.errors import ProofRejectedError

RANDOM = random.Random(7)
CALLER = "0x" + "11" * 20
ECADD, ECMUL, PAIRING = ("0x" + "00" * 19 + number for number in ("06", "07", "08"))
FACTORS = [0, 1, 2, 3, R - 1, R, R + 5, 1 << 253, RANDOM.randrange(R)]


def reference_multiply(factor: int) -> tuple[int, int]:
    """Return factor * G by py_ecc."""
    point = ecc.multiply(ecc.G1, factor % R)
    if ecc.is_inf(point):
        return INFINITY
    x, y = ecc.normalize(point)
    return int(x), int(y)


def precompile(address: str, *words: int) -> list[int]:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    answer = bytes(pyrevm.EVM(gas_limit=10_000_000).message_call(CALLER, address, data))
    return [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]


@pytest.mark.parametrize("factor", FACTORS)
def test_curve__a_multiple_is_py_eccs_and_the_precompiles(factor):
    """Three implementations agree on factor * G, at zero, one, the order and above it."""
    expected = reference_multiply(factor)
    assert curve.multiply(GENERATOR, factor) == expected
    assert multiply_generator(factor) == expected
    assert precompile(ECMUL, *GENERATOR, factor % (1 << 256)) == list(expected)


def test_curve__sums_are_the_precompiles_in_every_case():
    """Different points, a point with itself, with its negative and with infinity add up as in the EVM."""
    a, b = multiply_generator(RANDOM.randrange(R)), multiply_generator(RANDOM.randrange(R))
    for left, right in [
        (a, b),
        (a, a),
        (a, curve.negate(a)),
        (a, INFINITY),
        (INFINITY, a),
        (INFINITY, INFINITY),
    ]:
        assert list(curve.add(left, right)) == precompile(ECADD, *left, *right)


def test_curve__a_long_sum_of_multiples_is_the_sum_of_the_multiples():
    """Buckets give the same as one multiplication after the other, with repeated, opposite and absent points."""
    logarithms = [RANDOM.randrange(R) for _ in range(40)]
    logarithms[3] = logarithms[2]
    logarithms[5] = R - logarithms[4]
    logarithms[6] = 0
    factors = [RANDOM.randrange(R) for _ in logarithms]
    factors[3], factors[5], factors[7], factors[8], factors[9] = factors[2], factors[4], 0, -1, 255
    points = [multiply_generator(value) for value in logarithms]
    expected = sum(a * b for a, b in zip(logarithms, factors, strict=True))
    assert curve.multi_multiply(points, factors) == reference_multiply(expected)
    assert curve.sum_points(points) == reference_multiply(sum(logarithms))


@pytest.mark.parametrize("points", [[], [INFINITY, INFINITY], [GENERATOR, GENERATOR]])
def test_curve__a_sum_that_vanishes_is_infinity(points):
    """No points, points at infinity and opposite multiples all sum to (0, 0)."""
    assert curve.multi_multiply(points, [1, -1][: len(points)]) == INFINITY


def test_curve__small_buckets_of_equal_points_double():
    """The same point with the same digit lands in one bucket and must be doubled there."""
    assert curve.multi_multiply([GENERATOR] * 5, [3] * 5) == reference_multiply(15)


def test_curve__factors_and_points_pair_up():
    """A factor without a point is a caller's mistake."""
    with pytest.raises(ValueError, match="zip"):
        curve.multi_multiply([GENERATOR], [1, 2])


@pytest.mark.parametrize(
    ("x", "y"),
    [(1, 3), (0, 1), (1 + Q, 2), (1, 2 + Q), (Q, Q), (-1, 2), (Q, 0), (0, Q)],
)
def test_curve__a_word_pair_that_is_no_point_is_refused(x, y):
    """Points off the curve and coordinates not below q are refused, as the precompiles do."""
    with pytest.raises(ProofRejectedError):
        curve.point_from_words(x, y)
    assert not curve.is_on_curve((x, y))
    if x >= 0:
        with pytest.raises(RuntimeError):
            precompile(ECADD, x, y, *GENERATOR)


def test_curve__infinity_is_read_as_a_point():
    """(0, 0) is a legal word pair: a commitment to zeros is infinity."""
    assert curve.point_from_words(0, 0) == INFINITY
    assert curve.point_from_words(*GENERATOR) == GENERATOR


def test_curve__equal_pairings_are_equal_in_the_evm_too():
    """e(aG, bH) = e(bG, aH) holds and e(aG, bH) = e(bG, bH) does not, in py_ecc and the precompile."""
    a, b = RANDOM.randrange(1, R), RANDOM.randrange(1, R)
    left, right = multiply_generator(a), multiply_generator(b)
    a_h, b_h = (pairing.multiply_g2(pairing.G2_GENERATOR, value) for value in (a, b))
    for right_g2, expected in [(a_h, True), (b_h, False)]:
        assert pairing.pairing_equal(left, b_h, right, right_g2) is expected
        words = [*left, *pairing.g2_words(b_h), *curve.negate(right), *pairing.g2_words(right_g2)]
        assert precompile(PAIRING, *words) == [int(expected)]


def test_curve__infinity_pairs_to_one():
    """A pairing with infinity equals only another that is one."""
    generator = pairing.G2_GENERATOR
    assert pairing.pairing_equal(INFINITY, generator, INFINITY, generator)
    assert not pairing.pairing_equal(GENERATOR, generator, INFINITY, generator)


def test_curve__a_point_of_the_twist_outside_g2_is_told_apart():
    """Being on the twist is not enough: its cofactor is large."""
    assert pairing.is_in_g2(pairing.G2_GENERATOR)
    assert not pairing.is_in_g2(((1, 0), (1, 0)))
    assert not pairing.is_in_g2(_outside_the_subgroup())
    assert not pairing.is_in_g2(_of_the_right_order_on_another_curve())
    with pytest.raises(ValueError, match="multiple of r"):
        pairing.multiply_g2(pairing.G2_GENERATOR, R)


def _of_the_right_order_on_another_curve() -> pairing.G2Point:
    """Return (4x, 8y) of the generator: it lies on y^2 = x^3 + 64 b, where it has order R too."""
    (x0, x1), (y0, y1) = pairing.G2_GENERATOR
    return (4 * x0 % Q, 4 * x1 % Q), (8 * y0 % Q, 8 * y1 % Q)


def _outside_the_subgroup() -> pairing.G2Point:
    """Return a point of y^2 = x^3 + 3 / (9 + i) with small x: almost none of those is of order R."""
    for c0 in range(1, 50):
        x = ecc.FQ2([c0, 0])
        square = x * x * x + ecc.b2
        # A square root in F_q^2 for q = 3 mod 4, if there is one.
        first = square ** ((Q - 3) // 4)
        alpha, root = first * first * square, first * square
        y = (
            ecc.FQ2([0, 1]) * root
            if alpha == ecc.FQ2([Q - 1, 0])
            else (alpha + ecc.FQ2.one()) ** ((Q - 1) // 2) * root
        )
        if y * y == square:
            return (c0, 0), (int(y.coeffs[0]), int(y.coeffs[1]))
    raise AssertionError("expected a point among fifty candidates, found none")
