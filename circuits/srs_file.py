"""Read the form of an SRS file and tell which ceremony it belongs to.

    logrows   4 bytes little-endian
    powers    2^logrows points of G1: G, [tau]G, [tau^2]G ...
    lagrange  2^logrows points of G1
    G2, [tau]G2  128 bytes each

Verifying takes G, G2 and [tau]G2 alone, so the file for logrows 1 (516 bytes) verifies proofs of any size.
Identity is the digest of the last 256 bytes: equal for every file of one ceremony, whatever its size.

Source: halo2 `poly/kzg/commitment.rs`, `ParamsKZG::write_custom`; zkonduit/ezkl `src/srs_sha.rs`.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from circuits.srs_points import GENERATOR, POINT_BYTES, decode_point, encode_point, lagrange_pair
from zkml.core.digests import Digest, digest_of
from zkml.core.manifest import INSECURE_SRS_NAME, SrsIdentity
from zkml.errors import SrsError

HEADER_BYTES = 4
G2_BYTES = 256
MAX_LOGROWS = 26
VERIFICATION_LOGROWS = 1
_HINT = "an SRS file of halo2's raw format is needed, such as perpetual-powers-of-tau-raw-<k>"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A published ceremony: its name, its G2 digest, and the digest of each of its files."""

    name: str
    tau_g2: Digest
    files: dict[int, Digest]


@cache
def published_ceremonies() -> tuple[Ceremony, ...]:
    """Return the ceremonies this package knows."""
    text = (resources.files("circuits.srs_data") / "published.json").read_text(encoding="utf-8")
    return tuple(
        Ceremony(
            name,
            Digest(entry["tau_g2"]),
            {int(logrows): Digest(digest) for logrows, digest in entry["files"].items()},
        )
        for name, entry in json.loads(text).items()
    )


def ceremony_verification_srs() -> bytes:
    """Return the published ceremony's own file for logrows 1, which this package carries."""
    return (resources.files("circuits.srs_data") / "ceremony-k1.srs").read_bytes()


def file_length_bytes(logrows: int) -> int:
    """Return the exact length of an SRS file."""
    return HEADER_BYTES + 2 * (POINT_BYTES << logrows) + G2_BYTES


def identify_srs(path: Path) -> SrsIdentity:
    """Tell which ceremony an SRS file belongs to, by its G2 points.

    A file of the published ceremony's points is `secure`; that its other points are the ceremony's too is
    for `SrsStore.import_file` to check, and only the prover would be hurt if they were not.

    Raises:
        SrsError: not an SRS file, or its first point is not the generator.
    """
    with _open(path) as stream:
        logrows = _read_logrows(stream, path)
        if decode_point(stream.read(POINT_BYTES)) != GENERATOR:
            raise SrsError(f"expected the generator as first point, found another in {path}", hint=_HINT)
        stream.seek(-G2_BYTES, 2)
        tau_g2 = digest_of(stream.read(G2_BYTES))
    for ceremony in published_ceremonies():
        if ceremony.tau_g2 == tau_g2:
            return SrsIdentity(name=ceremony.name, secure=True, tau_g2=tau_g2, logrows=logrows)
    return SrsIdentity(name=INSECURE_SRS_NAME, secure=False, tau_g2=tau_g2, logrows=logrows)


def read_powers(path: Path, count: int) -> tuple[bytes, bytes]:
    """Return the first powers of an SRS file of any size that holds them, and its G2 points.

    Returns:
        64 bytes for each power, and the last 256 bytes; neither is decoded.

    Raises:
        SrsError: not an SRS file, or too short.
    """
    held = 1 << identify_srs(path).logrows
    if not 1 <= count <= held:
        raise SrsError(f"expected a file of {count} powers or more, found {held} in {path}")
    with _open(path) as stream:
        stream.seek(HEADER_BYTES)
        data = stream.read(count * POINT_BYTES)
        stream.seek(-G2_BYTES, 2)
        return data, stream.read(G2_BYTES)


def verification_srs(path: Path) -> bytes:
    """Return the 516-byte file for logrows 1 of the same ceremony.

    Raises:
        SrsError: not an SRS file.
    """
    with _open(path) as stream:
        _read_logrows(stream, path)
        powers = stream.read(2 * POINT_BYTES)
        stream.seek(-G2_BYTES, 2)
        points_g2 = stream.read(G2_BYTES)
    lagrange = lagrange_pair(decode_point(powers[POINT_BYTES:]))
    header = VERIFICATION_LOGROWS.to_bytes(HEADER_BYTES, "little")
    return header + powers + b"".join(map(encode_point, lagrange)) + points_g2


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SrsError(
            f"expected an SRS file, found {error.strerror or error} at {path}", hint=_HINT
        ) from error


def _read_logrows(stream: BinaryIO, path: Path) -> int:
    logrows = int.from_bytes(stream.read(HEADER_BYTES), "little")
    length = path.stat().st_size
    if not 1 <= logrows <= MAX_LOGROWS or length != file_length_bytes(logrows):
        raise SrsError(
            f"expected an SRS file of 1..{MAX_LOGROWS} logrows and its exact length, "
            f"found a header of {logrows} and {length} bytes in {path}",
            hint=_HINT,
        )
    return logrows
