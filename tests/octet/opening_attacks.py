"""Forged Mercury openings of a false value, each for a verifier that lacks one step or one absorption."""

from cheating_opener import Prover, with_inner_product

from circuits.octet.spec.batch_opening import vanishing
from circuits.octet.spec.curve import INFINITY, multiply
from circuits.octet.spec.field import add_polynomials, evaluate_polynomial, inverse
from circuits.octet.spec.mercury import MercuryProof, eq_polynomial_at, verify
from circuits.octet.spec.srs import OpeningKey
from zkml.core.field import R


class AlphaFirst(Prover):
    """Knows alpha before h: h has the wanted value and the right h(alpha)."""

    frozen = "mercury h"

    def choose_h(self):
        alpha = self.peek()
        powers = [pow(alpha, i, R) for i in range(len(self.eq2))]
        return with_inner_product(super().choose_h(), self.eq2, self.value, also=powers)


class QuotientLast(Prover):
    """Fixes q after z: then f(z) = (z^b - alpha) q(z) + g(z) holds for any g."""

    frozen = "mercury q g"

    def choose_h(self):
        return with_inner_product(super().choose_h(), self.eq2, self.value)

    def choose_g(self):
        return with_inner_product(super().choose_g(), self.eq1, evaluate_polynomial(self.h, self.alpha))

    def choose_q_late(self):
        gap = evaluate_polynomial(self.f, self.z) - evaluate_polynomial(self.g, self.z)
        return [gap * inverse((pow(self.z, self.b, R) - self.alpha) % R) % R]


class ZFirst(Prover):
    """Knows z before S: one constant mends the identity at z alone."""

    frozen = "mercury s d"

    def choose_s(self):
        z = self.peek()
        return add_polynomials(
            super().choose_s(), [-2 * self.gamma * self.lie * inverse((z + inverse(z)) % R)]
        )


class DeltaFirst(Prover):
    """Knows delta before the values: an error of S(z) and one of h(z) cancel in the batch."""

    frozen = "mercury values"

    def choose_values(self):
        values, delta, z = super().choose_values(), self.peek(), self.z
        ratio = -(z - self.alpha) * inverse(delta) % R
        slope = self.gamma * ratio * eq_polynomial_at(self.u2, inverse(z)) - z
        error = 2 * self.gamma * self.lie * inverse(slope % R) % R
        values[4] = (values[4] + error) % R
        values[2] = (values[2] + ratio * error) % R
        return values


class YFirst(Prover):
    """Knows y before W: a constant makes the remaining polynomial vanish at y, whatever the values."""

    frozen = "mercury w"

    def choose_values(self):
        values = super().choose_values()
        values[4] = (values[4] - 2 * self.gamma * self.lie * inverse(self.z)) % R
        return values

    def choose_w(self):
        if self.forgotten != "mercury w":
            return super().choose_w()
        left = evaluate_polynomial(self.remaining([0]), self.y)
        return [left * inverse(vanishing(self.everywhere, self.y)) % R]


class Recorder(OpeningKey):
    """Keeps the accumulator and calls everything true."""

    def holds(self, accumulator, quotient):
        self.accumulator = accumulator
        return True


class ZetaFirst(Prover):
    """Knows zeta before W' and pi: two points that cancel whatever else the proof says (last challenge)."""

    frozen = "mercury w_y pi"

    def choose_last(self):
        recorder, transcript = Recorder(), self.resumed()
        empty = MercuryProof(*self.points, INFINITY, INFINITY)
        verify(self.srs.commit(self.f), self.point, self.value, empty, transcript, key=recorder)
        zeta = transcript.events[-1].challenge
        w_y = multiply(recorder.accumulator, inverse(zeta * (self.z - self.y) % R))
        return w_y, multiply(w_y, -zeta)


FROZEN_ATTACKS = [AlphaFirst, QuotientLast, ZFirst, DeltaFirst, YFirst, ZetaFirst]
"""One per message of the opening, in their order: `frozen` is the message that is not absorbed."""


class WrongRows(Prover):
    """Commits to an h with the wanted value that is not the rows' values at u1."""

    def choose_h(self):
        return with_inner_product(super().choose_h(), self.eq2, self.value)


class LongRemainder(WrongRows):
    """Mends such an h by moving a constant from q to g, which then has degree b, and sends D = 0."""

    def choose_g(self):
        g = super().choose_g()
        gap = evaluate_polynomial(self.h, self.alpha) - sum(x * y for x, y in zip(g, self.eq1, strict=True))
        self.moved = -gap * inverse(self.alpha * self.eq1[0] % R) % R
        return [(g[0] - self.alpha * self.moved) % R, *g[1:], self.moved]

    def choose_q(self):
        q = super().choose_q()
        return [(q[0] - self.moved) % R, *q[1:]]

    def choose_d(self):
        return [0]


class KnowsTau(Prover):
    """Divides L(tau) by tau - y in the exponent, where L is no multiple of X - y."""

    def choose_last(self):
        _, pi = super().choose_last()
        left = evaluate_polynomial(self.remaining(self.w), self.srs._tau)
        return self.srs.commit([left * inverse((self.srs._tau - self.y) % R) % R]), pi
