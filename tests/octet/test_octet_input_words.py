"""The words of a public input: a packed input cut into pieces, and what binds a block of bytes to them."""

from math import prod

import numpy as np
import pytest
from octet_attacks import Bench
from octet_programs import Case, base, held, pixels, same

from circuits.octet.input_words import WORD_BYTES, word_layout, words_of
from circuits.octet.spec import functionals
from circuits.octet.spec.field import inner_product, vector
from circuits.octet.spec.statement import input_words
from circuits.octet.tensors import Block, Input, Output, padded, padded_size
from circuits.octet.terms import Linear, Relation, Source
from zkml.core.field import R

SHAPES = [
    (1,),
    (3,),
    (16,),
    (17,),
    (33, 1),
    (2, 8),
    (3, 5),
    (5, 4, 4),
    (1, 7, 6),
    (9, 2),
    (2, 3, 2, 1),
    (2, 16, 1),
]
BOTH = [(shape, width) for shape in SHAPES for width in (1, 2)]


@pytest.mark.parametrize(
    ("shape", "width", "outer", "length", "lanes"),
    [
        ((1, 28, 28), 1, (1, 28), 28, 16),
        ((1, 28, 28), 2, (1, 28), 28, 8),
        ((5, 4, 4), 1, (5,), 16, 16),
        ((5, 4, 4), 2, (5,), 16, 8),
        ((1, 3, 8, 8), 1, (1, 3), 64, 16),
        ((6,), 1, (), 6, 8),
        ((100, 1), 1, (), 100, 16),
    ],
)
def test_layout__of_an_input__is_cut_along_its_last_axes(shape, width, outer, length, lanes):
    """An axis joins the line behind it while that is an exact power of two and shorter than a word may be."""
    layout = word_layout(Input("x", shape, width=width))
    assert (layout.outer, layout.length, layout.lanes) == (outer, length, lanes)


@pytest.mark.parametrize(("shape", "width"), BOTH)
def test_words__of_any_input__are_the_packed_input_read_in_pieces(shape, width):
    """Each word is a slice of the packed elements, filled with zeros behind the end of its line."""
    given = Input("x", shape, width=width)
    layout, values = word_layout(given), [1 + place % 255 for place in range(prod(shape))]
    packed = b"".join(value.to_bytes(width, "big") for value in values)
    pieces = []
    for start in range(0, len(packed), layout.length * width):
        line = packed[start : start + layout.length * width]
        line += bytes(layout.per_line * layout.lanes * width - len(line))
        size = layout.lanes * width
        pieces += [int.from_bytes(line[at : at + size], "big") for at in range(0, len(line), size)]
    assert words_of(given, values) == pieces
    assert len(pieces) == layout.count
    assert layout.lanes * width <= WORD_BYTES


@pytest.mark.parametrize(("shape", "width"), BOTH)
def test_words__lie_on_the_blocks_rows_lane_by_lane(shape, width):
    """What stands on k L .. k L + L - 1 of the zero-extended tensor makes word k of the zero-extended words."""
    given = Input("x", shape, width=width)
    layout, values = word_layout(given), pixels(3, shape)
    assert padded_size(layout.dims) * layout.lanes == given.size
    rows = np.zeros([padded(length) for length in shape], dtype=object)
    rows[tuple(slice(length) for length in shape)] = values
    words = np.zeros([padded(length) for length in layout.dims], dtype=object)
    made = np.array(words_of(given, values.reshape(-1).tolist()), dtype=object).reshape(layout.dims)
    words[tuple(slice(length) for length in layout.dims)] = made
    assert (
        rows.reshape(-1, layout.lanes) @ np.array(layout.weights, dtype=object)
    ).tolist() == words.reshape(-1).tolist()


def test_lanes__at_a_point__are_a_product_over_their_bits():
    """prod_b ((1 - rho_b) B^(2^b) + rho_b), which a contract computes instead of a sum over lanes."""
    rng = np.random.default_rng(5)
    point = [int.from_bytes(rng.bytes(32), "big") % R for _ in range(12)]
    tau, rho = point[:3], point[3:]
    layout = word_layout(Input("x", (5, 16), width=2))
    piece = functionals.lane_piece(64, tau, layout.weights)
    lanes = prod((1 - rho[b]) * pow(256**2, 1 << b, R) + rho[b] for b in range(layout.lane_bits))
    words = prod(a * b + (1 - a) * (1 - b) for a, b in zip(tau, rho[3:6], strict=True))
    place = rho[6] * (1 - rho[7]) * (1 - rho[8])
    assert functionals.at([piece], rho) == lanes * words * place % R
    assert (
        inner_product(piece.spread()[:8], vector([1] * 8))
        == prod(1 - x for x in tau) * sum(layout.weights) % R
    )


def shown(shape, width):
    """A network that shows its input."""
    axes = tuple(same(axis, length) for axis, length in enumerate(shape))
    program = base(
        inputs=(Input("x", shape, width=width),),
        outputs=(Output("y", "byte", shape),),
        blocks=(Block("x", 128, shape),),
        vk_columns=0,
        relations=(held("x"), Relation("public", "", "y", (Linear(Source("block", "x"), 1, axes),))),
    )
    return Case(program, {}, {"x": pixels(7, shape)})


@pytest.mark.parametrize(("shape", "width"), BOTH)
def test_input__of_any_shape__is_proved_and_bound_in_its_last_byte(shape, width):
    """Every verifier takes the proof, and takes it for no other input than its own."""
    bench = Bench(shown(shape, width))
    words = bench.prove()
    assert bench.accepts(words)
    other = bytearray(bench.statement.inputs)
    other[-1] ^= 1
    lie = Bench(Case(bench.program, {}, {"x": np.array(list(other)).reshape(shape)}))
    assert input_words(bench.program, lie.statement)[-1] != input_words(bench.program, bench.statement)[-1]
    claim = type(bench.statement)(bytes(other), bench.statement.outputs, bench.statement.context)
    assert not bench.accepts(bench.prove(claim=claim), claim)
