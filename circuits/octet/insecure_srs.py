"""Make an insecure SRS file without any proof system: for local chains alone.

Its tau is drawn here and forgotten, but it was in this machine's memory, so `srs_file` calls the file
`insecure-local` and nobody but a local chain accepts it. Both halves of the file are written, so that it
serves every proof system here.

Source: halo2 `poly/kzg/commitment.rs`, `ParamsKZG::setup` (powers, Lagrange points, order of the roots).
"""

import secrets
from pathlib import Path

from circuits.octet.generator_multiples import montgomery_multiples
from circuits.octet.native.kernels import Native
from circuits.octet.spec.field import batch_inverse, powers, vector
from circuits.octet.spec.pairing import G2_GENERATOR, multiply_g2
from circuits.srs_file import HEADER_BYTES, MAX_LOGROWS
from circuits.srs_points import to_montgomery
from zkml.core.field import R
from zkml.errors import SrsError, StorageError

_ROOT_BITS = 28
_ROOT = pow(7, (R - 1) >> _ROOT_BITS, R)
"""The root of unity of order 2^28 that halo2 takes: 7 generates the field's multiplicative group."""


def make_insecure_srs(path: Path, logrows: int, native: Native | None) -> None:
    """Write an SRS file with a tau drawn here.

    Args:
        path: file to write.
        logrows: log2 of the rows it serves.
        native: the kernels; in plain Python when None, a minute for 2^16 rows.

    Raises:
        SrsError: logrows out of range.
        StorageError: no space or no permission.
    """
    if not 1 <= logrows <= MAX_LOGROWS:
        raise SrsError(f"expected logrows in 1..{MAX_LOGROWS}, found {logrows}")
    tau = secrets.randbelow(R - 2) + 2
    data = montgomery_multiples(powers(tau, 1 << logrows) + _lagrange(tau, logrows), native)
    try:
        path.write_bytes(logrows.to_bytes(HEADER_BYTES, "little") + data + _g2_points(tau))
    except OSError as error:
        raise StorageError(f"expected space for an SRS, found {error.strerror} at {path}") from error


def _lagrange(tau: int, logrows: int) -> list[int]:
    """Return L_i(tau) = (tau^n - 1) w^i / (n (tau - w^i)) for the n roots of unity w^i."""
    rows = 1 << logrows
    root = pow(_ROOT, 1 << (_ROOT_BITS - logrows), R)
    shared = (pow(tau, rows, R) - 1) * pow(rows, -1, R) % R
    roots = vector(powers(root, rows))
    return [int(value) for value in shared * roots % R * batch_inverse((tau - roots) % R) % R]


def _g2_points(tau: int) -> bytes:
    points = (G2_GENERATOR, multiply_g2(G2_GENERATOR, tau))
    return b"".join(to_montgomery(number) for x, y in points for number in (*x, *y))
