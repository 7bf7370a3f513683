"""The words of message EV are listed from the program alone: the same list as its wiring makes, without that work."""

import tracemalloc

import pytest
from octet_programs import CASES, base
from random_graphs import RandomGraph

from circuits.octet.compile.lower import lower
from circuits.octet.input_words import word_layout
from circuits.octet.native.verifier import NativeVerifier
from circuits.octet.proof_length import proof_bytes
from circuits.octet.spec import wiring
from circuits.octet.spec.curve import INFINITY
from circuits.octet.spec.pairing import G2_GENERATOR
from circuits.octet.spec.proof_words import part_lengths
from circuits.octet.spec.statement import VerifyingKey
from circuits.octet.tensors import Block, Input, Output, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis


def programs():
    yield from ((make.__name__, make().program) for make in CASES)
    for seed in range(24):
        yield f"random {seed}", lower(RandomGraph(seed).build()).program

    yield "a block and a constant of one name", namesakes()


def namesakes():
    """A linear term reads the block; nothing reads the constant."""
    read = Linear(Source("block", "b"), 1, (Axis(None, 0, 1),))
    return base(
        outputs=(Output("o", "int32", (1,)),),
        blocks=(Block("b", 0, (1,)),),
        vk_tensors=(VkTensor("b", 0, 0, (1,)),),
        relations=(Relation("requant", "b", "", ()), Relation("public", "", "o", (read,))),
    )


PROGRAMS = dict(programs())


def wired(program):
    """The columns that have linear functionals, and the products, at some point."""
    words = {item.name: [0] * word_layout(item).count for item in program.inputs}
    outputs = {item.name: [0] * item.count for item in program.outputs}
    return wiring.wire(program, [3] * program.nu, [5] * len(program.relations), words, outputs)


@pytest.mark.parametrize("name", PROGRAMS)
def test_slots__are_those_that_the_wiring_asks_for(name):
    """Columns at rho, then per product its rows where no product before read them, and its weight."""
    program = PROGRAMS[name]
    made = wired(program)
    tables = {f"K{program.vk_tensor(table.values).column}" for table in program.tables}
    sent = program.first_columns + program.second_columns
    expected = [(column, None) for column in program.columns if column in {*sent, *made.linear, *tables}]
    rows = set()
    for index, (_, product) in enumerate(made.products):
        block = program.block(product.source.name)
        read = (program.column_of(product.source), block.offset, product.variables)
        if read not in rows:
            expected.append((read[0], ("source", index)))
        rows.add(read)
        expected.append((f"K{product.weight.column}", ("weight", index)))
    found = wiring.slots(program)
    assert [(slot.column, slot.factor and (slot.factor, slot.product)) for slot in found] == expected
    assert len({slot.name for slot in found}) == len(found)
    opened = {column for column, factor in expected if factor}
    assert wiring.elsewhere_columns(program) == [name for name in program.columns if name in opened]


@pytest.mark.parametrize("name", PROGRAMS)
def test_slots__are_as_many_for_the_verifier_in_c(name):
    """Both count the words of a proof from the program, each on its own."""
    program = PROGRAMS[name]
    key = VerifyingKey(program, (INFINITY,) * program.vk_columns, bytes(32))
    assert NativeVerifier(key, G2_GENERATOR).words == sum(part_lengths(program))


def long_kernel(rows, taps):
    """One product with a kernel of many taps on a long axis, and a public output as long."""
    kernel = Contract(Source("block", "b"), (Axis(0, 0, 1, 1, taps),), "w", (WeightAxis(kernel=True),))
    return base(
        nu=20,
        inputs=(Input("x", (1,)),),
        outputs=(Output("o", "int32", (rows,)),),
        blocks=(Block("b", 0, (rows,)), Block("c", rows, (1,))),
        vk_tensors=(VkTensor("w", 0, 0, (taps,)),),
        relations=(
            Relation("requant", "b", "", ()),
            Relation("requant", "c", "", (kernel,)),
            Relation("public", "", "o", ()),
        ),
    )


def test_proof_length__of_long_axes__is_counted_without_walking_them():
    """The length of proofs of a small file of settings takes no memory that grows with the numbers in it."""
    program = long_kernel(1 << 14, 64)
    tracemalloc.start()
    try:
        length = proof_bytes(program)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == 32 * sum(part_lengths(long_kernel(1, 1)))
    assert peak < 1 << 18


def test_product__at_a_point__takes_as_many_steps_as_its_taps_read():
    """A tap that reads one index of a long axis holds one number of it."""
    program = long_kernel(1 << 14, 64)
    (_, product) = wired(program).products[0]
    tracemalloc.start()
    try:
        product.functional([7] * product.variables)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 22  # the axis itself is 2^14 numbers of some 60 bytes, a table or two of them
