"""MaxPool has exactly one satisfying output: brute force with bytes of base 4 and 3 (octet.md 3.4, 3.0 item 7).

The gadget: D_i = m - X(window i) for each position, every D_i a byte, the product of all D_i zero.
"""

from itertools import product

import pytest

PRIME = 1009


def maxima(window, base, *, byte_differences=True, product_is_zero=True, missing=0, values=None):
    """Every m that satisfies the gadget for one window; `missing` positions have a D that no relation binds."""
    found = set()
    for maximum in range(base) if values is None else values:
        differences = [(maximum - value) % PRIME for value in window[: len(window) - missing]]
        if byte_differences and not all(difference < base for difference in differences):
            continue
        zero = any(difference == 0 for difference in differences) or missing > 0
        if product_is_zero and not zero:
            continue
        found.add(maximum)
    return found


def test_maxpool_2x2__every_window__exactly_the_maximum():
    """All 256 windows of four bytes of base 4."""
    assert all(maxima(window, 4) == {max(window)} for window in product(range(4), repeat=4))


def test_maxpool_2x2__of_field_elements__still_exactly_the_maximum():
    """The range of the D_i alone bounds m: no other field element passes either."""
    assert all(
        maxima(window, 4, values=range(PRIME)) == {max(window)} for window in product(range(4), repeat=4)
    )


def test_maxpool_3x3__as_two_stages__exactly_the_maximum():
    """All 19,683 windows of nine bytes of base 3: three rows first, then their maxima."""
    stage = {window: maxima(window, 3) for window in product(range(3), repeat=3)}
    for window in product(range(3), repeat=9):
        rows = [stage[window[start : start + 3]] for start in (0, 3, 6)]
        assert all(len(row) == 1 for row in rows)
        final = stage[tuple(next(iter(row)) for row in rows)]
        assert final == {max(window)}


@pytest.mark.parametrize(
    ("removed", "wrong"),
    [
        ({"byte_differences": False}, min),
        ({"product_is_zero": False}, lambda _: 3),
        ({"missing": 1}, lambda _: 3),
    ],
    ids=["range of the differences", "product", "one difference bound by no relation"],
)
def test_maxpool__any_one_check_removed__has_a_second_output(removed, wrong):
    """Each removal lets the prover choose; the last is a slot the compiler forgot (coverage)."""
    window = (0, 1, 2, 1)
    assert wrong(window) in maxima(window, 4, **removed)
    assert wrong(window) != max(window)


def test_maxpool__padding_row_with_a_zero_right_side__forces_zero():
    """D_i = m on every padding row, so that m to the fourth is 0 and m is 0."""
    assert maxima((0, 0, 0, 0), 4) == {0}


def test_maxpool__padding_row_that_reads_data__holds_that_data():
    """3.0 item 7: without the mask a row y >= H_out holds the maximum of cells that no output owns."""
    source = [1, 2, 3, 0]  # true length 3, padded to 4; kernel 2, stride 2: one true output, two rows
    unmasked = [maxima(tuple(source[2 * row : 2 * row + 2]), 4) for row in range(2)]
    masked = [
        maxima(tuple(value * (row < 1) for value in source[2 * row : 2 * row + 2]), 4) for row in range(2)
    ]
    assert unmasked == [{2}, {3}]
    assert masked == [{2}, {0}]


@pytest.mark.parametrize("length", range(1, 6))
def test_maxpool__cells_outside_the_source__count_as_the_byte_zero_and_never_win(length):
    """Bytes are not negative, so that 0 stands for minus infinity; the zero point plays no part."""
    for source in product(range(3), repeat=length):
        for start in range(-1, length):
            cells = [source[start + tap] if 0 <= start + tap < length else 0 for tap in range(3)]
            true = [source[start + tap] for tap in range(3) if 0 <= start + tap < length]
            assert maxima(tuple(cells), 3) == {max(true)}


def test_maxpool__window_index_that_wraps__takes_a_cell_from_the_other_end():
    """3.0 item 7: index -1 read as the last padded row turns the maximum of (0, 1) into 3."""
    source = [0, 1, 2, 3]
    assert maxima((source[-1], source[0], source[1]), 4) == {3}
    assert maxima((0, source[0], source[1]), 4) == {1}
