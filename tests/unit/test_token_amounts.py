"""Amounts as people write them: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.tokens import format_amount, parse_amount
from zkml.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0),
        ("1", 1_000_000),
        ("1.25", 1_250_000),
        ("0.000001", 1),
        (" 2 ", 2_000_000),
        ("0007", 7_000_000),
        ("1208925819614629174.706175", 2**80 - 1),
    ],
)
def test_parse_amount__plain_decimal__is_exact(text, units):
    """No binary fraction comes near an amount."""
    assert parse_amount(text, 6) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "1_000",
        "1,5",
        "NaN",
        "inf",
        "0x10",
        "1.0000001",
        "\u0661",
        "1 2",
        "1" * 61,
        "1208925819614629174.706176",
        "9" * 60,
    ],
)
def test_parse_amount__anything_else__is_refused(text):
    """Signs, exponents, separators, foreign digits, too fine and too large are all refused."""
    with pytest.raises(ConfigError):
        parse_amount(text, 6)


def test_format_amount__of_a_token__has_all_decimals():
    """What is shown never hides a unit."""
    assert format_amount(1_250_000, 6, "zUSD") == "1.250000 zUSD"
    assert format_amount(-1, 6, "zUSD") == "-0.000001 zUSD"
    assert format_amount(7, 0, "T") == "7 T"


@given(st.integers(0, (1 << 80) - 1), st.integers(0, 18))
def test_format_amount__parsed_again__is_the_same(units, decimals):
    """Writing and reading an amount loses nothing."""
    assert parse_amount(format_amount(units, decimals, ""), decimals) == units
