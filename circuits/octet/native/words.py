"""Field elements as the kernels take them: rows of four 64-bit words, little-endian, below the prime."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""Shape (n, 4): one plain field element per row; (n, 8) for points."""

Point = tuple[int, int]
"""An affine point; (0, 0) is infinity."""


def to_words(values: Iterable[int]) -> Words:
    """Write integers of [0, 2^256) as rows; the kernels refuse those that are not below the prime."""
    data = b"".join(int(value).to_bytes(32, "little") for value in values)
    return np.frombuffer(data, dtype="<u8").reshape(-1, 4).astype(np.uint64)


def from_words(words: Words) -> list[int]:
    """Return the rows as integers."""
    data = words.astype("<u8").tobytes()
    return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]


def points_to_words(points: Iterable[Point]) -> Words:
    """Write points as rows of eight words."""
    return to_words(coordinate for point in points for coordinate in point).reshape(-1, 8)


def as_rows(words: Words, width: int = 4) -> Words:
    """Return the array in the memory form the kernels read.

    Raises:
        ValueError: it is not of shape (n, width).
    """
    if words.ndim != 2 or words.shape[1] != width:
        raise ValueError(f"expected an array of shape (n, {width}), found {words.shape}")
    return np.ascontiguousarray(words, dtype=np.uint64)
