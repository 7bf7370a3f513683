"""Powers of an insecure tau, made once a machine and kept as a file: for benchmarks of the kernels alone."""

from pathlib import Path

from circuits.octet.insecure_srs import make_insecure_srs
from circuits.octet.native.kernels import Native, Points
from circuits.octet.srs_powers import native_powers
from zkml.core.manifest import INSECURE_SRS_NAME


def points_file(native: Native | None, folder: Path, log_rows: int) -> Path:
    """Return the SRS file of exactly 2^log_rows powers, making it the first time.

    Named as `circuits.srs.SrsStore` names its files, so that it may be its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{INSECURE_SRS_NAME}-{log_rows}.srs"
    if not path.exists():
        part = path.with_suffix(".part")
        make_insecure_srs(part, log_rows, native)
        part.replace(path)
    return path


def points_of(native: Native, folder: Path, log_rows: int) -> Points:
    """Return 2^log_rows consecutive powers, held by the kernels."""
    return native_powers(native, points_file(native, folder, log_rows), 1 << log_rows)
