"""Large weights are cut into pieces that together state the same product."""

import numpy as np
import pytest
from integer_statement import broken_rules, stated_outputs
from proof_systems import native_provers, verifiers
from random_graphs import RandomGraph, random_inputs
from test_octet_lowering import rules_broken_by

from circuits.octet.compile.graph import Affine, ByteTensor, Conv, Gemm, Graph, Output, Total
from circuits.octet.compile.lower import lower
from circuits.octet.compile.prices import COLUMN_GAS, PRODUCT_GAS, ROUND_GAS, ROW_GAS
from circuits.octet.compile.verifying_key import make_key
from circuits.octet.compile.views import Reshape, Transpose, View
from circuits.octet.compile.weight_cutting import plan_cut
from circuits.octet.spec.prover import prove
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import Statement
from circuits.octet.terms import Axis, Contract, Source, WeightAxis
from circuits.octet.witness import make_witness
from zkml.errors import CompileError


def is_cut(lowered):
    """Tell whether some weight of a program is in pieces."""
    return any(tensor.name.endswith("]") for tensor in lowered.program.vk_tensors)


def products(lowered):
    """Return the products of a program."""
    return [
        term
        for relation in lowered.program.relations
        for term in relation.terms
        if isinstance(term, Contract)
    ]


def dense_after_conv(channels=6, size=4, outputs=20, seed=0):
    """Return a network like the middle of LeNet: a convolution, a flattening, a matrix to bytes and one to int32."""
    rng = np.random.default_rng(seed)
    image = ByteTensor("x", (1, 2, size + 2, size + 2), 1.0, 7)
    kernels = rng.integers(-9000, 9000, (channels, 2, 3, 3))
    made = ByteTensor("a", (1, channels, size, size), 1.0, 3)
    cells = channels * size * size
    first = Affine(
        made,
        (Conv(View("x", image.shape), kernels, (1, 1), (0, 0, 0, 0), 1),),
        np.full((1, 1, 1, 1), 1 << 22),
    )
    flat = View("a", made.shape, (Reshape((1, cells)),))
    dense = ByteTensor("b", (1, outputs), 1.0, 0)
    second = Affine(
        dense, (Gemm(flat, rng.integers(-3000, 3000, (outputs, cells))),), np.full((1, 1), 1 << 15)
    )
    last = Total(
        "c",
        (1, 3),
        1.0,
        (Gemm(View("b", dense.shape), rng.integers(-5, 5, (3, outputs))),),
        np.zeros((1, 1), np.int64),
    )
    shown = View("c", (1, 3))
    return Graph(16, (image,), (first, second, last), (Output("y", "int32", shown, (1, 3), 1.0, 0),))


def test_weight_cutting__random_networks_with_cut_weights_state_what_the_reference_computes():
    """Every rule holds over the integers when columns are so short that weights must be cut."""
    cut = 0
    for seed in range(60):
        graph = RandomGraph(seed).build()
        try:
            lowered = lower(graph, nu=8)
        except CompileError:  # its blocks or tables need more rows
            continue
        if is_cut(lowered):
            cut += 1
            assert rules_broken_by(lowered, random_inputs(graph, np.random.default_rng(seed))) == [], seed
    assert cut >= 10


def test_weight_cutting__a_cut_network_proves_and_no_other_output_does():
    """All provers make the same proof over pieces; all verifiers accept it, and for no other output."""
    graph = dense_after_conv()
    lowered = lower(graph, nu=9)
    assert sum("weight:b[" in tensor.name for tensor in lowered.program.vk_tensors) >= 3
    srs = LocalSrs(lowered.program.rows)
    key = make_key(lowered.program, lowered.constants, graph.digest(), srs)
    witness = make_witness(lowered, random_inputs(graph, np.random.default_rng(1)))
    statement = Statement(witness.inputs, witness.outputs, bytes(32))
    words = prove(
        key, statement, {name: [int(v) for v in column] for name, column in witness.columns.items()}
    )
    for prover in native_provers():
        assert tuple(prover.prove(key, statement, witness.columns)) == tuple(words)
    other = Statement(witness.inputs, (witness.outputs[0] + 1, *witness.outputs[1:]), bytes(32))
    for verifier in verifiers():
        assert verifier.accepts(key, statement, words)
        assert not verifier.accepts(key, other, words)


def test_weight_cutting__every_cell_of_every_piece_belongs_to_the_statement():
    """A piece that is moved, or a weight in it that differs, states another product."""
    graph = dense_after_conv()
    lowered = lower(graph, nu=9)
    inputs = random_inputs(graph, np.random.default_rng(2))
    witness = make_witness(lowered, inputs)
    outputs = stated_outputs(lowered.program, witness.outputs)
    pieces = [name for name in lowered.constants if name.startswith("weight:b[")]
    for name in pieces:
        changed = {key: value.copy() for key, value in lowered.constants.items()}
        changed[name].flat[-1] += 1 << 20
        assert broken_rules(lowered.program, changed, witness.columns, inputs, outputs), name
    first, second = pieces[:2]
    swapped = lowered.constants | {first: lowered.constants[second], second: lowered.constants[first]}
    assert broken_rules(lowered.program, swapped, witness.columns, inputs, outputs)


def test_weight_cutting__the_pieces_hold_every_weight_once():
    """Nothing is left out and nothing doubled: the multiset of weights is the matrix's."""
    graph = dense_after_conv()
    lowered = lower(graph, nu=9)
    held = np.concatenate([v.ravel() for n, v in lowered.constants.items() if n.startswith("weight:b[")])
    assert sorted(held.tolist()) == sorted(graph.nodes[1].terms[0].weights.ravel().tolist())


def test_weight_cutting__lenets_dense_layer_does_not_decide_the_rows():
    """16 x 5 x 5 cells to 120 outputs: one tensor would need 2^17 rows, pieces of two channels fit 2^14."""
    graph = dense_after_conv(channels=16, size=5, outputs=120)
    whole = lower(graph, nu=17)
    assert not is_cut(whole)
    lowered = lower(graph, nu=14)
    assert lowered.program.vk_columns <= 9
    assert lower(graph).program.nu <= 14
    assert len(products(lowered)) == 2 + 8


@pytest.mark.parametrize(
    ("source", "outputs", "nu", "walked"),
    [
        ((1, 64), 8, 8, 0),
        ((1, 48), 8, 8, 0),
        ((16, 4, 4), 8, 9, 0),
        ((16, 5, 5), 8, 10, 0),
        ((3, 5, 5), 8, 8, 75),
    ],
)
def test_weight_cutting__ranges_that_are_products_over_bits__have_no_tap_to_walk(source, outputs, nu, walked):
    """Pieces of one axis from a multiple of their padded length; a kernel over 5 x 5 cells only where they must be."""
    lengths = [length for length in source if length > 1]
    axes = tuple(Axis(None, 0, 1, taps=length) for length in lengths)
    tied = (WeightAxis(out=0), *(WeightAxis(source=place) for place in range(len(lengths))))
    contract = Contract(Source("block", "x"), axes, "w", tied)
    cut = plan_cut(contract, (outputs, *lengths), tuple(lengths), nu)
    assert cut is not None
    assert cut.walked_taps == walked


@pytest.mark.parametrize("outputs", [20, 60])
def test_weight_cutting__the_rows_are_those_of_the_least_price(outputs):
    """Columns, constants, taps and rows of every layout there is, by the documented formula."""
    graph = dense_after_conv(channels=4, size=4, outputs=outputs)  # 4 x 4 x 4 cells: no tap is walked
    prices = {}
    for nu in range(9, 15):
        program = lower(graph, nu=nu).program
        gas = program.vk_columns * COLUMN_GAS + len(program.vk_tensors) * PRODUCT_GAS + nu * ROUND_GAS
        prices[nu] = gas + ROW_GAS * 2**nu
    assert lower(graph).program.nu == min(prices, key=prices.__getitem__)


def test_weight_cutting__a_weight_that_fits_stays_whole():
    """Pieces cost a claim each, so that nothing is cut without need."""
    lowered = lower(dense_after_conv(channels=2, size=4, outputs=4))
    assert not is_cut(lowered)
    assert len(products(lowered)) == 3


@pytest.mark.parametrize("order", [None, (0, 3, 1, 2)])
def test_weight_cutting__a_kernel_may_be_cut_between_its_taps(order):
    """Pieces of one line of a kernel, on a tensor as it lies and on one whose channels come last."""
    rng = np.random.default_rng(3)
    shape = (1, 2, 5, 6) if order is None else (1, 5, 6, 2)
    image = ByteTensor("x", shape, 1.0, 3)
    view = View("x", shape, () if order is None else (Transpose(order),))
    kernels = rng.integers(-9000, 9000, (32, 2, 4, 5))
    made = ByteTensor("a", (1, 32, 2, 2), 1.0, 0)
    node = Affine(made, (Conv(view, kernels, (2, 1), (1, 0, 0, 0), 1),), np.full((1, 1, 1, 1), 1 << 15))
    shown = View("a", made.shape)
    graph = Graph(16, (image,), (node,), (Output("y", "bytes", shown, made.shape, 1.0, 0),))
    lowered = lower(graph, nu=8)
    assert len(products(lowered)) == 8
    assert rules_broken_by(lowered, random_inputs(graph, rng)) == []


def test_weight_cutting__a_published_accumulator_may_be_transposed():
    """An output's axes are named in the published order, cut or not, as the reference publishes them."""
    rng = np.random.default_rng(0)
    image = ByteTensor("x", (5, 24), 1.0, 9)
    total = Total(
        "t",
        (5, 30),
        1.0,
        (Gemm(View("x", (5, 24)), rng.integers(-99, 99, (30, 24))),),
        rng.integers(-9, 9, (1, 30)),
    )
    shown = View("t", (5, 30), (Transpose((1, 0)),))
    graph = Graph(16, (image,), (total,), (Output("y", "int32", shown, (30, 5), 1.0, 0),))
    for nu in (8, 10):
        lowered = lower(graph, nu=nu)
        assert lowered.program.outputs[0].dims[:2] == (30, 5)
        assert rules_broken_by(lowered, random_inputs(graph, rng)) == []
    assert is_cut(lower(graph, nu=8))
