"""Commitments to a verifying key's columns, with the kernels where they run.

A file for more rows serves: committing to coefficients takes its first points and no others, and its Lagrange
half is never read. What a bundle is compiled with is checked to be powers of the tau of its [tau]_2; whoever
proves with the same file needs no second check, since other points would only make proofs that are refused.

Source: octet.md 3.1 (monomial basis); docs/octet.md, "Trust in the SRS".
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circuits.octet.key_files import KeyColumns
from circuits.octet.native.kernels import Native, Points
from circuits.octet.native.verifier import pairing_equal
from circuits.octet.native.words import to_words
from circuits.octet.spec.curve import INFINITY, Point, add, negate
from circuits.octet.spec.field import powers, vector
from circuits.octet.spec.pairing import G2_GENERATOR
from circuits.octet.spec.srs import read_srs
from circuits.octet.srs_tau import tau_of
from circuits.srs_file import read_powers
from circuits.srs_points import UNMONTGOMERY
from zkml.core.field import R
from zkml.errors import SrsError


def commit_columns(
    columns: KeyColumns, srs: Path, rows: int, native: Native | None, threads: int
) -> tuple[Point, ...]:
    """Commit to columns after checking that the SRS is one.

    Args:
        columns: in the order of their commitments. Shape of each: (rows,).
        srs: file of the SRS, for as many rows or more.
        rows: of the circuit.
        native: the kernels; the specification commits when None.
        threads: that the kernels may use.

    Raises:
        SrsError: not an SRS file, too short, a point off the curve, or points that are not consecutive
            powers of the tau of its [tau]_2.
    """
    if native is None:
        plain = read_srs(srs, rows)
        return tuple(plain.commit(vector(int(value) for value in values)) for values in columns.values())
    data, g2_points = read_powers(srs, rows)
    points = _decoded(native, data)
    _check_powers(points, data, g2_points, threads)
    return tuple(_commit(points, values, threads) for values in columns.values())


def native_powers(native: Native, srs: Path, rows: int) -> Points:
    """Return the first powers of an SRS file, held by the kernels.

    Raises:
        SrsError: not an SRS file, too short, or a point off the curve.
    """
    return _decoded(native, read_powers(srs, rows)[0])


def _decoded(native: Native, data: bytes) -> Points:
    """Take coordinates out of Montgomery form, all at once, and hand them to the kernels."""
    coordinates = np.frombuffer(data, dtype="<u8").reshape(-1, 4).astype(np.uint64)
    factor = np.broadcast_to(to_words([UNMONTGOMERY]), coordinates.shape)
    try:
        plain = native.field_batch("Fq", "multiply", coordinates, factor)
        return native.points(plain.reshape(-1, 8))
    except ValueError as error:
        raise SrsError(f"{error} in the SRS") from error


def _check_powers(points: Points, data: bytes, g2_points: bytes, threads: int) -> None:
    """Check e(sum c_i P_(i+1), [1]_2) = e(sum c_i P_i, [tau]_2), the c_i powers of a hash of all points.

    The first point is the generator, which `identify_srs` has seen to.
    """
    digest = points.native.keccak256(b"octet powers of tau" + data)
    factors = powers(int.from_bytes(digest, "big") % R, points.size - 1)
    upper = points.multiply(to_words([0, *factors]), threads)
    lower = points.multiply(to_words(factors), threads)
    if not pairing_equal(upper, G2_GENERATOR, lower, tau_of(g2_points)):
        raise SrsError("expected consecutive powers of the tau of [tau]_2, found points that are not")


def _commit(points: Points, column: NDArray[np.int64], threads: int) -> Point:
    above = _sum(points, np.maximum(column, 0), threads)
    return add(above, negate(_sum(points, np.maximum(-column, 0), threads)))


def _sum(points: Points, values: NDArray[np.int64], threads: int) -> Point:
    greatest = int(values.max(initial=0))
    if greatest == 0:
        return INFINITY
    return points.multiply_small(values.astype(np.uint64), greatest.bit_length(), threads)
