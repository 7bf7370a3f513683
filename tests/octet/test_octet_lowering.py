"""A compiled network states exactly what the integer reference computes, and every input has a witness for it."""

import numpy as np
import pytest
from integer_statement import broken_rules, stated_outputs
from random_graphs import RandomGraph, random_inputs

from circuits.octet.compile.graph import (
    Affine,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Lookup,
    Output,
    Scale,
    Total,
)
from circuits.octet.compile.lower import lower
from circuits.octet.compile.views import Reshape, Slice, Transpose, View
from circuits.octet.ref_exec import execute
from circuits.octet.terms import Contract, Linear
from circuits.octet.witness import make_witness
from zkml.errors import DomainError, UnsupportedOperatorError

SEEDS = 200
HALF = 1 << 15


def rules_broken_by(lowered, inputs):
    witness = make_witness(lowered, inputs)
    outputs = stated_outputs(lowered.program, witness.outputs)
    return broken_rules(lowered.program, lowered.constants, witness.columns, inputs, outputs)


def one_affine(inputs, terms, shape):
    """A network of one block over the given inputs, whose bytes are published."""
    output = ByteTensor("y", shape, 1.0, 0)
    bias = np.full((1,) * len(shape), HALF)
    view = View("y", shape)
    return Graph(16, inputs, (Affine(output, terms, bias),), (Output("out", "bytes", view, shape, 1.0, 0),))


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_lowering__every_input_of_a_random_network_has_a_witness_that_satisfies_every_rule(first):
    """All row rules and relations hold over the integers for random networks over every node, term and view."""
    for seed in range(first, first + 25):
        graph = RandomGraph(seed).build()
        lowered = lower(graph)
        rng = np.random.default_rng(seed)
        for _ in range(2):
            assert rules_broken_by(lowered, random_inputs(graph, rng)) == [], seed


def test_lowering__the_random_networks_use_every_node_term_and_view():
    """The claim above is about all operators, so the generator must reach them all."""
    used = set()
    for seed in range(SEEDS):
        graph = RandomGraph(seed)
        graph.build()
        used |= graph.kinds
    nodes = {"affine", "max", "lookup"}
    terms = {"gemm", "conv", "depthwise", "grouped", "pool", "mean", "copy", "concat", "scale"}
    views = {"view reshape", "view transpose", "view slice", "view expand"}
    outputs = {f"output {kind}" for kind in ("int32", "bytes", "argmax", "argmax bytes", "both")}
    assert used == nodes | terms | views | outputs


def test_lowering__the_witness_carries_the_outputs_of_the_reference():
    """What is published is what ref_exec computes, in its order."""
    for seed in range(40):
        graph = RandomGraph(seed).build()
        inputs = random_inputs(graph, np.random.default_rng(seed))
        expected = [int(v) for values in execute(graph, inputs).outputs for v in values.reshape(-1)]
        assert list(make_witness(lower(graph), inputs).outputs) == expected


def test_lowering__any_changed_cell_of_any_column_breaks_a_rule():
    """The oracle of these tests is no decoration: a single wrong cell never goes unseen."""
    rng = np.random.default_rng(5)
    for seed in range(12):
        graph = RandomGraph(seed).build()
        lowered = lower(graph)
        inputs = random_inputs(graph, rng)
        witness = make_witness(lowered, inputs)
        outputs = stated_outputs(lowered.program, witness.outputs)
        for name in witness.columns:
            changed = {key: column.copy() for key, column in witness.columns.items()}
            changed[name][rng.integers(0, lowered.program.rows)] += 1
            assert broken_rules(lowered.program, lowered.constants, changed, inputs, outputs), (seed, name)


def test_lowering__flatten_and_transpose_before_a_matrix_product_cost_no_more_weights():
    """The weights are scattered over the source's own axes instead of moving any activation."""
    image = ByteTensor("x", (1, 4, 2, 2), 1.0, 7)
    view = View("x", image.shape).then(Transpose((0, 2, 3, 1))).then(Reshape((1, 16)))
    weights = np.arange(48).reshape(3, 16) * 1000 - 20_000
    lowered = lower(one_affine((image,), (Gemm(view, weights),), (1, 3)))
    assert [value.size for value in lowered.constants.values()] == [48]
    assert rules_broken_by(lowered, {"x": np.arange(16).reshape(1, 4, 2, 2) * 17}) == []


def test_lowering__views_that_walk_axis_by_axis_need_no_weights():
    """Addition, concatenation, strided slices and transposes are linear functionals."""
    left, right = ByteTensor("a", (2, 6), 1.0, 3), ByteTensor("b", (3, 2), 1.0, 250)
    sliced = View("a", (2, 6)).then(Slice((0, 1), (2, 3), (1, 2)))
    turned = View("b", (3, 2)).then(Transpose((1, 0)))
    terms = (Copy(sliced, 40_000, (0, 0)), Copy(turned, -30_000, (0, 0)), Copy(turned, 9_000, (1, 3)))
    graph = one_affine((left, right), (*terms[:2], terms[2]), (3, 6))
    lowered = lower(graph)
    assert lowered.constants == {}
    assert all(isinstance(term, Linear) for term in lowered.program.relations[2].terms)
    rng = np.random.default_rng(1)
    inputs = {"a": rng.integers(0, 256, (2, 6)), "b": rng.integers(0, 256, (3, 2))}
    assert rules_broken_by(lowered, inputs) == []


def test_lowering__padding_of_a_cropped_image_is_zero_and_not_the_cells_that_were_cropped():
    """A convolution that pads a slice must not see the source beyond it (octet.md 3.0, item 7)."""
    image = ByteTensor("x", (1, 1, 1, 6), 1.0, 0)
    crop = View("x", image.shape).then(Slice((0, 0, 0, 2), (1, 1, 1, 2), (1, 1, 1, 1)))
    weights = np.array([1, 10, 100]).reshape(1, 1, 1, 3) << 16
    lowered = lower(one_affine((image,), (Conv(crop, weights, (1, 1), (0, 1, 0, 1), 1),), (1, 1, 1, 2)))
    inputs = {"x": np.array([9, 9, 1, 2, 9, 9]).reshape(1, 1, 1, 6)}
    assert rules_broken_by(lowered, inputs) == []
    assert make_witness(lowered, inputs).outputs == (210, 21)


def test_lowering__a_depthwise_convolution_stores_one_kernel_per_channel():
    """Channels that do not mix have no weights between them."""
    image = ByteTensor("x", (1, 5, 4, 4), 1.0, 0)
    weights = np.arange(45).reshape(5, 1, 3, 3) << 10
    term = Conv(View("x", image.shape), weights, (1, 1), (1, 1, 1, 1), 5)
    lowered = lower(one_affine((image,), (term,), (1, 5, 4, 4)))
    assert [value.shape for value in lowered.constants.values()] == [(5, 9)]


def test_lowering__a_rearrangement_that_no_axis_walk_describes_is_refused_by_name_when_it_is_large():
    """An image of 4096 cells, turned by half, has no runs and would need 2^24 weights: the node is named."""
    image = ByteTensor("x", (64, 64), 1.0, 0)
    view = View("x", image.shape).then(Slice((63, 63), (64, 64), (-1, -1)))
    with pytest.raises(UnsupportedOperatorError, match="'y'"):
        lower(one_affine((image,), (Copy(view, 1 << 16, (0, 0)),), (64, 64)))


def test_lowering__equal_tables_are_one_table_and_others_are_not():
    """Two activations with one function share it; their identities in the program differ otherwise."""
    image = ByteTensor("x", (2,), 1.0, 0)
    square, half = np.arange(256) ** 2 % 256, np.arange(256) // 2

    def network(second):
        copies = [
            Affine(
                ByteTensor(f"c{i}", (2,), 1.0, 0), (Copy(View("x", (2,)), 1 << 16, (0,)),), np.array([HALF])
            )
            for i in range(2)
        ]
        lookups = [
            Lookup(ByteTensor(f"l{i}", (2,), 1.0, 0), f"c{i}", table)
            for i, table in enumerate((square, second))
        ]
        outputs = tuple(Output(f"o{i}", "bytes", View(f"l{i}", (2,)), (2,), 1.0, 0) for i in range(2))
        return lower(Graph(16, (image,), (*copies, *lookups), outputs))

    assert [table.identity for table in network(square).program.tables] == [1]
    assert [table.identity for table in network(half).program.tables] == [1, 2]
    assert rules_broken_by(network(half), {"x": np.array([5, 200])}) == []


def test_lowering__an_argmax_and_the_scores_it_compares_share_their_weights():
    """Publishing scores and their arg-max stores the matrix once."""
    image = ByteTensor("x", (1, 4), 1.0, 0)
    total = Total(
        "t", (1, 3), 1.0, (Gemm(View("x", (1, 4)), np.arange(12).reshape(3, 4)),), np.zeros((1, 1), int)
    )
    outputs = (
        Output("y", "int32", View("t", (1, 3)), (1, 3), 1.0, 0),
        Output("best", "argmax", View("t", (1, 3)), (1, 1), 1.0, 0),
    )
    lowered = lower(Graph(16, (image,), (total,), outputs))
    assert len(lowered.constants) == 1


def test_lowering__ties_of_an_argmax_go_to_the_first():
    """Equal scores: the smaller index is published, and no margin is negative."""
    image = ByteTensor("x", (1, 5), 1.0, 0)
    outputs = (Output("best", "argmax", View("x", (1, 5)), (1, 1), 1.0, 0),)
    lowered = lower(Graph(16, (image,), (), outputs))
    inputs = {"x": np.array([[3, 9, 9, 1, 9]])}
    assert make_witness(lowered, inputs).outputs == (1,)
    assert rules_broken_by(lowered, inputs) == []


def test_lowering__constants_that_vary_along_one_axis_are_stored_along_it_alone():
    """A factor per channel has as many weights as there are channels."""
    image = ByteTensor("x", (1, 3, 4, 4), 1.0, 5)
    term = Scale(View("x", image.shape), np.array([1, 2, 3]).reshape(1, 3, 1, 1) << 15)
    lowered = lower(one_affine((image,), (term,), (1, 3, 4, 4)))
    (term,) = lowered.program.relations[1].terms
    assert isinstance(term, Contract)
    assert [value.shape for value in lowered.constants.values()] == [(3,)]


def test_lowering__an_input_outside_its_domain_gets_no_witness():
    """The verifier refuses such inputs, so the prover says so first."""
    image = ByteTensor("x", (1, 2), 1.0, 0)
    graph = Graph(16, (image,), (), (Output("y", "bytes", View("x", (1, 2)), (1, 2), 1.0, 0),))
    lowered = lower(graph, {"x": (10, 20)})
    assert make_witness(lowered, {"x": np.array([[10, 20]])}).outputs == (10, 20)
    for value in (9, 21):
        with pytest.raises(DomainError, match="'x'"):
            make_witness(lowered, {"x": np.array([[10, value]])})
