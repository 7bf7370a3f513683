"""The program as words: what is written, what cannot be, and that no words make the reader fall over."""

import ctypes
import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest
from octet_programs import CASES, convolutions, maxima, one_gemm, tables

from circuits.octet import program_limits
from circuits.octet.compile.coverage import check
from circuits.octet.native.build import SOURCES
from circuits.octet.native.encoded_program import FORMAT, encode_program
from circuits.octet.native.words import points_to_words, to_words
from circuits.octet.program import BOUND_BITS, program_from_json
from circuits.octet.program_limits import check_limits
from circuits.octet.spec import curve, pairing
from circuits.octet.terms import Axis, Linear, Source, WeightAxis
from circuits.srs_file import MAX_LOGROWS
from zkml.core.field import R
from zkml.errors import CompileError

OK, BAD_SHAPE = 0, 3
BOUND = 1 << BOUND_BITS
EDGES = [-1, 0, 1, 2, 4, 8, 9, 31, 33, 255, 257, 1 << 16, 1 << 26, 1 << 30, 1 << 31, -(1 << 31), 1 << 62]
EDGES += [-(1 << 63), (1 << 63) - 1]


@pytest.fixture
def library(built_verifier):
    """The verifier's library, which decodes."""
    return built_verifier


def decoded(library, words, columns):
    """The status of a key made of these words; a proof of the right length is verified with it, too."""
    words = np.array(words, dtype=np.int64)
    points = points_to_words([curve.GENERATOR] * columns)
    tau = to_words(number for pair in pairing.G2_GENERATOR for number in pair)
    status = ctypes.c_int()
    handle = library.octet_verifier_new(
        words.ctypes.data,
        len(words),
        points.ctypes.data,
        columns,
        bytes(32),
        tau.ctypes.data,
        ctypes.byref(status),
    )
    if handle:
        count = library.octet_verifier_words(handle)
        verdict, steps = ctypes.c_int(), ctypes.c_size_t()
        library.octet_verify(
            handle,
            bytes(32),
            32,
            b"",
            0,
            b"",
            0,
            bytes(32 * count),
            count,
            ctypes.byref(verdict),
            None,
            0,
            ctypes.byref(steps),
        )
        assert verdict.value
        library.octet_verifier_free(handle)
    return status.value


def test_words__of_one_gemm__are_those_of_the_documented_form():
    """Written out by hand from the docstring's table."""
    program = one_gemm().program
    words = encode_program(program).tolist()
    given, output, block = program.inputs[0], program.outputs[0], program.blocks[0]
    assert words[:2] == [FORMAT, len(words)]
    assert words[2:7] == [program.nu, program.shift, program.saturation, program.slots, program.vk_columns]
    counts = (program.inputs, program.outputs, program.blocks, program.vk_tensors, (), program.relations)
    assert words[7:13] == [len(part) for part in counts]
    expected = [given.low, given.high, given.width, len(given.dims), *given.dims]
    expected += [{"int32": 0, "byte": 1, "argmax": 2}[output.kind], len(output.dims), *output.dims]
    expected += [block.offset, -1, len(block.dims), *block.dims]
    assert words[13 : 13 + len(expected)] == expected


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_words__of_every_case__are_read_whole(library, make):
    """What the encoder writes the reader takes; one word less or more it does not."""
    program = make().program
    words = encode_program(program).tolist()
    assert decoded(library, words, program.vk_columns) == OK
    for other in (words[:-1], [*words, 0], []):
        assert decoded(library, other, program.vk_columns) == BAD_SHAPE
    for other in (words[2:-1], [*words[2:], 0]):
        counted = [words[0], 2 + len(other), *other]
        assert decoded(library, counted, program.vk_columns) == BAD_SHAPE


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_words__out_of_every_range__are_refused(library, make):
    """The least int64 fits no field."""
    program = make().program
    words = encode_program(program).tolist()
    places = [place for place, word in enumerate(words) if word >= 0][:: max(1, len(words) // 60)]
    for place in places:
        assert decoded(library, [*words[:place], -(1 << 63), *words[place + 1 :]], program.vk_columns) == 3


@pytest.mark.parametrize("make", [one_gemm, maxima, tables], ids=lambda make: make.__name__)
def test_words__of_a_stranger__never_bring_the_reader_down(library, make):
    """Random changes: each is refused, or is another program that every proof of zeros fails."""
    dice = random.Random(7)
    program = make().program
    words = encode_program(program).tolist()
    for _ in range(150):
        other = [*words]
        for _ in range(dice.choice((1, 1, 2, 4))):
            place = dice.randrange(len(other))
            near = other[place] + dice.choice((-1, 1))
            other[place] = dice.choice((*EDGES, near, near))
        assert decoded(library, other, program.vk_columns) in {OK, BAD_SHAPE}


def test_encoding__of_what_means_nothing__is_refused():
    """Two tensors of one name, a name of nothing, a kind of nothing, a number beyond a word."""
    program = tables().program
    held, first, *rest = program.relations
    term = replace(first.terms[0], source=Source("block", "nowhere"))
    for other in (
        replace(program, blocks=(*program.blocks, program.blocks[0])),
        replace(program, relations=(held, replace(first, terms=(term,)), *rest)),
        replace(program, relations=(held, replace(first, kind="unheard"), *rest)),
        replace(program, relations=(held, replace(first, constant=1 << 63), *rest)),
    ):
        with pytest.raises(CompileError, match="expected"):
            encode_program(other)


def in_relation(program, index, **changes):
    """The program with one relation changed."""
    changed = replace(program.relations[index], **changes)
    return replace(program, relations=(*program.relations[:index], changed, *program.relations[index + 1 :]))


def in_term(program, relation, **changes):
    """The program with the first term of a relation changed."""
    first, *others = program.relations[relation].terms
    return in_relation(program, relation, terms=(replace(first, **changes), *others))


def in_part(program, part, index, **changes):
    """The program with one of its blocks, tensors, tables .. changed."""
    items = [*getattr(program, part)]
    items[index] = replace(items[index], **changes)
    return replace(program, **{part: tuple(items)})


def axes(term, position, **changes):
    """A term's axes with one changed."""
    return tuple(replace(axis, **changes) if at == position else axis for at, axis in enumerate(term.axes))


def misfits():
    """Programs whose numbers are each in range and do not fit each other."""
    gemm, conv, best, table = one_gemm().program, convolutions().program, maxima().program, tables().program
    product, walked = gemm.relations[1].terms[0], conv.relations[1].terms[0]
    index = len(best.relations) - 1
    yield "a block off its alignment", in_part(gemm, "blocks", 0, offset=4)
    yield "a block beyond the rows", in_part(gemm, "blocks", 0, dims=(2, 256))
    yield "a constant off its alignment", in_part(gemm, "vk_tensors", 0, offset=32)
    yield "a constant in no column", in_part(gemm, "vk_tensors", 0, column=1)
    yield "an input of more than the rows", in_part(gemm, "inputs", 0, dims=(6, 64))
    yield "an output of more than the rows", in_part(gemm, "outputs", 0, dims=(3, 128))
    yield (
        "a table of other than 256 values",
        in_part(table, "vk_tensors", _place(table.vk_tensors, table.tables[0].values), dims=(128,)),
    )
    bias = gemm.relations[1].terms[1]
    endless = replace(bias, axes=axes(bias, 0, taps=1 << 25))
    yield "an axis of endless steps", in_relation(gemm, 1, terms=(product, endless))
    yield "an axis beyond its output", in_term(conv, 1, axes=axes(walked, 1, count=5))
    yield "an axis from beyond its output", in_term(conv, 1, axes=axes(walked, 1, first=1))
    yield "an output axis that is not there", in_term(conv, 1, axes=axes(walked, 1, out=4))
    yield "one axis too few", in_term(conv, 1, axes=walked.axes[1:])
    yield "more taps than the kernel", in_term(conv, 1, axes=axes(walked, 1, taps=4))
    yield "fewer taps than the kernel", in_term(conv, 1, axes=axes(walked, 1, taps=2))
    yield (
        "two kernel axes",
        in_term(conv, 1, weight_axes=(*walked.weight_axes[:2], *[WeightAxis(kernel=True)] * 2)),
    )
    yield (
        "an axis of a weight that is not tied",
        in_term(gemm, 1, weight_axes=(WeightAxis(), WeightAxis(source=0))),
    )
    yield (
        "a source axis tied twice",
        in_term(
            conv,
            4,
            weight_axes=(
                WeightAxis(out=0),
                *[WeightAxis(source=0)] * 2,
                WeightAxis(source=2),
                WeightAxis(source=3),
            ),
        ),
    )
    yield "a weight longer than its source", in_term(gemm, 1, weight="v")
    yield "a weight longer than its output", in_part(gemm, "vk_tensors", 2, dims=(5, 5))
    yield "one weight axis too many", in_term(gemm, 1, weight_axes=(*product.weight_axes, WeightAxis(out=0)))
    yield "a product with a constant", in_term(gemm, 1, source=Source("vk", "b"))
    yield "table values without tables", in_term(gemm, 2, source=Source("lut", "y"))
    yield "a slot that is not there", in_relation(best, 2, slot=3)
    yield "a slot where there are none", in_relation(gemm, 1, slot=1)
    yield "a relation without its block", in_relation(gemm, 1, block="")
    yield "a public relation with a block", in_relation(gemm, 2, block="y")
    yield "a requantization with an input", in_relation(gemm, 1, input="x")
    yield "a held input without a block", in_relation(gemm, 0, block="")
    yield "a held input without its input", in_relation(gemm, 0, input="")
    yield "a held input of another shape than its block", in_relation(gemm, 0, block="y")
    yield "a held input with a constant", in_relation(gemm, 0, constant=1)
    yield "a held input with a term", in_relation(gemm, 0, terms=(product,))
    yield "an input of elements of three bytes", in_part(gemm, "inputs", 0, width=3)
    yield "a requantization with an output", in_relation(gemm, 1, output="scores")
    yield "a public index", in_part(gemm, "outputs", 0, kind="argmax")
    yield "an index of another shape than its block", in_part(best, "outputs", 0, dims=(4,))
    yield "an arg-max that shows integers", in_part(best, "outputs", 0, kind="int32")
    yield "an arg-max without an output", in_relation(best, index, output="")
    yield "a shift between bytes", replace(gemm, shift=20)
    yield "rows for no table of bytes", replace(gemm, nu=7)


def _place(items, name):
    return next(place for place, item in enumerate(items) if item.name == name)


@pytest.mark.parametrize("program", [pytest.param(p, id=name) for name, p in misfits()])
def test_program__whose_parts_do_not_fit__is_refused(library, program):
    """Each number alone is one that some program has: what is wrong is how two of them meet."""
    words = encode_program(program).tolist()
    assert decoded(library, words, program.vk_columns) == BAD_SHAPE


NUMBERS = (0, 1, 2, 5, 255, 256, 1 << 26, BOUND - 1, BOUND, 1 << 63, R, -1, 1 - BOUND, -BOUND)
OWN_RANGE = {"nu", "shift", "saturation", "low", "high", "width", "identity", "scale", "constant", "zero"}
OWN_RANGE |= {"first", "count", "stride", "taps", "dilation", "base"}
"""Numbers that mean something by themselves, whatever else the program determines or leaves free."""


def leaves(value, path=()):
    """Yield the place of every integer of plain JSON."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from leaves(inner, (*path, key))
    if isinstance(value, int) and not isinstance(value, bool):
        yield path


def changed(text, path, number):
    """The program with one integer changed, as whoever opens its settings reads it."""
    data = json.loads(text)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = number
    return program_from_json(json.dumps(data, sort_keys=True, separators=(",", ":")))


def accepted(program):
    """Whether the limits and the coverage check take a program."""
    try:
        check_limits(program)
        check(program)
    except CompileError:
        return False
    return True


def read(library, program):
    """Whether the C++ reader takes a program."""
    try:
        words = encode_program(program).tolist()
    except CompileError:
        return False
    return decoded(library, words, program.vk_columns) == OK


@pytest.mark.parametrize("make", [one_gemm, convolutions, maxima, tables], ids=lambda make: make.__name__)
def test_program__with_any_integer_changed__is_taken_by_both_or_by_neither(library, make):
    """What limits and coverage accept the C++ reader accepts; a number out of its range both refuse."""
    text = make().program.to_json()
    places = {}
    for path in leaves(json.loads(text)):
        places.setdefault(tuple(key for key in path if isinstance(key, str)), []).append(path)
    both = 0
    for (*_, named), paths in places.items():
        for path in paths[:: max(1, len(paths) // 2)] if named not in {"version", "vk_columns"} else ():
            for number in NUMBERS:
                program = changed(text, path, number)
                taken, decodes = accepted(program), read(library, program)
                both += taken and decodes
                assert decodes or not taken, (path, number)
                assert taken or not decodes or named not in OWN_RANGE, (path, number)
    assert both > 10


def test_program__with_integers_at_their_bounds__is_one_of_integers(library):
    """A scale, a constant and an identity stay below 2^62: beyond it a statement speaks of a field, not of integers."""
    gemm, table = one_gemm().program, tables().program
    for number, holds in ((BOUND - 1, True), (BOUND, False), (R, False), (-BOUND, False), (1 - BOUND, True)):
        linear = Linear(Source("block", "x"), number, (Axis(None, 0, 1),) * len(gemm.inputs[0].dims))
        several = in_relation(gemm, 2, terms=(*gemm.relations[2].terms, linear))
        assert accepted(several) == read(library, several) == holds
        constant = in_relation(gemm, 2, constant=number)
        assert accepted(constant) == read(library, constant) == holds
        identity = in_part(table, "tables", 1, identity=number)
        assert accepted(identity) == read(library, identity) == (holds and number > 0)


def test_reader__has_the_limits_of_a_program():
    """Every bound has one value in both languages."""
    text = (SOURCES / "program.h").read_text() + (SOURCES / "shape.h").read_text()
    found = {name: int(number) for name, number in re.findall(r"\b([A-Z_]+) = (\d+)[,;]", text)}
    names = ("COLUMNS", "TENSORS", "TABLES", "RELATIONS", "TERMS", "RANK")
    expected = {f"MAX_{name}": getattr(program_limits, f"MAX_{name}") for name in names}
    expected |= {"MAX_VARIABLES": MAX_LOGROWS, "BOUND_BITS": BOUND_BITS}
    assert expected.items() <= found.items()
    assert f"MOST_STEPS = (int64_t)1 << {program_limits.MAX_WALKED.bit_length() - 1};" in text
