"""The two sumchecks: a sum over all rows becomes a claim at one point.

In round j the prover sends the polynomial s_j(X) of the sum with the first j coordinates bound, the j-th
equal to X and the others summed over bits. The claim of the round says s_j(0) + s_j(1), so the linear
coefficient is not sent: the verifier derives it, and no round has a check that could be forgotten.

Source: octet.md 3.8 (AB, C), A3 (products of fewer variables).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from circuits.octet.spec.field import Vector, evaluate_polynomial, interpolate
from circuits.octet.spec.multilinear import fold
from circuits.octet.spec.transcript import Transcript
from zkml.core.field import R

FIRST_DEGREE = 6
"""Degree of a round of the first sumcheck: eq times a helper times four limbs."""

SECOND_DEGREE = 2

HALF = (R + 1) // 2


class Summand(Protocol):
    """A part of the sum."""

    def round_values(self, count: int) -> list[int]:
        """Return this part of s_j at 0, 1, .., count - 1."""
        ...

    def bind(self, challenge: int) -> None:
        """Bind the round's coordinate."""
        ...


class Dense:
    """The sum over all rows of a polynomial in the values of tables."""

    def __init__(self, tables: Mapping[str, Vector], polynomial: Callable[[Mapping[str, Any]], Any]) -> None:
        self.tables = dict(tables)
        self._polynomial = polynomial

    def round_values(self, count: int) -> list[int]:
        """Evaluate the polynomial on every pair of rows, its lowest coordinate replaced by X."""
        values = []
        for x in range(count):
            row = {name: (t[0::2] + x * (t[1::2] - t[0::2])) % R for name, t in self.tables.items()}
            values.append(int(self._polynomial(row).sum()) % R)
        return values

    def bind(self, challenge: int) -> None:
        """Fold every table."""
        self.tables = {name: fold(table, challenge) for name, table in self.tables.items()}

    def final(self) -> dict[str, int]:
        """Return each table's extension at the point, after the last round."""
        return {name: int(table[0]) for name, table in self.tables.items()}


class ShortProduct:
    """coefficient * sum_i left(i) right(i) over fewer variables than the sumcheck has.

    On its own rounds it adds its polynomial; on each later one the constant halves (A3), so that the two
    halves of the round add up to the claim.
    """

    def __init__(self, coefficient: int, left: Vector, right: Vector) -> None:
        self._coefficient, self._left, self._right = coefficient, left, right

    def round_values(self, count: int) -> list[int]:
        """Return the product's polynomial, or its constant once its variables are bound."""
        if len(self._left) == 1:
            constant = self._coefficient * HALF % R * int(self._left[0]) * int(self._right[0]) % R
            return [constant] * count
        values = []
        for x in range(count):
            left = (self._left[0::2] + x * (self._left[1::2] - self._left[0::2])) % R
            right = (self._right[0::2] + x * (self._right[1::2] - self._right[0::2])) % R
            values.append(self._coefficient * int((left * right).sum()) % R)
        return values

    def bind(self, challenge: int) -> None:
        """Fold both factors, or halve."""
        if len(self._left) == 1:
            self._coefficient = self._coefficient * HALF % R
        else:
            self._left, self._right = fold(self._left, challenge), fold(self._right, challenge)


def prove_rounds(
    summands: Sequence[Summand], variables: int, degree: int, transcript: Transcript, label: str
) -> tuple[list[int], list[int]]:
    """Run a sumcheck.

    Returns:
        The words c_0, c_2 .. c_degree of every round, and the point.
    """
    words: list[int] = []
    point: list[int] = []
    for index in range(variables):
        parts = [summand.round_values(degree + 1) for summand in summands]
        sums = [sum(column) % R for column in zip(*parts, strict=True)]
        coefficients = interpolate(range(degree + 1), sums)
        message = [coefficients[0], *coefficients[2:]]
        words += message
        challenge = transcript.absorb(f"{label}[{index}]", message)
        point.append(challenge)
        for summand in summands:
            summand.bind(challenge)
    return words, point


def verify_rounds(
    claim: int, words: Sequence[int], degree: int, transcript: Transcript, label: str
) -> tuple[int, list[int]]:
    """Follow a sumcheck's messages.

    Args:
        claim: what the sum is said to be.
        words: `degree` words per round.
        degree: of a round's polynomial.
        transcript: to draw the coordinates from.
        label: of the rounds in the transcript's record.

    Returns:
        The value claimed at the point, and the point.
    """
    point: list[int] = []
    for index in range(len(words) // degree):
        message = list(words[index * degree : (index + 1) * degree])
        linear = (claim - 2 * message[0] - sum(message[1:])) % R
        challenge = transcript.absorb(f"{label}[{index}]", message)
        claim = evaluate_polynomial([message[0], linear, *message[1:]], challenge)
        point.append(challenge)
    return claim, point
