"""What a ceremony leaves in a verifying key: G1, G2 and -[tau]G2, read from any of its SRS files."""

from pathlib import Path

from circuits.srs_file import G2_BYTES, identify_srs
from circuits.srs_points import GENERATOR, P, from_montgomery

_COORDINATE_BYTES = 32


def ceremony_constants(srs: Path) -> tuple[int, ...]:
    """Return the ten words that EZKL's reusable verifier finds in its keys.

    Args:
        srs: an SRS file of any size.

    Returns:
        G1 (x, y), G2 (x.c1, x.c0, y.c1, y.c0) and -[tau]G2, in the same order.

    Raises:
        SrsError: not an SRS file.
    """
    identify_srs(srs)
    data = srs.read_bytes()[-G2_BYTES:]
    x0, x1, y0, y1, tau_x0, tau_x1, tau_y0, tau_y1 = (
        from_montgomery(data[at : at + _COORDINATE_BYTES]) for at in range(0, G2_BYTES, _COORDINATE_BYTES)
    )
    return (*GENERATOR, x1, x0, y1, y0, tau_x1, tau_x0, -tau_y1 % P, -tau_y0 % P)
