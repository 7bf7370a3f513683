"""Many multiples of the generator of G1 at once, in the form in which an SRS file holds them.

The kernels make them where they run, a microsecond a point; the specification does, one by one, where not.
"""

import os
from collections.abc import Sequence

from circuits.octet.native.kernels import Native
from circuits.octet.native.words import to_words
from circuits.octet.spec.fixed_base import multiply_generator
from circuits.srs_points import encode_point

_AT_ONCE = 1 << 18
"""Factors of one call of the kernels, which hold 128 bytes for each."""


def montgomery_multiples(factors: Sequence[int], native: Native | None) -> bytes:
    """Return factor * G for each factor, x and y in Montgomery form.

    Args:
        factors: below r, none of them 0.
        native: the kernels; in plain Python when None.

    Returns:
        64 bytes for each factor.
    """
    if native is None:
        return b"".join(encode_point(multiply_generator(factor)) for factor in factors)
    threads = os.cpu_count() or 1
    parts = (factors[start : start + _AT_ONCE] for start in range(0, len(factors), _AT_ONCE))
    return b"".join(native.generator_multiples(to_words(part), threads) for part in parts)
