"""Mercury: the opening of one multilinear polynomial at one point, in 8 points and 6 scalars.

Notation of the page: n coordinates u = (u1, u2) with t = ceil(n/2) in u1, b = 2^t, and the committed
polynomial cut into rows of b coefficients, f(X) = sum_i X^(i b) f_i(X). The value to show is
v = <eq(u2), h> with h_i = <eq(u1), f_i>, and it follows from four statements:

    h(alpha) = <eq(u1), g>          where g = sum_i alpha^i f_i, since h_i = <eq(u1), f_i> at a random alpha
    v        = <eq(u2), h>
    f        = (X^b - alpha) q + g  with deg g < b, which makes g that combination of rows
    D        = X^(b-1) g(1/X)       is a polynomial, which is deg g < b

The first two are constant coefficients of products a(X) P(1/X), P_i(X) = sum_j eq(u_i, j) X^j, and are shown
together, symmetrised, by S. All values at z, 1/z and alpha are opened by one batch (BDFG20).

The commitment, the point and the value are not absorbed here: they must follow from what the transcript
holds before.

Source: docs/octet.md, Mercury (3.9), order of words (3.11); eprint 2025/385 and 2020/081.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.octet.spec.batch_opening import (
    Opened,
    all_points,
    batch_quotient,
    exact_quotient,
    quotient_at,
    vanishing,
)
from circuits.octet.spec.curve import GENERATOR, Point, add, multi_multiply, multiply, point_from_words
from circuits.octet.spec.field import (
    Vector,
    add_polynomials,
    checked_scalar,
    evaluate_polynomial,
    inner_product,
    inverse,
)
from circuits.octet.spec.multilinear import eq_table
from circuits.octet.spec.srs import OpeningKey, Srs
from circuits.octet.spec.transcript import Transcript
from zkml.core.field import R
from zkml.errors import ProofRejectedError

WORDS = 22
"""Words of a proof: 8 points of two and 6 scalars."""

_HALF = inverse(2)


@dataclass(frozen=True, slots=True)
class MercuryProof:
    """What the prover sends, in this order.

    Attributes:
        h: commitment of the rows' values at u1.
        q, g: commitments of quotient and remainder by X^b - alpha.
        s, d: commitments of the symmetric remainder and of g reversed.
        values: g(z), g(1/z), h(z), h(1/z), S(z), S(1/z).
        w: commitment of the batch's quotient.
        w_y: commitment of the batch's quotient at y (W' of the page).
        pi: commitment of (f - (z^b - alpha) q - g(z)) / (X - z).
    """

    h: Point
    q: Point
    g: Point
    s: Point
    d: Point
    values: tuple[int, int, int, int, int, int]
    w: Point
    w_y: Point
    pi: Point

    def words(self) -> list[int]:
        """Return the 22 words of the proof."""
        return [*self.h, *self.q, *self.g, *self.s, *self.d, *self.values, *self.w, *self.w_y, *self.pi]

    @classmethod
    def from_words(cls, words: Sequence[int]) -> "MercuryProof":
        """Read a proof.

        Raises:
            ProofRejectedError: another number of words, a scalar not below r, or a point not on the curve.
        """
        if len(words) != WORDS:
            raise ProofRejectedError(f"expected {WORDS} words of an opening, found {len(words)}")
        h, q, g, s, d = (point_from_words(words[at], words[at + 1]) for at in range(0, 10, 2))
        g_z, g_zi, h_z, h_zi, s_z, s_zi = (checked_scalar(word) for word in words[10:16])
        w, w_y, pi = (point_from_words(words[at], words[at + 1]) for at in range(16, 22, 2))
        return cls(h, q, g, s, d, (g_z, g_zi, h_z, h_zi, s_z, s_zi), w, w_y, pi)


def split_point(point: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Return u1, the lower half of the coordinates rounded up, and u2.

    Raises:
        ValueError: no coordinates.
    """
    if not point:
        raise ValueError("expected a point of one coordinate or more, found none")
    low = (len(point) + 1) // 2
    return point[:low], point[low:]


def eq_polynomial_at(point: Sequence[int], x: int) -> int:
    """Return P(x) = sum_j eq(point, j) x^j = prod_j (1 - u_j + u_j x^(2^j))."""
    product, power = 1, x
    for coordinate in point:
        product = product * (1 - coordinate + coordinate * power) % R
        power = power * power % R
    return product


def batch_points(
    z: int, alpha: int, values: tuple[int, int, int, int, int, int], h_alpha: int, d_z: int
) -> tuple[Opened, Opened, Opened, Opened]:
    """Return what is opened of g, S, h and D, in the order of the powers of delta."""
    g_z, g_zi, h_z, h_zi, s_z, s_zi = values
    zi = inverse(z)
    return (
        Opened((z, zi), (g_z, g_zi)),
        Opened((z, zi), (s_z, s_zi)),
        Opened((z, zi, alpha), (h_z, h_zi, h_alpha)),
        Opened((z,), (d_z,)),
    )


def open_at(coefficients: Vector, point: Sequence[int], transcript: Transcript, srs: Srs) -> MercuryProof:
    """Show the value at a point of the multilinear polynomial with these values on the hypercube.

    Args:
        coefficients: 2^n field elements, which are committed to as coefficients of f(X).
        point: n coordinates, the lowest bit's first.
        transcript: holds the commitment, the point and the value, or what they follow from.
        srs: of 2^n powers or more.

    Raises:
        ValueError: the vector is not of 2^n elements; or a challenge is one of the few the verifier refuses
            (probability below 2^-250).
    """
    u1, u2 = split_point(point)
    width, height = 1 << len(u1), 1 << len(u2)
    if len(coefficients) != width * height:
        raise ValueError(f"expected {width * height} coefficients, found {len(coefficients)}")
    eq1, eq2 = eq_table(u1), eq_table(u2)
    rows = [coefficients[at : at + width] for at in range(0, width * height, width)]

    h = [inner_product(row, eq1) for row in rows]
    h_point = srs.commit(h)
    alpha = transcript.absorb("mercury h", h_point)

    q, g = _divide_rows(rows, alpha)
    q_point, g_point = srs.commit(q), srs.commit(g)
    gamma = transcript.absorb("mercury q g", [*q_point, *g_point])

    s = add_polynomials(_symmetric_part(g, eq1), _symmetric_part(h, eq2), gamma)
    d = g[::-1]
    s_point, d_point = srs.commit(s), srs.commit(d)
    z = transcript.absorb("mercury s d", [*s_point, *d_point])

    zi = inverse(z)
    at_z, at_zi = ([evaluate_polynomial(p, x) for p in (g, h, s)] for x in (z, zi))
    values = (at_z[0], at_zi[0], at_z[1], at_zi[1], at_z[2], at_zi[2])
    delta = transcript.absorb("mercury values", values)

    h_alpha, d_z = evaluate_polynomial(h, alpha), evaluate_polynomial(d, z)
    polynomials, opened = (g, s, h, d), batch_points(z, alpha, values, h_alpha, d_z)
    w = batch_quotient(polynomials, opened, delta)
    w_point = srs.commit(w)
    y = transcript.absorb("mercury w", w_point)

    w_y = quotient_at(polynomials, opened, delta, w, y)
    large = add_polynomials([int(c) for c in coefficients], q, alpha - pow(z, width, R))
    pi = exact_quotient(add_polynomials(large, [values[0]], -1), z)
    w_y_point, pi_point = srs.commit(w_y), srs.commit(pi)
    transcript.absorb("mercury w_y pi", [*w_y_point, *pi_point])
    return MercuryProof(h_point, q_point, g_point, s_point, d_point, values, w_point, w_y_point, pi_point)


def verify(
    commitment: Point,
    point: Sequence[int],
    value: int,
    proof: MercuryProof,
    transcript: Transcript,
    *,
    key: OpeningKey,
) -> None:
    """Check that the polynomial of a commitment has a value at a point.

    Only the first 2^n coefficients of the commitment are spoken of: a longer vector changes nothing.

    Args:
        commitment: of f.
        point: n coordinates in [0, R).
        value: in [0, R).
        proof: as `MercuryProof.from_words` reads it, so that its words are canonical and on the curve.
        transcript: as the prover's before the opening; afterwards it holds the proof's words too.
        key: [tau]_2.

    Raises:
        ProofRejectedError: it has not, or not by this proof.
    """
    u1, u2 = split_point(point)
    width = 1 << len(u1)
    alpha = transcript.absorb("mercury h", proof.h)
    gamma = transcript.absorb("mercury q g", [*proof.q, *proof.g])
    z = transcript.absorb("mercury s d", [*proof.s, *proof.d])
    delta = transcript.absorb("mercury values", proof.values)
    y = transcript.absorb("mercury w", proof.w)
    zeta = transcript.absorb("mercury w_y pi", [*proof.w_y, *proof.pi])
    require_usable_challenges(alpha, z, y)

    zi, z_b = inverse(z), pow(z, width, R)
    g_z, g_zi, h_z, h_zi, s_z, s_zi = proof.values
    symmetric = g_z * eq_polynomial_at(u1, zi) + g_zi * eq_polynomial_at(u1, z)
    symmetric += gamma * (h_z * eq_polynomial_at(u2, zi) + h_zi * eq_polynomial_at(u2, z))
    h_alpha = ((symmetric - z * s_z - zi * s_zi) * _HALF - gamma * value) % R
    d_z = z_b * zi * g_zi % R

    opened = batch_points(z, alpha, proof.values, h_alpha, d_z)
    everywhere = all_points(opened)
    constant = 0
    points, factors = [proof.w, proof.w_y], [-vanishing(everywhere, y), y]
    for power, (committed, at) in enumerate(zip((proof.g, proof.s, proof.h, proof.d), opened, strict=True)):
        factor = pow(delta, power, R) * at.factor_at(y, everywhere) % R
        points.append(committed)
        factors.append(factor)
        constant += factor * at.value_at(y)
    points += [proof.q, proof.pi, GENERATOR]
    factors = [zeta * factor for factor in factors]
    factors += [alpha - z_b, z, -g_z - zeta * constant]
    accumulator = add(commitment, multi_multiply(points, factors))
    quotient = add(proof.pi, multiply(proof.w_y, zeta))
    if not key.holds(accumulator, quotient):
        raise ProofRejectedError(
            "expected an opening that satisfies the pairing equation, found one that does not"
        )


def require_usable_challenges(alpha: int, z: int, y: int) -> None:
    """Refuse the challenges for which a step of the argument divides by zero or says nothing.

    Raises:
        ProofRejectedError: z, alpha or y is 0, or two of z, 1/z and alpha are equal.
    """
    if 0 in {alpha, z, y}:
        raise ProofRejectedError("expected challenges other than zero, found a zero")
    if len({z, inverse(z), alpha}) != 3:
        raise ProofRejectedError("expected z, 1/z and alpha to differ, found two that are equal")


def _divide_rows(rows: Sequence[Vector], alpha: int) -> tuple[list[int], list[int]]:
    """Return quotient and remainder of f by X^b - alpha: Horner's rule on whole rows."""
    remainder: Vector = rows[-1]
    quotient_rows: list[Vector] = []
    for row in reversed(rows[:-1]):
        quotient_rows.append(remainder)
        remainder = (remainder * alpha + row) % R
    quotient = [int(value) for row in reversed(quotient_rows) for value in row]
    return quotient, [int(value) for value in remainder]


def _symmetric_part(left: Sequence[int], right: Sequence[int] | Vector) -> list[int]:
    """Return S with left(X) right(1/X) + left(1/X) right(X) = 2 <left, right> + X S(X) + S(1/X) / X."""
    size = len(left)
    return [
        sum(left[i + shift] * int(right[i]) + left[i] * int(right[i + shift]) for i in range(size - shift))
        % R
        for shift in range(1, size)
    ]
