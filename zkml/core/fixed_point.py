"""Fixed point as EZKL rounds it: half away from zero.

q = round(float32(x) * 2^scale). NumPy and Python round half to even, so neither may be used.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zkml.errors import DomainError

MAX_SCALE_BITS = 30


def quantize(values: ArrayLike, scale_bits: int) -> NDArray[np.int64]:
    """Map real inputs to the integers EZKL proves about.

    Args:
        values: finite real numbers of any shape; read as float32, as an ONNX float tensor is.
        scale_bits: fixed-point exponent. Range: 0..30.

    Returns:
        Integers of the same shape. |q| <= 2^62.

    Raises:
        DomainError: a value is not finite or too large for 62 bits.

    Source: zkonduit/ezkl `src/graph/utilities.rs`, `quantize_float`.
    """
    if not 0 <= scale_bits <= MAX_SCALE_BITS:
        raise ValueError(f"scale_bits must be in 0..{MAX_SCALE_BITS}, not {scale_bits}")
    try:
        wide = np.asarray(values)
    except ValueError as error:
        raise DomainError(f"expected an array of numbers, found {error}") from error
    if wide.dtype.kind not in "fiub":
        raise DomainError(f"expected an array of numbers, found elements of type {wide.dtype}")
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    scaled = narrow.astype(np.float64) * float(1 << scale_bits)
    if not np.all(np.isfinite(scaled)):
        raise DomainError("expected finite numbers, found NaN or infinity", hint="clean the input")
    if scaled.size and float(np.max(np.abs(scaled))) > 2.0**62:
        raise DomainError(f"expected |x| * 2^{scale_bits} within 2^62, found {np.max(np.abs(scaled)):g}")
    return round_half_away(scaled)


def round_half_away(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round to the nearest integer, halves away from zero.

    `trunc(x + 0.5)` would round 0.49999999999999994 up; the fraction is exact, so it is compared.
    """
    whole = np.trunc(values)
    away = np.where(np.abs(values - whole) >= 0.5, np.sign(values), 0.0)
    return (whole + away).astype(np.int64)


def dequantize(integers: ArrayLike, scale_bits: int) -> NDArray[np.float64]:
    """Map integers back to real numbers: q / 2^scale."""
    return np.asarray(integers, dtype=np.float64) / float(1 << scale_bits)
