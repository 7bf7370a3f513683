"""The verifying key's columns: every constant on the rows where the program says it lies.

Source: octet.md 3.5 (constants).
"""

from collections.abc import Mapping

import numpy as np

from circuits.octet.compile.graph import Integers
from circuits.octet.program import Program
from zkml.errors import KeygenError


def integer_columns(program: Program, constants: Mapping[str, Integers]) -> dict[str, Integers]:
    """Lay the constants into the columns of the verifying key.

    Args:
        program: says where each lies.
        constants: integers by name, of their tensors' true lengths.

    Returns:
        Columns by name, 0 in all padding. Shape of each: (2^nu,).

    Raises:
        KeygenError: a constant is missing, unknown, or of another shape.
    """
    names = {tensor.name for tensor in program.vk_tensors}
    if names != set(constants):
        raise KeygenError(f"expected the constants {sorted(names)}, found {sorted(constants)}")
    columns = {name: np.zeros(program.rows, dtype=np.int64) for name in program.key_columns}
    for tensor in program.vk_tensors:
        values = constants[tensor.name]
        if values.shape != tensor.dims:
            raise KeygenError(f"expected the shape {tensor.dims}, found {values.shape} in {tensor.name!r}")
        room = [(0, size - length) for length, size in zip(tensor.dims, tensor.padded, strict=True)]
        rows = slice(tensor.offset, tensor.offset + tensor.size)
        columns[f"K{tensor.column}"][rows] = np.pad(values, room).reshape(-1)
    return columns
