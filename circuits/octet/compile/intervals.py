"""Interval analysis: the proof, at compile time, that every input in the domain has a proof.

From the bytes that the inputs may hold follow, cell by cell, the least and the greatest value of every tensor
and of every sum before its shift. Out of them come the number of saturation limbs, the certainty that no
integer reaches 2^62 and no accumulator 2^31, and that the differences behind an arg-max fit their limbs. A
model for which one of these fails is refused here, so that no user can ever hand in an input that the prover
must give up on.

Source: octet.md 3.2 (integer bounds), 3.0 items 4, 5 and 17.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from circuits.octet.compile.graph import Affine, Graph, Integers, Lookup, MaxPool, Total, node_output
from circuits.octet.compile.terms import apply_term, greatest, negative_part, positive_part
from circuits.octet.compile.views import read
from circuits.octet.program import BOUND_BITS
from zkml.errors import CompileError, DomainError

TOTAL_BITS = 31
"""Accumulators that are published stay below 2^31 in absolute value."""


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """No cell is ever below `low` or above `high`. Shape of each: the tensor's."""

    low: Integers
    high: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """What the integers of a network can be.

    Attributes:
        tensors: byte tensors and accumulators by name.
        sums: A' of every `Affine`, before the shift, by the name of its output.
        saturation: limbs that hold the overflow, and the underflow, of every quotient; at least 1.
    """

    tensors: dict[str, Range]
    sums: dict[str, Range]
    saturation: int


def analyse(graph: Graph, domain: Mapping[str, tuple[int, int]] | None = None) -> Intervals:
    """Bound every integer of a network for all inputs of a domain.

    Args:
        graph: the network.
        domain: least and greatest byte of an input, by its name; 0 and 255 where none is given.

    Raises:
        DomainError: a domain is empty or not of bytes, or names no input.
        CompileError: some input in the domain would have no proof.
    """
    tensors = _inputs(graph, dict(domain or {}))
    zeros = {tensor.name: tensor.zero_point for tensor in graph.inputs}
    sums: dict[str, Range] = {}
    for node in graph.nodes:
        if isinstance(node, Affine):
            name = node.output.name
            sums[name] = _sum(node, tensors, zeros)
            found = Range(
                *(np.clip(side >> graph.shift, 0, 255) for side in (sums[name].low, sums[name].high))
            )
        elif isinstance(node, Total):
            name = node.name
            found = _sum(node, tensors, zeros)
            _require_total(name, found)
        elif isinstance(node, Lookup):
            name = node.output.name
            found = _looked_up(node, tensors[node.source])
        else:
            name = node.output.name
            found = _greatest(node, tensors)
        tensors[name] = found
        if not isinstance(node, Total):
            zeros[name] = node.output.zero_point
    _require_comparable(graph, tensors)
    return Intervals(tensors, sums, _saturation(graph.shift, sums))


def _inputs(graph: Graph, domain: dict[str, tuple[int, int]]) -> dict[str, Range]:
    found = {}
    for tensor in graph.inputs:
        low, high = domain.pop(tensor.name, (0, 255))
        if not 0 <= low <= high <= 255:
            raise DomainError(f"expected 0 <= low <= high <= 255, found {low}, {high} for {tensor.name!r}")
        found[tensor.name] = Range(
            np.full(tensor.shape, low, dtype=np.int64), np.full(tensor.shape, high, dtype=np.int64)
        )
    if domain:
        raise DomainError(f"expected domains of the model's inputs, found {sorted(domain)}")
    return found


def _sum(node: Affine | Total, tensors: dict[str, Range], zeros: dict[str, int]) -> Range:
    """Bound a sum of terms: positive coefficients take one end of the interval, negative ones the other."""
    name, shape = node_output(node)
    # The worst case over all bytes, in floating point, decides first whether int64 can hold the exact bounds.
    # Its relative error is far below the factor of two between 2^62 and the range of int64.
    magnitude = np.broadcast_to(np.abs(node.bias.astype(np.float64)), shape).copy()
    low = np.broadcast_to(node.bias, shape).astype(np.int64)
    high = low.copy()
    for term in node.terms:
        given = tensors[term.source.tensor]
        zero = zeros[term.source.tensor]
        shown = read(term.source, np.full(term.source.base_shape, 255.0))
        above, below = positive_part(term), negative_part(term)
        magnitude += apply_term(above, shown, shape) - apply_term(below, shown, shape)
        if not magnitude.max() < 2.0**BOUND_BITS:
            raise CompileError(
                f"expected integers below 2^{BOUND_BITS}, found up to {magnitude.max():.3g} in {name!r}",
                hint="use a smaller shift, or smaller multipliers",
            )
        least, most = read(term.source, given.low - zero), read(term.source, given.high - zero)
        low += apply_term(above, least, shape) + apply_term(below, most, shape)
        high += apply_term(above, most, shape) + apply_term(below, least, shape)
    return Range(low, high)


def _looked_up(node: Lookup, given: Range) -> Range:
    """Bound a table over each cell's interval, by running minima and maxima from every start."""
    least = np.full((256, 256), 255, dtype=np.int64)
    most = np.zeros((256, 256), dtype=np.int64)
    for start in range(256):
        least[start, start:] = np.minimum.accumulate(node.table[start:])
        most[start, start:] = np.maximum.accumulate(node.table[start:])
    return Range(least[given.low, given.high], most[given.low, given.high])


def _greatest(node: MaxPool, tensors: dict[str, Range]) -> Range:
    given = tensors[node.source.tensor]
    return Range(greatest(node, read(node.source, given.low)), greatest(node, read(node.source, given.high)))


def _require_total(name: str, found: Range) -> None:
    largest = max(int(found.high.max()), -int(found.low.min()))
    if largest >= 1 << TOTAL_BITS:
        raise CompileError(f"expected outputs below 2^{TOTAL_BITS}, found up to {largest} in {name!r}")


def _require_comparable(graph: Graph, tensors: dict[str, Range]) -> None:
    """Check that scores of an arg-max differ by less than their limbs Y and R hold: 2^(S + 8)."""
    for out in graph.outputs:
        if out.kind != "argmax":
            continue
        scores = tensors[out.source.tensor]
        spread = int(scores.high.max()) - int(scores.low.min())
        if spread >= 1 << (graph.shift + 8):
            raise CompileError(
                f"expected scores less than 2^{graph.shift + 8} apart, found {spread} in {out.name!r}",
                hint="use a larger shift, or the arg-max of bytes",
            )


def _saturation(shift: int, sums: dict[str, Range]) -> int:
    """Return the least number of limbs that hold every P = max(Q - 255, 0) and N = max(-Q, 0)."""
    over = max((int(found.high.max() >> shift) - 255 for found in sums.values()), default=0)
    under = max((-int(found.low.min() >> shift) for found in sums.values()), default=0)
    limbs = max(1, -(-max(over, under, 1).bit_length() // 8))
    if shift + 8 * limbs >= BOUND_BITS:
        raise CompileError(
            f"expected quotients that fit below 2^{BOUND_BITS - shift}, found {limbs} saturation limbs"
        )
    return limbs
