"""What holds on every row: the saturation gadget, the maximum gadget and the lookups.

The constraints stand in ONE list, by name. Prover and verifier both call it; the place in the list is the
power of lambda. A constraint is a polynomial in a row's values: committed columns and public functions of the
row. Each balance is linear, holds for the sum over all rows, and has its own power of lambda too.

Public functions: `u` is the low byte of the row's number; `sel` and `sel:f` say that the row lies in the limb
table's or table f's range; `q:f` says that the row asks table f.

Source: octet.md 3.6 (2)(3), 3.7; 3.0 items 1, 2, 17.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from circuits.octet.program import LIMB_TABLE, Program
from circuits.octet.spec.field import Vector, batch_inverse, vector
from circuits.octet.spec.functionals import Functional, Piece, at, spread, true_axis
from circuits.octet.spec.multilinear import index_value
from circuits.octet.tensors import Table
from zkml.core.field import R

Row = Mapping[str, Any]
"""Values by name, field elements or vectors of them: columns, public functions, `alpha`, `beta`."""


@dataclass(frozen=True)
class Constraint:
    """A polynomial that is 0 on every row, of degree at most 5 in the columns and public functions."""

    name: str
    evaluate: Callable[[Row], Any]


@dataclass(frozen=True)
class Balance:
    """A sum of columns, minus another column, that is 0 over all rows together."""

    name: str
    plus: tuple[str, ...]
    minus: str


def row_constraints(program: Program) -> list[Constraint]:
    """List the constraints in the order of their powers of lambda, which start at 1 = lambda^0."""
    constraints = [
        Constraint(f"limb_group_{index}", _limb_group(f"H{index}", group))
        for index, group in enumerate(limb_groups(program))
    ]
    constraints += [
        Constraint("limb_table", lambda row: row["HT"] * (row["alpha"] + row["u"]) - row["sel"] * row["M"]),
        Constraint("saturation_above", lambda row: _digits(row, "P", program.saturation) * (255 - row["Y"])),
        Constraint("saturation_below", lambda row: _digits(row, "N", program.saturation) * row["Y"]),
    ]
    if program.slots:
        constraints.append(
            Constraint("maximum_product", lambda row: _times(row[f"D{i}"] for i in range(program.slots)))
        )
    for table in program.tables:
        constraints.append(Constraint(f"lut_query_{table.name}", _lut_query(table)))
        constraints.append(Constraint(f"lut_table_{table.name}", _lut_table(program, table)))
    if program.tables:
        constraints.append(
            Constraint(
                "lut_silence",
                lambda row: (1 - sum(row[f"q:{table.name}"] for table in program.tables)) * row["V"],
            )
        )
    return constraints


def balances(program: Program) -> list[Balance]:
    """List the balances in the order of their powers of lambda, which follow those of the constraints."""
    helpers = tuple(f"H{index}" for index in range(len(limb_groups(program))))
    of_tables = [Balance(f"balance_{t.name}", (f"H:{t.name}",), f"HT:{t.name}") for t in program.tables]
    return [Balance("balance_limbs", helpers, "HT"), *of_tables]


def limb_groups(program: Program) -> list[tuple[str, ...]]:
    """Split the limb columns by fours; the last group may be shorter (3.0 item 17)."""
    columns = program.limb_columns
    return [columns[start : start + 4] for start in range(0, len(columns), 4)]


def public_functions(program: Program) -> dict[str, Functional]:
    """Return the selectors and queries; `u` alone is no short sum of pieces."""
    functions: dict[str, Functional] = {"sel": (Piece(0, (vector([1] * LIMB_TABLE),)),)}
    for table in program.tables:
        values = program.vk_tensor(table.values)
        functions[f"sel:{table.name}"] = (Piece(values.offset, (vector([1] * values.size),)),)
        functions[f"q:{table.name}"] = tuple(
            Piece(block.offset, tuple(true_axis(length) for length in block.dims))
            for block in program.blocks
            if block.lut == table.name
        )
    return functions


def public_vectors(program: Program) -> dict[str, Vector]:
    """Return every public function on all rows."""
    vectors = {name: spread(function, program.rows) for name, function in public_functions(program).items()}
    return {"u": vector(row % LIMB_TABLE for row in range(program.rows)), **vectors}


def public_values(program: Program, point: Sequence[int]) -> dict[str, int]:
    """Return the extension of every public function at a point."""
    values = {name: at(function, point) for name, function in public_functions(program).items()}
    return {"u": index_value(point[: (LIMB_TABLE - 1).bit_length()]), **values}


def helper_columns(
    program: Program, columns: Mapping[str, Vector], alpha: int, beta: int
) -> dict[str, Vector]:
    """Compute the columns of R2 from those of R1 and of the verifying key.

    Raises:
        ValueError: a denominator is 0, which has probability below 2^(nu+3) / R.
    """
    public = public_vectors(program)
    helpers: dict[str, Vector] = {}
    for index, group in enumerate(limb_groups(program)):
        terms = [batch_inverse((alpha + columns[name]) % R) for name in group]
        helpers[f"H{index}"] = reduce(add, terms) % R
    limb_side = batch_inverse((alpha + public["u"]) % R)
    helpers["HT"] = public["sel"] * columns["M"] * limb_side % R
    for table in program.tables:
        row = {**columns, **public, "alpha": alpha, "beta": beta}
        asked = batch_inverse(_query_key(row, table) % R)
        held = batch_inverse(_table_key(row, program, table) % R)
        helpers[f"H:{table.name}"] = public[f"q:{table.name}"] * asked % R
        helpers[f"HT:{table.name}"] = public[f"sel:{table.name}"] * columns[f"M:{table.name}"] * held % R
    return helpers


def multiplicities(program: Program, columns: Mapping[str, Vector]) -> dict[str, Vector]:
    """Count how often each entry of each table is asked for, over all rows, unused ones included (3.7).

    Values outside a table are not counted: a witness that has them cannot be balanced.
    """
    counts = {"M": vector([0] * program.rows)}
    for name in program.limb_columns:
        for value in columns[name]:
            if value < LIMB_TABLE:
                counts["M"][value] += 1
    public = public_vectors(program) if program.tables else {}
    for table in program.tables:
        values = program.vk_tensor(table.values)
        count = vector([0] * program.rows)
        for asks, value in zip(public[f"q:{table.name}"], columns["Y"], strict=True):
            if asks and value < LIMB_TABLE:
                count[values.offset + value] += 1
        counts[f"M:{table.name}"] = count
    return counts


def _limb_group(helper: str, group: tuple[str, ...]) -> Callable[[Row], Any]:
    """H = sum of 1 / (alpha + limb) over the group, without denominators."""

    def evaluate(row: Row) -> Any:
        terms = [row["alpha"] + row[name] for name in group]
        without = (_times([*terms[:i], *terms[i + 1 :]]) for i in range(len(terms)))
        return row[helper] * _times(terms) - sum(without)

    return evaluate


def _lut_query(table: Table) -> Callable[[Row], Any]:
    return lambda row: row[f"H:{table.name}"] * _query_key(row, table) - row[f"q:{table.name}"]


def _lut_table(program: Program, table: Table) -> Callable[[Row], Any]:
    name = table.name
    return lambda row: (
        row[f"HT:{name}"] * _table_key(row, program, table) - row[f"sel:{name}"] * row[f"M:{name}"]
    )


def _query_key(row: Row, table: Table) -> Any:
    return row["alpha"] + row["Y"] + row["beta"] * row["V"] + row["beta"] ** 2 % R * table.identity


def _table_key(row: Row, program: Program, table: Table) -> Any:
    values = row[f"K{program.vk_tensor(table.values).column}"]
    return row["alpha"] + row["u"] + row["beta"] * values + row["beta"] ** 2 % R * table.identity


def _digits(row: Row, letter: str, count: int) -> Any:
    return sum(256**index * row[f"{letter}{index}"] for index in range(count))


def _times(factors: Any) -> Any:
    return reduce(lambda left, right: left * right % R, factors, 1)
