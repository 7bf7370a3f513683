"""An integer graph has one file, and no other bytes are read as a graph."""

import json
import random
import struct
from dataclasses import replace

import numpy as np
import pytest
from random_graphs import RandomGraph, random_inputs

from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Lookup,
    MaxPool,
    Output,
    Scale,
    Total,
    WindowSum,
)
from circuits.octet.compile.graph_file import MAGIC, read_graph, write_graph
from circuits.octet.compile.graph_rules import check_graph
from circuits.octet.compile.lower import lower
from circuits.octet.compile.views import Expand, Reshape, Slice, Transpose, View
from circuits.octet.ref_exec import execute
from zkml.errors import FormatError, ZkmlError

SEEDS = range(60)
IMAGE = (1, 2, 4, 4)
X = ByteTensor("x", IMAGE, 0.5, 3)
VIEW = View("x", IMAGE)
BIAS = np.full((1, 1, 1, 1), 1 << 15)
ONE = Affine(ByteTensor("a", IMAGE, 1.0, 0), (Copy(VIEW, 1, (0, 0, 0, 0)),), BIAS)
SHOWN = Output("y", "bytes", View("a", IMAGE), IMAGE, 1.0, 0)


def test_graph_file__a_graph_comes_back_as_it_was():
    """Random graphs over every node, term and view: equal bytes, digest and outputs."""
    for seed in SEEDS:
        graph = RandomGraph(seed).build()
        data = write_graph(graph)
        again = read_graph(data)
        assert write_graph(again) == data
        assert again.digest() == graph.digest()
        inputs = random_inputs(graph, np.random.default_rng(seed))
        for found, wanted in zip(execute(again, inputs).outputs, execute(graph, inputs).outputs, strict=True):
            assert (found == wanted).all()


def test_graph_file__changed_bytes_are_refused_or_are_another_graphs_file():
    """One flipped bit, a cut, a tail: a format error, never another fault; what is read writes itself."""
    rng = random.Random(0)
    for seed in SEEDS:
        data = write_graph(RandomGraph(seed).build())
        for _ in range(25):
            changed = bytearray(data)
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            try:
                found = read_graph(bytes(changed))
            except FormatError:
                continue
            assert write_graph(found) == changed
        for other in (data[:-1], data + b"\0", data[: rng.randrange(len(data))]):
            with pytest.raises(FormatError):
                read_graph(other)


def header_of(data):
    """Return the header of a file as plain values, and the numbers behind it."""
    (length,) = struct.unpack_from("<Q", data, len(MAGIC))
    start = len(MAGIC) + 8
    return json.loads(data[start : start + length]), data[start + length :]


def file_of(header, numbers):
    """Return a file with this header."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    return MAGIC + struct.pack("<Q", len(text)) + text + numbers


HOSTILE = {
    "no object": lambda header: [1],
    "another class": lambda header: header | {"is": "View"},
    "an unknown class": lambda header: header | {"is": "object"},
    "a field less": lambda header: {key: value for key, value in header.items() if key != "shift"},
    "a field more": lambda header: header | {"more": 1},
    "a truth value": lambda header: _with_input(header, zero_point=True),
    "a huge shift": lambda header: header | {"shift": 1 << 70},
    "nodes of text": lambda header: header | {"nodes": "abc"},
    "inputs that are outputs": lambda header: header | {"inputs": header["outputs"]},
    "an endless scale": lambda header: _with_input(header, scale=float("inf")),
    "a negative scale": lambda header: _with_input(header, scale=-1.0),
    "a scale of text": lambda header: _with_input(header, scale="1.0"),
    "a negative length": lambda header: _with_input(header, shape=[1, -2, 4, 4]),
    "a huge shape": lambda header: _with_input(header, shape=[1 << 40, 1, 1, 1]),
    "nine axes": lambda header: _with_input(header, shape=[1] * 9),
    "an array of absurd size": lambda header: _with_bias(header, shape=[1 << 20, 1 << 20, 1, 1]),
    "an array longer than the file": lambda header: _with_bias(header, shape=[1, 2, 1, 1]),
    "an array of strange width": lambda header: _with_bias(header, width=3),
    "a wide form of small numbers": lambda header: _with_bias(header, width=8),
    "the same name twice": lambda header: header | {"inputs": header["inputs"] * 2},
}


def _with_input(header, **changes):
    return header | {"inputs": [header["inputs"][0] | changes]}


def _with_bias(header, **changes):
    node = header["nodes"][0]
    return header | {"nodes": [node | {"bias": node["bias"] | changes}]}


@pytest.mark.parametrize("case", HOSTILE)
def test_graph_file__a_hostile_header_is_a_format_error(case):
    """Bundles come from strangers."""
    header, numbers = header_of(write_graph(Graph(16, (X,), (ONE,), (SHOWN,))))
    lie = HOSTILE[case](header)
    # The numbers are as many as the lie needs, so that it is the lie that is refused and not a tail.
    more = bytes(4) if case == "a wide form of small numbers" else b""
    with pytest.raises(FormatError, match=r"^expected .*, found "):
        read_graph(file_of(lie, numbers + more))
    assert read_graph(file_of(header, numbers)).shift == header["shift"]


def with_term(term, shape=IMAGE, source=X):
    """Return a graph of one block that holds this term."""
    bias = np.full((1,) * len(shape), 1 << 15)
    node = Affine(ByteTensor("a", shape, 1.0, 0), (term,), bias)
    return Graph(16, (source,), (node,), (replace(SHOWN, source=View("a", shape), shape=shape),))


def ints(*shape):
    """Return an array of ones."""
    return np.ones(shape, dtype=np.int64)


VAST = (
    Slice((0,) * 4, (1, 2, 1, 1), (1,) * 4),
    Expand((1, 2, 1 << 12, 1 << 12)),
    Slice((0,) * 4, IMAGE, (1,) * 4),
)
"""A view that shows as many cells as the tensor has, by way of 2^25."""

BROKEN = {
    "no outputs": Graph(16, (X,), (ONE,), ()),
    "shift": Graph(20, (X,), (ONE,), (SHOWN,)),
    "zero point": Graph(16, (replace(X, zero_point=256),), (ONE,), (SHOWN,)),
    "kind": Graph(16, (X,), (ONE,), (replace(SHOWN, kind="int32"),)),
    "output shape": Graph(16, (X,), (ONE,), (replace(SHOWN, shape=(1, 31)),)),
    "unknown tensor": with_term(Copy(View("b", IMAGE), 1, (0, 0, 0, 0))),
    "itself": with_term(Copy(View("a", IMAGE), 1, (0, 0, 0, 0))),
    "other base": with_term(Copy(View("x", (1, 2, 16)), 1, (0, 0, 0))),
    "reshape": with_term(Copy(View("x", IMAGE, (Reshape((1, 33)),)), 1, (0, 0)), (1, 33)),
    "transpose": with_term(Copy(View("x", IMAGE, (Transpose((0, 1, 2, 2)),)), 1, (0, 0, 0, 0))),
    "slice": with_term(Copy(View("x", IMAGE, (Slice((0, 0, 3, 0), IMAGE, (1, 1, 1, 1)),)), 1, (0,) * 4)),
    "short slice": with_term(Copy(View("x", IMAGE, (Slice((0,), (1,), (1,)),)), 1, (0,) * 4)),
    "expand": with_term(Copy(View("x", IMAGE, (Expand((1, 3, 4, 4)),)), 1, (0,) * 4), (1, 3, 4, 4)),
    "vast expand": with_term(Copy(View("x", IMAGE, VAST), 1, (0,) * 4)),
    "matrix": with_term(Gemm(VIEW, ints(5, 3)), (1, 2, 4, 5)),
    "matrix rank": with_term(Gemm(VIEW, ints(4)), IMAGE),
    "kernel rank": with_term(Conv(VIEW, ints(2, 2, 1), (1, 1), (0, 0, 0, 0), 1)),
    "channels": with_term(Conv(VIEW, ints(2, 3, 1, 1), (1, 1), (0, 0, 0, 0), 1)),
    "groups": with_term(Conv(VIEW, ints(2, 2, 1, 1), (1, 1), (0, 0, 0, 0), 0)),
    "stride": with_term(Conv(VIEW, ints(2, 2, 1, 1), (0, 1), (0, 0, 0, 0), 1)),
    "pads": with_term(Conv(VIEW, ints(2, 2, 1, 1), (1, 1), (0, 0, 0, -1), 1), (1, 2, 4, 3)),
    "three pads": with_term(Conv(VIEW, ints(2, 2, 1, 1), (1, 1), (0, 0, 0), 1)),
    "frame": with_term(Conv(VIEW, ints(2, 2, 1, 1), (1 << 22, 1), (1 << 23, 0, 1 << 23, 0), 1), (1, 2, 5, 4)),
    "places": with_term(WindowSum(VIEW, (2, 2), (2, 2), (0, 0, 0, 0), 1)),
    "channels of a pool": with_term(WindowSum(VIEW, (1, 1), (1, 1), (0, 0, 0, 0), 1), (1, 3, 4, 4)),
    "scale of another shape": with_term(Scale(VIEW, ints(1, 1, 1, 1)), (1, 2, 4, 5)),
    "batch of windows": with_term(
        WindowSum(View("x", IMAGE, (Reshape((2, 1, 4, 4)),)), (1, 1), (1, 1), (0,) * 4, 1), (2, 1, 4, 4)
    ),
    "axes": with_term(AxesSum(VIEW, (3, 2), 1), (1, 2, 1, 1)),
    "axis": with_term(AxesSum(VIEW, (4,), 1), IMAGE),
    "start": with_term(Copy(VIEW, 1, (0, 0, 0, 1))),
    "negative start": with_term(Copy(VIEW, 1, (0, 0, 0, -1)), (1, 2, 4, 5)),
    "scale": with_term(Scale(VIEW, ints(1, 3, 1, 1))),
    "bias": Graph(16, (X,), (replace(ONE, bias=np.ones((1, 3, 1, 1), np.int64)),), (SHOWN,)),
    "no terms": Graph(16, (X,), (replace(ONE, terms=()),), (SHOWN,)),
    "table of an input": Graph(
        16,
        (X,),
        (Lookup(replace(X, name="t"), "x", np.arange(256)),),
        (replace(SHOWN, source=View("t", IMAGE)),),
    ),
    "two tables of one tensor": Graph(
        16, (X,), (ONE, *(Lookup(replace(X, name=name), "a", np.arange(256)) for name in "tu")), (SHOWN,)
    ),
    "output of nine axes": Graph(16, (X,), (ONE,), (replace(SHOWN, shape=(*IMAGE, 1, 1, 1, 1, 1)),)),
    "output scale": Graph(16, (X,), (ONE,), (replace(SHOWN, scale=float("nan")),)),
    "scale of a sum": Graph(16, (X,), (ONE, Total("s", IMAGE, 0.0, ONE.terms, BIAS)), (SHOWN,)),
    "tensor of nine axes": Graph(16, (X, ByteTensor("z", (1,) * 9, 1.0, 0)), (ONE,), (SHOWN,)),
    "places of a window": Graph(
        16,
        (X,),
        (ONE, MaxPool(ByteTensor("m", (1, 2, 4, 4), 1.0, 0), VIEW, (2, 1), (1, 1), (0, 0, 0, 0))),
        (SHOWN,),
    ),
    "channels of a window": Graph(
        16,
        (X,),
        (ONE, MaxPool(ByteTensor("m", (1, 1, 3, 4), 1.0, 0), VIEW, (2, 1), (1, 1), (0, 0, 0, 0))),
        (SHOWN,),
    ),
    "table of a window": Graph(16, (X,), (ONE, Lookup(replace(X, name="t"), "a", np.arange(255))), (SHOWN,)),
    "table beyond bytes": Graph(
        16, (X,), (ONE, Lookup(replace(X, name="t"), "a", np.arange(256) + 1)), (SHOWN,)
    ),
    "window of five": Graph(
        16,
        (X,),
        (ONE, MaxPool(ByteTensor("m", (1, 2, 4, 1), 1.0, 0), VIEW, (1, 5), (1, 1), (0, 1, 0, 0))),
        (SHOWN,),
    ),
    "pad beyond the window": Graph(
        16,
        (X,),
        (ONE, MaxPool(ByteTensor("m", (1, 2, 5, 4), 1.0, 0), VIEW, (2, 1), (1, 1), (2, 0, 0, 0))),
        (SHOWN,),
    ),
    "sum as bytes": Graph(
        16, (X,), (Total("s", IMAGE, 1.0, ONE.terms, BIAS),), (replace(SHOWN, source=View("s", IMAGE)),)
    ),
    "part of a sum": Graph(
        16,
        (X,),
        (Total("s", IMAGE, 1.0, ONE.terms, BIAS),),
        (
            replace(
                SHOWN,
                kind="int32",
                source=View("s", IMAGE, (Slice((0,) * 4, (1, 1, 4, 4), (1,) * 4),)),
                shape=(1, 1, 4, 4),
            ),
        ),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_graph_file__a_graph_that_breaks_a_rule_is_refused(case):
    """Shapes that do not fit, tensors made later, views beyond their tensor."""
    with pytest.raises(FormatError, match=r"^expected .*, found "):
        check_graph(BROKEN[case])


def test_graph_file__the_graphs_of_these_tests_are_otherwise_sound():
    """The broken ones differ from this one by one thing each."""
    check_graph(Graph(16, (X,), (ONE,), (SHOWN,)))
    check_graph(with_term(Copy(VIEW, 1, (0, 0, 0, 0))))


def test_graph_file__whatever_is_read_runs_or_is_refused_with_a_reason():
    """A graph that passes the rules meets no fault in the reference, the intervals and the lowering."""
    rng = random.Random(1)
    ran = 0
    for seed in SEEDS[::2]:
        data = bytearray(write_graph(RandomGraph(seed).build()))
        numbers = header_of(bytes(data))[1]
        for _ in range(4 if numbers else 0):
            changed = bytearray(data)
            changed[len(data) - 1 - rng.randrange(len(numbers))] ^= 1 << rng.randrange(8)
            try:
                graph = read_graph(bytes(changed))
                lower(graph)
                execute(graph, random_inputs(graph, np.random.default_rng(seed)))
                ran += 1
            except ZkmlError:
                continue
    assert ran > 30
