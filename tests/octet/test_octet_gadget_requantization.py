"""Requantization has exactly one satisfying output: brute force with bytes of base 4 (octet.md 3.6).

At reduced size a limb is in [0, 4), the shift is one limb and so is the sign's headroom: Y in [0, 3] (wide:
[0, 15]), P and N in [0, 16), R in [0, 4), over a prime field large enough for no accidental wrap. Every
assignment is tried, and what the relation 2^S (Y + P - N) + R takes it to is the accumulator it proves.
"""

from collections import defaultdict
from itertools import product

import pytest

PRIME, BASE, TOP, WIDE_TOP, SHIFT = 1009, 4, 3, 15, 4
LIMBS_RANGE = range(BASE * BASE)
ALL_CHECKS = frozenset({"above", "below", "quotient", "remainder", "sign", "narrow", "top of its row"})


def outputs_of_accumulators(wide_row, checks=ALL_CHECKS):
    """Map each accumulator of the field to the set of outputs Y that some assignment proves for it."""
    found = defaultdict(set)
    top = WIDE_TOP if wide_row and "top of its row" in checks else TOP
    high_limbs = range(1 if "narrow" in checks and not wide_row else BASE)
    quotients = [low + BASE * high for low in range(BASE) for high in high_limbs]
    if "quotient" not in checks:
        quotients = range(PRIME)
    saturations = LIMBS_RANGE if "sign" in checks else range(-15, 16)
    remainders = range(SHIFT) if "remainder" in checks else range(2 * SHIFT)
    for output, over, under in product(quotients, saturations, saturations):
        if "above" in checks and over * (top - output) % PRIME:
            continue
        if "below" in checks and under * output % PRIME:
            continue
        for rest in remainders:
            found[(SHIFT * (output + over - under) + rest) % PRIME].add(output)
    return found


def clamped(accumulator, wide_row):
    """clamp(floor(A / 2^S)) of the field element nearest zero."""
    signed = accumulator if accumulator <= PRIME // 2 else accumulator - PRIME
    return min(max(signed // SHIFT, 0), WIDE_TOP if wide_row else TOP)


@pytest.mark.parametrize("wide_row", [False, True])
def test_requantization__every_accumulator_of_the_field__has_at_most_one_output(wide_row):
    """Whatever the accumulator, even of weights nobody bounded, no two outputs satisfy the row."""
    found = outputs_of_accumulators(wide_row)
    assert all(len(outputs) == 1 for outputs in found.values())
    assert all(outputs == {clamped(accumulator, wide_row)} for accumulator, outputs in found.items())


@pytest.mark.parametrize("wide_row", [False, True])
def test_requantization__every_accumulator_in_the_interval__has_an_output(wide_row):
    """Q in (-2^(8w), 2^(8w)) always has a proof: the compiler's bound is enough for completeness."""
    found = outputs_of_accumulators(wide_row)
    assert all(accumulator % PRIME in found for accumulator in range(-SHIFT * 15, SHIFT * 16))


@pytest.mark.parametrize(
    ("removed", "wide_row"),
    [
        ("above", False),
        ("below", False),
        ("quotient", False),
        ("remainder", False),
        ("sign", False),
        ("narrow", False),
        ("above", True),
        ("below", True),
        ("remainder", True),
        ("top of its row", True),
    ],
)
def test_requantization__any_one_check_removed__has_a_second_output(removed, wide_row):
    """No check is decoration; `narrow` and `top of its row` are the two halves of 3.0 item 4."""
    found = outputs_of_accumulators(wide_row, ALL_CHECKS - {removed})
    assert any(outputs - {clamped(accumulator, wide_row)} for accumulator, outputs in found.items())


@pytest.mark.parametrize("wide_row", [False, True])
def test_requantization__padding_row__holds_nothing_but_zeros(wide_row):
    """A right-hand side of 0 leaves Y = P = N = R = 0, which consumers of padded rows rely on."""
    top, outputs = (WIDE_TOP, LIMBS_RANGE) if wide_row else (TOP, range(BASE))
    solutions = [
        (output, over, under, rest)
        for output, over, under, rest in product(outputs, LIMBS_RANGE, LIMBS_RANGE, range(SHIFT))
        if over * (top - output) == 0 and under * output == 0 and SHIFT * (output + over - under) + rest == 0
    ]
    assert solutions == [(0, 0, 0, 0)]


def test_wide_rows__under_the_narrow_constraint__refuse_the_honest_witness_and_admit_another():
    """3.0 item 4: P (255 - Y) = 0 on a wide row is wrong both ways, at any accumulator above the narrow top."""
    accumulator = SHIFT * (WIDE_TOP + 2)
    correct = outputs_of_accumulators(wide_row=True)
    wrong = outputs_of_accumulators(wide_row=True, checks=ALL_CHECKS - {"top of its row"})
    assert correct[accumulator] == {WIDE_TOP}
    assert wrong[accumulator] == {TOP}


@pytest.mark.parametrize("zero_point", range(TOP + 1))
def test_zero_point__added_before_the_clamp__is_the_integer_semantics(zero_point):
    """A' + z 2^S proves clamp(Q + z), which keeps the upper clamp where it is."""
    found = outputs_of_accumulators(wide_row=False)
    for accumulator in range(-SHIFT * 11, SHIFT * 12):
        shifted = (accumulator + zero_point * SHIFT) % PRIME
        assert found[shifted] == {min(max(accumulator // SHIFT + zero_point, 0), TOP)}


def test_lower_clamp__made_by_shifting_the_quotient__moves_the_upper_clamp_too():
    """3.0 item 9: clamp(Q - 1) + 1 is a lower clamp at 1, but its greatest value is 4, not 3."""
    found = outputs_of_accumulators(wide_row=False)
    shifted = {quotient: min(found[SHIFT * (quotient - 1) % PRIME]) + 1 for quotient in range(-10, 11)}
    wanted = {quotient: min(max(quotient, 1), TOP) for quotient in range(-10, 11)}
    assert all(shifted[quotient] == wanted[quotient] for quotient in range(-10, TOP + 1))
    assert shifted[TOP + 1] == TOP + 1 != wanted[TOP + 1]


@pytest.mark.parametrize("zero_point", [0, 3])
def test_saturation__quotient_at_the_edges_of_its_interval__fits_the_limbs(zero_point):
    """The interval is stated for Q before the zero point is added; both its ends still fit."""
    for quotient in (-15, 15):
        total = quotient + zero_point
        assert max(total - TOP, 0) in LIMBS_RANGE
        assert max(-total, 0) in LIMBS_RANGE
