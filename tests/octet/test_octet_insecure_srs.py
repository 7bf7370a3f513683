"""An insecure SRS made here: a whole file, of one tau, labelled as what it is; and which files are taken."""

import numpy as np
import pytest

from circuits.octet.generator_multiples import montgomery_multiples
from circuits.octet.insecure_srs import make_insecure_srs
from circuits.octet.native.kernels import available_paths, open_native
from circuits.octet.native.words import to_words
from circuits.octet.native_choice import choose_native
from circuits.octet.spec.curve import multi_multiply
from circuits.octet.spec.field import powers
from circuits.octet.spec.fixed_base import multiply_generator
from circuits.octet.spec.srs import read_srs
from circuits.octet.srs_powers import commit_columns, native_powers
from circuits.srs import SrsStore
from circuits.srs_file import (
    HEADER_BYTES,
    file_length_bytes,
    identify_srs,
    published_ceremonies,
    verification_srs,
)
from circuits.srs_points import GENERATOR, POINT_BYTES, decode_point, encode_point
from zkml.core.field import R
from zkml.errors import SrsError, StorageError

ROOT_OF_8 = pow(7, (R - 1) // 8, R)


def points_of(data: bytes, first: int, count: int) -> list:
    """Return points by their number in a file."""
    starts = [HEADER_BYTES + POINT_BYTES * (first + index) for index in range(count)]
    return [decode_point(data[start : start + POINT_BYTES]) for start in starts]


def test_insecure_srs__both_halves_are_of_one_tau_and_the_file_says_what_it_is(tmp_path):
    """Powers pass the pairing check, the Lagrange half interpolates x to tau, and the name is insecure-local."""
    path = tmp_path / "local.srs"
    make_insecure_srs(path, 3, None)
    assert len(path.read_bytes()) == file_length_bytes(3)
    identity = identify_srs(path)
    assert (identity.name, identity.secure, identity.logrows) == ("insecure-local", False, 3)
    srs = read_srs(path, 8)  # checks the powers against [tau]_2
    lagrange = points_of(path.read_bytes(), 8, 8)
    assert multi_multiply(lagrange, [1] * 8) == GENERATOR
    assert multi_multiply(lagrange, powers(ROOT_OF_8, 8)) == srs.points(2)[1]
    # The verifier's file is computed from the powers alone: the same halves, made another way.
    make_insecure_srs(path, 1, None)
    assert verification_srs(path) == path.read_bytes()


def test_insecure_srs__two_files_have_two_taus(tmp_path):
    """Nobody who knows one file's tau knows another's."""
    for name in ("a", "b"):
        make_insecure_srs(tmp_path / name, 2, None)
    assert identify_srs(tmp_path / "a").tau_g2 != identify_srs(tmp_path / "b").tau_g2


def test_insecure_srs__multiples_are_the_same_with_and_without_the_kernels():
    """Plain multiplication decides, at both ends of the field, for equal digits, and past one job's points."""
    factors = [1, 2, 255, 256, 257, R - 1, R - 2, 1 << 253, 12345678901234567890, 2]
    expected = b"".join(encode_point(multiply_generator(factor)) for factor in factors)
    assert montgomery_multiples(factors, None) == expected
    many = powers(7**60 % R, 1030)
    expected = montgomery_multiples(many, None)
    for path in available_paths() if choose_native().native else ():
        native = open_native(path)
        assert montgomery_multiples(factors, native) + montgomery_multiples(many, native) == (
            montgomery_multiples(factors, None) + expected
        )
        assert montgomery_multiples([], native) == b""


def test_insecure_srs__the_kernels_refuse_a_factor_that_names_no_point():
    """0 times the generator has no coordinates, and a number from r on is not a factor."""
    if choose_native().native is None:
        pytest.skip("no kernels here")
    for factor in (0, R):
        with pytest.raises(ValueError, match="expected"):
            open_native().generator_multiples(to_words([1, factor]))


@pytest.mark.parametrize("logrows", [0, 27, -1])
def test_insecure_srs__a_size_beyond_every_file_is_refused(logrows, tmp_path):
    """No file is begun for a size that nobody reads."""
    with pytest.raises(SrsError, match="logrows"):
        make_insecure_srs(tmp_path / "x", logrows, None)
    with pytest.raises(StorageError):
        make_insecure_srs(tmp_path / "missing" / "x", 1, None)


def test_srs_powers__kernels_and_specification_commit_alike_and_both_refuse_points_of_no_tau(tmp_path):
    """The prefix of a larger file commits as the file itself; swapped points are found by the pairing."""
    path = tmp_path / "local.srs"
    make_insecure_srs(path, 9, None)
    draw = np.random.default_rng(3)
    columns = {"K0": draw.integers(-(1 << 61), 1 << 61, 256), "K1": np.zeros(256, dtype=np.int64)}
    native = choose_native().native
    plain = commit_columns(columns, path, 256, None, 1)
    assert plain[1] == (0, 0)
    data = bytearray(path.read_bytes())
    second, third = slice(4 + 64, 4 + 128), slice(4 + 128, 4 + 192)
    data[second], data[third] = data[third], data[second]
    swapped = tmp_path / "swapped.srs"
    swapped.write_bytes(bytes(data))
    data[4 + 64 : 4 + 128] = bytes(63) + b"\x01"
    off_curve = tmp_path / "off.srs"
    off_curve.write_bytes(bytes(data))
    for kernels in (None, native) if native else (None,):
        assert commit_columns(columns, path, 256, kernels, 2) == plain
        with pytest.raises(SrsError, match="powers"):
            commit_columns(columns, swapped, 256, kernels, 1)
        with pytest.raises(SrsError):
            commit_columns(columns, off_curve, 256, kernels, 1)
        with pytest.raises(SrsError, match="1024 powers"):
            commit_columns(columns, path, 1024, kernels, 1)
    if native:
        with pytest.raises(SrsError):
            native_powers(native, off_curve, 256)


def test_srs_store__octet_takes_a_larger_ceremony_file_before_it_makes_one(tmp_path):
    """An imported ceremony file serves every smaller circuit of OCTET; only without one is a file made."""
    store, made = SrsStore(tmp_path), []

    def make(path, logrows):
        made.append(logrows)
        make_insecure_srs(path, logrows, None)

    larger = tmp_path / f"{published_ceremonies()[0].name}-5.srs"
    larger.write_bytes(b"imported before")
    assert store.find(3, allow_insecure=False, larger=True) == larger
    with pytest.raises(SrsError):
        store.find(3, allow_insecure=False)
    larger.unlink()
    found = store.find(3, allow_insecure=True, larger=True, make=make)
    assert identify_srs(found).secure is False
    assert store.find(3, allow_insecure=True, larger=True, make=make) == found
    assert made == [3]
