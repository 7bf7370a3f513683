"""The coverage check refuses every program that leaves a row that is read undetermined, or determined twice."""

from dataclasses import replace
from itertools import pairwise

import pytest
from random_graphs import RandomGraph

from circuits.octet.compile.coverage import check
from circuits.octet.compile.graph import ByteTensor, Graph, Output
from circuits.octet.compile.lower import lower
from circuits.octet.compile.views import Expand, View
from circuits.octet.program import program_from_json
from circuits.octet.tensors import Input, VkTensor
from circuits.octet.terms import Contract, Linear, Relation, Source
from zkml.errors import CompileError

SEEDS = (*range(80), 108, 167)


@pytest.fixture(scope="module")
def programs():
    """Compiled random networks over every operator."""
    return [lower(RandomGraph(seed).build()).program for seed in SEEDS]


def swapped(items, position, item):
    """A tuple with one entry replaced; None removes it."""
    middle = () if item is None else (item,)
    return (*items[:position], *middle, *items[position + 1 :])


def with_relation(program, number, relation):
    return replace(program, relations=swapped(program.relations, number, relation))


def refused(program):
    try:
        check(program)
    except CompileError:
        return True
    return False


def assert_each_refused(mutants, least):
    """Every mutant is refused, and there are enough of them to mean something."""
    count = 0
    for label, program in mutants:
        assert refused(program), label
        count += 1
    assert count >= least


def terms_of(programs):
    for program in programs:
        for number, relation in enumerate(program.relations):
            for place, term in enumerate(relation.terms):
                yield program, number, relation, place, term


def with_term(program, number, relation, place, term):
    return with_relation(program, number, replace(relation, terms=swapped(relation.terms, place, term)))


def test_coverage__compiled_programs_pass(programs):
    """The check refuses nothing that the compiler makes."""
    for program in programs:
        check(program)


def test_coverage__a_lost_relation_is_refused(programs):
    """Whichever relation is left out, some block or output is nobody's."""
    mutants = (
        (relation, with_relation(program, number, None))
        for program in programs
        for number, relation in enumerate(program.relations)
    )
    assert_each_refused(mutants, 200)


def test_coverage__a_block_or_output_of_two_relations_is_refused(programs):
    """A second relation on the same rows, the same again or another, is one too many."""

    def mutants():
        for program in programs:
            for relation in program.relations:
                yield relation, replace(program, relations=(*program.relations, relation))
            for block in program.blocks:
                extra = Relation("requant", block.name, "", ())
                yield block, replace(program, relations=(*program.relations, extra))

    assert_each_refused(mutants(), 200)


def test_coverage__reading_before_it_is_determined_is_refused(programs):
    """Relations against their order would let two blocks determine each other (3.0, item 10)."""

    def mutants():
        for program in programs:
            for number, relation in enumerate(program.relations):
                reads = {term.source.name for term in relation.terms if term.source.kind in {"block", "lut"}}
                if reads:
                    order = swapped(program.relations, number, None)
                    yield relation, replace(program, relations=(relation, *order))
                for place, term in enumerate(relation.terms):
                    if relation.block and term.source.kind == "block":
                        dims = program.block(relation.block).dims
                        if len(dims) == len(term.axes):
                            own = replace(
                                term, source=replace(term.source, kind="block", name=relation.block)
                            )
                            yield "itself", with_term(program, number, relation, place, own)

    assert_each_refused(mutants(), 80)


def test_coverage__a_moved_block_is_refused_unless_its_new_rows_are_free_and_aligned(programs):
    """Off by one, outside the columns, or on another's rows."""

    def mutants():
        for program in programs:
            for place, block in enumerate(program.blocks):
                others = [other for other in program.blocks if other.name != block.name]
                offsets = {-block.size, program.rows, *(other.offset for other in others)}
                if block.size > 1:
                    offsets |= {block.offset + 1, block.offset + block.size - 1}
                for offset in offsets:
                    moved = swapped(program.blocks, place, replace(block, offset=offset))
                    yield block, replace(program, blocks=moved)

    assert_each_refused(mutants(), 300)


def test_coverage__moved_constants_are_refused_unless_their_new_rows_are_free_and_aligned(programs):
    """The same for weights, biases and tables, column by column."""

    def mutants():
        for program in programs:
            for place, tensor in enumerate(program.vk_tensors):
                same = [t for t in program.vk_tensors if t.column == tensor.column and t.name != tensor.name]
                offsets = {-tensor.size, program.rows, *(other.offset for other in same)}
                if tensor.size > 1:
                    offsets.add(tensor.offset + 1)
                changes = [replace(tensor, offset=offset) for offset in offsets]
                changes += [replace(tensor, column=column) for column in (-1, program.vk_columns)]
                for changed in changes:
                    yield tensor, replace(program, vk_tensors=swapped(program.vk_tensors, place, changed))

    assert_each_refused(mutants(), 300)


def test_coverage__lost_or_shared_tables_are_refused(programs):
    """A table without an identity or values of its own, or that is not asked, or asked and not there (3.0, item 1)."""

    def mutants():
        for program in programs:
            for place, table in enumerate(program.tables):
                for changed in (None, replace(table, identity=0), replace(table, values="nothing")):
                    yield table, replace(program, tables=swapped(program.tables, place, changed))
                twin = replace(table, name="twin")
                yield table, replace(program, tables=(*program.tables, twin))
                values = program.vk_tensor(table.values)
                position = program.vk_tensors.index(values)
                short = swapped(program.vk_tensors, position, replace(values, dims=(255,)))
                yield table, replace(program, vk_tensors=short)
                blocks = tuple(replace(b, lut="") if b.lut == table.name else b for b in program.blocks)
                yield table, replace(program, blocks=blocks)

    assert_each_refused(mutants(), 80)


def test_coverage__a_table_behind_bytes_that_were_not_requantized_is_refused(programs):
    """Only a clamped quotient is a byte on every row of its block, padding included."""

    def mutants():
        for program in programs:
            kinds = {relation.block: relation.kind for relation in program.relations}
            for place, block in enumerate(program.blocks):
                if program.tables and kinds[block.name] != "requant":
                    asking = replace(block, lut=program.tables[0].name)
                    yield block, replace(program, blocks=swapped(program.blocks, place, asking))

    assert_each_refused(mutants(), 5)


def test_coverage__wrong_slots_of_a_maximum_are_refused(programs):
    """Each difference has its own column, each column of a block one relation, and each is Y minus one byte."""

    def mutants():
        for program in programs:
            for number, relation in enumerate(program.relations):
                if relation.kind != "max":
                    continue
                for slot in range(-1, program.slots + 1):
                    if slot != relation.slot:
                        yield relation, with_relation(program, number, replace(relation, slot=slot))
                (term,) = relation.terms
                spoiled = [
                    replace(relation, constant=1),
                    replace(relation, terms=()),
                    replace(relation, terms=(term, term)),
                    replace(relation, terms=(replace(term, scale=2),)),
                    replace(relation, terms=(replace(term, source=replace(term.source, zero=1)),)),
                ]
                for changed in spoiled:
                    yield relation, with_relation(program, number, changed)
            if program.slots:
                yield "slots", replace(program, slots=program.slots - 1)
            yield "slots", replace(program, slots=program.slots + 1)

    assert_each_refused(mutants(), 300)


def test_coverage__lost_axes_and_selectors_are_refused(programs):
    """An axis map that is incomplete, leaves the output, names an output axis twice, or stands still."""

    def mutants():
        for program, number, relation, place, term in terms_of(programs):
            target = program.target_dims(relation)

            def changed(new, number=number, relation=relation, place=place, program=program):
                return with_term(program, number, relation, place, new)

            named = {axis.source for axis in getattr(term, "weight_axes", ())}
            for position, axis in enumerate(term.axes):
                yield "lost axis", changed(replace(term, axes=swapped(term.axes, position, None)))
                wrong = [replace(axis, stride=0), replace(axis, taps=0), replace(axis, first=-1)]
                wrong += [replace(axis, out=len(target)), replace(axis, out=-1), replace(axis, dilation=0)]
                if axis.out is not None:
                    wrong.append(replace(axis, count=target[axis.out] + 1))
                    wrong += [replace(axis, out=o.out) for o in term.axes if o.out not in {None, axis.out}]
                else:
                    wrong += [replace(axis, count=2), replace(axis, first=1)]
                if position in named:
                    wrong.append(replace(axis, base=1))
                for new in wrong:
                    yield new, changed(replace(term, axes=swapped(term.axes, position, new)))
            if isinstance(term, Linear):
                yield "scale", changed(replace(term, scale=0))

    assert_each_refused(mutants(), 1000)


def test_coverage__lost_weight_axes_are_refused(programs):
    """A weight whose index is not fully tied, or tied twice, or of another length."""

    def mutants():
        for program, number, relation, place, term in terms_of(programs):
            if not isinstance(term, Contract):
                continue
            weight = program.vk_tensor(term.weight)
            position = program.vk_tensors.index(weight)
            yield "name", with_term(program, number, relation, place, replace(term, weight="nothing"))
            for index, axis in enumerate(term.weight_axes):
                wrong = [None, replace(axis, out=None, source=None, kernel=False), replace(axis, source=99)]
                wrong += [replace(axis, out=99), replace(axis, out=0, source=None, kernel=True)]
                wrong += [other for other in term.weight_axes if other != axis]
                for new in wrong:
                    axes = swapped(term.weight_axes, index, new)
                    yield new, with_term(program, number, relation, place, replace(term, weight_axes=axes))
                dims = swapped(weight.dims, index, weight.dims[index] + 1)
                longer = replace(weight, dims=dims)
                yield "length", replace(program, vk_tensors=swapped(program.vk_tensors, position, longer))

    assert_each_refused(mutants(), 300)


def test_coverage__sources_that_are_not_there_are_refused(programs):
    """An unknown tensor, a table's values where none is asked, a zero point that is no byte."""

    def mutants():
        for program, number, relation, place, term in terms_of(programs):
            source = term.source
            wrong = [replace(source, name="nothing"), replace(source, zero=256), replace(source, zero=-1)]
            if source.kind == "block" and not program.block(source.name).lut:
                wrong.append(replace(source, kind="lut"))
            if source.kind == "vk":
                wrong.append(replace(source, zero=1))
            for new in wrong:
                yield new, with_term(program, number, relation, place, replace(term, source=new))

    assert_each_refused(mutants(), 500)


def test_coverage__wrong_targets_and_numbers_are_refused(programs):
    """Relations of the wrong kind for their target, and parameters that the protocol does not have."""

    def mutants():
        for program in programs:
            for number, relation in enumerate(program.relations):
                for kind in {"requant", "max", "argmax", "public", "input", "other"} - {relation.kind}:
                    yield kind, with_relation(program, number, replace(relation, kind=kind))
                yield "block", with_relation(program, number, replace(relation, block="nothing"))
                yield "output", with_relation(program, number, replace(relation, output="nothing"))
                yield "constant", with_relation(program, number, replace(relation, constant=1 << 62))
            yield "version", replace(program, version=1)
            yield "nu", replace(program, nu=7)
            yield (
                "rows",
                replace(program, nu=8, blocks=tuple(replace(b, dims=(512,)) for b in program.blocks)),
            )
            yield "shift", replace(program, shift=8)
            yield "saturation", replace(program, saturation=0)
            yield "saturation", replace(program, saturation=6)
            yield "outputs", replace(program, outputs=())
            yield "outputs", replace(program, outputs=program.outputs * 2)
            yield "inputs", replace(program, inputs=())
            yield "inputs", replace(program, inputs=tuple(replace(i, high=256) for i in program.inputs))

    programs = [program for program in programs if program.blocks]
    assert_each_refused(mutants(), 500)


def test_coverage__inputs_that_are_not_held_whole_by_one_block_are_refused(programs):
    """Held twice, by a block of other dimensions, with terms that nothing reads, or in lanes that are no bytes."""

    def mutants():
        for program in programs:
            for place, given in enumerate(program.inputs):
                for width in (0, 3, 16):
                    wider = swapped(program.inputs, place, replace(given, width=width))
                    yield width, replace(program, inputs=wider)
                longer = replace(given, dims=(*given.dims[:-1], given.dims[-1] + 1))
                yield longer, replace(program, inputs=swapped(program.inputs, place, longer))
                twin = replace(given, name="twin")
                yield twin, replace(program, inputs=(*program.inputs, twin))
            for number, relation in enumerate(program.relations):
                if relation.kind != "input":
                    yield (
                        relation,
                        with_relation(program, number, replace(relation, input=program.inputs[0].name)),
                    )
                    continue
                constant = (
                    Linear(Source("vk", program.vk_tensors[0].name), 1, ()) if program.vk_tensors else None
                )
                spoiled = [
                    replace(relation, constant=1),
                    replace(relation, input="nothing"),
                    replace(relation, input=""),
                    replace(relation, output="nothing"),
                    *([replace(relation, terms=(constant,))] if constant else []),
                ]
                for changed in spoiled:
                    yield relation, with_relation(program, number, changed)
                again = replace(relation, block=program.relations[-1].block or "more")
                yield again, replace(program, relations=(*program.relations, again))

    assert_each_refused(mutants(), 500)


def test_coverage__an_input_that_another_kind_of_relation_names_is_not_held():
    """Only its words bind an input: a public relation with its name on it binds nothing."""
    image = ByteTensor("x", (2,), 1.0, 0)
    plain = lower(Graph(16, (image,), (), (Output("y", "bytes", View("x", (2,)), (2,), 1.0, 0),))).program
    held, public = plain.relations
    check(plain)
    unheld = replace(public, terms=(), constant=7)
    assert not refused(replace(plain, relations=(held, unheld)))
    assert refused(replace(plain, relations=(replace(unheld, input="x"),), blocks=()))


def renamed(program, old, new):
    """The program with one name replaced wherever it stands."""
    return program_from_json(program.to_json().replace(f'"{old}"', f'"{new}"'))


def test_coverage__names_that_do_not_tell_things_apart_are_refused(programs):
    """Two blocks, inputs, constants or tables of one name, or a table whose name means none."""

    def mutants():
        for program in programs:
            for items in (
                program.blocks,
                program.inputs,
                program.vk_tensors,
                program.tables,
                program.outputs,
            ):
                for first, second in pairwise(items):
                    yield second, renamed(program, second.name, first.name)
            for table in program.tables:
                yield table, renamed(program, table.name, "")
            for item in program.inputs:
                yield item, renamed(program, item.name, "")
                yield item, replace(program, inputs=(*program.inputs, item))

    assert_each_refused(mutants(), 100)


def test_coverage__two_tables_with_one_identity_or_one_set_of_values_are_refused(programs):
    """Then a value of one function could stand for the other's (3.0, item 1)."""

    def mutants():
        for program in programs:
            for place in range(1, len(program.tables)):
                first, table = program.tables[0], program.tables[place]
                for changed in (
                    replace(table, identity=first.identity),
                    replace(table, values=first.values),
                ):
                    yield table, replace(program, tables=swapped(program.tables, place, changed))

    assert_each_refused(mutants(), 2)


def test_coverage__tensors_without_cells_or_beyond_the_rows_are_refused(programs):
    """Axes of length 0, tensors without axes, inputs larger than a product can sum over, columns below none."""

    def mutants():
        for program in programs:
            for place, item in enumerate(program.inputs):
                for dims in ((), (0, *item.dims[1:])):
                    yield (
                        item,
                        replace(program, inputs=swapped(program.inputs, place, replace(item, dims=dims))),
                    )
            yield "input", replace(program, inputs=(*program.inputs, Input("large", (program.rows + 1,))))
            silent = tuple(relation for relation in program.relations if not relation.output)
            kept = tuple(block for block in program.blocks if any(r.block == block.name for r in silent))
            yield "nothing", replace(program, outputs=(), relations=silent, blocks=kept)

    assert_each_refused(mutants(), 200)
    image = ByteTensor("x", (2,), 1.0, 0)
    plain = lower(Graph(16, (image,), (), (Output("y", "bytes", View("x", (2,)), (2,), 1.0, 0),))).program
    check(plain)
    assert refused(replace(plain, vk_columns=-1))


def test_coverage__outputs_of_another_kind_than_their_relation_are_refused(programs):
    """An index published as a value or the reverse, an index of other dimensions, a slot where there is none."""

    def mutants():
        for program in programs:
            for place, output in enumerate(program.outputs):
                kind = "int32" if output.kind == "argmax" else "argmax"
                changed = [replace(output, kind=kind)]
                if kind == "int32":
                    changed.append(replace(output, dims=(*output.dims[:-1], output.dims[-1] + 1)))
                for new in changed:
                    yield new, replace(program, outputs=swapped(program.outputs, place, new))
            for number, relation in enumerate(program.relations):
                if relation.kind == "public":
                    yield relation, with_relation(program, number, replace(relation, slot=1))

    assert_each_refused(mutants(), 80)


def test_coverage__a_product_of_two_constants_is_refused(programs):
    """A product term has an activation as its factor: no column of the key is opened as one."""

    def mutants():
        for program, number, relation, place, term in terms_of(programs):
            if isinstance(term, Contract):
                dims = program.tensor(term.source).dims
                extra = VkTensor("factor", program.vk_columns, 0, dims)
                wider = replace(
                    program, vk_columns=program.vk_columns + 1, vk_tensors=(*program.vk_tensors, extra)
                )
                source = replace(term.source, kind="vk", name="factor", zero=0)
                yield term, with_term(wider, number, relation, place, replace(term, source=source))

    assert_each_refused(mutants(), 50)


def test_coverage__an_output_larger_than_the_columns_is_refused():
    """A relation is tested at one coordinate per row bit: a larger output would be tested in part."""
    image = ByteTensor("x", (1, 200), 1.0, 0)
    twice = View("x", (1, 200), (Expand((2, 200)),))
    program = lower(Graph(16, (image,), (), (Output("y", "bytes", twice, (2, 200), 1.0, 0),))).program
    assert program.nu == 9
    check(program)
    assert refused(replace(program, nu=8))
