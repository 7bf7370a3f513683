"""The scalar field F of BN254 and polynomials in one variable over it.

Elements are plain integers in [0, R); vectors are numpy arrays of them with dtype object, which never
overflow. Nothing here runs in constant time: a proof of version 1 hides nothing.

Source: docs/octet.md, notation (3.1) and canonical words (3.8).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from zkml.core.field import R
from zkml.errors import ProofRejectedError

Vector = npt.NDArray[np.object_]
"""Field elements in [0, R), one-dimensional."""

WORD_BYTES = 32


def vector(values: Iterable[int]) -> Vector:
    """Return integers of any sign as field elements."""
    reduced = [int(value) % R for value in values]
    result = np.empty(len(reduced), dtype=object)
    result[:] = reduced
    return result


def from_signed(value: int) -> int:
    """Return the field element of an integer: a negative x becomes R - |x|."""
    return int(value) % R


def to_signed(element: int) -> int:
    """Return the integer nearest zero of a field element; the inverse of `from_signed` below R / 2."""
    return element - R if element > R // 2 else element


def inverse(element: int) -> int:
    """Return 1 / element.

    Raises:
        ValueError: the element is zero.
    """
    return pow(element, -1, R)


def batch_inverse(elements: Vector) -> Vector:
    """Return the inverses of all elements with a single inversion (Montgomery's trick).

    Raises:
        ValueError: an element is zero.
    """
    before = np.empty(len(elements), dtype=object)
    product = 1
    for index, element in enumerate(elements):
        before[index] = product
        product = product * element % R
    running = inverse(product)
    inverses = np.empty(len(elements), dtype=object)
    for index in reversed(range(len(elements))):
        inverses[index] = running * before[index] % R
        running = running * elements[index] % R
    return inverses


def powers(base: int, count: int) -> list[int]:
    """Return 1, base, base^2 ... (`count` of them)."""
    result: list[int] = []
    power = 1
    for _ in range(count):
        result.append(power)
        power = power * base % R
    return result


def inner_product(left: Vector, right: Vector) -> int:
    """Return the sum of the products of two vectors of one length.

    Raises:
        ValueError: the lengths differ.
    """
    if len(left) != len(right):
        raise ValueError(f"expected vectors of one length, found {len(left)} and {len(right)}")
    return sum(int(a) * int(b) for a, b in zip(left, right, strict=True)) % R


def evaluate_polynomial(coefficients: Sequence[int] | Vector, x: int) -> int:
    """Return sum c_i x^i by Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + int(coefficient)) % R
    return value


def add_polynomials(left: Sequence[int], right: Sequence[int], factor: int = 1) -> list[int]:
    """Return the coefficients of left + factor * right."""
    total = [0] * max(len(left), len(right))
    for index, coefficient in enumerate(left):
        total[index] = int(coefficient)
    for index, coefficient in enumerate(right):
        total[index] = (total[index] + factor * int(coefficient)) % R
    return total


def multiply_by_root(coefficients: Sequence[int], root: int) -> list[int]:
    """Return the coefficients of p(X) (X - root)."""
    return add_polynomials([0, *coefficients], coefficients, -root)


def divide_by_root(coefficients: Sequence[int] | Vector, root: int) -> tuple[list[int], int]:
    """Return the quotient and the remainder p(root) of p(X) divided by X - root."""
    quotient = [0] * (len(coefficients) - 1)
    carry = 0
    for index in range(len(coefficients) - 1, 0, -1):
        carry = (int(coefficients[index]) + carry * root) % R
        quotient[index - 1] = carry
    return quotient, (int(coefficients[0]) + carry * root) % R


def interpolate(points: Sequence[int], values: Sequence[int]) -> list[int]:
    """Return the coefficients of the polynomial of least degree with p(points_i) = values_i.

    Raises:
        ValueError: two points are equal, or the lengths differ.
    """
    total = [0] * len(points)
    for index, (point, value) in enumerate(zip(points, values, strict=True)):
        basis, denominator = [1], 1
        for other in [*points[:index], *points[index + 1 :]]:
            basis = multiply_by_root(basis, other)
            denominator = denominator * (point - other) % R
        total = add_polynomials(total, basis, value * inverse(denominator) % R)
    return total


def to_word(value: int) -> bytes:
    """Return an integer below 2^256 as a word of the transcript: 32 bytes, big-endian."""
    return int(value).to_bytes(WORD_BYTES, "big")


def scalar_from_word(word: bytes) -> int:
    """Read a scalar of a proof.

    Raises:
        ProofRejectedError: not 32 bytes, or not below R: x and x + R would be two proofs of one statement.
    """
    if len(word) != WORD_BYTES:
        raise ProofRejectedError(f"expected {WORD_BYTES} bytes of a word, found {len(word)}")
    return checked_scalar(int.from_bytes(word, "big"))


def checked_scalar(value: int) -> int:
    """Return a scalar of a proof if it is canonical.

    Raises:
        ProofRejectedError: it is not in [0, R).
    """
    if not 0 <= value < R:
        raise ProofRejectedError(f"expected a scalar below r, found {value:#x}")
    return value
