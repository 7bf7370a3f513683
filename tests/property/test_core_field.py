"""The scalar field: signed integers in, instances out, and back."""

import ezkl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_ecc.bn128 import curve_order

from zkml.core.field import HALF_R, R, ezkl_hex_from_felt, felt_from_ezkl_hex, felt_from_int, int_from_felt
from zkml.errors import FormatError


def test_order__is_bn254s():
    """The modulus is the order of BN254's group, as another library has it."""
    assert curve_order == R
    assert HALF_R * 2 + 1 == R


@given(st.integers(-HALF_R, HALF_R))
def test_felt__signed_integer__comes_back(value):
    """The map to the field is undone by the map back."""
    felt = felt_from_int(value)
    assert 0 <= felt < R
    assert int_from_felt(felt) == value


@given(st.integers(0, R - 1))
def test_hex__field_element__comes_back(felt):
    """EZKL's little-endian text is undone by its parser."""
    text = ezkl_hex_from_felt(felt)
    assert len(text) == 64
    assert felt_from_ezkl_hex(text) == felt
    assert felt_from_int(int_from_felt(felt)) == felt


@given(st.integers(-(2**60), 2**60))
def test_hex__signed_integer__is_ezkls(value):
    """The text of a signed integer is the one EZKL reads as that integer."""
    assert ezkl.felt_to_int(ezkl_hex_from_felt(felt_from_int(value))) == value


@pytest.mark.parametrize("value", [HALF_R + 1, -HALF_R - 1, R, -R])
def test_felt__integer_beyond_half__is_refused(value):
    """Where the sign would be lost, there is no element."""
    with pytest.raises(FormatError, match="half the scalar field"):
        felt_from_int(value)


@pytest.mark.parametrize("felt", [R, R + 1, -1, 2**256])
def test_felt__not_reduced__is_refused(felt):
    """n + r is no other name of n."""
    with pytest.raises(FormatError, match="below r"):
        int_from_felt(felt)
    with pytest.raises(FormatError, match="below r"):
        ezkl_hex_from_felt(felt)


def test_hex__alias_n_plus_r__is_refused():
    """The text of n + r, which has 256 bits to spare, is refused."""
    with pytest.raises(FormatError, match="below r"):
        felt_from_ezkl_hex((5 + R).to_bytes(32, "little").hex())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "0x" + "00" * 31,
        "zz" * 32,
        "00" * 33,
        " " + "00" * 32,
        "00 " * 32,
        "00" * 32 + "\n",
        None,
        5,
    ],
)
def test_hex__not_64_digits__is_refused(text):
    """Prefixes, blanks, other lengths and other types are no field elements."""
    with pytest.raises(FormatError, match="64 hexadecimal digits"):
        felt_from_ezkl_hex(text)
