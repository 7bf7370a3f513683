"""Where everything lies: rows of the blocks, rows and columns of the constants, and how many rows there are.

Sizes are powers of two and every tensor starts at a multiple of its size, so placing the largest first leaves
no gaps. How many rows there are is a matter of price (`prices`).

Source: octet.md 3.5 (layout, choice of nu), 3.0 item 12.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from circuits.octet.compile.prices import layout_price
from circuits.octet.tensors import Block, VkTensor, padded_size
from zkml.errors import CompileError

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""True lengths of constants by their names."""

LEAST_NU = 8
"""The table of bytes needs 256 rows."""

MOST_NU = 22
"""Rows that a ceremony of 2^22 points can commit to."""


def place_blocks(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Give every block its rows, largest first, and keep the order of the sequence."""
    offsets: dict[str, int] = {}
    start = 0
    for block in sorted(blocks, key=lambda item: -item.size):
        offsets[block.name] = start
        start += block.size
    return tuple(Block(block.name, offsets[block.name], block.dims, block.lut) for block in blocks)


def place_constants(shapes: Shapes, nu: int) -> tuple[tuple[VkTensor, ...], int]:
    """Give every constant its rows and column, largest first into the first column with room.

    Args:
        shapes: true lengths by name.
        nu: log2 of a column's rows; no tensor is larger.

    Returns:
        The tensors in the order of `shapes`, and the number of columns.
    """
    filled: list[int] = []
    places: dict[str, tuple[int, int]] = {}
    for name, dims in sorted(shapes.items(), key=lambda item: -padded_size(item[1])):
        size = padded_size(dims)
        column = next((i for i, rows in enumerate(filled) if rows + size <= 1 << nu), len(filled))
        if column == len(filled):
            filled.append(0)
        places[name] = (column, filled[column])
        filled[column] += size
    return tuple(VkTensor(name, *places[name], dims) for name, dims in shapes.items()), len(filled)


def cheapest_nu(
    blocks: Sequence[Block],
    public: Sequence[tuple[int, ...]],
    stored_at: Callable[[int], tuple[Shapes, int]],
) -> int:
    """Choose the number of variables: the least sum of a verifier's gas and the prover's time.

    Args:
        blocks: the witness.
        public: true lengths of the outputs: each is tested at coordinates of a row.
        stored_at: for a number of variables, true lengths of all constants by name, and the taps of
            cut weights' kernels.

    Raises:
        CompileError: no ceremony is large enough.
    """
    used = sum(block.size for block in blocks)
    least = (max(1 << LEAST_NU, used, *map(padded_size, public)) - 1).bit_length()
    best, cheapest = None, 0
    for nu in range(least, MOST_NU + 1):
        shapes, taps = stored_at(nu)
        if any(padded_size(dims) > 1 << nu for dims in shapes.values()):
            continue
        price = layout_price(nu, place_constants(shapes, nu)[1], len(shapes), taps)
        if best is None or price < cheapest:
            best, cheapest = nu, price
    if best is None:
        largest = max(blocks, key=lambda block: block.size, default=None)
        where = f", the most of them in {largest.name!r:.120}" if largest else ""
        raise CompileError(
            f"expected a network of at most 2^{MOST_NU} rows, found 2^{least}{where}",
            hint="make the largest layer smaller, or compile with EZKL",
        )
    return best
