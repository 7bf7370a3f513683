"""The polynomial of the first sumcheck, once for tables of rows and once for a single point.

    eq(tau, x) * sum_i lambda^i C_i(x)  +  sum_b lambda^b (balance b)(x)  +  sum_columns L(x) column(x)
    + the products of the relations, which the caller adds

Source: octet.md 3.8 (AB), A6 (order of powers); 3.0 items 1 and 2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from circuits.octet.program import Program
from circuits.octet.spec import logup
from circuits.octet.spec.field import powers
from zkml.core.field import R

EQ = "eq"
"""Name of eq(tau, .) in a row."""


@dataclass(frozen=True)
class Powers:
    """The powers of lambda, by use.

    Attributes:
        constraints: one per row constraint.
        balances: one per balance.
        relations: one per relation: the gammas.
    """

    constraints: list[int]
    balances: list[int]
    relations: list[int]


def split_powers(program: Program, lambda_: int) -> Powers:
    """Give every constraint, balance and relation its own power (A6)."""
    constraints, balances = len(logup.row_constraints(program)), len(logup.balances(program))
    every = powers(lambda_, constraints + balances + len(program.relations))
    return Powers(
        every[:constraints],
        every[constraints : constraints + balances],
        every[constraints + balances :],
    )


@dataclass(frozen=True)
class Challenges:
    """What the first sumcheck is about, as the transcript drew it.

    Attributes:
        alpha: of the lookups.
        beta: binds a table's value to its key; 0 without tables.
        powers: of lambda.
        tau: nu coordinates.
    """

    alpha: int
    beta: int
    powers: Powers
    tau: list[int]


def functional_name(column: str) -> str:
    """Name a column's combined functional L in a row."""
    return f"L:{column}"


def polynomial(
    program: Program, challenges: Challenges, linear: Iterable[str], row: Mapping[str, Any]
) -> Any:
    """Evaluate the polynomial on a row: field elements, or vectors of them.

    Args:
        program: what holds.
        challenges: alpha, beta, powers of lambda.
        linear: columns with a functional.
        row: columns, public functions, functionals, `eq`.
    """
    row = {**row, "alpha": challenges.alpha, "beta": challenges.beta}
    split = challenges.powers
    constraints = zip(split.constraints, logup.row_constraints(program), strict=True)
    combined = sum(power * (constraint.evaluate(row) % R) for power, constraint in constraints)
    result = row[EQ] * (combined % R)
    for power, balance in zip(split.balances, logup.balances(program), strict=True):
        result = result + power * (sum(row[name] for name in balance.plus) - row[balance.minus])
    for column in linear:
        result = result + row[functional_name(column)] * row[column]
    return result % R
