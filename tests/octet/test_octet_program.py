"""A program has one written form, and a digest of it."""

import json
from dataclasses import replace

import octet_programs as programs
import pytest

from circuits.octet.compile.coverage import check
from circuits.octet.program import program_from_json
from zkml.errors import FormatError


@pytest.mark.parametrize("case", programs.CASES)
def test_program__a_program_is_read_as_it_was_written(case):
    """Reading what was written gives an equal program with an equal digest."""
    program = case().program
    again = program_from_json(program.to_json())
    assert again == program
    assert again.digest() == program.digest()


def test_program__every_part_of_a_program_is_in_its_digest():
    """A change of one offset, stride, zero point or constant changes the digest."""
    program = programs.two_layers().program
    relation = program.relations[2]
    term = relation.terms[0]
    changed = [
        replace(program, nu=9),
        replace(program, blocks=(program.blocks[0], replace(program.blocks[1], offset=16))),
        *(
            replace(program, relations=(*program.relations[:2], other, program.relations[3]))
            for other in (
                replace(relation, constant=1),
                replace(relation, terms=(replace(term, source=replace(term.source, zero=127)),)),
                replace(relation, terms=(replace(term, axes=(replace(term.axes[0], stride=2),)),)),
            )
        ),
    ]
    digests = {other.digest() for other in changed} | {program.digest()}
    assert len(digests) == len(changed) + 1


def test_program__another_form_is_refused():
    """Blanks, an unknown field, a missing one and another version are refused."""
    text = programs.one_gemm().program.to_json()
    data = json.loads(text)
    for other in (
        json.dumps(data, sort_keys=True),
        text[:-1],
        _compact({**data, "more": 1}),
        _compact({k: v for k, v in data.items() if k != "nu"}),
        _compact({**data, "version": 1}),
        "[]",
        "7",
    ):
        with pytest.raises(FormatError, match=r"OCTET program|canonical JSON"):
            program_from_json(other)


def _compact(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("case", programs.CASES)
def test_program__the_programs_of_these_tests_pass_the_coverage_check(case):
    """What the protocol is tested on is what a key may be made of."""
    check(case().program)
