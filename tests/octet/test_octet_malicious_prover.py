"""False statements and swapped parts, refused by every verifier (octet.md 4.5). What each single check is for is
shown in test_octet_removed_checks."""

from dataclasses import replace

import forgeries
import numpy as np
import pytest
from forgeries import add, inner_row, raised_maximum
from octet_attacks import Bench, adjust_helpers, image_case, lying, without_relation
from octet_programs import convolutions, execute, maxima, pools_and_views, tables, two_layers
from proof_systems import Specification
from removable_checks import without

from circuits.octet.spec import curve, logup
from zkml.core.field import R


@pytest.fixture
def dense():
    return forgeries.dense()


@pytest.fixture
def maximum():
    return forgeries.maximum()


@pytest.fixture
def index():
    return forgeries.index()


@pytest.mark.parametrize("kind", ["dense", "table", "maximum", "index"])
def test_honest__every_network_of_these_attacks__is_accepted(kind):
    """What is refused below is refused for the lie, not for the network."""
    bench = getattr(forgeries, kind)()
    assert bench.accepts(bench.prove())


@pytest.mark.parametrize("case", [two_layers, convolutions, pools_and_views, tables, maxima, image_case])
def test_activation__one_more_with_everything_after_it_recomputed__is_refused(monkeypatch, case):
    """Each operator: a consistent lie about the first activation that can move."""
    bench = Bench(case())
    assert bench.accepts(bench.prove())
    rows = [row for row, value in enumerate(bench.witness["Y"]) if 0 < value < 255]
    witness, claim = lying(monkeypatch, bench, rows[0], add(Y=1)(rows[0]))
    assert any(witness[name][row] != bench.witness[name][row] for name in ("Y",) for row in rows)
    assert not bench.accepts(bench.prove(witness, claim), claim)


def test_limb__minus_one_in_the_field__is_refused(monkeypatch, dense):
    """4.5: limb = p - 1, compensated by the next one."""
    row = inner_row(dense)
    witness, claim = lying(monkeypatch, dense, row, lambda c: (add(R1=-1)(row)(c), add(R0=256)(row)(c)))
    assert not dense.accepts(dense.prove(witness, claim), claim)


@pytest.mark.parametrize("change", [1, -1, R - 3])
def test_multiplicity__other_than_the_count__is_refused(dense, change):
    """4.5: forged M, also negative."""
    counts = dense.witness["M"].copy()
    counts[3] = (counts[3] + change) % R
    assert not dense.accepts(dense.prove({**dense.witness, "M": counts}))


def test_padding_row__with_an_activation__is_refused(dense):
    """3.6: the right side is 0 there, which forces Y = P = N = R = 0, also when N makes up for Y."""
    values, under = dense.witness["Y"].copy(), dense.witness["N0"].copy()
    values[6] = under[6] = 9
    counts = logup.multiplicities(dense.program, {**dense.witness, "Y": values, "N0": under})
    assert not dense.accepts(dense.prove({**dense.witness, "Y": values, "N0": under, **counts}))


def test_maximum__with_one_slot_bound_by_no_relation__is_the_provers_choice(maximum):
    """Coverage: a difference column that the compiler forgot is the zero that the product asks for."""
    witness, claim = raised_maximum(maximum, range(3))
    assert not maximum.accepts(maximum.prove(witness, claim), claim)
    forgotten = without_relation(maximum, 5)
    words = maximum.prove(witness, claim, key=forgotten)
    assert Specification().accepts(forgotten, claim, words)


@pytest.mark.parametrize("relation", [0, 1, 2])
def test_relation__left_out_of_the_program__frees_what_it_bound(monkeypatch, dense, relation):
    """R1 of 4.1: without its relation an input's row, an activation, or an output is whatever the prover says."""
    row = inner_row(dense)
    witness, claim = lying(monkeypatch, dense, row, add(Y=1)(row))
    if relation == 0:
        witness, claim = on_other_bytes(dense, lambda rows: rows[::-1])
    if relation == 2:
        witness, claim = dense.witness, dense.false_statement()
    assert not dense.accepts(dense.prove(witness, claim), claim)
    forgotten = without_relation(dense, relation)
    assert Specification().accepts(forgotten, claim, dense.prove(witness, claim, key=forgotten))


def on_other_bytes(bench, change):
    """The witness of a network that runs on changed rows of its input, and the claim that it was the true input."""
    (given,) = bench.program.inputs
    rows = change(np.array(bench.case.inputs[given.name], dtype=object))
    return execute(replace(bench.case, inputs={given.name: rows}), bench.case.inputs)


def swapped(rows):
    rows[..., 0], rows[..., 1] = rows[..., 1].copy(), rows[..., 0].copy()
    return rows


def moved_word(rows):
    return rows[:, ::-1]


def one_less(rows):
    rows[..., -1] -= 1
    return rows


@pytest.mark.parametrize("change", [swapped, moved_word, one_less])
def test_input__whose_rows_hold_other_bytes__is_refused(change):
    """A byte, two lanes of one word, and two words of one input changed places."""
    bench = Bench(image_case())
    witness, claim = on_other_bytes(bench, change)
    assert claim.inputs == bench.statement.inputs
    assert any(witness["Y"] != bench.witness["Y"])
    assert not bench.accepts(bench.prove(witness, claim), claim)


@pytest.mark.parametrize("row", [5, 7, 40, 63, 64 + 7])
def test_input__with_a_byte_on_its_padding__is_refused(row):
    """Lanes behind the end of a line, and whole words behind the last line, are zero like any padding."""
    bench = Bench(image_case())
    values = bench.witness["Y"].copy()
    at = bench.program.block("x").offset + row
    assert values[at] == 0
    values[at] = 1
    counts = logup.multiplicities(bench.program, {**bench.witness, "Y": values})
    assert not bench.accepts(bench.prove({**bench.witness, "Y": values, **counts}))


def test_input__with_a_carry_between_two_lanes__is_refused_because_limbs_are_bytes(monkeypatch, dense):
    """256 more in one lane and one less in the next is the same word: the range of limbs alone says which."""

    def carried(rows):
        rows[2] += 256
        rows[1] -= 1
        return rows

    witness, claim = on_other_bytes(dense, carried)
    at = dense.program.block("x").offset + 2

    def change(columns, helpers, alpha, beta):
        helpers["H0"][at] = (helpers["H0"][at] - pow(alpha + int(columns["Y"][at]), -1, R)) % R

    adjust_helpers(monkeypatch, change)
    with without("limb_group_0"):
        words = dense.prove(witness, claim)
    assert not dense.accepts(words, claim)
    assert dense.accepts(words, claim, without="limb_group_0")


@pytest.mark.parametrize("other", [0, 1, 2])
def test_index__other_than_the_greatest__is_refused(index, other):
    """The differences of another index are negative somewhere, and no byte limbs say a negative number."""
    claim = replace(index.statement, outputs=(other,))
    assert index.accepts(index.prove(claim=claim), claim) == (other == index.statement.outputs[0])


@pytest.mark.parametrize("outside", [3, 4, -1, R])
def test_index__outside_the_classes__is_refused_before_anything_is_read(index, outside):
    """3.0 item 5: padding's score 0 would beat the three negative ones."""
    words = index.prove()
    assert not index.accepts(words, replace(index.statement, outputs=(outside,)))


def test_output__one_more__is_refused(dense):
    """4.5: output + 1, with the proof of the true one and with a proof made for it."""
    claim = dense.false_statement()
    assert not dense.accepts(dense.prove(), claim)
    assert not dense.accepts(dense.prove(claim=claim), claim)


def test_output__plus_r__is_refused(dense):
    """An output is one integer; modulo r it has many."""
    first, *others = dense.statement.outputs
    assert not dense.accepts(dense.prove(), replace(dense.statement, outputs=(first + R, *others)))


def test_proof__of_another_length__is_refused(dense):
    """4.5: extra and short calldata, and none."""
    words = dense.prove()
    for other in ((*words, 0), (0, *words), words[:-1], words[1:], words[:-2], ()):
        assert not dense.accepts(other)


def test_key__of_another_model__is_refused(dense):
    """4.5: other model's vk: its digest is in the seed, its commitments in the opening."""
    words = dense.prove()
    key = dense.key.verifying
    assert not dense.accepts(words, key=replace(dense.key, verifying=replace(key, digest=b"\x01" * 32)))
    point = key.commitments[0]
    negated = replace(key, commitments=((point[0], curve.Q - point[1]),))
    assert not dense.accepts(words, key=replace(dense.key, verifying=negated))


def test_inputs__swapped_after_proving__are_refused(dense):
    """4.5: input swapped after proving, one byte at a time."""
    words = dense.prove()
    for position in range(len(dense.statement.inputs)):
        changed = bytearray(dense.statement.inputs)
        changed[position] ^= 1
        assert not dense.accepts(words, replace(dense.statement, inputs=bytes(changed)))


def test_commitments__swapped__are_refused(dense):
    """4.5: swapped column commitments, of each neighbouring pair that differs."""
    words = dense.prove()
    count = len(dense.program.first_columns + dense.program.second_columns)
    for first in range(count - 1):
        a, b = words[2 * first : 2 * first + 2], words[2 * first + 2 : 2 * first + 4]
        if a != b:
            swapped = (*words[: 2 * first], *b, *a, *words[2 * first + 4 :])
            assert not dense.accepts(swapped)
