"""The little curve arithmetic behind the verifier's SRS file."""

from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.srs_points import GENERATOR, add, decode_point, encode_point, lagrange_pair, multiply, negate
from zkml.core.field import R

SCALARS = st.integers(min_value=2, max_value=R - 2)


@settings(max_examples=20, deadline=None)  # a multiplication takes 10 ms
@given(SCALARS, SCALARS)
def test_multiply__sum_of_scalars__sum_of_points(left, right):
    """[a]G + [b]G = [a + b]G for all a and b, a = -b included."""
    expected = multiply(GENERATOR, (left + right) % R)
    assert add(multiply(GENERATOR, left), multiply(GENERATOR, right)) == expected
    assert add(multiply(GENERATOR, left), multiply(GENERATOR, R - left)) is None


@settings(max_examples=20, deadline=None)  # a multiplication takes 10 ms
@given(SCALARS)
def test_encode__then_decode__same_point(scalar):
    """A point survives its file form, and so does its negative."""
    point = multiply(GENERATOR, scalar)
    assert decode_point(encode_point(point)) == point
    assert decode_point(encode_point(negate(point))) == multiply(GENERATOR, R - scalar)


@settings(max_examples=20, deadline=None)  # a multiplication takes 10 ms
@given(SCALARS)
def test_lagrange_pair__any_tau__interpolates(tau):
    """The two points sum to G, and their difference is [tau]G: they interpolate 1 and x."""
    first, second = lagrange_pair(multiply(GENERATOR, tau))
    assert add(first, second) == GENERATOR
    assert add(first, negate(second)) == multiply(GENERATOR, tau)
