"""BN254's second group and the pairing, taken from py_ecc: slow, and an implementation of its own.

Source: EIP-197 (twist, generator, order of coordinates).
"""

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128.optimized_curve import b2, is_on_curve
from py_ecc.optimized_bn128.optimized_curve import multiply as multiply_g2_projective
from py_ecc.optimized_bn128.optimized_curve import normalize as normalize_projective
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from circuits.octet.spec.curve import INFINITY, Point, negate
from zkml.core.field import R

G2Point = tuple[tuple[int, int], tuple[int, int]]
"""An affine point ((x.c0, x.c1), (y.c0, y.c1)) of the twist, other than infinity."""

G2_GENERATOR: G2Point = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)


def g2_words(point: G2Point) -> tuple[int, int, int, int]:
    """Return the four words of the pairing precompile: x.c1, x.c0, y.c1, y.c0."""
    (x0, x1), (y0, y1) = point
    return x1, x0, y1, y0


def multiply_g2(point: G2Point, factor: int) -> G2Point:
    """Return factor * point.

    Raises:
        ValueError: the factor is a multiple of R, so that the result would be infinity.
    """
    if factor % R == 0:
        raise ValueError("expected a factor other than zero, found a multiple of r")
    x, y = normalize_projective(multiply_g2_projective(_g2(point), factor % R))
    return (int(x.coeffs[0]), int(x.coeffs[1])), (int(y.coeffs[0]), int(y.coeffs[1]))


def is_in_g2(point: G2Point) -> bool:
    """Tell whether a point is on the twist and in the subgroup of order R, which is not the whole twist."""
    projective = _g2(point)
    if not is_on_curve(projective, b2):
        return False
    return bool(multiply_g2_projective(projective, R)[2] == FQ2.zero())


def pairing_equal(left: Point, left_g2: G2Point, right: Point, right_g2: G2Point) -> bool:
    """Tell whether e(left, left_g2) = e(right, right_g2), both in their groups."""
    product = _miller(left, left_g2) * _miller(negate(right), right_g2)
    return bool(final_exponentiate(product) == FQ12.one())


def _miller(point: Point, point_g2: G2Point) -> FQ12:
    if point == INFINITY:
        return FQ12.one()
    projective = (FQ(point[0]), FQ(point[1]), FQ(1))
    return pairing(_g2(point_g2), projective, final_exponentiate=False)


def _g2(point: G2Point) -> tuple[FQ2, FQ2, FQ2]:
    return FQ2(point[0]), FQ2(point[1]), FQ2.one()
