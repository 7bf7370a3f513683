"""Interval analysis bounds every integer for every input of the domain, and refuses what has no proof."""

from itertools import product

import numpy as np
import pytest
from random_graphs import RandomGraph, random_inputs

from circuits.octet.compile.graph import Affine, ByteTensor, Copy, Gemm, Graph, Lookup, Output, Total
from circuits.octet.compile.intervals import analyse
from circuits.octet.compile.lower import lower
from circuits.octet.compile.terms import apply_term
from circuits.octet.compile.views import View, read
from circuits.octet.ref_exec import execute
from circuits.octet.witness import make_witness
from zkml.errors import CompileError, DomainError

HALF = 1 << 15


def gemm_network(weights, *, shift=16, bias=HALF, zero=0, shape=(1, 2), total=False, argmax=False):
    """One matrix product over an input `x`, requantized to `y` or published."""
    image = ByteTensor("x", shape, 1.0, zero)
    term = Gemm(View("x", shape), np.asarray(weights, dtype=np.int64))
    made = (1, len(weights))
    offsets = np.full((1, 1), bias, dtype=np.int64)
    kind = "argmax" if argmax else "int32" if total else "bytes"
    node = (
        Total("y", made, 1.0, (term,), offsets)
        if total or argmax
        else Affine(ByteTensor("y", made, 1.0, 0), (term,), offsets)
    )
    published = Output("out", kind, View("y", made), (1, 1) if argmax else made, 1.0, 0)
    return Graph(shift, (image,), (node,), (published,))


def test_intervals__no_run_of_a_random_network_leaves_its_intervals():
    """Every tensor and every sum of random runs lies within its bounds, cell by cell."""
    for seed in range(150):
        graph = RandomGraph(seed).build()
        found = analyse(graph)
        rng = np.random.default_rng(seed)
        for _ in range(4):
            run = execute(graph, random_inputs(graph, rng))
            for ranges, values in ((found.tensors, run.tensors), (found.sums, run.sums)):
                for name, value in ranges.items():
                    assert (value.low <= values[name]).all(), (seed, name)
                    assert (values[name] <= value.high).all(), (seed, name)


def test_intervals__the_bounds_of_one_layer_are_attained():
    """For a single matrix product the interval is the exact range over all inputs of the domain."""
    graph = gemm_network([[70_000, -50_000], [-3, -9]], zero=4)
    found = analyse(graph, {"x": (2, 9)})
    runs = [execute(graph, {"x": np.array([pair])}).sums["y"][0] for pair in product(range(2, 10), repeat=2)]
    assert np.array_equal(found.sums["y"].low[0], np.min(runs, axis=0))
    assert np.array_equal(found.sums["y"].high[0], np.max(runs, axis=0))


def test_intervals__a_table_is_bounded_over_the_whole_interval_and_not_at_its_ends():
    """A bump between the ends of the interval is seen."""
    image = ByteTensor("x", (1,), 1.0, 0)
    node = Affine(ByteTensor("c", (1,), 1.0, 0), (Copy(View("x", (1,)), 1 << 16, (0,)),), np.array([HALF]))
    table = np.full(256, 10)
    table[50], table[60], table[90] = 200, 1, 255
    lookup = Lookup(ByteTensor("y", (1,), 1.0, 0), "c", table)
    outputs = (Output("out", "bytes", View("y", (1,)), (1,), 1.0, 0),)
    found = analyse(Graph(16, (image,), (node, lookup), outputs), {"x": (40, 80)})
    assert (int(found.tensors["y"].low[0]), int(found.tensors["y"].high[0])) == (1, 200)


@pytest.mark.parametrize(
    ("weight", "limbs"),
    [
        (1 << 16, 1),
        (2 << 16, 1),
        (-(1 << 16), 1),
        (3 << 16, 2),
        (-(2 << 16), 2),
        (300 << 16, 3),
        (-(258 << 16), 3),
    ],
)
def test_intervals__saturation_limbs_are_as_few_as_hold_the_extremes(weight, limbs):
    """The witness of the worst input fits the limbs, and with one limb fewer it would not."""
    lowered = lower(gemm_network([[weight, 0]]))
    assert lowered.program.saturation == limbs
    for value in (0, 255):
        make_witness(lowered, {"x": np.full((1, 2), value)})
    quotient = (weight * 255 + HALF) >> 16
    assert max(quotient - 255, -quotient) >= 256 ** (limbs - 1) or limbs == 1


def test_intervals__sums_that_may_reach_two_to_the_62_are_refused():
    """The bound is on the worst input over all bytes, and it is the model that is refused, not the input."""
    weight = (1 << 62) // 255 // 2
    with pytest.raises(CompileError, match="'y'"):
        lower(gemm_network([[weight, weight + 10]], total=True))
    with pytest.raises(CompileError, match="'y'"):
        lower(gemm_network([[1 << 60, -(1 << 60)]]))


def test_intervals__accumulators_that_may_reach_two_to_the_31_are_refused():
    """Exactly 2^31 - 1 is published, 2^31 is not."""
    edge = (1 << 31) - 1 - 255
    assert lower(gemm_network([[1, 0]], bias=edge, total=True))
    for bias in (edge + 1, -(1 << 31)):
        with pytest.raises(CompileError, match="'y'"):
            lower(gemm_network([[1, 0]], bias=bias, total=True))


def test_intervals__scores_too_far_apart_for_the_limbs_of_an_argmax_are_refused():
    """With S = 16 the margin has 24 bits: 2^24 - 1 fits and 2^24 does not."""
    graph = gemm_network([[65_793, 0], [0, 0]], argmax=True, bias=0)
    lowered = lower(graph)
    make_witness(lowered, {"x": np.array([[255, 0]])})
    steps = gemm_network([[1 << 17, 0], [0, 0]], argmax=True, bias=0)
    assert lower(steps, {"x": (0, 127)})
    with pytest.raises(CompileError, match="'out'"):
        lower(steps, {"x": (0, 128)})


def test_intervals__quotients_beyond_the_bound_are_refused():
    """With S = 32 four saturation limbs would pass 2^62."""
    with pytest.raises(CompileError, match="saturation"):
        lower(gemm_network([[1 << 49, 0]], shift=32))


@pytest.mark.parametrize("domain", [{"x": (5, 4)}, {"x": (-1, 4)}, {"x": (0, 256)}, {"z": (0, 1)}])
def test_intervals__a_domain_that_is_none_is_refused(domain):
    """Empty, not of bytes, or of no input."""
    with pytest.raises(DomainError):
        analyse(gemm_network([[1, 1]]), domain)


def test_intervals__the_linear_maps_here_agree_with_the_reference():
    """`apply_term` is a second formulation of every term; ref_exec is the norm."""
    for seed in range(150):
        graph = RandomGraph(seed).build()
        run = execute(graph, random_inputs(graph, np.random.default_rng(seed)))
        zeros = {tensor.name: tensor.zero_point for tensor in graph.inputs}
        for node in graph.nodes:
            if isinstance(node, Affine):
                shape = node.output.shape
                total = np.broadcast_to(node.bias, shape).astype(np.int64)
                for term in node.terms:
                    name = term.source.tensor
                    total = total + apply_term(
                        term, read(term.source, run.tensors[name] - zeros[name]), shape
                    )
                assert np.array_equal(total, run.sums[node.output.name]), seed
            if not isinstance(node, Total):
                zeros[node.output.name] = node.output.zero_point
