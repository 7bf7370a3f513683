"""The normative integer semantics, on numbers worked out by hand."""

import numpy as np
import pytest

from circuits.octet import ref_exec
from circuits.octet.compile.graph import (
    Affine,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Lookup,
    MaxPool,
    Output,
    Total,
    WindowSum,
)
from circuits.octet.compile.views import Reshape, Slice, Transpose, View, index_map, view_shape
from zkml.errors import DomainError

SHIFT = 16


def integers(*values):
    return np.array(values, dtype=np.int64)


def requantized(bias, weight=1, zero_in=0, zero_out=0, cells=(0, 1, 2, 255)):
    """Return clamp(floor((weight * (x - zero_in) + bias) / 2^16)) by ref_exec."""
    source = ByteTensor("x", (1, len(cells)), 1.0, zero_in)
    target = ByteTensor("y", (1, len(cells)), 1.0, zero_out)
    node = Affine(target, (Copy(View("x", source.shape), weight, (0, 0)),), integers([bias]))
    graph = Graph(
        SHIFT, (source,), (node,), (Output("y", "bytes", View("y", (1, len(cells))), target.shape, 1.0, 0),)
    )
    return ref_exec.execute(graph, {"x": integers(list(cells))}).outputs[0].ravel().tolist()


def test_ref_exec__requantization_takes_the_floor_of_the_whole_sum():
    """Nothing below a whole step counts, and the zero point lies inside the floor, not behind it."""
    assert requantized((3 << SHIFT) - 1, weight=0) == [2, 2, 2, 2]
    assert requantized(-1 + (5 << SHIFT), weight=-(1 << SHIFT)) == [4, 3, 2, 0]


def test_ref_exec__requantization_saturates_at_both_ends():
    """Bytes do not wrap."""
    assert requantized(0, weight=2 << SHIFT) == [0, 2, 4, 255]
    assert requantized(0, weight=-(1 << SHIFT)) == [0, 0, 0, 0]


def test_ref_exec__a_half_rounds_up():
    """The bias 2^(S-1) makes the floor a rounding half up."""
    assert requantized(1 << (SHIFT - 1), weight=1 << (SHIFT - 1), cells=(0, 1, 2, 3)) == [0, 1, 1, 2]


def test_ref_exec__the_padding_of_a_convolution_is_the_zero_point():
    """A cell outside adds nothing whatever the zero point is, on every side."""
    source = ByteTensor("x", (1, 1, 2, 2), 1.0, 100)
    weights = np.ones((1, 1, 3, 3), dtype=np.int64)
    conv = Conv(View("x", source.shape), weights, (1, 1), (1, 1, 1, 1), 1)
    pool = WindowSum(View("x", source.shape), (3, 3), (1, 1), (1, 1, 1, 1), 1)
    for term in (conv, pool):
        node = Total("a", (1, 1, 2, 2), 1.0, (term,), np.zeros((1, 1, 1, 1), dtype=np.int64))
        out = Output("a", "int32", View("a", node.shape), node.shape, 1.0, 0)
        run = ref_exec.execute(
            Graph(SHIFT, (source,), (node,), (out,)), {"x": integers([[[101, 102], [103, 104]]])}
        )
        assert run.outputs[0].ravel().tolist() == [10, 10, 10, 10]


def test_ref_exec__a_grouped_convolution_with_strides_is_the_sum_of_its_definition():
    """Each cell is the triple sum of octet.md 3.4, written out."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (1, 4, 5, 6))
    weights = rng.integers(-9, 9, (6, 2, 3, 2))
    source = ByteTensor("x", x.shape, 1.0, 7)
    term = Conv(View("x", x.shape), weights, (2, 1), (1, 0, 1, 1), 2)
    node = Total("a", (1, 6, 3, 6), 1.0, (term,), np.zeros((1, 1, 1, 1), dtype=np.int64))
    out = Output("a", "int32", View("a", node.shape), node.shape, 1.0, 0)
    found = ref_exec.execute(Graph(SHIFT, (source,), (node,), (out,)), {"x": x}).outputs[0]
    for o, row, column in np.ndindex(6, 3, 6):
        wanted = 0
        for c, i, j in np.ndindex(2, 3, 2):
            y_in, x_in = 2 * row + i - 1, column + j
            if 0 <= y_in < 5 and 0 <= x_in < 6:
                wanted += weights[o, c, i, j] * (x[0, (o // 3) * 2 + c, y_in, x_in] - 7)
        assert found[0, o, row, column] == wanted


def test_ref_exec__argmax_publishes_the_first_of_equal_cells():
    """A tie goes to the smaller index, as octet.md 3.4 proves."""
    source = ByteTensor("x", (1, 4), 1.0, 0)
    out = Output("i", "argmax", View("x", (1, 4)), (1, 1), 1.0, 0)
    graph = Graph(SHIFT, (source,), (), (out,))
    assert ref_exec.execute(graph, {"x": integers([3, 9, 9, 1])}).outputs[0].item() == 1


def test_ref_exec__a_lookup_and_a_maximum_work_on_bytes():
    """Tables are read by byte and a maximum ignores the zero point; padding is the byte 0."""
    source = ByteTensor("x", (1, 1, 1, 3), 1.0, 200)
    pool = MaxPool(
        ByteTensor("m", (1, 1, 1, 3), 1.0, 200), View("x", source.shape), (1, 2), (1, 1), (0, 1, 0, 0)
    )
    copy = Affine(
        ByteTensor("c", (1, 1, 1, 3), 1.0, 200),
        (Copy(View("m", (1, 1, 1, 3)), 1 << SHIFT, (0, 0, 0, 0)),),
        np.full((1, 1, 1, 1), 200 << SHIFT, dtype=np.int64),
    )
    lookup = Lookup(ByteTensor("v", (1, 1, 1, 3), 1.0, 0), "c", 255 - np.arange(256))
    out = Output("v", "bytes", View("v", (1, 1, 1, 3)), (1, 1, 1, 3), 1.0, 0)
    graph = Graph(SHIFT, (source,), (pool, copy, lookup), (out,))
    assert ref_exec.execute(graph, {"x": integers([[[5, 9, 2]]])}).outputs[0].ravel().tolist() == [
        250,
        246,
        246,
    ]


def test_ref_exec__the_bytes_of_a_gemm_are_what_the_formula_of_3_2_says():
    """A' = sum W' (X - z) + b', and its value before the shift is kept for the witness."""
    source = ByteTensor("x", (1, 3), 1.0, 2)
    weights = integers([1 << SHIFT, 0, -(1 << SHIFT)], [3, 5, 7])
    node = Affine(
        ByteTensor("y", (1, 2), 1.0, 0), (Gemm(View("x", (1, 3)), weights),), integers([9, 1 << SHIFT])
    )
    out = Output("y", "bytes", View("y", (1, 2)), (1, 2), 1.0, 0)
    run = ref_exec.execute(Graph(SHIFT, (source,), (node,), (out,)), {"x": integers([12, 5, 4])})
    assert run.sums["y"].tolist() == [[(8 << SHIFT) + 9, 30 + 15 + 14 + (1 << SHIFT)]]
    assert run.outputs[0].tolist() == [[8, 1]]


@pytest.mark.parametrize("value", [[[256]], [[-1]], [[0.5]], [[1, 2]]])
def test_ref_exec__what_is_not_bytes_of_the_shape_has_no_execution(value):
    """Inputs outside the domain are refused, not wrapped."""
    source = ByteTensor("x", (1, 1), 1.0, 0)
    graph = Graph(SHIFT, (source,), (), (Output("x", "bytes", View("x", (1, 1)), (1, 1), 1.0, 0),))
    with pytest.raises(DomainError):
        ref_exec.execute(graph, {"x": np.array(value)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_ref_exec__an_input_that_is_not_finite_has_no_bytes(value):
    """NaN is no byte."""
    graph = Graph(SHIFT, (ByteTensor("x", (1,), 1.0, 0),), (), ())
    with pytest.raises(DomainError):
        ref_exec.quantize_inputs(graph, {"x": np.array([value])})


def test_ref_exec__the_digest_binds_every_integer_and_no_scale():
    """Another weight, bias, zero point or view is another reference; another unit is not."""

    def digest(weight=3, bias=0, zero=0, scale=1.0, shift=16, start=0):
        source = ByteTensor("x", (1, 4), scale, zero)
        view = View("x", (1, 4)).then(Slice((0, start), (1, 2), (1, 1)))
        node = Total("a", (1, 1), scale, (Gemm(view, integers([1, weight])),), integers([bias]))
        return Graph(
            shift, (source,), (node,), (Output("a", "int32", View("a", (1, 1)), (1, 1), scale, 0),)
        ).digest()

    others = [digest(weight=4), digest(bias=1), digest(zero=1), digest(shift=24), digest(start=1)]
    assert len({digest(), *others}) == 6
    assert digest(scale=2.0) == digest()


def test_ref_exec__the_index_map_of_a_view_is_what_the_view_shows():
    """Layouts read views by this map."""
    view = View("x", (2, 3, 4)).then(Transpose((2, 0, 1))).then(Slice((3, 0, 0), (2, 2, 3), (-2, 1, 1)))
    view = view.then(Reshape((4, 3)))
    cells = np.arange(24).reshape(2, 3, 4)
    wanted = cells.transpose(2, 0, 1)[[3, 1]].reshape(4, 3)
    assert view_shape(view) == (4, 3)
    assert (index_map(view) == wanted).all()
