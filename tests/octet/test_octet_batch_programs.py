"""A program of several items states of each what the program of one states: same constants, same integers, one proof."""

from dataclasses import replace

import numpy as np
import pytest
from integer_statement import broken_rules, stated_outputs
from proof_systems import native_provers, verifiers
from random_graphs import RandomGraph, random_inputs
from test_octet_agreement import agreed

from circuits.octet.compile.batch_axis import row_of
from circuits.octet.compile.graph import Affine, ByteTensor, Gemm, Graph, Output, Scale, Total
from circuits.octet.compile.lower import lower
from circuits.octet.compile.verifying_key import make_key
from circuits.octet.compile.views import Reshape, View
from circuits.octet.ref_exec import execute
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import Statement
from circuits.octet.terms import Axis, Contract, Linear, Source, WeightAxis
from circuits.octet.witness import make_witness
from zkml.errors import DomainError, UnsupportedOperatorError

SEEDS = 60
SIZES = (2, 3, 5)
PROVED = (0, 8, 19, 60, 164)
"""Networks of 2^9 rows or fewer that have everything between them."""

HALF = 1 << 15


def size_of(seed):
    return SIZES[seed % len(SIZES)]


def batch_of(graph, items, rng):
    """Return inputs of every item, alone and stacked."""
    each = [random_inputs(graph, rng) for _ in range(items)]
    return each, {name: np.stack([inputs[name] for inputs in each]) for name in each[0]}


def alone(graph, each):
    """Return what every item publishes by itself: a list of outputs per item."""
    return [[values.reshape(-1).tolist() for values in execute(graph, inputs).outputs] for inputs in each]


def together(graph, each):
    """Return the values a batch publishes: tensor after tensor of all items, indices item after item."""
    runs, found, indices = alone(graph, each), [], []
    for place, out in enumerate(graph.outputs):
        if out.kind == "argmax":
            indices.append(place)
            continue
        found += [value for item in runs for place in indices for value in item[place]]
        found += [value for item in runs for value in item[place]]
        indices = []
    return found + [value for item in runs for place in indices for value in item[place]]


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_batch__of_random_networks__states_each_items_own_integers(first):
    """Every row rule and relation holds over the integers, and each item publishes what it publishes alone."""
    for seed in range(first, first + 20):
        graph, items = RandomGraph(seed).build(), size_of(seed)
        lowered = lower(graph, batch=items)
        each, inputs = batch_of(graph, items, np.random.default_rng(seed))
        witness = make_witness(lowered, inputs)
        assert list(witness.outputs) == together(graph, each), seed
        outputs = stated_outputs(lowered.program, witness.outputs)
        broken = broken_rules(lowered.program, lowered.constants, witness.columns, inputs, outputs)
        assert broken == [], seed


def test_batch__of_one__is_the_program_of_one():
    """One way to say it: nothing marks a batch of one."""
    for seed in range(20):
        graph = RandomGraph(seed).build()
        assert lower(graph, batch=1).program == lower(graph).program


def test_batch__stores_each_constant_once():
    """Items share weights, biases and tables: at the same number of rows they are the very same tensors."""
    for seed in range(30):
        graph = RandomGraph(seed).build()
        batch = lower(graph, batch=4)
        single = lower(graph, nu=batch.program.nu)
        assert batch.program.vk_tensors == single.program.vk_tensors
        assert all((batch.constants[name] == values).all() for name, values in single.constants.items())


def test_batch__on_random_networks__proofs_transcripts_and_verdicts_are_equal():
    """Over every node, term, view and output, specification and native code make the same proofs of batches."""
    assert {kind for seed in PROVED for kind in kinds(seed)} == {
        kind for seed in range(60) for kind in kinds(seed)
    }
    for seed in PROVED:
        graph = RandomGraph(seed).build()
        lowered = lower(graph, batch=size_of(seed))
        key = make_key(lowered.program, lowered.constants, graph.digest(), LocalSrs(lowered.program.rows))
        _, inputs = batch_of(graph, lowered.batch, np.random.default_rng(seed))
        witness = make_witness(lowered, inputs)
        statement = Statement(witness.inputs, witness.outputs, bytes(32))
        words = agreed(key, statement, witness.columns, native_provers()[:1])
        false = replace(statement, outputs=(*statement.outputs[:-1], statement.outputs[-1] ^ 1))
        assert not any(each.accepts(key, false, words) for each in verifiers()), seed


def kinds(seed):
    """Name the nodes, terms, views and outputs of a random network."""
    graph = RandomGraph(seed)
    graph.build()
    return graph.kinds


def test_batch__with_another_number_of_items__is_refused():
    """A program of three items takes three."""
    graph = RandomGraph(3).build()
    _, inputs = batch_of(graph, 4, np.random.default_rng(0))
    with pytest.raises(DomainError, match="3 items"):
        make_witness(lower(graph, batch=3), inputs)


def rows_of_scores(kind):
    """A network that publishes the index of the greatest of 5 scores for each of 3 rows."""
    given = ByteTensor("x", (3, 4), 1.0, 7)
    weights = np.random.default_rng(2).integers(-40, 40, (5, 4))
    bias = np.random.default_rng(3).integers(0, 900, (3, 5))
    view = View("x", (3, 4))
    if kind == "bytes":
        bias = (bias // 9 << 16) + HALF
        node = Affine(ByteTensor("s", (3, 5), 1.0, 100), (Gemm(view, weights << 9),), bias)
    else:
        node = Total("s", (3, 5), 1.0, (Gemm(view, weights),), bias)
    return Graph(16, (given,), (node,), (Output("best", "argmax", View("s", (3, 5)), (3, 1), 1.0, 0),))


@pytest.mark.parametrize("items", [1, 2])
@pytest.mark.parametrize("kind", ["bytes", "total"])
def test_arg_max__of_several_rows__is_one_index_per_row(kind, items):
    """A model may name the greatest score of every row; in a batch the rows of an item stay together."""
    graph = rows_of_scores(kind)
    lowered = lower(graph, batch=items)
    each, stacked = batch_of(graph, items, np.random.default_rng(5))
    inputs = stacked if items > 1 else each[0]
    witness = make_witness(lowered, inputs)
    assert list(witness.outputs) == together(graph, each)
    assert len(set(witness.outputs)) > 1
    assert len(lowered.program.outputs) == 3 * items
    outputs = stated_outputs(lowered.program, witness.outputs)
    assert broken_rules(lowered.program, lowered.constants, witness.columns, inputs, outputs) == []
    key = make_key(lowered.program, lowered.constants, graph.digest(), LocalSrs(lowered.program.rows))
    statement = Statement(witness.inputs, witness.outputs, bytes(32))
    words = agreed(key, statement, witness.columns, native_provers()[:1])
    for place, index in enumerate(witness.outputs):
        false = (*witness.outputs[:place], (index + 1) % 5, *witness.outputs[place + 1 :])
        claim = replace(statement, outputs=false)
        assert not any(verifier.accepts(key, claim, words) for verifier in verifiers())


def test_arg_max__of_rows_with_weights_of_their_own__is_refused():
    """A product has no index for one place of a weight."""
    given = ByteTensor("x", (3, 4), 1.0, 7)
    scale = Scale(View("x", (3, 4)), np.arange(12).reshape(3, 4))
    node = Total("s", (3, 4), 1.0, (scale,), np.zeros((1, 1), dtype=np.int64))
    graph = Graph(16, (given,), (node,), (Output("best", "argmax", View("s", (3, 4)), (3, 1), 1.0, 0),))
    with pytest.raises(UnsupportedOperatorError, match="every row"):
        lower(graph)


def test_arg_max__of_rows_across_axes__is_refused():
    """Five rows of three in a tensor of three rows of five: none lies along the tensor's own axes."""
    graph = rows_of_scores("total")
    seen = View("s", (3, 5)).then(Reshape((5, 3)))
    crossed = replace(graph, outputs=(Output("best", "argmax", seen, (5, 1), 1.0, 0),))
    with pytest.raises(UnsupportedOperatorError, match="as they lie"):
        lower(crossed)


def test_row_of__terms_that_do_not_reach_a_row__are_left_out():
    """A copy into part of an output adds nothing to the rows beside it."""
    copy = Linear(Source("block", "x"), 1, (Axis(0, 1, 2, stride=3, base=4), Axis(1, 0, 5)))
    weight = Contract(Source("block", "x"), (Axis(0, 0, 2), Axis(None, 0, 1)), "w", (WeightAxis(out=1),))
    assert row_of((copy, weight), (0,)) == (replace(weight, axes=(Axis(0, 0, 1), Axis(None, 0, 1))),)
    moved = replace(copy, axes=(Axis(0, 0, 1, stride=3, base=7), Axis(1, 0, 5)))
    assert row_of((copy,), (2,)) == (moved,)
    assert row_of((replace(weight, weight_axes=(WeightAxis(out=0),)),), (1,)) is None
