"""The tensors of a statement: where they lie in the columns, and which of them are public.

Axes are listed slowest first, the last axis is the fastest. Each axis is padded to a power of two, so that
element (i_0, .., i_k) of a tensor at row offset o lies on the row whose low bits are these indices.

Source: octet.md 3.5 (layout).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal


def padded(length: int) -> int:
    """Return the least power of two that is at least `length`."""
    return 1 << (length - 1).bit_length()


def padded_size(dims: Sequence[int]) -> int:
    """Return the rows that a tensor of these true lengths occupies."""
    return prod(padded(length) for length in dims)


class _Padded:
    """A tensor whose axes are padded to powers of two."""

    dims: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        """Lengths of the axes in rows, which are those of the multilinear extension."""
        return tuple(padded(length) for length in self.dims)

    @property
    def size(self) -> int:
        """Rows of the zero-extended tensor."""
        return prod(self.padded)


@dataclass(frozen=True)
class Block(_Padded):
    """Rows of the witness that hold one tensor of bytes.

    Attributes:
        name: unique among blocks.
        offset: first row, a multiple of `size`.
        dims: true lengths of the axes.
        lut: name of the table whose values of this block's bytes stand in column V, or "".
    """

    name: str
    offset: int
    dims: tuple[int, ...]
    lut: str = ""


@dataclass(frozen=True)
class VkTensor(_Padded):
    """A tensor of constants in a column of the verifying key: a weight, a bias, a table's values.

    Attributes:
        name: unique among these tensors.
        column: index of the verifying key's column.
        offset: first row, a multiple of `size`.
        dims: true lengths of the axes; kernel positions (ky, kx) form ONE axis of length ky * kx.
    """

    name: str
    column: int
    offset: int
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A function of one byte.

    Attributes:
        name: unique among tables.
        identity: the program's constant id_f >= 1, distinct per table.
        values: name of the VkTensor of 256 values; its offset is the table's row o_f.
    """

    name: str
    identity: int
    values: str


@dataclass(frozen=True)
class Input(_Padded):
    """A public input tensor of bytes, in the order in which the inputs are hashed.

    Attributes:
        name: unique among inputs.
        dims: true lengths of the axes.
        low: least value allowed.
        high: greatest value allowed, at most 255.
        width: bytes of one element at the port, 1 or 2, which are those of a lane of its words.
    """

    name: str
    dims: tuple[int, ...]
    low: int = 0
    high: int = 255
    width: int = 1


@dataclass(frozen=True)
class Output:
    """A public output, in the order in which the outputs are hashed.

    Attributes:
        name: unique among outputs.
        kind: `int32` for |value| < 2^31, `byte` for 0..255, `argmax` for one index below the
            number of elements.
        dims: true lengths of the axes (for argmax: of the tensor whose greatest element is meant).
    """

    name: str
    kind: Literal["int32", "byte", "argmax"]
    dims: tuple[int, ...]

    @property
    def count(self) -> int:
        """Public values: one per element, or one index."""
        return 1 if self.kind == "argmax" else prod(self.dims)
