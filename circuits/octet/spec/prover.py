"""The prover: from the columns of a witness to the words of a proof.

It computes what the protocol says from whatever columns it is given and does not look whether they satisfy
anything: that is the verifier's part, and the tests'.

Source: octet.md 3.8, 3.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuits.octet.program import Program
from circuits.octet.spec import first_sum, logup, mercury
from circuits.octet.spec.curve import Point
from circuits.octet.spec.field import Vector, inner_product, powers, vector
from circuits.octet.spec.first_sum import Challenges, functional_name, split_powers
from circuits.octet.spec.functionals import spread
from circuits.octet.spec.multilinear import eq_table, evaluate
from circuits.octet.spec.proof_words import Parts
from circuits.octet.spec.relations import Product
from circuits.octet.spec.srs import Srs
from circuits.octet.spec.statement import Statement, VerifyingKey, named_outputs, named_words, seed
from circuits.octet.spec.sumchecks import FIRST_DEGREE, SECOND_DEGREE, Dense, ShortProduct, prove_rounds
from circuits.octet.spec.transcript import Transcript
from circuits.octet.spec.wiring import Claim, Wiring, claims, elsewhere_columns, true_rows, wire
from zkml.core.field import R


@dataclass(frozen=True)
class ProvingKey:
    """A model as its prover knows it.

    Attributes:
        verifying: what verifiers know.
        columns: the values of the key's columns by name (K0, K1 ..), each of 2^nu field elements.
        srs: at least 2^nu powers.
    """

    verifying: VerifyingKey
    columns: Mapping[str, Vector]
    srs: Srs


def prove(
    key: ProvingKey,
    statement: Statement,
    witness: Mapping[str, Sequence[int]],
    transcript: Transcript | None = None,
) -> tuple[int, ...]:
    """Prove a statement.

    Args:
        key: of the model.
        statement: inputs, outputs, context.
        witness: every column of R1 by name, multiplicities included, each of 2^nu integers.
        transcript: to continue instead of the statement's own seed, for a test that records it.

    Returns:
        The words of the proof.
    """
    program = key.verifying.program
    transcript = transcript or seed(key.verifying, statement)
    columns = {name: vector(witness[name]) for name in program.first_columns} | dict(key.columns)

    first = _words(key.srs.commit(columns[name]) for name in program.first_columns)
    alpha = transcript.absorb("first columns", first)
    beta = transcript.squeeze("beta") if program.tables else 0
    columns |= logup.helper_columns(program, columns, alpha, beta)
    second = _words(key.srs.commit(columns[name]) for name in program.second_columns)
    split = split_powers(program, transcript.absorb("second columns", second))
    challenges = Challenges(alpha, beta, split, transcript.squeeze_many("tau", program.nu))

    words, outputs = named_words(program, statement), named_outputs(program, statement)
    wired = wire(program, challenges.tau, split.relations, words, outputs)
    dense = _dense(program, columns, wired, challenges)
    products = [
        ShortProduct(factor, _shifted(program, product, columns), product.table(key.columns[name]))
        for factor, product in wired.products
        for name in [f"K{product.weight.column}"]
    ]
    first_rounds, rho = prove_rounds([dense, *products], program.nu, FIRST_DEGREE, transcript, "first sum")

    found = claims(program, wired, rho)
    claimed = claimed_values(program, found, columns, rho)
    mu = transcript.absorb("claims", claimed)

    second_sum, names = _second_sum(program, found, columns, rho, mu)
    second_rounds, sigma = prove_rounds([second_sum], program.nu, SECOND_DEGREE, transcript, "second sum")
    finals = [second_sum.final()[name] for name in names]
    kappa = transcript.absorb("finals", finals)

    combined = _combined(found, columns, mu)
    for power, name in zip(powers(kappa, len(names))[1:], names[1:], strict=True):
        combined = (combined + power * columns[name]) % R
    opening = mercury.open_at(combined, sigma, transcript, key.srs).words()
    return Parts(
        tuple(first),
        tuple(second),
        tuple(first_rounds),
        tuple(claimed),
        tuple(second_rounds),
        tuple(finals),
        tuple(opening),
    ).words


def claimed_values(
    program: Program, found: Sequence[Claim], columns: Mapping[str, Vector], rho: Sequence[int]
) -> list[int]:
    """Compute message EV."""
    return [
        evaluate(columns[claim.column], rho)
        if claim.functional is None
        else inner_product(spread(claim.functional, program.rows), columns[claim.column])
        for claim in found
    ]


def _dense(program: Program, columns: Mapping[str, Vector], wired: Wiring, challenges: Challenges) -> Dense:
    tables = {
        **columns,
        **logup.public_vectors(program),
        **{functional_name(name): spread(part, program.rows) for name, part in wired.linear.items()},
        first_sum.EQ: eq_table(challenges.tau),
    }

    def polynomial(row: Mapping[str, Any]) -> Any:
        return first_sum.polynomial(program, challenges, wired.linear, row)

    return Dense(tables, polynomial)


def _shifted(program: Program, product: Product, columns: Mapping[str, Vector]) -> Vector:
    """Return X - z valid on all padded indices of a product's source (3.0 item 8)."""
    offset = program.block(product.source.name).offset
    values = columns[program.column_of(product.source)][offset : offset + (1 << product.variables)]
    shifted: Vector = (values - product.source.zero * true_rows(product)) % R
    return shifted


def _second_sum(
    program: Program, found: Sequence[Claim], columns: Mapping[str, Vector], rho: Sequence[int], mu: int
) -> tuple[Dense, list[str]]:
    """Combine all claims: F = sum mu^c column_c against eq(rho, .), and each other functional its column.

    Returns:
        The sum, and the names of the tables whose final values are sent.
    """
    elsewhere = elsewhere_columns(program)
    tables = {"eq(rho)": eq_table(rho), "F": _combined(found, columns, mu)}
    for name in elsewhere:
        tables[name] = columns[name]
        tables[functional_name(name)] = vector([0] * program.rows)
    for power, claim in zip(powers(mu, len(found)), found, strict=True):
        if claim.functional is not None:
            target = functional_name(claim.column)
            tables[target] = (tables[target] + power * spread(claim.functional, program.rows)) % R

    def polynomial(row: Mapping[str, Any]) -> Any:
        return row["eq(rho)"] * row["F"] + sum(row[functional_name(name)] * row[name] for name in elsewhere)

    return Dense(tables, polynomial), ["F", *elsewhere]


def _combined(found: Sequence[Claim], columns: Mapping[str, Vector], mu: int) -> Vector:
    parts = [
        power * columns[claim.column]
        for power, claim in zip(powers(mu, len(found)), found, strict=True)
        if claim.functional is None
    ]
    total: Vector = sum(parts[1:], parts[0]) % R
    return total


def _words(points: Any) -> list[int]:
    found: list[Point] = list(points)
    return [coordinate for point in found for coordinate in point]
