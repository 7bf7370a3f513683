"""Strings to commit with: files of the ceremony's form, local ones, and what is refused."""

import pytest
from trapdoor import TrapdoorKey, trapdoor_key

from circuits.octet.spec import pairing
from circuits.octet.spec.curve import GENERATOR, INFINITY, multi_multiply, multiply
from circuits.octet.spec.srs import FileSrs, LocalSrs, PairingKey, check_powers, read_srs
from circuits.srs import SrsStore
from circuits.srs_file import ceremony_verification_srs, file_length_bytes
from circuits.srs_points import encode_point
from zkml.core.field import R
from zkml.errors import SrsError

TAU = 0x1234567890ABCDEF


def encode_g2(point: pairing.G2Point) -> bytes:
    return b"".join(encode_point(coordinate) for coordinate in point)


def raw_file(path, points, tau_g2, one_g2=pairing.G2_GENERATOR):
    """Write halo2's raw form; the Lagrange half repeats the generator, for nothing here reads it."""
    logrows = len(points).bit_length() - 1
    powers = b"".join(map(encode_point, points)) + encode_point(GENERATOR) * len(points)
    path.write_bytes(logrows.to_bytes(4, "little") + powers + encode_g2(one_g2) + encode_g2(tau_g2))
    assert path.stat().st_size == file_length_bytes(logrows)
    return path


def test_srs__a_local_string_commits_to_the_sum_of_multiples_of_its_points():
    """Evaluating at tau gives what the points give, negative and absent coefficients included."""
    local = LocalSrs(16, tau=TAU)
    coefficients = [5, 0, R - 1, -7, 1 << 200]
    assert local.points(2) == [GENERATOR, multiply(GENERATOR, TAU)]
    assert local.commit(coefficients) == multi_multiply(local.points(5), coefficients)
    assert local.commit([]) == INFINITY


def test_srs__a_local_string_is_labelled_insecure_and_reproducible():
    """Nothing made here counts as a ceremony's, and one seed gives one string."""
    local = LocalSrs(4)
    assert (local.name, local.secure) == ("insecure-local", False)
    assert local.commit([1, 2]) == LocalSrs(8).commit([1, 2])
    assert local.commit([1, 2]) != LocalSrs(4, seed=b"another").commit([1, 2])
    with pytest.raises(ValueError, match="multiple of r"):
        LocalSrs(4, tau=R)
    with pytest.raises(ValueError, match="size of 1"):
        LocalSrs(0)


def test_srs__more_coefficients_than_powers_are_refused():
    """A vector that the string cannot bind is not cut short."""
    local = LocalSrs(4)
    with pytest.raises(ValueError, match="at most 4 coefficients"):
        local.commit([1] * 5)
    with pytest.raises(ValueError, match="at most 4 points"):
        local.points(5)


def test_srs__a_file_holds_the_same_string_and_may_be_longer(tmp_path):
    """Exactly the first powers of a file are read, and commit as the local string does."""
    local = LocalSrs(16, tau=TAU)
    path = raw_file(tmp_path / "k4.srs", local.points(16), local.tau_g2)
    found = read_srs(path, 11)
    assert isinstance(found, FileSrs)
    assert (found.size, found.secure, found.name) == (11, False, "insecure-local")
    assert found.points(11) == local.points(11)
    assert found.tau_g2 == local.tau_g2
    assert found.commit(range(3, 14)) == local.commit(range(3, 14))
    with pytest.raises(SrsError, match="17 powers or more"):
        read_srs(path, 17)


def test_srs__the_published_ceremonys_file_is_read_and_called_secure(tmp_path):
    """The file in this package has two powers of the ceremony's tau and its [tau]_2."""
    path = tmp_path / "ceremony.srs"
    path.write_bytes(ceremony_verification_srs())
    found = read_srs(path, 2)
    assert found.secure
    assert found.commit([0, 1]) == found.points(2)[1]
    assert found.opening_key.holds(found.points(2)[1], GENERATOR)
    assert not found.opening_key.holds(GENERATOR, found.points(2)[1])


@pytest.mark.parametrize("broken", [1, 2, 7])
def test_srs__a_point_that_is_not_the_next_power_is_refused(tmp_path, broken):
    """One wrong point anywhere in the prefix is found, though it is on the curve; behind it, it is not read."""
    local = LocalSrs(8, tau=TAU)
    points = local.points(8)
    points[broken] = multiply(points[broken], 2)
    path = raw_file(tmp_path / "broken.srs", points, local.tau_g2)
    with pytest.raises(SrsError, match="consecutive powers"):
        read_srs(path, 8)
    assert read_srs(path, broken).size == broken


def test_srs__powers_of_another_tau_than_g2s_are_refused():
    """Points and [tau]_2 of two different strings do not go together."""
    with pytest.raises(SrsError, match="consecutive powers"):
        check_powers(LocalSrs(4, tau=TAU).points(4), LocalSrs(4, tau=TAU + 1).tau_g2)
    with pytest.raises(SrsError, match="first power"):
        check_powers([multiply(GENERATOR, 2), multiply(GENERATOR, 2 * TAU)], LocalSrs(4, tau=TAU).tau_g2)
    with pytest.raises(SrsError, match="first power"):
        check_powers([], LocalSrs(4, tau=TAU).tau_g2)


def test_srs__errors_that_cancel_in_a_plain_sum_are_refused():
    """Two wrong points whose sum is right are found: each has its own random weight."""
    local = LocalSrs(8, tau=TAU)
    logarithms = [pow(TAU, index, R) for index in range(8)]
    logarithms[3] += 1
    logarithms[5] -= 1
    points = [multiply(GENERATOR, value) for value in logarithms]
    with pytest.raises(SrsError, match="consecutive powers"):
        check_powers(points, local.tau_g2)


def test_srs__another_generator_of_g2_is_refused(tmp_path):
    """A file may not choose [1]_2: with it, its tau would be another."""
    local = LocalSrs(2, tau=TAU)
    other = pairing.multiply_g2(pairing.G2_GENERATOR, 3)
    path = raw_file(tmp_path / "g2.srs", local.points(2), pairing.multiply_g2(other, TAU), other)
    with pytest.raises(SrsError, match="generator of G2"):
        read_srs(path, 2)


def test_srs__a_key_outside_g2_is_refused():
    """[tau]_2 must be in the subgroup of order r."""
    with pytest.raises(SrsError, match="subgroup"):
        PairingKey(((1, 0), (1, 0)))


def test_srs__the_tests_own_key_gives_the_pairings_verdict():
    """Knowing tau or pairing: the same answer on a true and a false equation, and at infinity."""
    local = LocalSrs(4, tau=TAU)
    quotient = multiply(GENERATOR, 99)
    for accumulator, expected in [
        (multiply(GENERATOR, 99 * TAU), True),
        (quotient, False),
        (INFINITY, False),
    ]:
        assert local.opening_key.holds(accumulator, quotient) is expected
        assert TrapdoorKey(TAU).holds(accumulator, quotient) is expected
        assert trapdoor_key(local).holds(accumulator, quotient) is expected
    assert trapdoor_key(local).holds(INFINITY, INFINITY)
    assert local.opening_key.holds(INFINITY, INFINITY)


@pytest.mark.integration
def test_srs__ezkls_own_files_are_read(tmp_path):
    """A string EZKL made is one of consecutive powers to this reader too."""
    path = SrsStore(tmp_path).generate_insecure(5)
    found = read_srs(path, 32)
    assert not found.secure
    assert found.commit([1]) == GENERATOR
