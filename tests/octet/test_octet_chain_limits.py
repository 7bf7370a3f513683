"""Whoever audits a stranger's circuit makes its plan: one beyond any key is refused before it is whole."""

import pytest
from octet_programs import base

from circuits.octet.chain import builder as building
from circuits.octet.chain.plan import make_plan
from circuits.octet.compile.coverage import check
from circuits.octet.program_limits import check_limits
from circuits.octet.tensors import Block, Input, Output
from circuits.octet.terms import Axis, Linear, Relation, Source
from zkml.errors import UnsuitableCircuitError


def of_taps(count):
    """Return a program that may be opened, whose one term walks as many taps, each with a range of its own."""
    axis = Axis(0, 1, 1, taps=count, base=1)
    return base(
        inputs=(Input("x", (4,), 0, 127),),
        blocks=(Block("b", 0, (4,)),),
        outputs=(Output("y", "int32", (2,)),),
        relations=(
            Relation("input", "b", "", (), input="x"),
            Relation("public", "", "y", (Linear(Source("block", "b"), 1, (axis,)),)),
        ),
    )


@pytest.mark.parametrize(
    ("taps", "what"), [(1 << 17, "a frame of at most 65536 words"), (1 << 13, "instructions, found more")]
)
def test_plan__longer_than_any_key__refused_while_it_is_made(taps, what, monkeypatch):
    """A settings file of a kilobyte would otherwise cost minutes and gigabytes; opening it is allowed."""
    program = of_taps(taps)
    check_limits(program)
    check(program)
    made = []
    kept = building.Instruction
    monkeypatch.setattr(building, "Instruction", lambda *fields: made.append(1) or kept(*fields))
    with pytest.raises(UnsuitableCircuitError, match=what):
        make_plan(program)
    assert len(made) < 2 * building.MAX_INSTRUCTIONS


def test_plan__of_few_taps__made():
    """The same program with a window of ordinary length has a plan."""
    assert len(make_plan(of_taps(5)).segments) == 3
