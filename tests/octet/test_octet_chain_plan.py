"""The plan that a chain runs says what the specification says: on every program of the tests, at random points."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import octet_programs as programs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plan_machine import PlanMemory
from random_graphs import RandomGraph
from test_octet_net_a import net_a
from test_octet_relations import convolutions

from circuits.octet.chain import frame as places
from circuits.octet.chain.instructions import Section, Slot
from circuits.octet.chain.interpreter import run
from circuits.octet.chain.plan import make_plan
from circuits.octet.compile.lower import lower
from circuits.octet.spec import logup, verifier, wiring
from circuits.octet.spec.functionals import at
from circuits.octet.spec.multilinear import eq
from circuits.octet.spec.statement import Statement, input_words, named_outputs, named_words, output_range
from circuits.octet.tensors import Block, Input, Output, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.core.field import R


def elements(rng, count):
    return [int.from_bytes(rng.bytes(32), "big") % R for _ in range(count)]


def spec_values(program, statement, points):
    """Return what the specification computes where the plan's three segments do, and the tables' queries."""
    tau, rho, sigma, gammas, ev, mu, finals = points
    outputs, words = named_outputs(program, statement), named_words(program, statement)
    wired = wiring.wire(program, tau, gammas, words, outputs)
    found = wiring.claims(program, wired, rho)
    values = {claim.name: word for claim, word in zip(found, ev, strict=True)}
    first = sum(at(part, rho) * values[name] for name, part in wired.linear.items())
    first += verifier.product_values(program, wired, values, rho)
    of_column = verifier.functionals_at(found, sigma, mu)
    elsewhere = wiring.elsewhere_columns(program)
    second = sum(of_column[name] * word for name, word in zip(elsewhere, finals[1:], strict=True))
    public = logup.public_values(program, rho)
    queries = [public[f"{kind}:{table.name}"] for table in program.tables for kind in ("q", "sel")]
    return [wired.claim, first % R, second % R, queries, eq(tau, rho), eq(rho, sigma)]


def fill(memory, start, values):
    for index, value in enumerate(values):
        memory[start + index] = value % R


@dataclass(frozen=True)
class Shown:
    """What a statement shows the plan.

    Attributes:
        outputs: signed integers.
        words: of the inputs.
    """

    outputs: tuple[int, ...]
    words: tuple[int, ...]


def random_points(program, seed):
    rng = np.random.default_rng(seed)
    tau, rho, sigma = (elements(rng, program.nu) for _ in range(3))
    gammas = elements(rng, len(program.relations))
    ev = elements(rng, len(wiring.slots(program)))
    (mu,) = elements(rng, 1)
    finals = elements(rng, 1 + len(wiring.elsewhere_columns(program)))
    return tau, rho, sigma, gammas, ev, mu, finals


def plan_values(plan, statement, points, memory, runner):
    """Return what a runner of plans computes, in the order of `spec_values`."""
    tau, rho, sigma, gammas, ev, mu, finals = points
    frame = plan.frame
    fill(memory, places.TAU, tau)
    fill(memory, frame.relations, gammas)
    fill(memory, frame.out, statement.outputs)
    fill(memory, frame.words, statement.words)
    values = [runner(0)]
    fill(memory, places.RHO, rho)
    fill(memory, frame.ev, ev)
    values.append(runner(1))
    fill(memory, places.SIGMA, sigma)
    fill(memory, frame.mu, [pow(mu, power, R) for power in range(len(ev))])
    fill(memory, frame.finals, finals)
    values.append(runner(2))
    queries = [memory[frame.queries + index] for index in range(frame.query_words)]
    return [*values, queries, memory[places.EQ_TAU_RHO + len(tau)], memory[places.EQ_RHO_SIGMA + len(tau)]]


def constants(plan):
    """Return the memory that holds a plan's constants and nothing else."""
    return {Slot(Section.CONSTANT, index): word for index, word in enumerate(plan.constants)}


@pytest.fixture(scope="module", params=[*programs.CASES, net_a], ids=lambda make: make.__name__)
def case(request):
    """A program, its statement, its plan, and what the specification computes at random points."""
    made = request.param()
    _, statement = programs.execute(made)
    points = random_points(made.program, 7)
    shown = Shown(statement.outputs, input_words(made.program, statement))
    return make_plan(made.program), shown, points, spec_values(made.program, statement, points)


def test_chain_plan__three_segments_are_what_the_specification_computes(case):
    """claim_0, the relations' part of the first sum and the claims elsewhere, on every program of the tests."""
    plan, shown, points, expected = case
    memory = dict(
        zip([Slot(Section.CONSTANT, i) for i in range(len(plan.constants))], plan.constants, strict=True)
    )
    found = plan_values(plan, shown, points, memory, lambda number: run(plan.segments[number], memory))
    assert found == expected


def test_chain_plan__the_contract_computes_what_the_specification_computes(case):
    """The machine of the contract, on the encoded plan, in memory full of what nobody wrote."""
    plan, shown, points, expected = case
    memory = PlanMemory(plan)
    assert plan_values(plan, shown, points, memory, lambda number: memory.run(number)[0]) == expected


def program_of(term, source, target, weight=None):
    """Return a program of one relation with one term."""
    blocks = (Block("x", 0, source), Block("y", 1 << 10, target))
    relation = Relation("requant", "y", "", (term,), 5)
    tensors = (VkTensor("w", 0, 1 << 9, weight),) if weight else ()
    return programs.base(nu=11, blocks=blocks, vk_tensors=tensors, vk_columns=1, relations=(relation,))


def any_statement(program, seed):
    """Return bytes and outputs that a program's statement may show, whether they are true or not."""
    rng = np.random.default_rng(seed)
    ranges = [output_range(output) for output in program.outputs for _ in range(output.count)]
    outputs = tuple(int(rng.choice([low, high, rng.integers(low, high + 1)])) for low, high in ranges)
    return Statement(rng.bytes(sum(prod(given.dims) for given in program.inputs)), outputs, bytes(32))


def same_as_specified(program, seed):
    """Insist that a program's plan, read by its definition, is what the specification computes."""
    plan, statement = make_plan(program), any_statement(program, seed)
    points = random_points(program, seed)
    memory = constants(plan)
    shown = Shown(statement.outputs, input_words(program, statement))
    found = plan_values(plan, shown, points, memory, lambda number: run(plan.segments[number], memory))
    assert found == spec_values(program, statement, points)


SEEDS = st.integers(0, 1 << 30)


@settings(max_examples=120, deadline=None)
@given(convolutions())
def test_chain_plan__windows_of_any_kind_are_those_of_the_specification(drawn):
    """Random strides, paddings and dilations of plain, grouped and depthwise products."""
    term, dims, source, weight, seed = drawn
    same_as_specified(program_of(term, source, dims, weight), seed)


@st.composite
def walks(draw):
    """An axis of a linear term over an output axis of its own or over none, and both lengths."""
    length, taps = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    stride, dilation, base = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(-5, 8))
    if draw(st.booleans()):
        return Axis(None, 0, 1, 1, taps, dilation, base), length, 0
    first, count = draw(st.integers(0, 4)), draw(st.integers(1, 9))
    out = first + count + draw(st.integers(0, 2))
    return Axis(0, first, count, stride, taps, dilation, base), length, out


@settings(max_examples=200, deadline=None)
@given(st.lists(walks(), min_size=1, max_size=2), st.integers(1, 3), SEEDS)
@example([(Axis(0, 0, 3, 2, 2), 5, 3)], 1, 1)  # a pool whose last window reaches beyond the end
@example([(Axis(0, 0, 2, 2, 2, 3), 9, 2)], 1, 1)  # as many taps as steps, but not side by side
def test_chain_plan__linear_terms_of_any_axes_are_those_of_the_specification(drawn, spare, seed):
    """Copies, slices, pools and sums that begin anywhere, with a zero point and a broadcast axis."""
    target, axes = [], []
    for axis, _, out in drawn:
        axes.append(axis if axis.out is None else replace(axis, out=len(target)))
        target += [out] if out else []
    term = Linear(Source("block", "x", 9), 3, tuple(axes))
    source = tuple(length for _, length, _ in drawn)
    same_as_specified(program_of(term, source, (*target, spare)), seed)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=3), SEEDS)
def test_chain_plan__pieces_of_a_cut_weight_are_those_of_the_specification(slices, seed):
    """A kernel over runs of the source's indices, at multiples of their size and elsewhere."""
    axes = tuple(Axis(1 + i, 0, 1, 1, taps, 1, base) for i, (taps, base) in enumerate(slices))
    source = tuple(taps + base for taps, base in slices)
    term = Contract(Source("block", "x"), axes, "w", (WeightAxis(out=0), WeightAxis(kernel=True)))
    weight = (3, prod(taps for taps, _ in slices))
    same_as_specified(program_of(term, source, (3, *[1] * len(slices)), weight), seed)


@pytest.mark.parametrize("batch", [1, 3])
def test_chain_plan__compiled_networks_of_every_operator_are_those_of_the_specification(batch):
    """Forty random networks over every node, term, view and kind of output; also three inferences at once."""
    for seed in range(40):
        same_as_specified(lower(RandomGraph(seed).build(), batch=batch).program, seed)


@pytest.mark.parametrize("dims", [(1,), (19,), (3, 19), (35,), (2, 3, 5), (257,), (3, 24), (5, 1, 8)])
def test_chain_plan__public_values_of_any_shape_are_those_of_the_specification(dims):
    """Axes that join, rows of eight, long axes with a rest, and the same numbers as the words of an input."""
    shown = Relation("public", "", "o", ())
    same_as_specified(programs.base(nu=11, outputs=(Output("o", "int32", dims),), relations=(shown,)), 3)
    given_input = Input("x", (*dims, 16))
    held = programs.base(
        nu=14,
        inputs=(given_input,),
        blocks=(Block("x", 0, given_input.dims),),
        relations=(programs.held("x"),),
    )
    same_as_specified(held, 4)


@pytest.mark.parametrize("index", range(15))
def test_chain_plan__an_index_over_several_axes_is_compared_from_the_slowest(index):
    """Every claimed index of an arg-max over 3 x 5 scores, whose padding no index names."""
    dims = (3, 5)
    scores = Linear(Source("block", "x", 2), 3, (Axis(0, 0, 3), Axis(1, 0, 5)))
    program = programs.base(
        nu=8,
        outputs=(Output("best", "argmax", dims),),
        blocks=(Block("x", 0, dims), Block("lead", 32, dims)),
        relations=(Relation("argmax", "lead", "best", (scores,), 7),),
    )
    statement = Statement(b"", (index,), bytes(32))
    points = random_points(program, index)
    plan = make_plan(program)
    memory = constants(plan)
    found = plan_values(plan, Shown((index,), ()), points, memory, lambda n: run(plan.segments[n], memory))
    assert found == spec_values(program, statement, points)
