"""Fixed point: EZKL's rounding, on exact fractions and on EZKL itself."""

import math
from fractions import Fraction

import ezkl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkml.core.fixed_point import MAX_SCALE_BITS, dequantize, quantize, round_half_away
from zkml.errors import DomainError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**30), max_value=2.0**30)
SCALES = st.integers(0, MAX_SCALE_BITS)


def exact(value, scale_bits):
    """Round value * 2^scale half away from zero, in exact arithmetic."""
    scaled = Fraction(value) * 2**scale_bits
    whole = math.floor(abs(scaled) + Fraction(1, 2))
    return whole if scaled >= 0 else -whole


@given(FLOATS, SCALES)
@settings(max_examples=400)
def test_quantize__any_float32__is_exact_half_away(value, scale_bits):
    """Every float32 rounds as the exact fraction does."""
    assert quantize(value, scale_bits).item() == exact(value, scale_bits)


@given(st.integers(-(2**20), 2**20), st.integers(0, 10))
def test_quantize__exact_half__goes_away_from_zero(odd, scale_bits):
    """n + 1/2 goes to the integer farther from zero, where NumPy would choose the even one."""
    half = (odd + 0.5) / 2**scale_bits
    expected = odd + 1 if odd >= 0 else odd
    assert quantize(np.float32(half), scale_bits).item() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 1),
        (-0.5, -1),
        (1.5, 2),
        (2.5, 3),
        (-2.5, -3),
        (0.0, 0),
        (-0.0, 0),
        (5e-324, 0),
        (1e-45, 0),
        (-1e-45, 0),
        (0.49999997, 0),
    ],
)
def test_quantize__edge__rounds_right(value, expected):
    """Halves, zeros and subnormal numbers round as EZKL rounds them."""
    assert quantize([value], 0).tolist() == [expected]


def test_round_half_away__largest_below_half__is_zero():
    """0.49999999999999994 + 0.5 is 1.0 in doubles; the rounding does not fall for it."""
    tricky = 0.49999999999999994
    assert round_half_away(np.array([tricky, -tricky])).tolist() == [0, 0]
    assert math.floor(tricky + 0.5) == 1


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60))
@settings(max_examples=300)
def test_round_half_away__any_double__is_exact(value):
    """The rounding agrees with exact fractions for doubles, too."""
    assert round_half_away(np.array([value])).item() == exact(value, 0)


def test_quantize__thousands_of_values__agree_with_ezkl():
    """On 5,000 float32 values, halves among them, EZKL's own function gives the same integers."""
    generator = np.random.default_rng(0)
    for scale_bits in (0, 5, 7, 13, 20):
        values = generator.normal(scale=8, size=900).astype(np.float32)
        halves = ((generator.integers(-2000, 2000, 100) + 0.5) / 2**scale_bits).astype(np.float32)
        values = np.concatenate([values, halves])
        ours = quantize(values, scale_bits).tolist()
        theirs = [ezkl.felt_to_int(ezkl.float_to_felt(float(value), scale_bits)) for value in values]
        assert ours == theirs, scale_bits


@given(st.lists(st.integers(-(2**23), 2**23), min_size=1, max_size=9), st.integers(0, 20))
def test_dequantize__integers__quantize_back(integers, scale_bits):
    """Integers of 24 bits survive the way to real numbers and back."""
    assert quantize(dequantize(integers, scale_bits), scale_bits).tolist() == integers


@pytest.mark.parametrize(
    "values",
    [[math.nan], [math.inf], [-math.inf], [1e39], ["1.5"], [None], [1 + 2j], [[1], [1, 2]], [{}], "x"],
)
def test_quantize__no_finite_number__is_refused(values):
    """NaN, infinities, text, complex numbers and ragged lists are no input."""
    with pytest.raises(DomainError, match="expected"):
        quantize(values, 4)


def test_quantize__too_large_for_62_bits__is_refused():
    """A product beyond 2^62 is refused before it can overflow."""
    with pytest.raises(DomainError, match="within 2\\^62"):
        quantize([2.0**40], 30)


@pytest.mark.parametrize("scale_bits", [-1, 31])
def test_quantize__impossible_scale__is_a_mistake(scale_bits):
    """A scale outside 0..30 is the programmer's mistake."""
    with pytest.raises(ValueError, match="scale_bits"):
        quantize([1.0], scale_bits)


def test_quantize__shape__is_kept():
    """The result has the input's shape, also without elements."""
    assert quantize(np.zeros((2, 3), dtype=np.float32), 3).shape == (2, 3)
    assert quantize(np.zeros((0, 3), dtype=np.float32), 3).shape == (0, 3)
