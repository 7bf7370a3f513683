"""SRS files: form, identity, the verifier's 516 bytes, and what may be imported."""

from pathlib import Path

import pytest

from circuits.srs import SrsStore
from circuits.srs_file import (
    ceremony_verification_srs,
    file_length_bytes,
    identify_srs,
    published_ceremonies,
    verification_srs,
)
from circuits.srs_points import GENERATOR, P, add, decode_point, encode_point, multiply, negate
from zkml.core.digests import digest_of
from zkml.core.field import R
from zkml.errors import SrsError


@pytest.fixture
def ceremony(tmp_path: Path) -> Path:
    path = tmp_path / "k1.srs"
    path.write_bytes(ceremony_verification_srs())
    return path


def altered(path: Path, offset: int) -> Path:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    return path


def test_ceremony_file__carried__is_the_published_one():
    """The verifier's file in the package has the published digest."""
    (known,) = published_ceremonies()
    assert digest_of(ceremony_verification_srs()) == known.files[1]
    assert sorted(known.files) == list(range(1, 27))


def test_identify__ceremony_file__secure_and_named(ceremony: Path):
    """The ceremony is recognised by its G2 points."""
    found = identify_srs(ceremony)
    assert (found.name, found.secure, found.logrows) == ("perpetual-powers-of-tau", True, 1)


def test_identify__other_tau__insecure(ceremony: Path):
    """A file whose [tau]G2 is another is never called secure."""
    found = identify_srs(altered(ceremony, -1))
    assert (found.name, found.secure) == ("insecure-local", False)


@pytest.mark.parametrize("offset", [0, 4, 5, 67])
def test_identify__header_or_generator_changed__refused(offset, ceremony: Path):
    """A wrong header or first point is no SRS, whatever its G2 points say."""
    with pytest.raises(SrsError):
        identify_srs(altered(ceremony, offset))


def test_identify__another_point_for_the_generator__refused(ceremony: Path):
    """A file that starts with another point of the curve is refused, its G2 points notwithstanding."""
    data = ceremony.read_bytes()
    ceremony.write_bytes(data[:4] + encode_point(multiply(GENERATOR, 2)) + data[68:])
    with pytest.raises(SrsError, match="generator"):
        identify_srs(ceremony)


@pytest.mark.parametrize("length", [0, 3, 515, 517])
def test_identify__wrong_length__refused(length, ceremony: Path):
    """A file that is cut or padded is refused."""
    ceremony.write_bytes((ceremony.read_bytes() + b"\x00")[:length])
    with pytest.raises(SrsError):
        identify_srs(ceremony)


def test_identify__missing__refused(tmp_path: Path):
    """A missing file is an SrsError that names the path."""
    with pytest.raises(SrsError, match=r"none\.srs"):
        identify_srs(tmp_path / "none.srs")


def test_verification_srs__of_the_ceremony_file__is_itself(ceremony: Path):
    """The derived file equals the published one byte for byte, Lagrange points included."""
    assert verification_srs(ceremony) == ceremony.read_bytes()
    assert file_length_bytes(1) == 516


def test_points__group_laws__hold():
    """Addition, doubling, negation and the group's order agree."""
    double = add(GENERATOR, GENERATOR)
    assert multiply(GENERATOR, 2) == double
    assert multiply(GENERATOR, 5) == add(add(double, double), GENERATOR)
    assert add(double, negate(double)) is None
    assert multiply(GENERATOR, R) is None
    assert decode_point(encode_point(double)) == double


def test_points__not_on_the_curve_or_not_reduced__refused():
    """Bytes that are no point of the curve are refused."""
    for data in (bytes(64), encode_point(GENERATOR)[:-1], P.to_bytes(32, "little") * 2):
        with pytest.raises(SrsError):
            decode_point(data)


def test_import__ceremony_file__found_again(ceremony: Path, tmp_path: Path):
    """An imported ceremony file is used in place of an insecure one."""
    store = SrsStore(tmp_path / "store")
    assert store.import_file(ceremony).secure
    assert store.find(1, allow_insecure=False).read_bytes() == ceremony.read_bytes()


def test_import__ceremony_file_with_one_byte_changed__refused(ceremony: Path, tmp_path: Path):
    """A file of the ceremony's G2 points is refused when any other byte differs."""
    store = SrsStore(tmp_path / "store")
    with pytest.raises(SrsError, match="expected sha256:cafb2aa7"):
        store.import_file(altered(ceremony, 70))
    with pytest.raises(SrsError, match="ceremony"):
        store.find(1, allow_insecure=False)


def test_import__unknown_ceremony__refused(ceremony: Path, tmp_path: Path):
    """An SRS of unknown origin is refused by name."""
    with pytest.raises(SrsError, match="published ceremony"):
        SrsStore(tmp_path / "store").import_file(altered(ceremony, -1))


@pytest.mark.parametrize("logrows", [0, 27, -1])
def test_generate__logrows_out_of_range__refused(logrows, tmp_path: Path):
    """No child is started for a size that no SRS has."""
    with pytest.raises(SrsError):
        SrsStore(tmp_path).generate_insecure(logrows)
