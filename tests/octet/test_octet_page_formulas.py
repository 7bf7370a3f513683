"""Formulas of the page against sums over all indices, with the corrections they need (octet.md 3.0, A1, A2, 3.8)."""

import random

import pytest

from zkml.core.field import R

RANDOM = random.Random(11)


def point(count):
    """Random coordinates in the field."""
    return [RANDOM.randrange(R) for _ in range(count)]


def eq_at(coordinates, index):
    """eq(point, bits of index), lowest bit first."""
    product = 1
    for bit, coordinate in enumerate(coordinates):
        product = product * (coordinate if index >> bit & 1 else 1 - coordinate) % R
    return product


def index_bound(bound, coordinates, *, corrected=True):
    """A1 as printed, with its correction (3.0 item 11) or without."""
    if corrected and bound == 1 << len(coordinates):
        return 1
    below, prefix = 0, 1
    for bit in reversed(range(len(coordinates))):
        if bound >> bit & 1:
            below += prefix * (1 - coordinates[bit])
            prefix *= coordinates[bit]
        else:
            prefix *= 1 - coordinates[bit]
    return below % R


def shifted_sum(u, v, log_stride, offset):
    """Sum over y and z = 2^e y + offset, inside both index ranges, of eq(u, y) eq(v, z)."""
    total = 0
    for row in range(1 << len(u)):
        column = (row << log_stride) + offset
        if 0 <= column < 1 << len(v):
            total += eq_at(u, row) * eq_at(v, column)
    return total % R


def weight(coordinates, position, bit):
    """Factor of one bit; beyond the coordinates only a zero bit is possible."""
    if not 0 <= position < len(coordinates):
        return 0 if bit else 1
    return coordinates[position] if bit else 1 - coordinates[position]


def carry_automaton(u, v, log_stride, offset, *, lengths=True, high_bits=True):
    """A2: add |offset| to the bits of one index and compare with the other's, two carry states.

    For a negative offset the roles are swapped: z + |offset| = y << e. `lengths` is 3.0 item 11, `high_bits` the
    rule that an offset of more bits than the automaton walks has no solution.
    """
    count = max(len(v), len(u) + log_stride) if lengths else len(v)
    magnitude = abs(offset)
    if high_bits and magnitude >> count:
        return 0
    states = [1, 0]
    for position in range(count):
        step = magnitude >> position & 1
        following = [0, 0]
        for carry, state in enumerate(states):
            for bit in (0, 1):
                total = bit + step + carry
                if offset >= 0:
                    factor = weight(u, position - log_stride, bit) * weight(v, position, total & 1)
                else:
                    factor = weight(v, position, bit) * weight(u, position - log_stride, total & 1)
                following[total >> 1] += state * factor
        states = [state % R for state in following]
    return states[0]


SHAPES = [(n_y, n_x, e) for n_y in range(4) for n_x in range(5) for e in range(3)]


def test_index_bound__every_bound__equals_the_sum_of_eq():
    """A1 for all bounds of up to 16 indices, 2^n included."""
    for bits in range(5):
        coordinates = point(bits)
        for bound in range((1 << bits) + 1):
            assert index_bound(bound, coordinates) == sum(eq_at(coordinates, i) for i in range(bound)) % R


def test_index_bound__full_range_without_the_correction__is_zero():
    """3.0 item 11: as printed, [index < 2^n] is never true."""
    coordinates = point(3)
    assert index_bound(8, coordinates, corrected=False) == 0
    assert index_bound(8, coordinates) == 1


def test_carry_automaton__every_small_shape_and_offset__equals_the_double_sum():
    """A2 with 3.0 item 11, both signs of the offset: the role swap, untested so far, holds too."""
    for n_y, n_x, e in SHAPES:
        u, v = point(n_y), point(n_x)
        for offset in range(-20, 21):
            assert carry_automaton(u, v, e, offset) == shifted_sum(u, v, e, offset), (n_y, n_x, e, offset)


def test_carry_automaton__as_long_as_the_column_alone__counts_rows_beyond_it():
    """3.0 item 11: with n_y + e > n_x the row's high bits must still be walked."""
    u, v = point(3), point(2)
    assert carry_automaton(u, v, 1, 0, lengths=False) != shifted_sum(u, v, 1, 0)


def test_carry_automaton__offset_of_more_bits_than_it_walks__reads_a_tap_that_does_not_exist():
    """Not in 3.0: one cell, kernel 3, padding 1. Tap 2 reads cell 1, which is none, but its high bit is never walked."""
    assert shifted_sum([], [], 0, 1) == 0
    assert carry_automaton([], [], 0, 1) == 0
    assert carry_automaton([], [], 0, 1, high_bits=False) == 1


def test_taps__rows_beyond_the_output__read_data_unless_the_sum_stops_at_its_height():
    """3.0 item 7: zero rows of X replace the test of its height, never that of the output's."""
    source, kernel = [5, 6, 7, 8], [1, 1]  # H_in = 4, k = 2, stride 1, no padding: H_out = 3, padded to 4
    rows = [sum(kernel[tap] * source[row + tap] for tap in range(2) if row + tap < 4) for row in range(4)]
    assert rows == [11, 13, 15, 8]
    t = point(2)
    masked = sum(eq_at(t, row) * rows[row] for row in range(3)) % R
    assert masked != sum(eq_at(t, row) * rows[row] for row in range(4)) % R


def test_mask__as_a_factor_of_the_evaluation__is_not_the_masked_tensor():
    """Not in 3.0: "multiplied by valid_out~" means inside the sum; valid~(t) A~(t) is the extension of nothing."""
    t = point(2)
    rows = [11, 13, 15, 8]
    inside = sum(eq_at(t, row) * rows[row] for row in range(3)) % R
    outside = index_bound(3, t) * sum(eq_at(t, row) * rows[row] for row in range(4)) % R
    assert inside != outside


@pytest.mark.parametrize(("height", "exact"), [(4, True), (3, False)])
def test_average_pool__one_half_in_the_lowest_bit__needs_a_height_that_divides(height, exact):
    """Not in 3.0: 2 X~(1/2, t) sums a row beyond the output when the height is odd, and the mask cannot be a factor."""
    source = [3, 1, 5, 1][:height] + [0] * (4 - height)
    half = pow(2, -1, R)
    t = point(1)
    by_half = 2 * sum(eq_at([half, *t], index) * source[index] for index in range(4)) % R
    true = sum(eq_at(t, row) * (source[2 * row] + source[2 * row + 1]) for row in range(height // 2)) % R
    assert (by_half == true) == exact
    assert exact or index_bound(height // 2, t) * by_half % R != true


def test_average_pool_2x2__the_two_low_bits__are_those_of_the_coordinates():
    """Not in 3.0: bits 0 and 1 of the index average four cells of one line; bit 0 and bit n_x are the window."""
    image = [[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8], [9, 7, 9, 3]]
    flat = [cell for line in image for cell in line]
    half = pow(2, -1, R)
    column, line = point(1), point(1)

    def value(coordinates):
        return 4 * sum(eq_at(coordinates, index) * cell for index, cell in enumerate(flat)) % R

    true = 0
    for y in range(2):
        for x in range(2):
            window = sum(image[2 * y + i][2 * x + j] for i in range(2) for j in range(2))
            true += eq_at(column, x) * eq_at(line, y) * window
    assert value([half, *column, half, *line]) == true % R
    assert value([half, half, *column, *line]) != true % R


def test_zero_point__folded_into_the_bias_under_padding__is_another_convolution():
    """3.0 item 8: at a border fewer taps read, so that no constant per channel replaces X - z."""
    source, kernel, zero = [7, 9, 8], [2, 3, 5], 4
    taps = [[row + tap - 1 for tap in range(3)] for row in range(3)]
    true = [
        sum(kernel[tap] * (source[i] - zero) for tap, i in enumerate(cells) if 0 <= i < 3) for cells in taps
    ]
    folded = [
        sum(kernel[tap] * source[i] for tap, i in enumerate(cells) if 0 <= i < 3) - zero * sum(kernel)
        for cells in taps
    ]
    assert true[1] == folded[1]
    assert true[0] != folded[0]
    assert true[2] != folded[2]


def test_zero_point__subtracted_from_the_slot_with_the_extension_of_the_true_cells__is_x_minus_z():
    """3.0 item 8: X~(rho) - z valid_in~(rho) is the extension of X - z on true cells and 0 on padding."""
    rho, source, zero = point(2), [7, 9, 8, 0], 4
    slot = sum(eq_at(rho, i) * source[i] for i in range(4))
    shifted = sum(eq_at(rho, i) * (source[i] - zero) for i in range(3))
    assert (slot - zero * index_bound(3, rho) - shifted) % R == 0
    assert (slot - zero - shifted) % R != 0


@pytest.mark.parametrize("sign_of_output", [1, -1])
@pytest.mark.parametrize("sign_of_constant", [1, -1])
def test_claim__of_a_public_output_with_a_constant__has_one_right_pair_of_signs(
    sign_of_output, sign_of_constant
):
    """Not in 3.0: with -gamma (product + linear) in the sum the output's claim is -gamma out~, the constant's +gamma kappa.

    The page's claim_0 = gamma_out out~ + sum gamma_l kappa_l valid_l~ is false for a public relation whichever
    sign its terms have; the prototype flips the terms, which is right only because its constants are in b'.
    """
    weights, cells, zero, gamma = [3, -2, 7], [9, 4, 1], 4, 1234567
    constant = -zero * sum(weights)
    product = sum(w * x for w, x in zip(weights, cells, strict=True))
    out = product + constant
    summed = -gamma * product
    claim = sign_of_output * gamma * out + sign_of_constant * gamma * constant
    assert ((summed - claim) % R == 0) == ((sign_of_output, sign_of_constant) == (-1, 1))
    flipped = gamma * product
    assert ((flipped - claim) % R == 0) == ((sign_of_output, sign_of_constant) == (1, -1))


def test_matrix_product__with_eq_alone_over_a_private_weight_column__lets_the_owner_fill_padding_rows():
    """Not in 3.0: rows o >= O of W' are the key's, not zero by themselves; the functional must stop at O."""
    cells, true_rows = [2, 5], 3
    key = [[1, 2], [3, 4], [5, 6], [7, 8]]  # the fourth row is padding that a malicious owner filled
    t = point(2)
    rows = [sum(w * x for w, x in zip(line, cells, strict=True)) for line in key]
    eq_alone = sum(eq_at(t, o) * rows[o] for o in range(4)) % R
    bounded = sum(eq_at(t, o) * rows[o] for o in range(true_rows)) % R
    assert rows[3] != 0
    assert eq_alone != bounded


def test_round_of_a_short_product__beyond_its_variables__is_the_constant_of_a3():
    """A3: a product of m variables in a sum of nu rounds adds v 2^-(j+1-m) from round m on, and ends at v 2^-(nu-m)."""
    m, nu = 2, 4
    table = [RANDOM.randrange(R) for _ in range(1 << m)]
    scale = pow(pow(2, nu - m, R), -1, R)
    rho = point(m)
    final = sum(eq_at(rho, i) * table[i] for i in range(1 << m)) % R
    for round_index in range(m, nu):
        free = nu - 1 - round_index
        assert (final * scale * 2**free - final * pow(pow(2, round_index + 1 - m, R), -1, R)) % R == 0
    assert (sum(table) * scale * 2 ** (nu - m) - sum(table)) % R == 0


def test_challenge__as_a_state_modulo_r__is_at_most_a_fifth_more_likely_than_uniform():
    """3.10: a residue has weight 5 or 6 of 2^256, which multiplies each bound by less than 1.14."""
    most = -(-(1 << 256) // R)
    assert most == 6
    assert most * R < 1.14 * (1 << 256)
