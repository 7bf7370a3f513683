"""Small programs written by hand, and an interpreter that reads a program by its definition alone.

The interpreter shares nothing with the specification but the data classes: it loops over output elements.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from circuits.octet.program import Program
from circuits.octet.spec import logup
from circuits.octet.spec.field import vector
from circuits.octet.spec.prover import ProvingKey
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import Statement, VerifyingKey
from circuits.octet.tensors import Block, Input, Output, Table, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.core.digests import keccak256

CONTEXT = b"\7" * 32


@dataclass(frozen=True)
class Case:
    """A program, its constants by tensor name, and one input per input name."""

    program: Program
    constants: dict
    inputs: dict


def proving_key(case):
    program = case.program
    srs = LocalSrs(program.rows)
    columns = {name: np.array([0] * program.rows, dtype=object) for name in program.key_columns}
    for tensor in program.vk_tensors:
        box = np.zeros(tensor.padded, dtype=object)
        box[tuple(slice(n) for n in tensor.dims)] = case.constants[tensor.name]
        rows = slice(tensor.offset, tensor.offset + tensor.size)
        columns[f"K{tensor.column}"][rows] = vector(box.reshape(-1))
    commitments = tuple(srs.commit(columns[name]) for name in program.key_columns)
    words = b"".join(c.to_bytes(32, "big") for point in commitments for c in point)
    return ProvingKey(VerifyingKey(program, commitments, keccak256(program.digest() + words)), columns, srs)


def execute(case, shown=None):
    """Return the witness and the statement of a case, which may show other inputs than those it ran on."""
    program = case.program
    tensors = {("vk", name): np.asarray(values, dtype=object) for name, values in case.constants.items()}
    columns = {name: [0] * program.rows for name in program.first_columns}
    outputs = {}
    for relation in program.relations:
        dims = program.target_dims(relation)
        if relation.kind == "input":
            _hold(program, relation, np.asarray(case.inputs[relation.input], dtype=object), tensors, columns)
            continue
        sums = {o: _sum(relation, tensors, o) for o in product(*map(range, dims))}
        if relation.kind == "public":
            outputs[relation.output] = [sums[o] for o in product(*map(range, dims))]
            continue
        block = program.block(relation.block)
        if relation.kind == "max":
            if relation.slot == 0:
                _maximum(program, block, tensors, columns)
            continue
        if relation.kind == "argmax":
            order = list(product(*map(range, dims)))
            best = max(range(len(order)), key=lambda j: (sums[order[j]], -j))
            outputs[relation.output] = [best]
            sums = {o: sums[order[best]] - sums[o] - (j < best) for j, o in enumerate(order)}
        values = np.zeros(dims, dtype=object)
        for o, total in sums.items():
            values[o] = _limbs(program, relation, columns, row_of(block, o), total)
        _publish(program, case, tensors, columns, block, values)
    full = {name: vector(column) for name, column in columns.items()}
    full |= logup.multiplicities(program, full)
    data = bytes(
        int(v) for item in program.inputs for v in np.asarray((shown or case.inputs)[item.name]).reshape(-1)
    )
    public = tuple(int(v) for item in program.outputs for v in outputs[item.name])
    return full, Statement(data, public, CONTEXT)


def _hold(program, relation, values, tensors, columns):
    block = program.block(relation.block)
    tensors["block", block.name] = values
    for o in product(*map(range, block.dims)):
        columns["Y"][row_of(block, o)] = int(values[o])


def row_of(block, index):
    row = 0
    for position, size in zip(index, block.padded, strict=True):
        row = row * size + position
    return block.offset + row


def _maximum(program, block, tensors, columns):
    relations = [r for r in program.relations if r.kind == "max" and r.block == block.name]
    values = np.zeros(block.dims, dtype=object)
    for o in product(*map(range, block.dims)):
        window = [_sum(relation, tensors, o) for relation in relations]
        values[o] = max(window)
        columns["Y"][row_of(block, o)] = values[o]
        for relation, value in zip(relations, window, strict=True):
            columns[f"D{relation.slot}"][row_of(block, o)] = values[o] - value
    tensors["block", block.name] = values


def _limbs(program, relation, columns, row, total):
    quotient, rest = divmod(int(total), 1 << program.shift)
    value = min(max(quotient, 0), 255)
    if relation.kind == "argmax":
        assert quotient == value
    parts = [
        ("P", program.saturation, max(quotient - 255, 0)),
        ("N", program.saturation, max(-quotient, 0)),
        ("R", program.shift // 8, rest),
    ]
    columns["Y"][row] = value
    for letter, count, number in parts:
        assert number < 256**count
        for index in range(count):
            columns[f"{letter}{index}"][row] = number >> 8 * index & 255
    return value


def _publish(program, case, tensors, columns, block, values):
    tensors["block", block.name] = values
    if block.lut:
        table = next(t for t in program.tables if t.name == block.lut)
        looked = np.zeros(block.dims, dtype=object)
        for o in product(*map(range, block.dims)):
            looked[o] = case.constants[table.values][values[o]]
            columns["V"][row_of(block, o)] = looked[o]
        tensors["lut", block.name] = looked


def _sum(relation, tensors, o):
    return relation.constant + sum(_term(term, tensors, o) for term in relation.terms)


def _term(term, tensors, o):
    source = tensors[term.source.kind, term.source.name]
    weight = tensors["vk", term.weight] if isinstance(term, Contract) else None
    weight_axes = term.weight_axes if isinstance(term, Contract) else ()
    named = {axis.source for axis in weight_axes}
    tapped = [d for d, axis in enumerate(term.axes) if d not in named and axis.out is not None]
    choices = []
    for d, axis in enumerate(term.axes):
        if d in named:
            choices.append([(0, o[axis.out] if axis.out is not None else i) for i in range(source.shape[d])])
            if axis.out is not None:
                choices[-1] = choices[-1][:1]
            continue
        if axis.out is not None and not axis.first <= o[axis.out] < axis.first + axis.count:
            return 0
        start = axis.base + (axis.stride * (o[axis.out] - axis.first) if axis.out is not None else 0)
        positions = [(k, start + axis.dilation * k) for k in range(axis.taps)]
        choices.append([(k, i) for k, i in positions if 0 <= i < source.shape[d]])
    total = 0
    for choice in product(*choices):
        index = tuple(i for _, i in choice)
        factor = 1
        if weight is not None:
            kernel = 0
            for d in tapped:
                kernel = kernel * term.axes[d].taps + choice[d][0]
            factor = weight[tuple(_weight_index(axis, o, index, kernel) for axis in weight_axes)]
        total += int(factor) * (int(source[index]) - term.source.zero)
    return total if weight is not None else term.scale * total


def _weight_index(axis, o, index, kernel):
    if axis.kernel:
        return kernel
    return o[axis.out] if axis.out is not None else index[axis.source]


# --- cases --------------------------------------------------------------------------------------


def same(out, length):
    """The axis that reads index o at output index o."""
    return Axis(out, 0, length)


def held(name):
    """The relation that holds an input in the block of its name."""
    return Relation("input", name, "", (), input=name)


def gemm(source, kind, length, weight):
    axes = (Axis(None, 0, 1, taps=length),)
    return Contract(Source(kind, source), axes, weight, (WeightAxis(out=0), WeightAxis(source=0)))


def base(**parts):
    defaults = {
        "version": 2, "nu": 8, "shift": 16, "saturation": 2, "slots": 0, "inputs": (), "outputs": (),
        "blocks": (), "vk_columns": 1, "vk_tensors": (), "tables": (), "relations": (),
    }  # fmt: skip
    return Program(**{**defaults, **parts})


def weights(seed, shape, high=4000):
    return np.random.default_rng(seed).integers(-high, high + 1, shape).astype(object)


def pixels(seed, shape):
    return np.random.default_rng(seed).integers(0, 256, shape)


def one_gemm():
    """y = requant(W x + b) of 5 values; int32 outputs of V y."""
    program = base(
        inputs=(Input("x", (6,)),),
        outputs=(Output("scores", "int32", (3,)),),
        blocks=(Block("y", 0, (5,)), Block("x", 8, (6,))),
        vk_tensors=(VkTensor("w", 0, 0, (5, 6)), VkTensor("b", 0, 64, (5,)), VkTensor("v", 0, 128, (3, 5))),
        relations=(
            held("x"),
            Relation(
                "requant", "y", "",
                (gemm("x", "block", 6, "w"), Linear(Source("vk", "b"), 1, (same(0, 5),))), 1 << 15,
            ),
            Relation("public", "", "scores", (gemm("y", "block", 5, "v"),), 77),
        ),
    )  # fmt: skip
    constants = {"w": weights(1, (5, 6), 60000), "b": weights(2, 5, 1 << 20), "v": weights(3, (3, 5))}
    return Case(program, constants, {"x": pixels(4, 6)})


OUT, IN, KERNEL = WeightAxis(out=0), WeightAxis(source=0), WeightAxis(kernel=True)


def two_layers():
    """Two dense layers with a zero point between them, arg-max left out: int32 outputs."""
    program = base(
        inputs=(Input("x", (7,)),),
        outputs=(Output("scores", "int32", (3,)),),
        blocks=(Block("y", 0, (6,)), Block("z", 8, (5,)), Block("x", 16, (7,))),
        vk_columns=2,
        vk_tensors=(
            VkTensor("w", 0, 0, (6, 7)), VkTensor("b", 0, 64, (6,)),
            VkTensor("v", 1, 0, (5, 6)), VkTensor("u", 0, 128, (3, 5)),
        ),
        relations=(
            held("x"),
            Relation(
                "requant", "y", "",
                (gemm("x", "block", 7, "w"), Linear(Source("vk", "b"), 1, (same(0, 6),))),
                (1 << 15) + (128 << 16),
            ),
            Relation(
                "requant", "z", "",
                (Contract(Source("block", "y", 128), (same(None, 1),), "v", (OUT, IN)),), 1 << 15,
            ),
            Relation("public", "", "scores", (gemm("z", "block", 5, "u"),), -5),
        ),
    )  # fmt: skip
    constants = {
        "w": weights(1, (6, 7), 20000), "b": weights(2, 6, 1 << 20),
        "v": weights(5, (5, 6), 60000), "u": weights(3, (3, 5)),
    }  # fmt: skip
    return Case(program, constants, {"x": pixels(4, 7)})


def convolutions():
    """Padded strided convolution, a grouped one, a depthwise one, and a dense layer over (G, C, H, W).

    Channels of the grouped layers are two axes (group, channel in the group): the same rows, other names.
    """
    first = Contract(
        Source("block", "x", 100),
        (same(None, 1), Axis(2, 0, 4, 2, 3, 1, -1), Axis(3, 0, 3, 2, 3, 1, -1)),
        "wa", (WeightAxis(out=0), WeightAxis(out=1), WeightAxis(source=0), KERNEL),
    )  # fmt: skip
    grouped = Contract(
        Source("block", "a", 90),
        (Axis(0, 0, 2), same(None, 1), Axis(2, 0, 4), Axis(3, 0, 3, 1, 3, 1, -1)),
        "wg", (WeightAxis(out=0, source=0), WeightAxis(out=1), WeightAxis(source=1), KERNEL),
    )  # fmt: skip
    depthwise = Contract(
        Source("block", "g", 60),
        (Axis(0, 0, 2), Axis(1, 0, 3), Axis(2, 0, 2, 2, 2, 2, -1), Axis(3, 0, 2, 2, 2, 1, -1)),
        "wd", (WeightAxis(out=0, source=0), WeightAxis(out=1, source=1), KERNEL),
    )  # fmt: skip
    dense = Contract(
        Source("block", "d"),
        (same(None, 1), same(None, 1), same(None, 1), same(None, 1)),
        "u", (OUT, WeightAxis(source=0), WeightAxis(source=1), WeightAxis(source=2), WeightAxis(source=3)),
    )  # fmt: skip
    program = base(
        nu=9,
        inputs=(Input("x", (2, 7, 6)),),
        outputs=(Output("scores", "int32", (3,)),),
        blocks=(
            Block("a", 0, (2, 2, 4, 3)), Block("g", 128, (2, 3, 4, 3)), Block("d", 64, (2, 3, 2, 2)),
            Block("x", 256, (2, 7, 6)),
        ),
        vk_tensors=(
            VkTensor("wa", 0, 0, (2, 2, 2, 9)), VkTensor("wg", 0, 128, (2, 3, 2, 3)),
            VkTensor("wd", 0, 192, (2, 3, 4)), VkTensor("u", 0, 256, (3, 2, 3, 2, 2)),
            VkTensor("ba", 0, 448, (2, 2)),
        ),
        relations=(
            held("x"),
            Relation(
                "requant", "a", "",
                (first, Linear(Source("vk", "ba"), 1, (same(0, 2), same(1, 2)))), (1 << 15) + (90 << 16),
            ),
            Relation("requant", "g", "", (grouped,), (1 << 15) + (60 << 16)),
            Relation("requant", "d", "", (depthwise,), (1 << 15) + (20 << 16)),
            Relation("public", "", "scores", (dense,)),
        ),
    )  # fmt: skip
    constants = {
        "wa": weights(1, (2, 2, 2, 9), 20000), "wg": weights(2, (2, 3, 2, 3), 30000),
        "wd": weights(3, (2, 3, 4), 60000), "u": weights(4, (3, 2, 3, 2, 2)), "ba": weights(5, (2, 2), 1 << 22),
    }  # fmt: skip
    return Case(program, constants, {"x": pixels(6, (2, 7, 6))})


def pools_and_views():
    """Residual addition with scales, average pool with padding, mean, concatenation, slice, transpose."""
    half = 1 << 15
    program = base(
        nu=9,
        inputs=(Input("x", (3, 5, 6), width=2), Input("e", (3,), 10, 200, 2)),
        outputs=(Output("bytes", "byte", (6, 3)), Output("sums", "int32", (3,))),
        blocks=(
            Block("pool", 0, (3, 3, 3)), Block("sum", 64, (3, 3, 3)), Block("both", 128, (5, 3, 2)),
            Block("turned", 192, (6, 3)), Block("mean", 224, (3,)), Block("x", 256, (3, 5, 6)), Block("e", 228, (3,)),
        ),
        vk_tensors=(VkTensor("w", 0, 0, (3, 3)),),
        relations=(
            held("x"), held("e"),
            Relation(
                "requant", "pool", "",
                (Linear(Source("block", "x", 7), 16384, (same(0, 3), Axis(1, 0, 3, 2, 2, 1, -1), Axis(2, 0, 3, 2, 2))),),
                half + (7 << 16),
            ),
            Relation(
                "requant", "sum", "",
                (
                    Linear(Source("block", "pool", 7), 50000, (same(0, 3), same(1, 3), same(2, 3))),
                    Linear(Source("block", "e", 100), -30000, (same(0, 3),)),
                ),
                half + (100 << 16),
            ),
            Relation(
                "requant", "both", "",
                (
                    Linear(Source("block", "sum"), 65536, (Axis(0, 0, 3), same(1, 3), Axis(2, 0, 2, 2, 1, 1, 0))),
                    Linear(Source("block", "pool"), 65536, (Axis(0, 3, 2, 1, 1, 1, 1), same(1, 3), Axis(2, 0, 2, 1, 1, 1, 1))),
                ),
                half,
            ),
            Relation(
                "requant", "turned", "",
                (
                    Linear(Source("block", "both"), 65536, (Axis(0, 0, 5), Axis(1, 0, 3), Axis(None, 0, 1, 1, 1, 1, 1))),
                    Linear(Source("block", "e"), 9000, (Axis(1, 1, 2, 2, 1, 1, 0),)),
                ),
                half,
            ),
            Relation(
                "requant", "mean", "",
                (Linear(Source("block", "turned", 3), 10923, (Axis(None, 0, 1, taps=6), same(0, 3))),), half + (3 << 16),
            ),
            Relation("public", "", "bytes", (Linear(Source("block", "turned"), 1, (same(0, 6), same(1, 3))),)),
            Relation("public", "", "sums", (gemm("mean", "block", 3, "w"),)),
        ),
    )  # fmt: skip
    inputs = {"x": pixels(6, (3, 5, 6)), "e": pixels(8, 3) % 190 + 10}
    return Case(program, {"w": weights(1, (3, 3))}, inputs)


def tables():
    """Two functions of one byte in one column of the key, one of them used by two blocks."""
    half = 1 << 15
    square = np.array([(u * u + u) // 7 for u in range(256)], dtype=object)
    bell = np.array([255 * 64 // (64 + (u - 128) ** 2) for u in range(256)], dtype=object)
    program = base(
        nu=10,
        inputs=(Input("x", (5, 3)),),
        outputs=(Output("scores", "int32", (2,)), Output("looked", "byte", (5, 3))),
        blocks=(
            Block("a", 0, (5, 3), "square"), Block("b", 32, (5, 3), "bell"), Block("c", 64, (5,), "bell"),
            Block("x", 96, (5, 3)),
        ),
        vk_tensors=(
            VkTensor("square", 0, 256, (256,)), VkTensor("bell", 0, 512, (256,)), VkTensor("w", 0, 0, (2, 5)),
        ),
        tables=(Table("square", 1, "square"), Table("bell", 2, "bell")),
        relations=(
            held("x"),
            Relation("requant", "a", "", (Linear(Source("block", "x"), 65536, (same(0, 5), same(1, 3))),), half),
            Relation("requant", "b", "", (Linear(Source("lut", "a"), 900, (same(0, 5), same(1, 3))),), half),
            Relation("requant", "c", "", (Linear(Source("lut", "b", 4), 2000, (same(0, 5), Axis(None, 0, 1, taps=3))),), half),
            Relation(
                "public", "", "scores",
                (Contract(Source("lut", "c", 9), (same(None, 1),), "w", (OUT, IN)),),
            ),
            Relation("public", "", "looked", (Linear(Source("lut", "b"), 1, (same(0, 5), same(1, 3))),)),
        ),
    )  # fmt: skip
    constants = {"square": square, "bell": bell, "w": weights(1, (2, 5))}
    return Case(program, constants, {"x": pixels(6, (5, 3))})


def maxima():
    """A 3 x 3 maximum with stride 2 and padding in two stages, then arg-max over a dense layer's scores."""
    half = 1 << 23
    rows = tuple(
        Relation("max", "tall", "", (Linear(Source("block", "a"), 1, (same(0, 2), Axis(1, 0, 3, 2, 1, 1, k - 1), same(2, 4))),), 0, k)
        for k in range(3)
    )  # fmt: skip
    sides = tuple(
        Relation("max", "peak", "", (Linear(Source("block", "tall"), 1, (same(0, 2), same(1, 3), Axis(2, 0, 2, 2, 1, 1, k - 1))),), 0, k)
        for k in range(3)
    )  # fmt: skip
    scores = Contract(
        Source("block", "peak", 11), (same(None, 1),) * 3, "w",
        (OUT, WeightAxis(source=0), WeightAxis(source=1), WeightAxis(source=2)),
    )  # fmt: skip
    program = base(
        shift=24,
        slots=3,
        inputs=(Input("x", (2, 5, 4)),),
        outputs=(Output("best", "argmax", (5,)),),
        blocks=(
            Block("a", 0, (2, 5, 4)), Block("tall", 64, (2, 3, 4)), Block("peak", 128, (2, 3, 2)),
            Block("lead", 144, (5,)), Block("x", 192, (2, 5, 4)),
        ),
        vk_tensors=(VkTensor("w", 0, 0, (5, 2, 3, 2)), VkTensor("b", 0, 128, (5,))),
        relations=(
            held("x"),
            Relation("requant", "a", "", (Linear(Source("block", "x"), 1 << 24, (same(0, 2), same(1, 5), same(2, 4))),), half),
            *rows,
            *sides,
            Relation("argmax", "lead", "best", (scores, Linear(Source("vk", "b"), 1, (same(0, 5),))), 12345),
        ),
    )  # fmt: skip
    return Case(program, {"w": weights(7, (5, 2, 3, 2)), "b": weights(2, 5)}, {"x": pixels(6, (2, 5, 4))})


CASES = (one_gemm, two_layers, convolutions, pools_and_views, tables, maxima)
