"""The opening of several polynomials, each at its own few points, in two commitments (BDFG20).

With r_k the interpolant of polynomial p_k's values over its points T_k, T all points, Z_A(X) the product of
X - x over A, and delta a challenge that follows the values:

    W(X)  = sum_k delta^k (p_k(X) - r_k(X)) / Z_{T_k}(X)
    L(X)  = sum_k delta^k Z_{T - T_k}(y) (p_k(X) - r_k(y)) - Z_T(y) W(X)       for y drawn after [W]
    W'(X) = L(X) / (X - y)

W is a polynomial exactly if all values are right, and L(y) = 0 says that W is that quotient. A verifier makes
[L] from the commitments.

Source: docs/octet.md, Mercury (3.9 step 5); eprint 2020/081, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.octet.spec.field import add_polynomials, divide_by_root, evaluate_polynomial, interpolate
from zkml.core.field import R


@dataclass(frozen=True, slots=True)
class Opened:
    """One polynomial of the batch: the points it is opened at, and its values there."""

    points: tuple[int, ...]
    values: tuple[int, ...]

    def value_at(self, y: int) -> int:
        """Return the interpolant of the values at y."""
        return evaluate_polynomial(interpolate(self.points, self.values), y)

    def factor_at(self, y: int, everywhere: tuple[int, ...]) -> int:
        """Return prod (y - x) over the points of the batch at which this polynomial is not opened."""
        return vanishing(tuple(x for x in everywhere if x not in self.points), y)


def all_points(opened: Sequence[Opened]) -> tuple[int, ...]:
    """Return every point of the batch once."""
    return tuple(dict.fromkeys(x for at in opened for x in at.points))


def vanishing(roots: tuple[int, ...], y: int) -> int:
    """Return prod (y - root)."""
    product = 1
    for root in roots:
        product = product * (y - root) % R
    return product


def batch_quotient(polynomials: Sequence[list[int]], opened: Sequence[Opened], delta: int) -> list[int]:
    """Return the coefficients of W."""
    total: list[int] = [0]
    for power, (polynomial, at) in enumerate(zip(polynomials, opened, strict=True)):
        quotient = add_polynomials(polynomial, interpolate(at.points, at.values), -1)
        for x in at.points:
            quotient = exact_quotient(quotient, x)
        total = add_polynomials(total, quotient, pow(delta, power, R))
    return total


def quotient_at(
    polynomials: Sequence[list[int]],
    opened: Sequence[Opened],
    delta: int,
    w: list[int],
    y: int,
) -> list[int]:
    """Return the coefficients of W'."""
    everywhere = all_points(opened)
    left = [value * -vanishing(everywhere, y) % R for value in w]
    for power, (polynomial, at) in enumerate(zip(polynomials, opened, strict=True)):
        factor = pow(delta, power, R) * at.factor_at(y, everywhere) % R
        left = add_polynomials(left, add_polynomials(polynomial, [at.value_at(y)], -1), factor)
    return exact_quotient(left, y)


def exact_quotient(polynomial: Sequence[int], root: int) -> list[int]:
    """Return p(X) / (X - root).

    Raises:
        ValueError: p(root) is not zero.
    """
    quotient, remainder = divide_by_root(polynomial, root)
    if remainder:
        raise ValueError("expected a polynomial that vanishes at the opened point, found another")
    return quotient
