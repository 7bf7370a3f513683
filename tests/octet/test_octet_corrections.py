"""Corrections of octet.md 3.0 as attacks on a specification that lacks them, end to end."""

import pytest
from octet_attacks import Bench, lookup_case, with_value

from circuits.octet.spec import logup, wiring
from circuits.octet.spec.field import vector
from circuits.octet.spec.first_sum import Challenges, functional_name, polynomial, split_powers
from circuits.octet.spec.functionals import spread
from circuits.octet.spec.multilinear import eq_table
from circuits.octet.spec.statement import named_outputs, named_words


def test_item_1__entry_of_another_argument__does_not_pay():
    """T[5] = 4 is no reason for T[3] = 4: the argument is part of the cell."""
    values = [9] * 256
    values[5] = 4
    bench = Bench(lookup_case(values))
    witness, claim = with_value(bench, 4, {5: 1})
    assert not bench.accepts(bench.prove(witness, claim), claim)


@pytest.mark.parametrize("row", range(2, 4))
def test_item_2__value_on_padding_rows_of_a_table_block__is_refused(row):
    """(1 - q) V = 0 on rows that do not ask, those of the block's own padding included."""
    bench = Bench(lookup_case([9] * 256))
    column = bench.witness["V"].copy()
    column[row] = 1
    assert not bench.accepts(bench.prove({**bench.witness, "V": column}))


def test_a7__rows_beyond_the_blocks__are_constant_only_beyond_tables_and_key_functionals_too():
    """Not in 3.0: with a table on rows 256 to 511 the summand beyond the blocks is not lambda^a sum H."""
    bench = Bench(lookup_case([9] * 256, nu=10, offset=256))
    program = bench.program
    transcript = bench.seeded()
    columns = {name: vector(bench.witness[name]) for name in program.first_columns} | dict(bench.key.columns)
    alpha, beta = (transcript.squeeze(name) for name in ("alpha", "beta"))
    columns |= logup.helper_columns(program, columns, alpha, beta)
    split = split_powers(program, transcript.squeeze("lambda"))
    challenges = Challenges(alpha, beta, split, transcript.squeeze_many("tau", program.nu))
    words, outputs = named_words(program, bench.statement), named_outputs(program, bench.statement)
    wired = wiring.wire(program, challenges.tau, split.relations, words, outputs)
    row = {
        **columns,
        **logup.public_vectors(program),
        **{functional_name(name): spread(part, program.rows) for name, part in wired.linear.items()},
        "eq": eq_table(challenges.tau),
    }
    summand = polynomial(program, challenges, wired.linear, row)
    constant = summand[-1]
    beyond_blocks = [x for x in range(2, program.rows) if summand[x] != constant]
    assert max(beyond_blocks) == 256 + 5
    assert {0, 256 + 3} < {0, *beyond_blocks}
