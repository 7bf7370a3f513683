"""The scalar field of BN254, in which every instance of a proof lives.

Source: EIP-197 (group order), zkonduit/ezkl `src/graph/utilities.rs` (signed integers).
"""

import re

from zkml.errors import FormatError

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""The order of BN254's G1: instances are integers in [0, R)."""

HALF_R = R // 2

_FELT_HEX = re.compile(r"[0-9a-fA-F]{64}")  # bytes.fromhex would skip blanks


def felt_from_int(value: int) -> int:
    """Map a signed integer to the field: x to x, -x to R - x.

    Raises:
        FormatError: |value| exceeds half the field, where the sign would be lost.
    """
    if abs(value) > HALF_R:
        raise FormatError(f"expected an integer within half the scalar field, found {value}")
    return value % R


def int_from_felt(felt: int) -> int:
    """Map a field element back to the signed integer nearest zero.

    Raises:
        FormatError: the element is not reduced, i.e. not in [0, R).
    """
    if not 0 <= felt < R:
        raise FormatError(f"expected a field element below r, found {felt}")
    return felt - R if felt > HALF_R else felt


def felt_from_ezkl_hex(text: str) -> int:
    """Parse the 32-byte little-endian hexadecimal form of EZKL's files (no 0x).

    Raises:
        FormatError: not 64 hexadecimal digits, or not below r.
    """
    if not isinstance(text, str) or not _FELT_HEX.fullmatch(text):
        raise FormatError(f"expected 64 hexadecimal digits, found {text!r:.80}")
    felt = int.from_bytes(bytes.fromhex(text), "little")
    if felt >= R:
        raise FormatError(f"expected a field element below r, found {felt}")
    return felt


def ezkl_hex_from_felt(felt: int) -> str:
    """Return the 32-byte little-endian hexadecimal form of EZKL's files.

    Raises:
        FormatError: the element is not reduced, i.e. not in [0, R).
    """
    if not 0 <= felt < R:
        raise FormatError(f"expected a field element below r, found {felt}")
    return felt.to_bytes(32, "little").hex()
