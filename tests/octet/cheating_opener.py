"""A Mercury prover that takes any claim, for tests to replace single choices of it."""

from frozen_transcript import forgetting

from circuits.octet.spec import mercury
from circuits.octet.spec import multilinear as ml
from circuits.octet.spec.batch_opening import all_points, vanishing
from circuits.octet.spec.curve import Point
from circuits.octet.spec.field import (
    add_polynomials,
    divide_by_root,
    evaluate_polynomial,
    inner_product,
    interpolate,
    inverse,
    multiply_by_root,
    vector,
)
from circuits.octet.spec.mercury import MercuryProof, eq_polynomial_at, split_point
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.transcript import Transcript
from zkml.core.digests import keccak256
from zkml.core.field import R

SRS = LocalSrs(1 << 8, seed=b"attacks")
VARIABLES = 6


def hashed(label: str, count: int) -> list[int]:
    return [int.from_bytes(keccak256(f"{label} {i}".encode()), "big") % R for i in range(count)]


def start(frozen: str = "") -> Transcript:
    """Return the transcript of a verifier that forgets to absorb one message, or none."""
    return forgetting(frozen).start(b"attacks")


class Prover:
    """Proves like the specification, but takes any claim; attacks replace single choices.

    Divisions drop the remainder, so that a false statement still gives a proof of the right form.
    """

    frozen = ""
    lie = 1

    def __init__(self, frozen: str | None = None) -> None:
        self.forgotten = self.frozen if frozen is None else frozen
        self.srs = SRS
        self.claim(hashed("f", 1 << VARIABLES), hashed("u", VARIABLES), start(self.forgotten))

    def claim(self, coefficients: list[int], point: list[int], transcript: Transcript) -> None:
        """Take what is to be opened, with a value that is wrong by `lie`, over a transcript to go on from."""
        self.f, self.point, self.transcript = coefficients, point, transcript
        self.begun = transcript.state
        self.u1, self.u2 = split_point(self.point)
        self.b = 1 << len(self.u1)
        self.eq1, self.eq2 = list(ml.eq_table(self.u1)), list(ml.eq_table(self.u2))
        self.value = (ml.evaluate(vector(self.f), self.point) + self.lie) % R

    @classmethod
    def opening(cls, coefficients, point, transcript, srs, *, lie: int) -> MercuryProof:
        """Forge an opening in the place of `mercury.open_at`."""
        prover = cls.__new__(cls)
        prover.forgotten, prover.srs, prover.lie = cls.frozen, srs, lie
        prover.claim([int(value) for value in coefficients], list(point), transcript)
        return prover.forge()

    def resumed(self) -> Transcript:
        """Return the transcript as it was before the opening."""
        return type(self.transcript)(self.begun)

    def peek(self) -> int:
        """Return the next challenge of a message that is forgotten; of one that is not, a wrong guess."""
        return int.from_bytes(keccak256(self.transcript.state), "big") % R

    def choose_h(self) -> list[int]:
        return [
            sum(a * b for a, b in zip(self.eq1, self.f[at : at + self.b], strict=True)) % R
            for at in range(0, len(self.f), self.b)
        ]

    def choose_g(self) -> list[int]:
        columns = [self.f[at :: self.b] for at in range(self.b)]
        return [evaluate_polynomial(column, self.alpha) for column in columns]

    def choose_q(self) -> list[int]:
        q = [0] * (len(self.f) - self.b)
        for at in reversed(range(len(q))):
            above = q[at + self.b] if at + self.b < len(q) else 0
            q[at] = (self.f[at + self.b] + self.alpha * above) % R
        return q

    def choose_s(self) -> list[int]:
        return add_polynomials(symmetric(self.g, self.eq1), symmetric(self.h, self.eq2), self.gamma)

    def choose_d(self) -> list[int]:
        return ([*self.g, *[0] * self.b][: self.b])[::-1]

    def choose_values(self) -> list[int]:
        return [
            evaluate_polynomial(p, x) for p in (self.g, self.h, self.s) for x in (self.z, inverse(self.z))
        ]

    def choose_w(self) -> list[int]:
        total: list[int] = [0]
        for power, (p, at) in enumerate(zip(self.batch, self.opened, strict=True)):
            term = add_polynomials(p, interpolate(at.points, at.values), -1)
            for x in self.everywhere:
                if x not in at.points:
                    term = multiply_by_root(term, x)
            total = add_polynomials(total, term, pow(self.delta, power, R))
        for x in self.everywhere:
            total = divide_by_root([*total, 0], x)[0]
        return total

    def remaining(self, w: list[int]) -> list[int]:
        left = [-c * vanishing(self.everywhere, self.y) for c in w]
        for power, (p, at) in enumerate(zip(self.batch, self.opened, strict=True)):
            factor = pow(self.delta, power, R) * at.factor_at(self.y, self.everywhere) % R
            left = add_polynomials(left, add_polynomials(p, [at.value_at(self.y)], -1), factor)
        return left

    def choose_last(self) -> tuple[Point, Point]:
        w_y = divide_by_root([*self.remaining(self.w), 0], self.y)[0]
        large = add_polynomials(self.f, self.q, self.alpha - pow(self.z, self.b, R))
        pi = divide_by_root(add_polynomials(large, [self.values[0]], -1), self.z)[0]
        return self.srs.commit(w_y), self.srs.commit(pi)

    def derived(self) -> tuple[int, int]:
        """Return h(alpha) and D(z) as the verifier will derive them."""
        z, zi = self.z, inverse(self.z)
        g_z, g_zi, h_z, h_zi, s_z, s_zi = self.values
        total = g_z * eq_polynomial_at(self.u1, zi) + g_zi * eq_polynomial_at(self.u1, z)
        total += self.gamma * (h_z * eq_polynomial_at(self.u2, zi) + h_zi * eq_polynomial_at(self.u2, z))
        h_alpha = (total - z * s_z - zi * s_zi) * inverse(2) - self.gamma * self.value
        return h_alpha % R, pow(z, self.b - 1, R) * g_zi % R

    def write(self, point: Point) -> Point:
        """Return how the commitment of h is written."""
        return point

    def forge(self) -> MercuryProof:
        absorb = self.transcript.absorb
        self.h = self.choose_h()
        h = self.write(self.srs.commit(self.h))
        self.alpha = absorb("mercury h", h)
        self.g, self.q = self.choose_g(), self.choose_q()
        g, q = self.srs.commit(self.g), self.srs.commit(self.q)
        self.gamma = absorb("mercury q g", [*q, *g])
        self.s, self.d = self.choose_s(), self.choose_d()
        s, d = self.srs.commit(self.s), self.srs.commit(self.d)
        self.z = absorb("mercury s d", [*s, *d])
        self.q = self.choose_q_late()
        q = self.srs.commit(self.q)
        self.values = self.choose_values()
        self.delta = absorb("mercury values", self.values)
        self.opened = mercury.batch_points(self.z, self.alpha, tuple(self.values), *self.derived())
        self.everywhere = all_points(self.opened)
        self.batch = [self.g, self.s, self.h, self.d]
        if self.forgotten == "mercury w":
            self.y = self.peek()
        self.w = self.choose_w()
        w = self.srs.commit(self.w)
        self.y = absorb("mercury w", w)
        self.points = (h, q, g, s, d, tuple(self.values), w)
        w_y, pi = self.choose_last()
        return MercuryProof(*self.points, w_y, pi)

    def choose_q_late(self) -> list[int]:
        return self.q


def symmetric(left, right):
    """Return S with left(X) right(1/X) + left(1/X) right(X) = constant + X S(X) + S(1/X) / X."""
    size = max(len(left), len(right))
    a, b = ([*v, *[0] * (size - len(v))] for v in (left, right))
    return [sum(a[i + k] * b[i] + a[i] * b[i + k] for i in range(size - k)) % R for k in range(1, size)]


def with_inner_product(values, weights, wanted, *, also=None):
    """Change the first entries so that <weights, values> is as wanted, and <also, values> as it was."""
    gap = (wanted - inner_product(vector(values), vector(weights))) % R
    changed = list(values)
    if also is None:
        changed[0] = (changed[0] + gap * inverse(weights[0])) % R
        return changed
    # Entry 0 by x and entry 1 by y with also_0 x + also_1 y = 0.
    y = gap * inverse((weights[1] - weights[0] * also[1] * inverse(also[0])) % R) % R
    changed[1] = (changed[1] + y) % R
    changed[0] = (changed[0] - also[1] * inverse(also[0]) * y) % R
    return changed
