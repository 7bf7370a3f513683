"""Every limit on a program's size refuses by itself, before anything is computed from the number."""

from dataclasses import replace

import pytest
from octet_bundles import small_bundle
from octet_programs import base

from circuits.octet.compile.coverage import check
from circuits.octet.opened_key import open_settings
from circuits.octet.program_limits import (
    MAX_COLUMNS,
    MAX_NAME,
    MAX_PUBLIC,
    MAX_RELATIONS,
    MAX_STEP,
    MAX_TABLES,
    MAX_TENSORS,
    MAX_TERMS,
    MAX_WALKED,
    check_limits,
)
from circuits.octet.proof_length import proof_bytes
from circuits.octet.tensors import Block, Input, Output, Table, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.errors import CompileError


@pytest.fixture(scope="module")
def program():
    return open_settings(small_bundle()).program


def renamed(program, name):
    """Return the program with another name of its input."""
    return replace(program, inputs=(replace(program.inputs[0], name=name),))


def with_axis(program, **fields):
    """Return the program with another first axis of its first term."""
    held, first, *others = program.relations
    axis = replace(first.terms[0].axes[0], **fields)
    term = replace(first.terms[0], axes=(axis, *first.terms[0].axes[1:]))
    return replace(program, relations=(held, replace(first, terms=(term, *first.terms[1:])), *others))


BEYOND = {
    "log2 of the rows": lambda it: replace(it, nu=27),
    "saturation limbs": lambda it: replace(it, saturation=9),
    "columns of the verifying key": lambda it: replace(it, vk_columns=MAX_COLUMNS + 1),
    "tensors": lambda it: replace(it, blocks=it.blocks * (MAX_TENSORS + 1)),
    "tables": lambda it: replace(it, tables=(Table("t", 1, "w"),) * (MAX_TABLES + 1)),
    "log2 of the rows up to 26, found a number beyond": lambda it: replace(it, nu=10**400),
    "relations": lambda it: replace(it, relations=it.relations * MAX_RELATIONS),
    "terms": lambda it: replace(
        it, relations=(replace(it.relations[1], terms=it.relations[1].terms * (MAX_TERMS + 1)),)
    ),
    "axes of a tensor": lambda it: replace(it, blocks=(replace(it.blocks[0], dims=(1,) * 13),)),
    "elements of an axis": lambda it: replace(it, blocks=(replace(it.blocks[0], dims=(MAX_STEP + 1,)),)),
    "elements of public tensors": lambda it: replace(
        it, inputs=(replace(it.inputs[0], dims=(MAX_PUBLIC + 1,)),)
    ),
    "elements of an axis up to": lambda it: replace(it, blocks=(replace(it.blocks[0], dims=(-(10**400),)),)),
    "a step of an axis": lambda it: with_axis(it, base=-MAX_STEP - 1),
    "positions walked": lambda it: with_axis(it, taps=1 << 12, count=1 << 12),
    "printable names": lambda it: renamed(it, "x" * (MAX_NAME + 1)),
    "printable names of at most": lambda it: renamed(it, "x\n"),
}


@pytest.mark.parametrize("what", BEYOND)
def test_limits__a_program_beyond_one_of_them_is_refused_by_its_name(what, program):
    """The message says which number is too large; the honest program passes."""
    check_limits(program)
    with pytest.raises(CompileError, match=f"expected {what} ") as caught:
        check_limits(BEYOND[what](program))
    assert caught.value.message.isprintable()


def test_limits__public_tensors_are_bounded_together():
    """Each of two tensors is within the bound, and both together are not."""
    given, public = Input("x", (MAX_PUBLIC // 2,)), Output("y", "int32", (MAX_PUBLIC // 2,))
    check_limits(base(inputs=(given,), outputs=(public,)))
    for program in (
        base(inputs=(given,), outputs=(public, Output("z", "byte", (1,)))),
        base(inputs=(given, Input("z", (1,))), outputs=(public,)),
    ):
        with pytest.raises(CompileError, match="elements of public tensors"):
            check_limits(program)


ONE = Axis(None, 0, 1)
LONG, HALF = Block("b", 0, (MAX_WALKED,)), Block("b", 0, (MAX_WALKED // 2,))


def read(kind, name, axis=ONE):
    return Linear(Source(kind, name), 1, (axis,))


def public(*terms):
    return (Relation("public", "", "o", terms),)


def contraction(source, weight, axis=ONE):
    return Contract(Source(source, "b"), (axis,), weight, (WeightAxis(kernel=True),))


WALKED = {
    "a target's axes": base(blocks=(LONG,), relations=(Relation("requant", "b", "", ()),)),
    "an output's axes": base(outputs=(Output("o", "int32", (MAX_WALKED // 4,)),), relations=public() * 4),
    "a source's axes": base(blocks=(HALF,), relations=public(read("block", "b"), read("lut", "b"))),
    "a source's axes behind a constant of its name": base(
        blocks=(HALF,),
        vk_tensors=(VkTensor("b", 0, 0, (1,)),),
        relations=public(*[read("block", "b")] * 2),
    ),
    "an input's block behind an input of its name": base(
        inputs=(Input("b", (1,)),),
        blocks=(HALF,),
        relations=(Relation("input", "b", "", (), input="b"),) * 2,
    ),
    "padding": base(
        blocks=(Block("b", 0, (MAX_WALKED // 4 + 1,)),), relations=public(*[read("block", "b")] * 2)
    ),
    "taps": base(
        blocks=(Block("b", 0, (1,)),), relations=public(read("block", "b", Axis(None, 0, 1, taps=MAX_WALKED)))
    ),
    "taps of a product": base(
        blocks=(Block("b", 0, (1,)),),
        vk_tensors=(VkTensor("w", 0, 0, (1,)),),
        relations=public(contraction("block", "w", Axis(0, 0, 1 << 10, taps=MAX_WALKED >> 10))),
    ),
    "a weight's axes": base(
        blocks=(Block("b", 0, (1,)),),
        vk_tensors=(VkTensor("w", 0, 0, (MAX_WALKED,)),),
        relations=public(contraction("block", "w")),
    ),
    "elements of inputs that are held": base(
        inputs=(Input("b", (1 << 10, MAX_WALKED >> 12)),),
        relations=(Relation("input", "c", "", (), input="b"),) * 4,
    ),
    "both points of an arg-max": base(
        blocks=(HALF,), relations=(Relation("argmax", "b", "o", ()),), outputs=(Output("o", "argmax", (1,)),)
    ),
}


@pytest.mark.parametrize("what", WALKED)
def test_limits__whatever_a_verifier_walks_is_counted(what):
    """Each way to make a verifier walk far is refused by itself."""
    with pytest.raises(CompileError, match="expected positions walked"):
        check_limits(WALKED[what])


class Counted(tuple):
    """A tuple that counts how often it is walked."""

    __slots__ = ()
    walks = 0

    def __iter__(self):
        Counted.walks += 1
        return super().__iter__()


def test_opening__finds_a_tensor_without_walking_all_of_them():
    """How often the tensors are walked does not depend on the number of terms that read them."""
    found = []
    for terms in (1, 50):
        read = Linear(Source("vk", "w"), 1, (Axis(None, 0, 1),))
        weighed = Contract(Source("block", "x"), (Axis(None, 0, 1, taps=4),), "v", (WeightAxis(source=0),))
        program = base(
            inputs=Counted((Input("x", (4,)),)),
            outputs=Counted((Output("o", "int32", (1,)),)),
            blocks=Counted((Block("x", 0, (4,)),)),
            vk_tensors=Counted((VkTensor("w", 0, 0, (1,)), VkTensor("v", 0, 4, (4,)))),
            relations=(
                Relation("input", "x", "", (), input="x"),
                Relation("public", "", "o", (read, weighed) * terms),
            ),
        )
        Counted.walks = 0
        check_limits(program)
        check(program)
        proof_bytes(program)
        found.append(Counted.walks)
    assert found[0] == found[1]
