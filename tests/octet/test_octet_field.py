"""The scalar field of the specification: arithmetic, polynomials and canonical words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits.octet.spec import field
from zkml.core.field import R
from zkml.errors import ProofRejectedError

elements = st.integers(0, R - 1)


@given(st.lists(st.integers(1, R - 1), max_size=20))
def test_field__one_inversion_gives_the_inverse_of_every_element(values):
    """A batch inverse times its element is 1, at every position."""
    inverses = field.batch_inverse(field.vector(values))
    assert [int(a) * b % R for a, b in zip(inverses, values, strict=True)] == [1] * len(values)


@pytest.mark.parametrize("values", [[0], [3, 0, 5], [R]])
def test_field__a_zero_in_a_batch_has_no_inverse(values):
    """A zero anywhere is refused instead of making every inverse zero."""
    with pytest.raises(ValueError, match="invertible"):
        field.batch_inverse(field.vector(values))


@given(st.integers(-(2**62), 2**62))
def test_field__signed_integers_come_back_from_the_field(value):
    """Every integer an accumulator may hold survives the way into the field and back."""
    assert field.to_signed(field.from_signed(value)) == value
    assert int(field.vector([value])[0]) == field.from_signed(value)


@given(st.lists(elements, min_size=1, max_size=9), elements)
def test_field__division_by_a_root_returns_quotient_and_value(coefficients, root):
    """q(X)(X - root) + p(root) is p(X) again, and p(root) is Horner's value."""
    quotient, remainder = field.divide_by_root(coefficients, root)
    again = field.add_polynomials(field.multiply_by_root(quotient, root), [remainder])
    assert again[: len(coefficients)] == coefficients
    assert remainder == field.evaluate_polynomial(coefficients, root)


@given(st.lists(elements, min_size=1, max_size=8))
def test_field__interpolation_goes_through_every_point(values):
    """The polynomial through points 0, 1, 2 ... takes each value there."""
    points = list(range(len(values)))
    coefficients = field.interpolate(points, values)
    assert len(coefficients) == len(values)
    assert [field.evaluate_polynomial(coefficients, x) for x in points] == values


def test_field__interpolation_refuses_a_point_given_twice():
    """Two values at one point have no polynomial, even if they are equal."""
    with pytest.raises(ValueError, match="invertible"):
        field.interpolate([4, 4], [1, 1])


def test_field__an_inner_product_needs_vectors_of_one_length():
    """A shorter vector is refused, not silently extended by zeros."""
    assert field.inner_product(field.vector([1, 2]), field.vector([3, -1])) == 1
    with pytest.raises(ValueError, match="one length"):
        field.inner_product(field.vector([1, 2]), field.vector([3]))


@given(elements)
def test_field__a_scalar_has_exactly_one_word(value):
    """A word is read back, and the same residue written with R added is refused."""
    assert field.scalar_from_word(field.to_word(value)) == value
    if value + R < 1 << 256:
        with pytest.raises(ProofRejectedError, match="below r"):
            field.scalar_from_word(field.to_word(value + R))


@pytest.mark.parametrize("word", [b"", b"\0" * 31, b"\0" * 33, R.to_bytes(32, "big"), b"\xff" * 32])
def test_field__a_word_of_another_length_or_size_is_refused(word):
    """Words are 32 bytes and scalars are below R."""
    with pytest.raises(ProofRejectedError):
        field.scalar_from_word(word)


def test_field__powers_start_at_one():
    """The powers that weigh constraints are 1, b, b^2 ... reduced."""
    assert field.powers(R - 2, 4) == [1, R - 2, 4, R - 8]
