"""How much a graph of anybody's may ask for: the sums of what its tensors, views and terms take.

A graph of a kilobyte can name thousands of tensors of millions of cells. Whoever opens it bounds every cell
by intervals and lays the constants out, so memory and time follow from these sums. They are taken while the
graph is checked, before anything of such a size is made.

Every limit is above what a network that can be proved takes: the largest ceremony has 2^22 rows, which hold
one cell of a block each.

Source: octet.md 3.5 (rows of blocks).
"""

from math import prod

from circuits.octet.compile.graph import Affine, AxesSum, Conv, Gemm, Graph, MaxPool, Shape, Term, WindowSum
from circuits.octet.program_limits import MAX_RELATIONS, MAX_TERMS
from circuits.octet.tensors import padded_size
from zkml.errors import FormatError

MAX_ALL_CELLS = 1 << 24
"""Cells of all tensors: 2^22 of blocks, as many of tables beside them, and as much again."""

MAX_CELLS_READ = 1 << 26
"""Cells that views show, after each of their steps, that windows reach and that terms add to."""

MAX_PRODUCTS = 1 << 31
"""Products of a weight and a cell; a residual network of 18 layers on images of 224 x 224 takes 1.8e9."""

MAX_NODES = MAX_RELATIONS


class GraphSize:
    """What a graph has asked for so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._sums = dict.fromkeys(_LIMITS, 0)

    def add_tensor(self, shape: Shape, where: str) -> None:
        """Count a tensor.

        Raises:
            FormatError: tensors, or their cells, are too many.
        """
        self._add("tensors", 1, where)
        self._add("cells of all tensors", prod(shape), where)

    def add_output(self, where: str) -> None:
        """Count a public output.

        Raises:
            FormatError: they are too many.
        """
        self._add("outputs", 1, where)

    def add_shown(self, shape: Shape, where: str) -> None:
        """Count the cells that a step of a view shows.

        Raises:
            FormatError: the cells read are too many.
        """
        self._add("cells read", prod(shape), where)

    def add_term(self, term: Term, shown: Shape, shape: Shape, where: str) -> None:
        """Count what a term does, by shapes that were checked.

        Args:
            term: a linear map.
            shown: what its view shows.
            shape: the node's output.
            where: the node's name.

        Raises:
            FormatError: terms, cells read or products are too many.
        """
        self._add("terms", 1, where)
        reached, products = 0, 0
        if isinstance(term, Gemm):
            products = prod(shape) * shown[-1]
        elif isinstance(term, Conv):
            window = prod(term.weights.shape[2:])
            products = prod(shape) * term.weights.shape[1] * window
            reached = shown[1] * prod(shape[2:]) * window
        elif isinstance(term, WindowSum):
            reached = prod(shape) * prod(term.kernel)
        elif isinstance(term, AxesSum):
            reached = prod(shown)
        self._add("cells read", prod(shape) + reached, where)
        self._add("products", products, where)

    def _add(self, what: str, count: int, where: str) -> None:
        self._sums[what] += count
        if self._sums[what] > _LIMITS[what]:
            raise FormatError(
                f"expected at most {_LIMITS[what]} {what}, found {self._sums[what]} with {where!r:.120}"
            )


def block_rows(graph: Graph) -> int:
    """Return the rows that a graph's blocks occupy at least: a network that needs more has no program."""
    made = [node.output for node in graph.nodes if isinstance(node, Affine | MaxPool)]
    return sum(padded_size(tensor.shape) for tensor in (*graph.inputs, *made))


_LIMITS = {
    "tensors": MAX_NODES,
    "outputs": MAX_NODES,
    "terms": MAX_TERMS,
    "cells of all tensors": MAX_ALL_CELLS,
    "cells read": MAX_CELLS_READ,
    "products": MAX_PRODUCTS,
}
