"""Packed tensors: one encoding each, and none for what does not fit."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.core.tensors import (
    InputDomain,
    TensorLayout,
    expand_input,
    input_commitment,
    instances_of,
    layout_from_json,
    pack,
    unpack,
    unpack_input,
    unpack_output,
    width_for,
)
from zkml.errors import DomainError, LayoutError

WIDTHS = st.integers(1, 8)


@st.composite
def fitting(draw):
    """Draw (width, integers of that width)."""
    width = draw(WIDTHS)
    half = 1 << (8 * width - 1)
    return width, draw(st.lists(st.integers(-half, half - 1), min_size=1, max_size=20))


@given(fitting())
def test_pack__integers_that_fit__come_back(case):
    """Unpacking is the inverse of packing."""
    width, elements = case
    assert unpack(pack(elements, width), len(elements), width, what="x") == tuple(elements)


@given(WIDTHS, st.binary(min_size=8, max_size=64))
def test_unpack__any_bytes__pack_back_to_themselves(width, data):
    """Every string of the right length is the one encoding of its tensor."""
    data = data[: len(data) // width * width]
    assert pack(unpack(data, len(data) // width, width, what="x"), width) == data


@given(WIDTHS, st.booleans(), st.integers(0, 10**6))
def test_pack__integer_too_large__is_refused(width, negative, excess):
    """An integer outside the width is refused and never wrapped."""
    half = 1 << (8 * width - 1)
    element = -half - 1 - excess if negative else half + excess
    with pytest.raises(LayoutError, match=f"{width} bytes"):
        pack([0, element], width)


@pytest.mark.parametrize(
    "elements", [[1.0], [1.5], [True], ["1"], [None], np.array([1.5]), np.array([True]), [Fraction(1, 2)]]
)
def test_pack__no_integer__is_refused(elements):
    """A fraction or a truth value is never cut to an integer."""
    with pytest.raises(LayoutError, match="expected an integer"):
        pack(elements, 4)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_pack__numpy_integers__as_python_integers(dtype):
    """NumPy's integers pack like Python's, row by row."""
    assert pack(np.array([[1, 2], [3, 4]], dtype=dtype), 2) == pack([1, 2, 3, 4], 2)


def test_pack__large_neighbours__are_not_rounded():
    """Integers beyond 2^53 beside negative ones keep every bit."""
    elements = (2**63 - 1, -1, 2**53 + 1)
    assert unpack(pack(elements, 8), 3, 8, what="x") == elements


@given(st.integers(1, 30), WIDTHS, st.integers(-3, 3).filter(bool))
def test_unpack__wrong_length__is_refused(count, width, excess):
    """A byte more or less is an error: no padding, no truncation."""
    length = max(0, count * width + excess)
    with pytest.raises(LayoutError, match=f"expected {count * width} bytes of thing, found {length}"):
        unpack(bytes(length), count, width, what="thing")


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_width_for__range__is_the_least_that_fits(first, second):
    """Both ends pack in that width, and not both in one byte less."""
    low, high = sorted((first, second))
    width = width_for(low, high)
    pack([low, high], width)
    if width > 1:
        with pytest.raises(LayoutError):
            pack([low, high], width - 1)


@pytest.mark.parametrize("ends", [(-(1 << 63) - 1, 0), (0, 1 << 63)])
def test_width_for__beyond_64_bits__is_refused(ends):
    """A range beyond eight bytes has no width."""
    with pytest.raises(LayoutError, match="within 64 bits"):
        width_for(*ends)


@given(
    st.lists(st.integers(-128, 127), min_size=3, max_size=3),
    st.lists(st.integers(-(1 << 23), (1 << 23) - 1), min_size=2, max_size=2),
)
def test_instances__packed_tensors__are_inputs_then_outputs_mod_r(inputs, outputs):
    """The instances are the inputs, then the outputs, -x as r - x, and nothing else."""
    layout = TensorLayout(3, 1, 2, 3)
    packed_input, packed_output = pack(inputs, 1), pack(outputs, 3)
    assert instances_of(layout, packed_input, packed_output) == tuple(x % R for x in inputs + outputs)
    assert unpack_input(layout, packed_input) == tuple(inputs)
    assert unpack_output(layout, packed_output) == tuple(outputs)
    assert (layout.input_length_bytes, layout.output_length_bytes) == (3, 6)
    assert layout.as_abi() == (3, 1, 2, 3)
    assert input_commitment(packed_input) == keccak256(packed_input)


def test_instances__swapped_tensors__are_refused():
    """An output passed as input is of the wrong length."""
    with pytest.raises(LayoutError, match="bytes of input"):
        instances_of(TensorLayout(3, 1, 2, 3), bytes(6), bytes(3))


@pytest.mark.parametrize(
    "fields", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 9, 1, 1), (65_537, 1, 1, 1), (1, 1, True, 1), (1, 1, 1, 1.0)]
)
def test_layout__impossible__is_refused(fields):
    """Counts and widths that no contract accepts make no layout."""
    with pytest.raises(LayoutError, match=r"in 1\.\."):
        TensorLayout(*fields)


@pytest.mark.parametrize("value", [{}, {"input_count": 1}, [1, 1, 1, 1], None, {"foreign": 1}])
def test_layout_from_json__other_fields__is_refused(value):
    """A layout has its four fields and no other."""
    with pytest.raises(LayoutError, match="four fields"):
        layout_from_json(value)


def test_layout_from_json__four_fields__is_the_layout():
    """The four fields make the layout."""
    fields = {"input_count": 1, "input_bytes": 2, "output_count": 3, "output_bytes": 4}
    assert layout_from_json(fields) == TensorLayout(1, 2, 3, 4)


@pytest.mark.parametrize("ends", [(1, 0), (0, 1 << 32), (-(1 << 63) - 1, 0), (0.0, 1), (True, 1), ("0", 1)])
def test_domain__impossible__is_refused(ends):
    """An empty domain, one wider than 2^32 and one of no integers are refused."""
    with pytest.raises(LayoutError):
        InputDomain(*ends)


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=9), st.integers(0, 8), st.sampled_from([-6, 6, 1 << 70])
)
def test_domain__element_outside__is_named(elements, position, outside):
    """The first element outside is refused by its index; inside, nothing is said."""
    domain = InputDomain(-5, 5)
    domain.check(elements)
    position = min(position, len(elements) - 1)
    elements[position] = outside
    with pytest.raises(DomainError, match=f"at index {position}$"):
        domain.check(elements)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 40), st.integers(-200, 100), st.integers(0, 27))
def test_expand_input__any_seed__lies_in_the_domain(seed, count, low, span):
    """Every expanded element lies in the domain, and a seed always gives the same input."""
    layout = TensorLayout(count, 2, 1, 1)
    domain = InputDomain(low, low + span)
    packed = expand_input(seed, layout, domain)
    domain.check(unpack_input(layout, packed))
    assert packed == expand_input(seed, layout, domain)
    longer = expand_input(seed, TensorLayout(count + 1, 2, 1, 1), domain)
    assert longer.startswith(packed)


def test_expand_input__known_seed__is_the_formula():
    """Elements are min + (big-endian 32-bit group of keccak(seed, index)) mod span: the contract's twin."""
    seed = bytes(range(32))
    words = keccak256(seed + bytes(4)) + keccak256(seed + b"\0\0\0\1")
    groups = np.frombuffer(words, dtype=">u4")[:10]
    expected = [-3 + int(group) % 20 for group in groups]
    packed = expand_input(seed, TensorLayout(10, 1, 1, 1), InputDomain(-3, 16))
    assert unpack(packed, 10, 1, what="x") == tuple(expected)
    assert packed.hex() == "010c050d0e00010e0e08"


def test_expand_input__whole_32_bit_domain__is_the_stream_itself():
    """With a span of 2^32 nothing is reduced."""
    seed = b"\x07" * 32
    layout = TensorLayout(8, 8, 1, 1)
    packed = expand_input(seed, layout, InputDomain(0, (1 << 32) - 1))
    assert b"".join(packed[8 * i + 4 : 8 * i + 8] for i in range(8)) == keccak256(seed + bytes(4))
