"""The key files of a bundle.

    verifying.key   canonical JSON: the program's digest, the integer graph's, one commitment per column
    proving.key     magic, length, a copy of verifying.key, then the columns as int64 little-endian

The digest that names the statement is not in them: it is computed from the settings and the SRS at hand each
time, so no file can claim another.

Source: octet.md 3.5 (constants), 3.10 (vk_digest), 3.13; 3.0 item 15.
"""

import struct
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from circuits.octet.key_digest import key_digest
from circuits.octet.program import BOUND_BITS, Program
from circuits.octet.program_limits import MAX_COLUMNS
from circuits.octet.spec.curve import Point, point_from_words
from circuits.octet.spec.field import to_word
from circuits.octet.spec.pairing import G2Point
from circuits.octet.spec.statement import VerifyingKey
from zkml.core.records import Hex32, Record, from_hex, to_hex
from zkml.errors import FormatError, ManifestError, ProofRejectedError

MAX_VERIFYING_KEY_BYTES = 1 << 20
MAGIC = b"octet proving key 1".ljust(32, b"\0")
_LENGTH = struct.Struct(">I")
_HINT = "rebuild or re-download the bundle"

KeyColumns = Mapping[str, NDArray[np.int64]]
"""Columns of the verifying key by name (K0, K1 ..): the integers as they are. Shape of each: (2^nu,)."""


class VerifyingKeyFile(Record):
    """A verifying key's file.

    Attributes:
        program: keccak256 of the program's canonical JSON.
        reference: hash of the integer graph, which defines the semantics.
        commitments: of the key's columns, in order: x and y, 32 bytes each, big-endian.
    """

    tag: ClassVar[str] = "octet.verifying-key/1"

    program: Hex32
    reference: Hex32
    commitments: Annotated[
        list[Annotated[str, Field(pattern=r"^0x[0-9a-f]{128}$")]], Field(max_length=MAX_COLUMNS)
    ]


def verifying_key_bytes(program: Program, reference: bytes, commitments: tuple[Point, ...]) -> bytes:
    """Return the file of a key."""
    points = [to_hex(b"".join(map(to_word, point))) for point in commitments]
    return VerifyingKeyFile(
        program=to_hex(program.digest()), reference=to_hex(reference), commitments=points
    ).to_bytes()


def read_verifying_key(
    data: bytes, program: Program, meaning: bytes, tau_g2: G2Point
) -> tuple[VerifyingKey, bytes]:
    """Read a key of anybody's for a program that was checked.

    Args:
        data: the file.
        program: of the same bundle's settings.
        meaning: of the same settings' public tensors: `PortTensors.digest()`. 32 bytes.
        tau_g2: [tau]_2 of the same bundle's SRS.

    Returns:
        The key, its digest computed here, and the hash of the integer graph (32 bytes).

    Raises:
        ManifestError: not a key, of another program, or with a commitment that is no point.
    """
    if len(data) > MAX_VERIFYING_KEY_BYTES:
        raise ManifestError(
            f"expected at most {MAX_VERIFYING_KEY_BYTES} bytes of key, found {len(data)}", hint=_HINT
        )
    try:
        found = _parsed(data)
        points = tuple(_point(from_hex(text)) for text in found.commitments)
    except (FormatError, ProofRejectedError) as error:
        raise ManifestError(f"{error.message} in the verifying key", hint=_HINT) from error
    if found.program != to_hex(program.digest()):
        raise ManifestError(
            f"expected a key of the program {to_hex(program.digest())}, found one of {found.program}",
            hint=_HINT,
        )
    if len(points) != program.vk_columns:
        raise ManifestError(f"expected {program.vk_columns} commitments, found {len(points)}", hint=_HINT)
    reference = from_hex(found.reference)
    return VerifyingKey(program, points, key_digest(program, reference, meaning, points, tau_g2)), reference


def proving_key_bytes(verifying_key: bytes, program: Program, columns: KeyColumns) -> bytes:
    """Return the file of a proving key."""
    body = b"".join(columns[name].astype("<i8").tobytes() for name in program.key_columns)
    return MAGIC + _LENGTH.pack(len(verifying_key)) + verifying_key + body


def max_proving_key_bytes(program: Program) -> int:
    """Return the greatest length of a program's proving key."""
    return len(MAGIC) + _LENGTH.size + MAX_VERIFYING_KEY_BYTES + 8 * program.vk_columns * program.rows


def read_proving_key(data: bytes, program: Program) -> tuple[bytes, dict[str, NDArray[np.int64]]]:
    """Cut a proving key of anybody's for a program that was checked.

    Wrong columns make proofs that do not verify, and nothing else.

    Returns:
        The verifying key's file, and the columns by name.

    Raises:
        ManifestError: not a proving key, of another length, or with integers beyond 2^62.
    """
    start = len(MAGIC) + _LENGTH.size
    if len(data) < start or not data.startswith(MAGIC):
        raise ManifestError("expected a proving key of OCTET, found another file", hint=_HINT)
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    expected = start + length + 8 * program.vk_columns * program.rows
    if length > MAX_VERIFYING_KEY_BYTES or len(data) != expected:
        raise ManifestError(f"expected a proving key of {expected} bytes, found {len(data)}", hint=_HINT)
    body = np.frombuffer(data, dtype="<i8", offset=start + length).reshape(-1, program.rows)
    values = body.astype(np.int64)
    if values.size and (values.min() <= -(1 << BOUND_BITS) or values.max() >= 1 << BOUND_BITS):
        raise ManifestError(f"expected constants below 2^{BOUND_BITS} in the proving key", hint=_HINT)
    return data[start : start + length], dict(zip(program.key_columns, values, strict=True))


def _parsed(data: bytes) -> VerifyingKeyFile:
    found = VerifyingKeyFile.from_bytes(data, where="a file")
    if found.to_bytes() != data:
        raise FormatError("expected canonical JSON, found another form of it")
    return found


def _point(data: bytes) -> Point:
    return point_from_words(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big"))
