"""The keys: constants as columns, their commitments, and the digest that names the statement.

Whoever is to rely on a key makes it again from the program and the commitments and compares the digest; a
prover holds the columns as well.

Source: octet.md 3.5 (constants), 3.10 (vk_digest), 3.11; 3.0 item 15.
"""

from collections.abc import Mapping

from circuits.octet.compile.coverage import check
from circuits.octet.compile.graph import Integers
from circuits.octet.compile.key_columns import integer_columns
from circuits.octet.key_digest import NO_MEANING, key_digest
from circuits.octet.program import Program
from circuits.octet.spec.field import Vector, vector
from circuits.octet.spec.prover import ProvingKey
from circuits.octet.spec.srs import Srs
from circuits.octet.spec.statement import VerifyingKey
from zkml.errors import KeygenError

__all__ = ["key_columns", "key_digest", "make_key"]


def make_key(
    program: Program,
    constants: Mapping[str, Integers],
    reference: bytes,
    srs: Srs,
    *,
    meaning: bytes = NO_MEANING,
) -> ProvingKey:
    """Commit to a program's constants.

    Args:
        program: the statement without constants.
        constants: integers by the name of their tensor.
        reference: hash of the integer graph, which defines the semantics. 32 bytes.
        srs: at least 2^nu powers.
        meaning: of the public integers, 32 bytes: `PortTensors.digest()`.

    Raises:
        CompileError: the program does not determine what it reads.
        KeygenError: a constant is missing, unknown or of another shape, or the SRS is too small.
    """
    check(program)
    if srs.size < program.rows:
        raise KeygenError(f"expected an SRS of {program.rows} powers, found {srs.size}")
    columns = key_columns(program, constants)
    commitments = tuple(srs.commit(columns[name]) for name in program.key_columns)
    digest = key_digest(program, reference, meaning, commitments, srs.tau_g2)
    return ProvingKey(VerifyingKey(program, commitments, digest), columns, srs)


def key_columns(program: Program, constants: Mapping[str, Integers]) -> dict[str, Vector]:
    """Lay the constants into the columns of the verifying key.

    Args:
        program: says where each lies.
        constants: integers by name, of their tensors' true lengths.

    Returns:
        Columns by name, negatives as r - |v|, 0 in all padding. Shape of each: (2^nu,).

    Raises:
        KeygenError: a constant is missing, unknown, or of another shape.
    """
    columns = integer_columns(program, constants)
    return {name: vector(int(value) for value in values) for name, values in columns.items()}
