"""From the integer graph to a program: every node becomes a block and the relations that determine it.

Source: octet.md 3.2 to 3.6; 3.0 items 1, 5, 7, 8, 9, 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod

import numpy as np

from circuits.octet.compile.axis_walks import kept_order
from circuits.octet.compile.batch_axis import row_name, row_of, with_batch
from circuits.octet.compile.coverage import check
from circuits.octet.compile.draft import Draft
from circuits.octet.compile.graph import (
    Affine,
    ByteTensor,
    Copy,
    Graph,
    Integers,
    Lookup,
    MaxPool,
    Total,
)
from circuits.octet.compile.graph import Output as GraphOutput
from circuits.octet.compile.graph import Term as GraphTerm
from circuits.octet.compile.intervals import Intervals, analyse
from circuits.octet.compile.layout import Shapes, cheapest_nu, place_blocks, place_constants
from circuits.octet.compile.source_axes import pool_tap
from circuits.octet.compile.term_lowering import Readable, TermLowering, reordered
from circuits.octet.compile.views import view_shape
from circuits.octet.compile.weight_cutting import cut_constants, cut_shapes
from circuits.octet.program import VERSION, Program
from circuits.octet.program_limits import check_limits
from circuits.octet.tensors import Block, Input, Output, Table
from circuits.octet.terms import Axis, Linear, Relation, Source, Term
from zkml.errors import UnsupportedOperatorError


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A program with what it was made of.

    Attributes:
        program: the statement.
        constants: values of every tensor of the verifying key, by its name, of its true lengths.
        graph: the integer network it states.
        intervals: the proof that every input in the domain has a proof.
        batch: of how many items it states it.
    """

    program: Program
    constants: dict[str, Integers]
    graph: Graph
    intervals: Intervals
    batch: int


def lower(
    graph: Graph,
    domain: Mapping[str, tuple[int, int]] | None = None,
    *,
    nu: int | None = None,
    width: int = 1,
    batch: int = 1,
) -> Lowered:
    """Compile an integer graph.

    Args:
        graph: the network, of one item.
        domain: least and greatest byte of an input, by its name; 0 and 255 where none is given.
        nu: log2 of the rows; chosen by cost when None.
        width: bytes of an input's element at the port, 1 or 2.
        batch: how many items the program is about, at least 1; see `batch_axis`.

    Raises:
        DomainError: a domain is empty or not of bytes, or names no input.
        UnsupportedOperatorError: a node reads its source in a way that no relation states.
        CompileError: some input would have no proof, or the network is too large.
    """
    intervals = analyse(graph, domain)
    build = _Build(graph, dict(domain or {}), width)
    for node in graph.nodes:
        if isinstance(node, Affine):
            build.affine(node)
        elif isinstance(node, Total):
            build.totals[node.name] = node
        elif isinstance(node, Lookup):
            build.lookup(node)
        else:
            build.max_pool(node)
    for out in graph.outputs:
        build.publish(out)
    shapes = {name: value.shape for name, value in build.constants.items()}
    draft = Draft(
        tuple(build.relations), tuple(build.blocks.values()), tuple(build.outputs), tuple(build.inputs)
    )
    draft = with_batch(draft, batch)
    if nu is None:
        public = [output.dims for output in draft.outputs]
        nu = cheapest_nu(draft.blocks, public, partial(_stored, draft, shapes))
    cuts = draft.cuts(shapes, nu)
    draft = draft.cut(cuts)
    constants = cut_constants(build.constants, cuts)
    tensors, columns = place_constants({name: value.shape for name, value in constants.items()}, nu)
    program = Program(
        version=VERSION,
        nu=nu,
        shift=graph.shift,
        saturation=intervals.saturation,
        slots=build.slots,
        inputs=draft.inputs,
        outputs=draft.outputs,
        blocks=place_blocks(draft.blocks),
        vk_columns=columns,
        vk_tensors=tensors,
        tables=tuple(build.tables.values()),
        relations=draft.relations,
    )
    check_limits(program)
    check(program)
    return Lowered(program, constants, graph, intervals, batch)


def _stored(draft: Draft, shapes: Shapes, nu: int) -> tuple[Shapes, int]:
    """Return constants' true lengths for a number of variables, and the taps of cut weights to be walked."""
    cuts = draft.cuts(shapes, nu)
    return cut_shapes(shapes, cuts), sum(cut.walked_taps for cut in cuts.values())


@dataclass
class _Build:
    """What has been lowered so far."""

    graph: Graph
    domain: Mapping[str, tuple[int, int]]
    width: int
    inputs: list[Input] = field(default_factory=list)
    blocks: dict[str, Block] = field(default_factory=dict)
    tables: dict[bytes, Table] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    totals: dict[str, Total] = field(default_factory=dict)
    slots: int = 0

    def __post_init__(self) -> None:
        windows = [node.kernel for node in self.graph.nodes if isinstance(node, MaxPool)]
        self.slots = max((prod(kernel) for kernel in windows), default=0)
        self.terms = TermLowering()
        self._sums: dict[str, tuple[tuple[Term, ...], int]] = {}
        for tensor in self.graph.inputs:
            self.hold(tensor)

    @property
    def constants(self) -> dict[str, Integers]:
        """Values of the verifying key's tensors."""
        return self.terms.constants

    def hold(self, tensor: ByteTensor) -> None:
        """Add a block that holds a public input."""
        name, shape = tensor.name, tensor.shape
        low, high = self.domain.get(name, (0, 255))
        self.inputs.append(Input(name, shape, low, high, self.width))
        self.blocks[name] = Block(name, 0, shape)
        self.relations.append(Relation("input", name, "", (), input=name))
        self.terms.readable[name] = Readable("block", name, shape, tensor.zero_point)

    def affine(self, node: Affine) -> None:
        """Add a block of requantized bytes."""
        output = node.output
        terms, constant = self._sum(output.name, node.terms, node.bias, output.shape)
        self.blocks[output.name] = Block(output.name, 0, output.shape)
        self.relations.append(Relation("requant", output.name, "", terms, constant))
        self.terms.readable[output.name] = Readable("block", output.name, output.shape, output.zero_point)

    def lookup(self, node: Lookup) -> None:
        """Let a block ask a table; equal tables are one."""
        values = np.ascontiguousarray(node.table, dtype=np.int64)
        table = self.tables.get(values.tobytes())
        if table is None:
            number = len(self.tables) + 1
            table = Table(f"T{number}", number, f"table:T{number}")
            self.tables[values.tobytes()] = table
            self.constants[table.values] = values
        asked = self.blocks[node.source]
        if asked.lut:
            raise UnsupportedOperatorError(
                f"expected one table per tensor, found a second one at {node.source!r}"
            )
        self.blocks[node.source] = Block(asked.name, asked.offset, asked.dims, table.name)
        output = node.output
        self.terms.readable[output.name] = Readable("lut", asked.name, output.shape, output.zero_point)

    def max_pool(self, node: MaxPool) -> None:
        """Add a block of maxima: one difference per position of the window, the first repeated as needed."""
        output = node.output
        self.blocks[output.name] = Block(output.name, 0, output.shape)
        height, width = node.kernel
        for slot in range(self.slots):
            i, j = divmod(slot if slot < height * width else 0, width)
            tap = pool_tap(node.source, node.strides, node.pads, i, j)
            term = self.terms.window(tap, output.shape, raw=True)
            if term is None:
                raise UnsupportedOperatorError(
                    f"expected a pool over a tensor as it lies, found a rearranged one at {output.name!r}"
                )
            self.relations.append(Relation("max", output.name, "", (term,), slot=slot))
        self.terms.readable[output.name] = Readable("block", output.name, output.shape, output.zero_point)

    def publish(self, out: GraphOutput) -> None:
        """Add a public output: its values, or the index of the greatest."""
        name = out.source.tensor
        if name in self.totals:
            total = self.totals[name]
            shape = total.shape
            terms, constant = self._sum(name, total.terms, total.bias, shape)
            order = kept_order(out.source)
            if order is None:
                raise UnsupportedOperatorError(
                    f"expected an accumulator to be published whole, found a view of it at {out.name!r}"
                )
            shape = tuple(shape[axis] for axis in order)
            terms = tuple(reordered(term, order) for term in terms)
        else:
            copy = Copy(out.source, 1, (0,) * len(view_shape(out.source)))
            shape = view_shape(out.source)
            terms, constant = self.terms.lower(out.name, copy, shape, raw=True), 0
        if out.kind == "argmax":
            self._compare(out, Relation("argmax", f"argmax:{out.name}", out.name, terms, constant), shape)
            return
        self.outputs.append(Output(out.name, "int32" if out.kind == "int32" else "byte", shape))
        self.relations.append(Relation("public", "", out.name, terms, constant))

    def _compare(self, out: GraphOutput, scores: Relation, shape: tuple[int, ...]) -> None:
        """Add an arg-max for every row: scores are those of all rows, of this shape."""
        rows = prod(out.shape)
        lead = next((axis for axis in range(len(shape)) if prod(shape[:axis]) == rows), None)
        if lead is None:
            raise UnsupportedOperatorError(
                f"expected rows of scores as they lie, found {rows} in a tensor of {shape} at {out.name!r}"
            )
        for row, place in enumerate(np.ndindex(shape[:lead])):
            terms = row_of(scores.terms, place)
            if terms is None:
                raise UnsupportedOperatorError(
                    f"expected the same weights for every row of scores, found others at {out.name!r}",
                    hint="requantize the scores first, or publish them",
                )
            block, name = (row_name(each, row, rows) for each in (scores.block, scores.output))
            dims = (1,) * lead + shape[lead:]
            self.blocks[block] = Block(block, 0, dims)
            self.outputs.append(Output(name, "argmax", dims))
            self.relations.append(replace(scores, block=block, output=name, terms=terms))

    def _sum(
        self, name: str, terms: tuple[GraphTerm, ...], bias: Integers, shape: tuple[int, ...]
    ) -> tuple[tuple[Term, ...], int]:
        """Lower a sum once, though an accumulator may be published and compared."""
        if name not in self._sums:
            lowered = [made for term in terms for made in self.terms.lower(name, term, shape)]
            constant = int(bias.flat[0])
            if (bias != constant).any():
                lowered.append(self._bias(name, bias))
                constant = 0
            self._sums[name] = (tuple(lowered), constant)
        return self._sums[name]

    def _bias(self, name: str, bias: Integers) -> Linear:
        """Store a bias along the axes on which it varies; it is the same along the others."""
        varying = [axis for axis, length in enumerate(bias.shape) if length > 1]
        values = bias.reshape([bias.shape[axis] for axis in varying])
        stored = self.terms.store(f"bias:{name}", values)
        return Linear(Source("vk", stored), 1, tuple(Axis(axis, 0, bias.shape[axis]) for axis in varying))
