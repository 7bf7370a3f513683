"""Multilinear extensions against sums over the hypercube."""

import random

import pytest

from circuits.octet.spec import multilinear as ml
from circuits.octet.spec.field import inner_product, vector
from zkml.core.field import R

RANDOM = random.Random(6)


def random_point(count: int) -> list[int]:
    return [RANDOM.randrange(R) for _ in range(count)]


@pytest.mark.parametrize("variables", range(6))
def test_multilinear__the_table_holds_eq_at_every_index(variables):
    """Entry i is eq(point, bits of i) with the lowest bit first, and on the cube that is [i = j]."""
    point = random_point(variables)
    bits = [ml.index_bits(index, variables) for index in range(1 << variables)]
    assert list(ml.eq_table(point)) == [ml.eq(point, corner) for corner in bits]
    for index, corner in enumerate(bits):
        assert list(ml.eq_table(corner)) == [int(index == other) for other in range(1 << variables)]


@pytest.mark.parametrize("variables", range(6))
def test_multilinear__folding_evaluates_the_extension(variables):
    """Folding the lowest bits away gives <eq table, values>, and the values themselves on the cube."""
    values, point = vector(random_point(1 << variables)), random_point(variables)
    assert ml.evaluate(values, point) == inner_product(ml.eq_table(point), values)
    for index in range(1 << variables):
        assert ml.evaluate(values, ml.index_bits(index, variables)) == values[index]


def test_multilinear__the_lowest_bit_comes_first():
    """Coordinate 0 selects between neighbours, the last one between halves."""
    values = vector([10, 11, 12, 13])
    assert ml.evaluate(values, [1, 0]) == 11
    assert ml.evaluate(values, [0, 1]) == 12


@pytest.mark.parametrize("variables", range(1, 6))
def test_multilinear__an_index_bound_is_the_sum_of_eq_below_it(variables):
    """The walk from the top equals the sum over i < bound for every bound, 0 and 2^n included."""
    point = random_point(variables)
    table = ml.eq_table(point)
    for bound in range((1 << variables) + 1):
        assert ml.less_than(bound, point) == sum(table[:bound]) % R


@pytest.mark.parametrize("bound", [-1, 9])
def test_multilinear__an_index_bound_outside_the_cube_is_refused(bound):
    """A bound beyond 2^n would silently lose its top bit."""
    with pytest.raises(ValueError, match=r"0\.\.8"):
        ml.less_than(bound, random_point(3))


def test_multilinear__the_index_itself_is_multilinear():
    """u(x) = sum 2^j x_j is the extension of the table 0, 1, 2 ..."""
    point = random_point(5)
    assert ml.index_value(point) == ml.evaluate(vector(range(32)), point)


def test_multilinear__a_block_is_selected_by_its_high_bits():
    """The indicator is the extension of "row i lies in block k", whatever the low coordinates."""
    point = random_point(5)
    for block in range(4):
        rows = vector(int(index >> 3 == block) for index in range(32))
        assert ml.block_indicator(block, point[3:]) == ml.evaluate(rows, point)
    with pytest.raises(ValueError, match="2 bits"):
        ml.block_indicator(4, point[3:])


def test_multilinear__zero_extension_multiplies_by_the_high_complements():
    """v~(x) of a shorter vector is v'~(low) times prod(1 - high)."""
    values, point = vector(random_point(4)), random_point(5)
    high = (1 - point[2]) * (1 - point[3]) * (1 - point[4])
    assert ml.evaluate(ml.zero_extend(values, 5), point) == ml.evaluate(values, point[:2]) * high % R
    with pytest.raises(ValueError, match="at most 2"):
        ml.zero_extend(values, 1)


def test_multilinear__lengths_that_do_not_match_are_refused():
    """A table of another length, or points of different lengths, are a caller's mistake."""
    with pytest.raises(ValueError, match="expected 4 entries"):
        ml.evaluate(vector([1, 2, 3]), [1, 2])
    with pytest.raises(ValueError, match="zip"):
        ml.eq([1], [1, 2])
