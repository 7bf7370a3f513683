"""A table has exactly one value per byte, and a cell in no table has no proof (octet.md 3.7, 3.0 items 1 and 2).

The balance of a lookup is an identity of rational functions in alpha and beta. Here it is tested as one: at
random points of the real field, where it holds by accident with probability below 2^-240. A cheating prover is
free in its multiplicities, so that a cell passes exactly if it equals an entry the numerator may be nonzero on.
"""

import random
from itertools import product

import pytest

from zkml.core.field import R

ROWS, WIDTH = 16, 2  # 16 rows; a table of 4 entries occupies an aligned quarter of them
NEGATE = {0: 3, 1: 2, 2: 1, 3: 0}
DOUBLE = {0: 0, 1: 2, 2: 1, 3: 3}


def column(*placed):
    """A verifying-key column with tables at their row offsets, zero elsewhere."""
    rows = [0] * ROWS
    for offset, table in placed:
        for argument, value in table.items():
            rows[offset + argument] = value
    return rows


def entries(values, offset, identity, *, selector=True, u_by_verifier=True):
    """The cells (u, v, id) that a prover's multiplicities may stand on, as the constraint on HT leaves them."""
    rows = range(offset, offset + 4) if selector else range(ROWS)
    argument = (
        (lambda row: row % 4) if u_by_verifier else (lambda row: row % 4 if offset <= row < offset + 4 else 0)
    )
    return {(argument(row), values[row], identity) for row in rows}


def values_of(argument, table_entries, identity):
    """Every value a prover can show for one argument."""
    return {value for value in range(5) if (argument, value, identity) in table_entries}


def cell(alpha, beta, entry):
    """alpha + u + beta v + beta^2 id."""
    argument, value, identity = entry
    return (alpha + argument + beta * value + beta * beta * identity) % R


def balances(queries, multiplicities, beta_of=None):
    """Whether the sum over queries of 1/cell equals the sum over entries of M/cell, at random challenges."""
    generator = random.Random(7)
    for _ in range(3):
        alpha = generator.randrange(R)
        beta = generator.randrange(R) if beta_of is None else beta_of(alpha)
        left = sum(pow(cell(alpha, beta, query), -1, R) for query in queries)
        right = sum(count * pow(cell(alpha, beta, entry), -1, R) for entry, count in multiplicities.items())
        if (left - right) % R:
            return False
    return True


@pytest.mark.parametrize("offset", [0, 4, 8, 12])
def test_lookup__each_argument__has_the_value_of_its_table_alone(offset):
    """Two tables in one column: each table's rows, each table's identity, one value per argument."""
    other = (offset + 4) % ROWS
    shared = column((offset, NEGATE), (other, DOUBLE))
    first, second = entries(shared, offset, 1), entries(shared, other, 2)
    for argument in range(4):
        assert values_of(argument, first, 1) == {NEGATE[argument]}
        assert values_of(argument, second, 2) == {DOUBLE[argument]}


def test_lookup__without_the_row_selector__the_other_table_answers_too():
    """3.0 item 1: a numerator that may stand on any row forges (0, 0) from zero rows and DOUBLE for NEGATE."""
    shared = column((4, NEGATE), (8, DOUBLE))
    loose = entries(shared, 4, 1, selector=False)
    assert values_of(1, loose, 1) == {NEGATE[1], DOUBLE[1], 0}
    assert 0 in values_of(0, loose, 1) != {NEGATE[0]}


def test_lookup__argument_from_a_committed_column__zero_rows_are_a_forged_entry():
    """3.0 item 1: a zero-extended pair (u, T) says T(0) = 0 beside the table's T(0) = 3; u(x) is the verifier's."""
    loose = entries(column((0, NEGATE)), 0, 1, selector=False, u_by_verifier=False)
    assert values_of(0, loose, 1) == {0, NEGATE[0]}
    assert values_of(0, entries(column((0, NEGATE)), 0, 1), 1) == {NEGATE[0]}


def test_lookup__key_with_two_values_for_one_argument__cannot_be_written():
    """u is the row's own low bits: an aligned table has each argument once, whatever the key's column holds."""
    for values in product(range(2), repeat=4):
        rows = entries([*values, *[9] * 12], 0, 1)
        assert all(len(values_of(argument, rows, 1)) == 1 for argument in range(4))


def test_lookup__row_outside_every_block__holds_the_value_zero():
    """3.0 item 2: q is 0 there, so that H = 0 and (1 - q) V = 0; without the second, V is free where nobody queried."""
    for value in range(5):
        queried = 0
        assert ((1 - queried) * value == 0) == (value == 0)
    unqueried_rows_balance = balances([(1, NEGATE[1], 1)], {(1, NEGATE[1], 1): 1})
    assert unqueried_rows_balance


def test_lookup__true_queries__balance_and_any_other_multiplicity_does_not():
    """Counts of entries, exactly: one more, one less or a negative count is refused."""
    queries = [(0, 3, 1), (0, 3, 1), (2, 1, 1)]
    counts = {(0, 3, 1): 2, (1, 2, 1): 0, (2, 1, 1): 1, (3, 0, 1): 0}
    assert balances(queries, counts)
    for entry, change in product(counts, [1, -1, R - 5]):
        assert not balances(queries, {**counts, entry: counts[entry] + change})


def test_lookup__query_of_another_value__no_multiplicities_balance():
    """Partial fractions with distinct poles are independent: a cell in no table has a pole nobody cancels."""
    generator = random.Random(3)
    counts = dict.fromkeys(entries(column((0, NEGATE)), 0, 1), 0)
    for _ in range(50):
        guess = {entry: generator.choice([0, 1, R - 1, generator.randrange(R)]) for entry in counts}
        assert not balances([(1, 3, 1)], guess)


def test_lookup__one_balance_for_two_tables_without_identities__swaps_their_functions():
    """3.0 item 1: with one sum and no identity the entry (1, 2) of DOUBLE pays for a query of NEGATE's (1, 2) and the like."""
    assert balances([(3, 3, 0)], {(3, 0, 0): 0, (3, 3, 0): 1})
    assert not balances([(3, 3, 1)], {(3, 0, 1): 1, (3, 3, 2): 0})
    assert not balances([(3, 3, 1)], {(3, 0, 1): 0, (3, 3, 2): 1})


def test_lookup__beta_equal_to_alpha_without_identity__half_an_entry_pays_for_twice_its_cell():
    """3.0 item 1: alpha + u + alpha v = u + alpha (1 + v), so 1/(2 + 2 alpha) = (1/2) / (1 + alpha)."""
    half = pow(2, -1, R)
    forged, true = (2, 1, 0), (1, 0, 0)
    assert balances([forged], {true: half}, beta_of=lambda alpha: alpha)
    assert not balances([forged], {true: half})


def test_lookup__beta_equal_to_alpha_with_identity__two_entries_pay_for_a_third():
    """1/((a+1)(a+3)) = (1/2)/((a+1)(a+2)) + (1/2)/((a+2)(a+3)): cells factor once beta is a function of alpha."""
    half = pow(2, -1, R)
    true = {(2, 2, 1): half, (6, 4, 1): half}
    assert balances([(3, 3, 1)], true, beta_of=lambda alpha: alpha)
    assert not balances([(3, 3, 1)], true)


def test_limb_groups__one_to_four_columns__pin_the_helper():
    """3.0 item 17: H times the product of a group's cells equals the sum of the products without one of them."""
    generator = random.Random(5)
    for size in range(1, 5):
        cells = [generator.randrange(1, R) for _ in range(size)]
        total = 1
        for value in cells:
            total = total * value % R
        helper = sum(pow(value, -1, R) for value in cells) % R
        rest = sum(total * pow(value, -1, R) for value in cells) % R
        assert (helper * total - rest) % R == 0
        assert ((helper + 1) * total - rest) % R != 0


def test_limb_group__completed_by_a_virtual_zero_column__needs_it_counted():
    """3.0 item 17: a fourth column of zeros that M does not count leaves 1/alpha per row unpaid."""
    three = [(5, 0, 0), (7, 0, 0), (7, 0, 0)]
    counted_without = {(5, 0, 0): 1, (7, 0, 0): 2}
    assert balances(three, counted_without)
    assert not balances([*three, (0, 0, 0)], counted_without)
    assert balances([*three, (0, 0, 0)], {**counted_without, (0, 0, 0): 1})


def test_limb_group__challenge_known_before_the_limbs__frees_the_helper():
    """3.7: two limbs equal to -alpha make the row constraint 0 = 0 for every H; so R1 is absorbed before alpha."""
    alpha = 123456789
    first = second = 0  # alpha + limb, for two limbs of value -alpha
    third, fourth = alpha + 4, alpha + 9
    for helper in (0, 1, 17, R - 1):
        left = helper * first * second * third * fourth
        right = (first + second) * third * fourth + (third + fourth) * first * second
        assert (left - right) % R == 0
    assert ((0 * (alpha + 1)) * third * fourth - (0 + alpha + 1) * third * fourth) % R != 0
