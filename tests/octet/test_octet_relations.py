"""Terms at random points are the sums their definition says: against loops over every output element."""

from itertools import product

import numpy as np
import octet_programs as programs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_statement import stated_outputs
from octet_programs import _term

from circuits.octet.input_words import words_of
from circuits.octet.spec import functionals, logup, relations, wiring
from circuits.octet.spec.field import inner_product, vector
from circuits.octet.spec.multilinear import eq_table, evaluate
from circuits.octet.tensors import VkTensor, padded
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.core.field import R


def point(rng, variables):
    return [int(x) for x in rng.integers(0, 1 << 62, variables)]


def variables(dims):
    return sum(padded(n).bit_length() - 1 for n in dims)


def padded_box(values):
    box = np.zeros([padded(n) for n in values.shape], dtype=object)
    box[tuple(slice(n) for n in values.shape)] = values
    return vector(box.reshape(-1))


def extension(dims, value, t):
    """Return sum over true output indices of eq(t, o) value(o)."""
    table = eq_table(t).reshape([padded(n) for n in dims])
    return sum(int(table[o]) * value(o) for o in product(*map(range, dims))) % R


@st.composite
def convolutions(draw):
    """A contraction with random windows, zero point, and a plain, grouped or depthwise weight."""
    kind = draw(st.sampled_from(["plain", "grouped", "depthwise"]))
    channels, outs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    spatial = [draw(st.integers(1, 6)) for _ in range(2)]
    axes, lengths, kernel = [], [], 1
    shift = 2 if kind == "grouped" else 1
    for index, length in enumerate(spatial):
        taps, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation, padding = draw(st.integers(1, 2)), draw(st.integers(0, 3))
        lengths.append(draw(st.integers(1, 5)))
        axes.append(Axis(index + shift, 0, lengths[-1], stride, taps, dilation, -padding))
        kernel *= taps
        assert length
    tap = WeightAxis(kernel=True)
    if kind == "plain":
        first, dims, weight = (Axis(None, 0, 1),), (outs, *lengths), (outs, channels, kernel)
        weight_axes = (WeightAxis(out=0), WeightAxis(source=0), tap)
        source = (channels, *spatial)
    elif kind == "grouped":
        first, dims = (Axis(0, 0, 3), Axis(None, 0, 1)), (3, outs, *lengths)
        weight, source = (3, outs, channels, kernel), (3, channels, *spatial)
        weight_axes = (WeightAxis(out=0, source=0), WeightAxis(out=1), WeightAxis(source=1), tap)
    else:
        first, dims = (Axis(0, 0, channels),), (channels, *lengths)
        weight, source = (channels, kernel), (channels, *spatial)
        weight_axes = (WeightAxis(out=0, source=0), tap)
    zero = draw(st.integers(0, 255))
    term = Contract(Source("block", "x", zero), (*first, *axes), "w", weight_axes)
    return term, dims, source, weight, draw(st.integers(0, 1 << 30))


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_relations__a_contraction_is_the_sum_of_its_definition(drawn):
    """sum_i (X - z valid)(i) K(i) is the extension of the term, and K~ at rho is the weight's functional."""
    term, dims, source, weight, seed = drawn
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, source).astype(object)
    w = rng.integers(-999, 999, weight).astype(object)
    t = point(rng, variables(dims))
    lies = VkTensor("w", 0, 0, weight)
    what = relations.Product(term.source, source, term, lies, (relations.weighting(dims, t, 3),))
    column = padded_box(w)
    shifted = (padded_box(x) - term.source.zero * wiring.true_rows(what)) % R
    tensors = {("block", "x"): x, ("vk", "w"): w}
    expected = 3 * extension(dims, lambda o: _term(term, tensors, o), t) % R
    assert inner_product(shifted, what.table(column)) == expected
    rho = point(rng, what.variables)
    assert evaluate(what.table(column), rho) == inner_product(
        functionals.spread(what.functional(rho), len(column)), column
    )
    assert wiring.true_box(what, rho) == evaluate(wiring.true_rows(what), rho)


@pytest.mark.parametrize("name", [case.__name__ for case in programs.CASES])
def test_relations__succinct_values_are_those_of_the_rows(name):
    """What the verifier evaluates from short vectors is the extension of what the prover spreads."""
    program = getattr(programs, name)().program
    rho = point(np.random.default_rng(5), program.nu)
    values = logup.public_values(program, rho)
    for public, table in logup.public_vectors(program).items():
        assert values[public] == evaluate(table, rho), public


@pytest.mark.parametrize("name", [case.__name__ for case in programs.CASES])
def test_relations__every_relation_holds_at_every_point_for_an_honest_witness(name):
    """With random gammas in place of lambda's powers, all terms together sum to claim_0 over the rows."""
    case = getattr(programs, name)()
    witness, statement = programs.execute(case)
    key = programs.proving_key(case)
    program = case.program
    rng = np.random.default_rng(9)
    words = {item.name: words_of(item, np.ravel(case.inputs[item.name])) for item in program.inputs}
    outputs = stated_outputs(program, statement.outputs)
    wired = wiring.wire(program, point(rng, program.nu), point(rng, len(program.relations)), words, outputs)
    columns = {**{n: vector(c) for n, c in witness.items()}, **key.columns}
    total = sum(
        inner_product(functionals.spread(part, program.rows), columns[n]) for n, part in wired.linear.items()
    )
    for factor, what in wired.products:
        offset = program.block(what.source.name).offset
        x = columns[program.column_of(what.source)][offset : offset + (1 << what.variables)]
        x = (x - what.source.zero * wiring.true_rows(what)) % R
        total += factor * inner_product(x, what.table(key.columns[f"K{what.weight.column}"]))
    assert total % R == wired.claim


def test_relations__a_weight_beyond_the_true_outputs_adds_nothing():
    """Rows of a weight column after the true ones are the owner's choice and never enter a relation."""
    rng = np.random.default_rng(3)
    term = programs.gemm("x", "block", 5, "w")
    lies = VkTensor("w", 0, 0, (3, 5))
    what = relations.Product(term.source, (5,), term, lies, (relations.weighting((3,), point(rng, 2)),))
    clean = padded_box(rng.integers(0, 99, (3, 5)).astype(object))
    dirty = clean.copy()
    dirty[24:] = 77
    dirty[5:8] = 78
    rho = point(rng, 3)
    assert list(what.table(clean)) == list(what.table(dirty))
    spread = functionals.spread(what.functional(rho), 32)
    assert inner_product(spread, clean) == inner_product(spread, dirty)


def test_relations__a_broadcast_axis_is_summed_within_its_true_length():
    """A bias along an axis of length 3 counts three positions, not four."""
    rng = np.random.default_rng(4)
    term = Linear(Source("vk", "b", 0), 2, (Axis(0, 0, 2),))
    relation = Relation("requant", "y", "", (term,))
    b = rng.integers(0, 99, (2,)).astype(object)
    program = programs.base(vk_tensors=(VkTensor("b", 0, 0, (2,)),))
    t = point(rng, 3)
    functional = relations.linear_functional(program, relation.terms[0], (relations.weighting((2, 3), t),))
    expected = extension((2, 3), lambda o: 2 * int(b[o[0]]), t)
    assert inner_product(functionals.spread(functional, 2), vector(b)) == expected
