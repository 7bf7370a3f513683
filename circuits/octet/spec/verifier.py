"""The verifier: the normative answer to whether words are a proof of a statement.

Each check is a function of its own, called in the order of the page.

Source: octet.md 3.12.
"""

from collections.abc import Mapping, Sequence

from circuits.octet.program import Program
from circuits.octet.spec import first_sum, functionals, logup, mercury, proof_words, statement, wiring
from circuits.octet.spec.curve import Point, multi_multiply, point_from_words
from circuits.octet.spec.field import powers
from circuits.octet.spec.first_sum import Challenges, functional_name, split_powers
from circuits.octet.spec.multilinear import eq
from circuits.octet.spec.srs import OpeningKey
from circuits.octet.spec.statement import Statement, VerifyingKey
from circuits.octet.spec.sumchecks import FIRST_DEGREE, HALF, SECOND_DEGREE, verify_rounds
from circuits.octet.spec.transcript import Transcript
from circuits.octet.spec.wiring import Claim, Wiring
from zkml.core.field import R
from zkml.errors import ProofRejectedError


def verify(
    key: VerifyingKey,
    claim: Statement,
    words: Sequence[int],
    opening_key: OpeningKey,
    transcript: Transcript | None = None,
) -> None:
    """Accept a proof by returning.

    Args:
        key: of the model.
        claim: the statement.
        words: of the proof.
        opening_key: of the SRS.
        transcript: to continue instead of the statement's own seed, for a test that records it.

    Raises:
        ProofRejectedError: with the first check that failed.
    """
    program = key.program
    statement.check_context(claim)
    statement.check_inputs(program, claim)
    statement.check_outputs(program, claim)
    parts = proof_words.cut(program, words)
    proof_words.check_scalars(parts)
    points = read_points(program, parts.first + parts.second) | dict(
        zip(program.key_columns, key.commitments, strict=True)
    )
    transcript = transcript or statement.seed(key, claim)

    alpha = transcript.absorb("first columns", parts.first)
    beta = transcript.squeeze("beta") if program.tables else 0
    split = split_powers(program, transcript.absorb("second columns", parts.second))
    challenges = Challenges(alpha, beta, split, transcript.squeeze_many("tau", program.nu))
    given, outputs = statement.named_words(program, claim), statement.named_outputs(program, claim)
    wired = wiring.wire(program, challenges.tau, split.relations, given, outputs)

    value, rho = verify_rounds(wired.claim, parts.first_rounds, FIRST_DEGREE, transcript, "first sum")
    found = wiring.claims(program, wired, rho)
    values = {each.name: word for each, word in zip(found, parts.claimed, strict=True)}
    expected = first_value(program, challenges, wired, values, rho)
    expected += product_values(program, wired, values, rho)
    check_first_sum(value, expected % R)
    mu = transcript.absorb("claims", parts.claimed)

    batched = sum(p * word for p, word in zip(powers(mu, len(found)), parts.claimed, strict=True)) % R
    value, sigma = verify_rounds(batched, parts.second_rounds, SECOND_DEGREE, transcript, "second sum")
    elsewhere = wiring.elsewhere_columns(program)
    of_column = functionals_at(found, sigma, mu)
    expected = eq(rho, sigma) * parts.finals[0]
    expected += sum(of_column[name] * word for name, word in zip(elsewhere, parts.finals[1:], strict=True))
    check_second_sum(value, expected % R)
    kappa = transcript.absorb("finals", parts.finals)

    weights = powers(kappa, len(parts.finals))
    opened = sum(weight * word for weight, word in zip(weights, parts.finals, strict=True)) % R
    commitment = combined_commitment(found, points, mu, dict(zip(elsewhere, weights[1:], strict=True)))
    opening = mercury.MercuryProof.from_words(parts.opening)
    mercury.verify(commitment, sigma, opened, opening, transcript, key=opening_key)


def read_points(program: Program, words: Sequence[int]) -> dict[str, Point]:
    """Read the commitments of R1 and R2 by column name.

    Raises:
        ProofRejectedError: a point is not on the curve, or a coordinate not below q.
    """
    names = program.first_columns + program.second_columns
    return {
        name: point_from_words(words[2 * index], words[2 * index + 1]) for index, name in enumerate(names)
    }


def first_value(
    program: Program,
    challenges: Challenges,
    wired: Wiring,
    values: Mapping[str, int],
    rho: Sequence[int],
) -> int:
    """Return what the claims make of the first sumcheck's polynomial at rho, products left out."""
    row = {
        **values,
        **logup.public_values(program, rho),
        **{functional_name(name): functionals.at(part, rho) for name, part in wired.linear.items()},
        first_sum.EQ: eq(challenges.tau, rho),
    }
    return int(first_sum.polynomial(program, challenges, wired.linear, row))


def product_values(
    program: Program,
    wired: Wiring,
    values: Mapping[str, int],
    rho: Sequence[int],
) -> int:
    """Return the relations' products at rho_low, each with its power of one half (A3)."""
    total = 0
    for index, (factor, product) in enumerate(wired.products):
        left = values[wiring.source_name(program, product.source)]
        left -= product.source.zero * wiring.true_box(product, rho)
        halves = pow(HALF, program.nu - product.variables, R)
        total += factor * left % R * values[wiring.weight_name(index)] % R * halves
    return total % R


def check_first_sum(claimed: int, expected: int) -> None:
    """Compare the first sumcheck's last claim with the polynomial at rho.

    Raises:
        ProofRejectedError: they differ.
    """
    if claimed != expected:
        raise ProofRejectedError(f"expected the first sum at rho to be {expected:#x}, found {claimed:#x}")


def functionals_at(found: Sequence[Claim], sigma: Sequence[int], mu: int) -> dict[str, int]:
    """Return, per column with claims at other points than rho, the sum of mu^c L_c~(sigma)."""
    of_column: dict[str, int] = {}
    for power, claim in zip(powers(mu, len(found)), found, strict=True):
        if claim.functional is not None:
            value = power * functionals.at(claim.functional, sigma)
            of_column[claim.column] = (of_column.get(claim.column, 0) + value) % R
    return of_column


def check_second_sum(claimed: int, expected: int) -> None:
    """Compare the second sumcheck's last claim with the combination at sigma.

    Raises:
        ProofRejectedError: they differ.
    """
    if claimed != expected:
        raise ProofRejectedError(f"expected the second sum at sigma to be {expected:#x}, found {claimed:#x}")


def combined_commitment(
    found: Sequence[Claim], points: Mapping[str, Point], mu: int, extra: Mapping[str, int]
) -> Point:
    """Return the commitment of f = F + kappa column + .. that Mercury opens."""
    factors = dict.fromkeys(points, 0)
    for power, claim in zip(powers(mu, len(found)), found, strict=True):
        if claim.functional is None:
            factors[claim.column] += power
    for name, power in extra.items():
        factors[name] += power
    return multi_multiply([points[name] for name in factors], list(factors.values()))
