"""The witness file: every column of the first message, for one input. It never leaves the node.

    magic, length, header (circuit, input, output), columns, SHA-256 of all that

Bytes are kept as bytes and multiplicities as 32 bits. The hash finds what a disk did, not what an enemy did:
whoever can write the file can at worst have a proof made that is refused.
"""

import hashlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from circuits.octet.program import Program
from zkml.core.digests import Digest
from zkml.core.records import DigestText, HexBytes, Record, from_hex, to_hex
from zkml.errors import FormatError, StorageError, WitnessError

MAGIC = b"octet witness 1".ljust(32, b"\0")
_LENGTH = struct.Struct(">I")
_HASH_BYTES = 32
_MAX_HEADER = 4 << 20
_HINT = "make the witness again"

Columns = Mapping[str, NDArray[np.int64]]


class WitnessHeader(Record):
    """What a witness is of.

    Attributes:
        circuit: digest of the circuit.
        input: packed input.
        output: packed output.
    """

    tag: ClassVar[str] = "octet.witness/1"

    circuit: DigestText
    input: HexBytes
    output: HexBytes


def write_witness(
    path: Path, program: Program, circuit: Digest, packed: tuple[bytes, bytes], columns: Columns
) -> None:
    """Write a witness, readable by its owner only.

    Args:
        path: replaced if it is there.
        program: whose columns.
        circuit: digest of the circuit.
        packed: input and output.
        columns: by name. Shape of each: (2^nu,).

    Raises:
        StorageError: no space or no permission.
    """
    header = WitnessHeader(circuit=circuit, input=to_hex(packed[0]), output=to_hex(packed[1])).to_bytes()
    body = [columns[name].astype(_type_of(name)).tobytes() for name in program.first_columns]
    data = b"".join([MAGIC, _LENGTH.pack(len(header)), header, *body])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:  # noqa: PTH123 a descriptor
            stream.write(data)
            stream.write(hashlib.sha256(data).digest())
    except OSError as error:
        raise StorageError(f"expected to write a witness, found {error.strerror} at {path}") from error


def read_witness(
    path: Path, program: Program, circuit: Digest
) -> tuple[tuple[bytes, bytes], dict[str, NDArray[np.int64]]]:
    """Read a witness back.

    Returns:
        Packed input and output, and the columns by name.

    Raises:
        WitnessError: it is missing, corrupt, or of another circuit.
    """
    data = _read(path, program)
    header, start = _header(data, path)
    if header.circuit != circuit:
        raise WitnessError(
            f"expected a witness of circuit {circuit}, found one of {header.circuit} at {path}", hint=_HINT
        )
    columns = {}
    for name in program.first_columns:
        kind = _type_of(name)
        columns[name] = np.frombuffer(data, kind, count=program.rows, offset=start).astype(np.int64)
        start += kind.itemsize * program.rows
    return (from_hex(header.input), from_hex(header.output)), columns


def _read(path: Path, program: Program) -> bytes:
    """Return everything before the hash, which holds."""
    body = sum(_type_of(name).itemsize for name in program.first_columns) * program.rows
    limit = len(MAGIC) + _LENGTH.size + _MAX_HEADER + body + _HASH_BYTES
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise WitnessError(
            f"expected a witness file, found {error.strerror} at {path}", hint=_HINT
        ) from error
    covered, digest = data[:-_HASH_BYTES], data[-_HASH_BYTES:]
    if not data.startswith(MAGIC) or hashlib.sha256(covered).digest() != digest:
        raise WitnessError(f"expected a whole witness file, found another or a part at {path}", hint=_HINT)
    return covered


def _header(data: bytes, path: Path) -> tuple[WitnessHeader, int]:
    try:
        (length,) = _LENGTH.unpack_from(data, len(MAGIC))
        start = len(MAGIC) + _LENGTH.size
        return WitnessHeader.from_bytes(data[start : start + length], where="the witness"), start + length
    except (struct.error, FormatError) as error:
        raise WitnessError(f"expected a witness file, found {error} at {path}", hint=_HINT) from error


def _type_of(name: str) -> np.dtype[np.uint8] | np.dtype[np.uint32]:
    """Multiplicities are at most the number of cells, everything else is a byte."""
    return np.dtype("<u4") if name.startswith("M") else np.dtype("u1")
