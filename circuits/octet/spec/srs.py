"""The structured reference string: [tau^i]_1 to commit with, and what checks an opening.

Commit(v) = sum_i v_i [tau^i]_1, the monomial basis. Whoever knows tau can open a commitment to anything: a
ceremony's tau is unknown as long as one of its participants was honest, while the tau of `LocalSrs` is a
number in this process, which it uses to commit quickly. A local one is for tests and local chains alone.

Source: docs/octet.md 3.1 and 3.9 (check); circuits/srs_file.py (form of the ceremony's files).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from circuits.octet.spec.curve import GENERATOR, Point, multi_multiply
from circuits.octet.spec.field import Vector, evaluate_polynomial, powers, to_word
from circuits.octet.spec.fixed_base import multiply_generator
from circuits.octet.spec.pairing import G2_GENERATOR, G2Point, is_in_g2, multiply_g2, pairing_equal
from circuits.srs_file import G2_BYTES, identify_srs, read_powers
from circuits.srs_points import POINT_BYTES, decode_point, from_montgomery
from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.core.manifest import INSECURE_SRS_NAME, SrsIdentity
from zkml.errors import SrsError


class OpeningKey(ABC):
    """What a verifier holds of an SRS."""

    @abstractmethod
    def holds(self, accumulator: Point, quotient: Point) -> bool:
        """Tell whether e(accumulator, [1]_2) = e(quotient, [tau]_2)."""


class PairingKey(OpeningKey):
    """[tau]_2, checked by the pairing."""

    def __init__(self, tau_g2: G2Point) -> None:
        """Hold [tau]_2.

        Raises:
            SrsError: the point is not of G2.
        """
        if not is_in_g2(tau_g2):
            raise SrsError("expected [tau]_2 in the subgroup of order r, found a point outside it")
        self.tau_g2 = tau_g2

    def holds(self, accumulator: Point, quotient: Point) -> bool:
        """Compare the two pairings."""
        return pairing_equal(accumulator, G2_GENERATOR, quotient, self.tau_g2)


class Srs(ABC):
    """The powers of tau up to a size, and the key that checks openings against them.

    Attributes:
        size: number of powers: the longest vector that can be committed to.
        name: the ceremony's, or `insecure-local`.
        secure: whether a published ceremony made it.
        tau_g2: [tau]_2.
    """

    size: int
    name: str
    secure: bool
    tau_g2: G2Point

    def commit(self, coefficients: Sequence[int] | Vector) -> Point:
        """Return sum_i c_i [tau^i]_1.

        Raises:
            ValueError: more coefficients than powers.
        """
        if len(coefficients) > self.size:
            raise ValueError(f"expected at most {self.size} coefficients, found {len(coefficients)}")
        return self._commit([int(value) % R for value in coefficients])

    def points(self, count: int) -> list[Point]:
        """Return [1]_1, [tau]_1 ... (`count` of them).

        Raises:
            ValueError: more than there are.
        """
        if count > self.size:
            raise ValueError(f"expected at most {self.size} points, found {count}")
        return self._points(count)

    @property
    def opening_key(self) -> OpeningKey:
        """The key a verifier uses: pairings."""
        return PairingKey(self.tau_g2)

    @abstractmethod
    def _commit(self, coefficients: list[int]) -> Point: ...

    @abstractmethod
    def _points(self, count: int) -> list[Point]: ...


class LocalSrs(Srs):
    """An insecure SRS whose tau is known, so that committing is one evaluation and one multiplication."""

    def __init__(self, size: int, *, tau: int | None = None, seed: bytes = b"octet local srs") -> None:
        """Take tau as given, else from the hash of a seed: equal seeds give equal strings.

        Raises:
            ValueError: no size, or tau is zero modulo R.
        """
        if size < 1:
            raise ValueError(f"expected a size of 1 or more, found {size}")
        self._tau = int.from_bytes(keccak256(seed), "big") % R if tau is None else tau % R
        self.size, self.name, self.secure = size, INSECURE_SRS_NAME, False
        self.tau_g2 = multiply_g2(G2_GENERATOR, self._tau)

    def _commit(self, coefficients: list[int]) -> Point:
        return multiply_generator(evaluate_polynomial(coefficients, self._tau))

    def _points(self, count: int) -> list[Point]:
        return [multiply_generator(power) for power in powers(self._tau, count)]


class FileSrs(Srs):
    """Points read from a file, which nobody here knows the tau of."""

    def __init__(self, powers_g1: list[Point], tau_g2: G2Point, identity: SrsIdentity) -> None:
        """Hold points of one file; `read_srs` makes and checks them."""
        self._powers = powers_g1
        self.size, self.name, self.secure = len(powers_g1), identity.name, identity.secure
        self.tau_g2 = tau_g2

    def _commit(self, coefficients: list[int]) -> Point:
        return multi_multiply(self._powers[: len(coefficients)], coefficients)

    def _points(self, count: int) -> list[Point]:
        return self._powers[:count]


def read_srs(path: Path, size: int) -> FileSrs:
    """Read the first `size` powers of an SRS file of halo2's raw form and check them.

    Args:
        path: such as perpetual-powers-of-tau-raw-17.
        size: how many powers; the file may hold more.

    Raises:
        SrsError: not an SRS file, too short, a point off its curve, another [1]_2 than EIP-197's, or points
            that are not consecutive powers.
    """
    data, g2_points = read_powers(path, size)
    half = G2_BYTES // 2
    one_g2, tau_g2 = _decode_g2(g2_points[:half]), _decode_g2(g2_points[half:])
    if one_g2 != G2_GENERATOR:
        raise SrsError(f"expected EIP-197's generator of G2, found another point in {path}")
    found = [decode_point(data[at : at + POINT_BYTES]) for at in range(0, len(data), POINT_BYTES)]
    check_powers(found, tau_g2)
    return FileSrs(found, tau_g2, identify_srs(path))


def check_powers(powers_g1: Sequence[Point], tau_g2: G2Point) -> None:
    """Check that each point is tau times the one before and the first is the generator.

    One pairing equation for all: with random c_i, e(sum c_i P_{i+1}, [1]_2) = e(sum c_i P_i, [tau]_2). The
    c_i are powers of a hash of all points, so that nobody chose the points knowing them.

    Raises:
        SrsError: they are not.
    """
    key = PairingKey(tau_g2)
    if not powers_g1 or powers_g1[0] != GENERATOR:
        raise SrsError("expected the generator as the first power, found another point")
    written = b"".join(to_word(value) for point in powers_g1 for value in point)
    challenge = int.from_bytes(keccak256(b"octet powers of tau" + written), "big") % R
    factors = powers(challenge, len(powers_g1) - 1)
    if not key.holds(multi_multiply(powers_g1[1:], factors), multi_multiply(powers_g1[:-1], factors)):
        raise SrsError("expected consecutive powers of the tau of [tau]_2, found points that are not")


def _decode_g2(data: bytes) -> G2Point:
    x0, x1, y0, y1 = (from_montgomery(data[at : at + 32]) for at in range(0, len(data), 32))
    return (x0, x1), (y0, y1)
