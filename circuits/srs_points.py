"""Points of BN254's G1 as an SRS file holds them, and the little arithmetic a verifier's file needs.

Coordinates are 32 bytes little-endian in Montgomery form (x * 2^256 mod p). Public data only: nothing
here runs in constant time.

Source: EIP-196 (curve), halo2curves `SerdeFormat::RawBytes` (form).
"""

from zkml.core.field import R
from zkml.errors import SrsError

POINT_BYTES = 64
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""The prime of BN254's base field."""

_MONTGOMERY = (1 << 256) % P
UNMONTGOMERY = pow(_MONTGOMERY, -1, P)
"""What takes a coordinate out of Montgomery form."""

Point = tuple[int, int]
"""An affine point other than infinity."""

GENERATOR: Point = (1, 2)


def decode_point(data: bytes) -> Point:
    """Read a point.

    Raises:
        SrsError: not 64 bytes, a coordinate is not below p, or the point is not on the curve.
    """
    if len(data) != POINT_BYTES:
        raise SrsError(f"expected {POINT_BYTES} bytes of a point, found {len(data)}")
    x, y = from_montgomery(data[:32]), from_montgomery(data[32:])
    if (y * y - x * x * x - 3) % P:
        raise SrsError("expected points on the curve, found one that is not")
    return x, y


def from_montgomery(data: bytes) -> int:
    """Read one coordinate.

    Raises:
        SrsError: it is not below p.
    """
    raw = int.from_bytes(data, "little")
    if raw >= P:
        raise SrsError("expected coordinates below the field's prime, found one that is not")
    return raw * UNMONTGOMERY % P


def to_montgomery(coordinate: int) -> bytes:
    """Write one coordinate; the inverse of `from_montgomery`."""
    return (coordinate * _MONTGOMERY % P).to_bytes(32, "little")


def encode_point(point: Point) -> bytes:
    """Write a point; the inverse of `decode_point`."""
    return b"".join(map(to_montgomery, point))


def negate(point: Point) -> Point:
    """Return -point."""
    return point[0], -point[1] % P


def add(left: Point | None, right: Point | None) -> Point | None:
    """Return left + right, where None is the point at infinity."""
    if left is None or right is None:
        return left or right
    if left[0] == right[0]:
        if (left[1] + right[1]) % P == 0:
            return None
        slope = 3 * left[0] * left[0] * pow(2 * left[1], -1, P)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, P)
    x = (slope * slope - left[0] - right[0]) % P
    return x, (slope * (left[0] - x) - left[1]) % P


def multiply(point: Point | None, factor: int) -> Point | None:
    """Return factor * point, by doubling and adding."""
    total, power = None, point
    while factor:
        if factor & 1:
            total = add(total, power)
        power = add(power, power)
        factor >>= 1
    return total


def lagrange_pair(tau_point: Point) -> tuple[Point, Point]:
    """Return the two Lagrange points of a domain of two rows, from [tau]G.

    With the roots of unity 1 and -1 they are [(1 + tau) / 2]G and [(1 - tau) / 2]G.

    Raises:
        SrsError: tau is 1 or -1, which no ceremony ends with.
    """
    half = pow(2, -1, R)
    first = multiply(add(GENERATOR, tau_point), half)
    second = multiply(add(GENERATOR, negate(tau_point)), half)
    if first is None or second is None:
        raise SrsError("expected a tau other than 1 and -1, found one of them")
    return first, second
