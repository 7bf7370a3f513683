"""BN254's G1: points of a proof and sums of multiples of them.

Written in plain integers because a commitment adds many thousand points.

Source: EIP-196 (curve); docs/octet.md 3.8 ((0, 0) is infinity).
"""

from collections.abc import Iterable, Sequence

from circuits.srs_points import GENERATOR, P, negate
from zkml.core.field import R
from zkml.errors import ProofRejectedError

Q = P
"""The prime of the base field: coordinates are below it."""

Point = tuple[int, int]
"""An affine point of G1; (0, 0), which is not on the curve, stands for infinity."""

INFINITY: Point = (0, 0)

_WINDOW_BITS_MAX = 12
_Jacobian = tuple[int, int, int]
_ZERO: _Jacobian = (1, 1, 0)

__all__ = [
    "GENERATOR",
    "INFINITY",
    "Point",
    "Q",
    "add",
    "is_on_curve",
    "multi_multiply",
    "multiply",
    "negate",
    "point_from_words",
    "sum_points",
]


def is_on_curve(point: Point) -> bool:
    """Tell whether a point is infinity or satisfies y^2 = x^3 + 3; G1 is the whole curve (cofactor 1)."""
    x, y = point
    if point == INFINITY:
        return True
    return 0 <= x < Q and 0 <= y < Q and (y * y - x * x * x - 3) % Q == 0


def point_from_words(x: int, y: int) -> Point:
    """Read a point of a proof.

    Raises:
        ProofRejectedError: a coordinate is not below q, or the point is not on the curve.
    """
    if not (0 <= x < Q and 0 <= y < Q):
        raise ProofRejectedError(f"expected coordinates below q, found {x:#x}, {y:#x}")
    if not is_on_curve((x, y)):
        raise ProofRejectedError(f"expected a point of the curve, found {x:#x}, {y:#x}")
    return x, y


def add(left: Point, right: Point) -> Point:
    """Return left + right."""
    return _affine(_add_mixed(_jacobian(left), right))


def sum_points(points: Iterable[Point]) -> Point:
    """Return the sum of points, with one inversion for all."""
    total = _ZERO
    for point in points:
        total = _add_mixed(total, point)
    return _affine(total)


def multiply(point: Point, factor: int) -> Point:
    """Return factor * point; the factor is taken modulo R."""
    total = _ZERO
    for bit in f"{factor % R:b}":
        total = _double(total)
        if bit == "1":
            total = _add_mixed(total, point)
    return _affine(total)


def multi_multiply(points: Sequence[Point], factors: Sequence[int]) -> Point:
    """Return sum factors_i * points_i by Pippenger's buckets.

    Args:
        points: points of G1, infinity included.
        factors: as many integers, taken modulo R.

    Raises:
        ValueError: the lengths differ.
    """
    pairs = [(p, int(f) % R) for p, f in zip(points, factors, strict=True)]
    pairs = [(p, f) for p, f in pairs if f and p != INFINITY]
    bits = max((f.bit_length() for _, f in pairs), default=0)
    window = min(_WINDOW_BITS_MAX, max(2, len(pairs).bit_length() - 2))
    total = _ZERO
    for shift in reversed(range(0, bits, window)):
        for _ in range(window):
            total = _double(total)
        buckets: list[_Jacobian] = [_ZERO] * (1 << window)
        for point, factor in pairs:
            digit = factor >> shift & ((1 << window) - 1)
            if digit:
                buckets[digit] = _add_mixed(buckets[digit], point)
        # sum_d d * bucket_d: every bucket is counted once for each running sum it is part of.
        running = _ZERO
        for bucket in reversed(buckets[1:]):
            running = _add(running, bucket)
            total = _add(total, running)
    return _affine(total)


def _jacobian(point: Point) -> _Jacobian:
    return _ZERO if point == INFINITY else (point[0], point[1], 1)


def _affine(point: _Jacobian) -> Point:
    x, y, z = point
    if z == 0:
        return INFINITY
    inverse = pow(z, -1, Q)
    square = inverse * inverse % Q
    return x * square % Q, y * square * inverse % Q


def _double(point: _Jacobian) -> _Jacobian:
    """Double (x / z^2, y / z^3); formulas dbl-2009-l for a curve with a = 0.

    No point has y = 0: the order is odd.
    """
    x, y, z = point
    if z == 0:
        return _ZERO
    a, b = x * x % Q, y * y % Q
    c = b * b % Q
    d = 2 * ((x + b) * (x + b) - a - c)
    e = 3 * a
    new_x = (e * e - 2 * d) % Q
    return new_x, (e * (d - new_x) - 8 * c) % Q, 2 * y * z % Q


def _add_mixed(left: _Jacobian, right: Point) -> _Jacobian:
    """Add an affine point; formulas madd with the exceptional cases told apart."""
    x1, y1, z1 = left
    if right == INFINITY:
        return left
    if z1 == 0:
        return right[0], right[1], 1
    z1_squared = z1 * z1 % Q
    h = (right[0] * z1_squared - x1) % Q
    r = (right[1] * z1_squared * z1 - y1) % Q
    return _finish(left, h, r, z1)


def _add(left: _Jacobian, right: _Jacobian) -> _Jacobian:
    x1, y1, z1 = left
    x2, y2, z2 = right
    if z1 == 0:
        return right
    if z2 == 0:
        return left
    z1_squared, z2_squared = z1 * z1 % Q, z2 * z2 % Q
    u1, s1 = x1 * z2_squared % Q, y1 * z2_squared * z2 % Q
    h = (x2 * z1_squared - u1) % Q
    r = (y2 * z1_squared * z1 - s1) % Q
    if h == 0 and r == 0:
        return _double(left)
    return _finish((u1, s1, 1), h, r, z1 * z2 % Q)


def _finish(scaled: _Jacobian, h: int, r: int, z: int) -> _Jacobian:
    """Return the sum of two points whose x differ by h and y by r over the common denominator z."""
    x1, y1, _ = scaled
    if h == 0:
        # Same x: the same point, or its negative, whose sum is infinity.
        return _double(scaled) if r == 0 else _ZERO
    h_squared = h * h % Q
    h_cubed = h_squared * h % Q
    v = x1 * h_squared % Q
    x3 = (r * r - h_cubed - 2 * v) % Q
    return x3, (r * (v - x3) - y1 * h_cubed) % Q, z * h % Q
