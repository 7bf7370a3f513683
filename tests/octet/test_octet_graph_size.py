"""A small graph cannot ask for much memory or time of whoever opens its bundle."""

from dataclasses import replace

import numpy as np
import pytest
from octet_bundles import lying, small_bundle
from random_graphs import RandomGraph

from circuits.octet import opened_network
from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Output,
    Total,
    WindowSum,
)
from circuits.octet.compile.graph_file import read_graph, write_graph
from circuits.octet.compile.graph_size import MAX_NODES, MAX_TERMS, block_rows
from circuits.octet.compile.lower import lower
from circuits.octet.compile.views import Expand, Reshape, Slice, View
from zkml.errors import CompileError, FormatError, ManifestError, UnsupportedOperatorError

X = ByteTensor("x", (1,), 1.0, 0)
VAST = 1 << 22


def ones(*shape):
    return np.ones(shape, dtype=np.int64)


def graph_of(*nodes, inputs=(X,)):
    """Return a graph of these nodes that publishes its first input."""
    total = Total("s", (1,), 1.0, (Copy(View("x", (1,)), 1, (0,)),), ones(1))
    return Graph(16, inputs, (*nodes, total), (Output("o", "int32", View("s", (1,)), (1,), 1.0, 0),))


def spread(name, *steps, shape, term=None):
    """Return a node that reads one byte through steps."""
    view = View("x", (1,), steps)
    zeros = (0,) * len(shape)
    return Affine(
        ByteTensor(name, shape, 1.0, 0),
        (term(view) if term else Copy(view, 1, zeros),),
        ones(*[1] * len(shape)),
    )


def image(length):
    """Return the steps from one byte to an image."""
    return Reshape((1, 1, 1, 1)), Expand((1, 1, length, length))


HOSTILE = {
    "tensors of millions of cells": graph_of(
        *(spread(f"t{i}", Expand((VAST,)), shape=(VAST,)) for i in range(4))
    ),
    "one tensor beyond any column": graph_of(spread("t", Expand((1 << 24,)), shape=(1 << 24,))),
    "vast views of which one cell is read": graph_of(
        *(spread(f"t{i}", Expand((VAST,)), Slice((0,), (1,), (1,)), shape=(1,)) for i in range(17))
    ),
    "one vast view, step after step": graph_of(
        spread(
            "t",
            Expand((VAST,)),
            *[Reshape((1, VAST)), Reshape((VAST,))] * 9,
            Slice((0,), (1,), (1,)),
            shape=(1,),
        )
    ),
    "one vast sum of many small terms": graph_of(
        Affine(ByteTensor("t", (VAST,), 1.0, 0), (Copy(View("x", (1,)), 1, (0,)),) * 17, ones(1))
    ),
    "windows as large as the image": graph_of(
        spread(
            "t",
            *image(512),
            shape=(1, 1, 257, 257),
            term=lambda view: WindowSum(view, (256, 256), (1, 1), (0,) * 4, 1),
        )
    ),
    "a kernel as large as the image": graph_of(
        spread(
            "t",
            *image(256),
            shape=(1, 1, 129, 129),
            term=lambda view: Conv(view, ones(1, 1, 128, 128), (1, 1), (0,) * 4, 1),
        )
    ),
    "products without end": graph_of(
        spread(
            "t",
            Reshape((1, 1)),
            Expand((1 << 12, 1 << 10)),
            shape=(1 << 12, 1 << 10),
            term=lambda view: Gemm(view, ones(1 << 10, 1 << 10)),
        )
    ),
    "nodes without end": graph_of(*(spread(f"t{i}", shape=(1,)) for i in range(MAX_NODES))),
    "outputs without end": replace(
        graph_of(), outputs=tuple(replace(graph_of().outputs[0], name=f"o{i}") for i in range(MAX_NODES + 1))
    ),
    "terms without end": graph_of(
        Affine(ByteTensor("t", (1,), 1.0, 0), (Copy(View("x", (1,)), 1, (0,)),) * MAX_TERMS, ones(1))
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_graph_size__a_graph_that_asks_for_too_much_is_refused_when_it_is_read(case):
    """Each number by itself is small enough; it is their sum that would keep a machine busy."""
    data = write_graph(HOSTILE[case])
    assert len(data) < 20 << 20
    with pytest.raises(FormatError, match=r"^expected at most \d+ .*, found \d+|^expected at most .* cells"):
        read_graph(data)


def test_graph_size__a_graph_of_more_rows_than_the_settings_have_is_not_even_bounded(tmp_path, monkeypatch):
    """Blocks beyond 2^nu rows have no program, so no cell of theirs is made."""
    bundle = small_bundle()
    graph = read_graph(bundle.file("compiled_circuit").read_bytes())
    large = replace(graph, nodes=(*graph.nodes, *large_nodes(graph)))
    monkeypatch.setattr(opened_network, "lower", lambda *_, **__: pytest.fail("the graph was lowered"))
    with pytest.raises(ManifestError, match=r"256 rows, found \d+ in the compiled circuit"):
        opened_network.open_network(lying(bundle, tmp_path / "b", {"compiled_circuit": write_graph(large)}))


def large_nodes(graph):
    """Return one more block, of 2^20 rows, that reads the first input's first cell."""
    (given,) = graph.inputs
    rank = len(given.shape)
    steps = (Slice((0,) * rank, (1,) * rank, (1,) * rank), Reshape((1,)), Expand((1 << 20,)))
    view = View(given.name, given.shape, steps)
    return (Affine(ByteTensor("large", (1 << 20,), 1.0, 0), (Copy(view, 1, (0,)),), ones(1)),)


def test_graph_size__the_rows_of_blocks_are_those_that_a_program_has():
    """What is refused for its rows could not have been lowered; what is not refused, may."""
    for seed in range(30):
        found = lower(RandomGraph(seed).build())
        argmax = sum(block.size for block in found.program.blocks if block.name.startswith("argmax:"))
        assert block_rows(found.graph) == sum(block.size for block in found.program.blocks) - argmax


@pytest.mark.parametrize("rows", [1, 4])
def test_graph_size__constants_larger_than_any_key_are_refused_before_they_are_made(rows):
    """A weight of each cell of a large tensor, most of them 0, would be a matrix without end."""
    wide = ByteTensor("w", (rows, 1 << 16), 1.0, 0)
    few = View("w", wide.shape, (Slice((0, 0), (rows, 2), (1, 1)),))
    node = Affine(ByteTensor("t", (rows, 1 << 11), 1.0, 0), (Gemm(few, ones(1 << 11, 2)),), ones(1, 1))
    graph = read_graph(write_graph(graph_of(node, inputs=(X, wide))))
    with pytest.raises(CompileError, match="weights"):
        lower(graph)


def test_graph_size__a_convolution_of_many_groups_is_refused_before_its_zeros_are_made():
    """Weights between groups are zeros that a file does not hold."""
    shape = (1, 1 << 13, 1, 1)
    channels = 1 << 13
    given = ByteTensor("w", shape, 1.0, 0)
    pair = Conv(View("w", shape), ones(channels, 2, 1, 1), (1, 1), (0,) * 4, channels // 2)
    node = Affine(ByteTensor("t", shape, 1.0, 0), (pair, pair), ones(1, 1, 1, 1))
    with pytest.raises(CompileError, match="weights"):
        lower(read_graph(write_graph(graph_of(node, inputs=(X, given)))))


def test_graph_size__a_dense_matrix_of_a_vast_view_is_refused():
    """Few cells on both sides, millions in between: each cell of the source would be carried through."""
    given = ByteTensor("w", (2, 256), 1.0, 0)
    steps = (Reshape((1, 2, 256)), Expand((1 << 13, 2, 256)), Reshape((1 << 22,)), Slice((250,), (8,), (3,)))
    node = Affine(ByteTensor("t", (8,), 1.0, 0), (Copy(View("w", (2, 256), steps), 1, (0,)),), ones(1))
    with pytest.raises(UnsupportedOperatorError, match="view of 'w'"):
        lower(read_graph(write_graph(graph_of(node, inputs=(X, given)))))


def test_graph_size__a_sum_over_a_whole_image_is_no_hostile_graph():
    """What real networks do stays far below the limits."""
    term = AxesSum(View("w", (1, 64, 112, 112)), (2, 3), 1)
    node = Affine(ByteTensor("t", (1, 64, 1, 1), 1.0, 0), (term,), ones(1, 1, 1, 1))
    graph = graph_of(node, inputs=(X, ByteTensor("w", (1, 64, 112, 112), 1.0, 0)))
    assert read_graph(write_graph(graph)).digest() == graph.digest()
