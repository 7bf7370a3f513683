"""The witness: every column of the first message, from one run of the integer reference.

Source: octet.md 3.2 (requantization), 3.5 (columns), 3.6 (limbs), 3.7 (multiplicities); 3.0 items 2, 3, 5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.batch_axis import item_name, row_name
from circuits.octet.compile.graph import Integers, Lookup, Output
from circuits.octet.compile.lower import Lowered
from circuits.octet.compile.views import read
from circuits.octet.program import LIMB_TABLE, Program
from circuits.octet.ref_exec import Execution, execute_batch
from circuits.octet.tensors import Block
from circuits.octet.terms import Linear, Relation
from zkml.errors import DomainError, WitnessError


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """What a proof of one run is made of.

    Attributes:
        columns: `program.first_columns` by name, small integers. Shape of each: (2^nu,).
        inputs: all public inputs, one byte per element, row-major, in the program's order.
        outputs: all public outputs in the program's order.
    """

    columns: dict[str, Integers]
    inputs: bytes
    outputs: tuple[int, ...]


def make_witness(lowered: Lowered, inputs: Mapping[str, NDArray[Any]]) -> Witness:
    """Run the network on bytes and lay out every column.

    Args:
        lowered: the compiled network.
        inputs: for every input, integers in its domain. Shape: the input's; (batch, *it) for a batch.

    Raises:
        DomainError: an input is missing, of another shape, or outside its domain.
        WitnessError: a value does not fit its limbs: a fault of the compiler, since intervals rule it out.
    """
    program = lowered.program
    run = execute_batch(lowered.graph, inputs, lowered.batch)
    for given in program.inputs:
        values = run.tensors[given.name]
        if values.min() < given.low or values.max() > given.high:
            raise DomainError(
                f"expected {given.low}..{given.high}, found {values.min()}..{values.max()} in {given.name!r}"
            )
    columns = {name: np.zeros(program.rows, dtype=np.int64) for name in program.first_columns}
    outputs, scores = _outputs(lowered, run), _scores(lowered, run)
    tensors = run.tensors
    readable = tensors | _looked_up(lowered, run)
    for relation in program.relations:
        if relation.kind == "input":
            put(columns["Y"], program.block(relation.block), tensors[relation.input])
        elif relation.kind == "requant":
            _requantize(program, program.block(relation.block), run, columns)
        elif relation.kind == "max":
            _difference(program, relation, readable, columns)
        elif relation.kind == "argmax":
            _compare(program, relation, scores[relation.output], outputs, columns)
    for node in lowered.graph.nodes:
        if isinstance(node, Lookup):
            put(columns["V"], program.block(node.source), tensors[node.output.name])
    _count(program, columns)
    packed = b"".join(tensors[given.name].astype(np.uint8).tobytes() for given in program.inputs)
    values_out = tuple(int(value) for output in program.outputs for value in outputs[output.name].reshape(-1))
    return Witness(columns, packed, values_out)


def put(column: Integers, block: Block, values: Integers) -> None:
    """Write a tensor onto its block's rows; rows beyond the true lengths keep 0."""
    _true_cells(column, block)[...] = values.reshape(block.dims)


def _true_cells(column: Integers, block: Block) -> Integers:
    """Return a block's rows of a column within its true lengths, not copied. Shape: the block's."""
    rows = column[block.offset : block.offset + block.size].reshape(block.padded)
    return rows[tuple(slice(length) for length in block.dims)]


def _put_limbs(columns: dict[str, Integers], letter: str, count: int, block: Block, values: Integers) -> None:
    if values.min() < 0 or values.max() >> (8 * count):
        raise WitnessError(
            f"expected {letter} in {count} bytes, found {values.min()}..{values.max()} in {block.name!r}"
        )
    for index in range(count):
        put(columns[f"{letter}{index}"], block, (values >> (8 * index)) & 255)


def _requantize(program: Program, block: Block, run: Execution, columns: dict[str, Integers]) -> None:
    """2^S (Y + P - N) + R = A' with Y the clamped quotient (3.6)."""
    total = run.sums[block.name]
    quotient = total >> program.shift
    put(columns["Y"], block, run.tensors[block.name])
    _put_limbs(columns, "P", program.saturation, block, np.maximum(quotient - 255, 0))
    _put_limbs(columns, "N", program.saturation, block, np.maximum(-quotient, 0))
    _put_limbs(columns, "R", program.shift // 8, block, total - (quotient << program.shift))


def _difference(
    program: Program, relation: Relation, tensors: Mapping[str, Integers], columns: dict[str, Integers]
) -> None:
    """D_slot = Y - X(position of the window), for one position."""
    block = program.block(relation.block)
    (term,) = relation.terms
    assert isinstance(term, Linear)
    name = f"lut:{term.source.name}" if term.source.kind == "lut" else term.source.name
    greatest = tensors[relation.block].reshape(block.dims)
    put(columns["Y"], block, greatest)
    source = tensors[name].reshape(program.tensor(term.source).dims)
    difference = greatest - _tap(term, source, block.dims)
    if difference.min() < 0:
        raise WitnessError(f"expected a maximum, found a greater byte in {block.name!r}")
    put(columns[f"D{relation.slot}"], block, difference)


def _tap(term: Linear, values: Integers, dims: tuple[int, ...]) -> Integers:
    """Return the byte that each output element reads, 0 outside the source."""
    found = values
    outs: list[int] = []
    for position, (axis, length) in enumerate(zip(term.axes, values.shape, strict=True)):
        count = 1 if axis.out is None else dims[axis.out]
        steps = np.arange(count) - axis.first if axis.out is not None else np.zeros(1, dtype=np.int64)
        indices = axis.base + axis.stride * steps
        reads = (steps >= 0) & (steps < axis.count) & (indices >= 0) & (indices < length)
        found = np.take(found, np.where(reads, indices, 0), axis=position)
        along = [1] * found.ndim
        along[position] = count
        found = found * reads.reshape(along)
        outs.append(-1 if axis.out is None else axis.out)
    # Still axes have length 1 by now: drop them, put the others in the output's order, broadcast the rest.
    kept = [position for position, out in enumerate(outs) if out >= 0]
    found = found.reshape([found.shape[position] for position in kept])
    order = sorted(range(len(kept)), key=lambda index: outs[kept[index]])
    shape = [dims[axis] if axis in outs else 1 for axis in range(len(dims))]
    return np.broadcast_to(found.transpose(order).reshape(shape), dims)


def _looked_up(lowered: Lowered, run: Execution) -> dict[str, Integers]:
    """Name the tables' outputs by the block that asks."""
    return {
        f"lut:{node.source}": run.tensors[node.output.name]
        for node in lowered.graph.nodes
        if isinstance(node, Lookup)
    }


def _outputs(lowered: Lowered, run: Execution) -> dict[str, Integers]:
    """Return what is published by the program's names: each index of an arg-max has one of its own."""
    found: dict[str, Integers] = {}
    for out, values in zip(lowered.graph.outputs, run.outputs, strict=True):
        found |= dict(_rows(lowered, out, values)) if out.kind == "argmax" else {out.name: values}
    return found


def _scores(lowered: Lowered, run: Execution) -> dict[str, Integers]:
    """Return what each arg-max compares, flat, by the program's names."""
    found: dict[str, Integers] = {}
    for out in lowered.graph.outputs:
        if out.kind == "argmax":
            held = run.tensors[out.source.tensor]
            items = held if lowered.batch > 1 else held[np.newaxis]
            found |= dict(_rows(lowered, out, np.stack([read(out.source, item) for item in items])))
    return found


def _rows(lowered: Lowered, out: Output, values: Integers) -> Iterator[tuple[str, Integers]]:
    """Yield the rows of an arg-max over all items, with their names."""
    rows = prod(out.shape)
    names = (
        item_name(row_name(out.name, row, rows), item, lowered.batch)
        for item in range(lowered.batch)
        for row in range(rows)
    )
    return zip(names, np.asarray(values, dtype=np.int64).reshape(lowered.batch * rows, -1), strict=True)


def _compare(
    program: Program,
    relation: Relation,
    scores: Integers,
    outputs: Mapping[str, Integers],
    columns: dict[str, Integers],
) -> None:
    """D = score[index] - score[j] - [j < index] = 2^S Y + R (3.0 item 5)."""
    block = program.block(relation.block)
    index = int(outputs[relation.output].reshape(-1)[0])
    margins = scores[index] - scores - (np.arange(len(scores)) < index)
    _put_limbs(columns, "R", program.shift // 8, block, margins & ((1 << program.shift) - 1))
    high = margins >> program.shift
    if high.min() < 0 or high.max() >= LIMB_TABLE:
        raise WitnessError(
            f"expected margins that fit Y and R, found {int(margins.min())}..{int(margins.max())} "
            f"in {block.name!r}"
        )
    put(columns["Y"], block, high)


def _count(program: Program, columns: dict[str, Integers]) -> None:
    """Count how often each table entry is asked for: limbs on all rows, functions on true rows (3.7)."""
    for name in program.limb_columns:
        columns["M"][:LIMB_TABLE] += np.bincount(columns[name], minlength=LIMB_TABLE)
    for table in program.tables:
        start = program.vk_tensor(table.values).offset
        asked = columns[f"M:{table.name}"][start : start + LIMB_TABLE]
        for block in program.blocks:
            if block.lut == table.name:
                asked += np.bincount(_true_cells(columns["Y"], block).reshape(-1), minlength=LIMB_TABLE)
