"""How likely it is that a false statement passes, per challenge, worked out from the program.

Each figure bounds the numerator n of an error n / r: a polynomial that a false statement leaves nonzero has
at most so many roots among the r values of the challenge. Under Fiat-Shamir every query of the hash is one
attempt, so that q queries succeed with probability at most q times the sum, up to the bias of reducing 2^256
values mod r. What no figure here covers is the binding of KZG: q-DLOG in the algebraic group model, and an
SRS whose secret nobody knows.

Source: docs/octet.md, error bound; octet.md 3.14 with 3.0 item 17.
"""

from dataclasses import dataclass
from math import log2

from circuits.octet.program import Program
from circuits.octet.spec.logup import balances, row_constraints
from circuits.octet.spec.proof_words import part_lengths
from circuits.octet.spec.sumchecks import FIRST_DEGREE, SECOND_DEGREE
from zkml.core.field import R

BIAS = 6 * R / 2**256
"""A residue has weight at most 6 of 2^256, this much more than uniform."""


@dataclass(frozen=True)
class ErrorBound:
    """Numerators over r, one per kind of challenge.

    Attributes:
        lookups: alpha and beta: cells cleared of denominators, and denominators that vanish.
        batching: lambda, mu and kappa: terms combined, less one each.
        rows: tau: coordinates at which constraints are tested.
        sumchecks: rho and sigma: degree times rounds.
        opening: all of Mercury's challenges, by the size of the SRS.
    """

    lookups: int
    batching: int
    rows: int
    sumchecks: int
    opening: int

    @property
    def numerator(self) -> int:
        """The sum of all."""
        return self.lookups + self.batching + self.rows + self.sumchecks + self.opening

    @property
    def bits(self) -> float:
        """-log2 of the probability per attempt, bias included."""
        return log2(R) - log2(self.numerator * BIAS)

    def bits_after(self, queries_log2: float) -> float:
        """-log2 of the probability that 2^queries_log2 hash queries find a false proof."""
        return self.bits - queries_log2


def error_bound(program: Program, srs_size: int) -> ErrorBound:
    """Bound the soundness error of one proof attempt.

    Args:
        program: the statement.
        srs_size: powers of tau that exist. Nobody keeps a prover from committing to longer vectors than the
            program's columns, so that this and not 2^nu is the degree in Mercury's identities.
    """
    rows, tables = program.rows, len(program.tables)
    limbs = len(program.limb_columns)
    # A limb cell is linear in alpha, a table's cell has total degree 2 in (alpha, beta). A cell counts once
    # as a pole to clear and once as a denominator that may vanish; the table side counts on every row.
    lookups = 2 * (limbs + 1) * rows + tables * 2 * 2 * 2 * rows
    combined = len(row_constraints(program)) + len(balances(program)) + len(program.relations)
    lengths = part_lengths(program)
    claims, finals = lengths[3], lengths[5]
    return ErrorBound(
        lookups=lookups,
        batching=combined + claims + finals - 3,
        rows=program.nu,
        sumchecks=(FIRST_DEGREE + SECOND_DEGREE) * program.nu,
        opening=8 * max(srs_size, rows),
    )
