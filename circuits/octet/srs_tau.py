"""[tau]_2 of an SRS file: all that verifying takes of it.

Source: EIP-197 (generator of G2, subgroup); circuits/srs_file.py (form of the file).
"""

from functools import lru_cache
from pathlib import Path

from circuits.octet.spec.pairing import G2_GENERATOR, G2Point, is_in_g2
from circuits.srs_file import G2_BYTES
from circuits.srs_points import from_montgomery
from zkml.errors import SrsError

_COORDINATE_BYTES = 32


@lru_cache(maxsize=64)
def tau_of(points: bytes) -> G2Point:
    """Read [tau]_2 from the last 256 bytes of an SRS file of anybody's.

    Raises:
        SrsError: another generator than EIP-197's, or a point outside G2.
    """
    if len(points) != G2_BYTES:
        raise SrsError(f"expected {G2_BYTES} bytes of G2 points, found {len(points)}")
    x0, x1, y0, y1, *tau = (
        from_montgomery(points[at : at + _COORDINATE_BYTES]) for at in range(0, G2_BYTES, _COORDINATE_BYTES)
    )
    if ((x0, x1), (y0, y1)) != G2_GENERATOR:
        raise SrsError("expected EIP-197's generator of G2, found another point in the SRS")
    tau_g2 = (tau[0], tau[1]), (tau[2], tau[3])
    if not is_in_g2(tau_g2):
        raise SrsError("expected [tau]_2 in the subgroup of order r, found a point outside it in the SRS")
    return tau_g2


def read_g2_points(path: Path) -> bytes:
    """Return the last 256 bytes of an SRS file whose form `identify_srs` has checked.

    Raises:
        SrsError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(-G2_BYTES, 2)
            return stream.read(G2_BYTES)
    except OSError as error:
        raise SrsError(f"expected an SRS file, found {error.strerror} at {path}") from error
