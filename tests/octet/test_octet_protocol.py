"""The specification's prover and verifier on programs that together use every operator of version 1."""

from dataclasses import replace
from functools import cache

import octet_programs as programs
import pytest
from trapdoor import trapdoor_key

from circuits.octet.spec import logup, proof_words
from circuits.octet.spec.field import vector
from circuits.octet.spec.prover import prove
from circuits.octet.spec.statement import seed
from circuits.octet.spec.transcript import Transcript
from circuits.octet.spec.verifier import verify
from zkml.core.field import R
from zkml.errors import ProofRejectedError

CASES = {case.__name__: case for case in programs.CASES}


@cache
def made(name):
    case = CASES[name]()
    key = programs.proving_key(case)
    witness, statement = programs.execute(case)
    return key, witness, statement, prove(key, statement, witness)


def accepts(key, statement, words):
    try:
        verify(key.verifying, statement, words, trapdoor_key(key.srs))
    except ProofRejectedError:
        return False
    return True


def proves(name, change):
    """Tell whether a changed witness is accepted, its multiplicities counted anew."""
    key, witness, statement, _ = made(name)
    columns = {column: values.copy() for column, values in witness.items()}
    outputs = change(key.verifying.program, columns) or statement.outputs
    columns |= logup.multiplicities(key.verifying.program, columns)
    cheated = replace(statement, outputs=tuple(outputs))
    return accepts(key, cheated, prove(key, cheated, columns))


@pytest.mark.parametrize("name", CASES)
def test_protocol__an_honest_proof_is_accepted(name):
    """Every program's honest proof passes, with pairings as with the trapdoor."""
    key, _, statement, words = made(name)
    assert accepts(key, statement, words)
    verify(key.verifying, statement, words, key.srs.opening_key)


@pytest.mark.parametrize("name", CASES)
def test_protocol__a_proof_has_one_length(name):
    """A word more or a word less is refused."""
    key, _, statement, words = made(name)
    assert len(words) == sum(proof_words.part_lengths(key.verifying.program))
    assert not accepts(key, statement, words[:-1])
    assert not accepts(key, statement, [*words, 0])


@pytest.mark.parametrize("name", CASES)
def test_protocol__a_proof_is_of_one_statement(name):
    """Another input byte, output, context or model digest is refused."""
    key, _, statement, words = made(name)
    for index in range(len(statement.inputs)):
        other = bytearray(statement.inputs)
        other[index] = other[index] - 1 if other[index] > 100 else other[index] + 1
        assert not accepts(key, replace(statement, inputs=bytes(other)), words), index
    for index, value in enumerate(statement.outputs):
        outputs = list(statement.outputs)
        outputs[index] = value - 1 if value > 0 else value + 1
        assert not accepts(key, replace(statement, outputs=tuple(outputs)), words), index
    assert not accepts(key, replace(statement, context=b"\6" * 32), words)
    other_key = replace(key, verifying=replace(key.verifying, digest=b"\5" * 32))
    assert not accepts(other_key, statement, words)


@pytest.mark.parametrize("name", CASES)
def test_protocol__prover_and_verifier_keep_one_transcript(name):
    """Both absorb the same words with the same labels, and every word of the proof once, in order."""
    key, witness, statement, _ = made(name)
    ours, theirs = seed(key.verifying, statement), seed(key.verifying, statement)
    words = prove(key, statement, witness, ours)
    verify(key.verifying, statement, words, trapdoor_key(key.srs), theirs)
    assert ours.events == theirs.events
    assert [word for event in ours.events for word in event.words] == list(words)


@pytest.mark.parametrize("name", CASES)
def test_protocol__the_witness_without_a_change_is_accepted(name):
    """The frame of the attacks below refuses nothing by itself."""
    assert proves(name, lambda program, columns: None)


@pytest.mark.parametrize("name", CASES)
def test_protocol__a_wrong_activation_is_refused(name):
    """One byte of the first block off by one is refused."""

    def change(program, columns):
        row = program.blocks[0].offset
        columns["Y"][row] += 1 if columns["Y"][row] < 255 else -1

    assert not proves(name, change)


@pytest.mark.parametrize("name", CASES)
def test_protocol__a_limb_out_of_range_is_refused(name):
    """256 in one limb and a borrow in the next is the same number, and refused by the table of bytes."""

    def change(program, columns):
        row = next(r for r in range(program.rows) if columns["R1"][r] > 0)
        columns["R1"][row] -= 1
        columns["R0"][row] += 256

    assert not proves(name, change)


@pytest.mark.parametrize("name", CASES)
def test_protocol__a_remainder_may_not_borrow_from_the_quotient(name):
    """A quotient one too small with 2^S more in the top limb of the remainder is refused."""

    def change(program, columns):
        row = next(r for r in range(program.rows) if 0 < columns["Y"][r] < 255)
        columns["Y"][row] -= 1
        columns[f"R{program.shift // 8 - 1}"][row] += 256

    assert not proves(name, change)


def _proves_rewritten(monkeypatch, name, function, rewrite):
    """Tell whether a witness is accepted whose gadget lies and whose later layers follow from the lie."""
    case = CASES[name]()
    honest = getattr(programs, function)
    monkeypatch.setattr(programs, function, lambda *given: rewrite(honest, *given))
    witness, statement = programs.execute(case)
    key = made(name)[0]
    return accepts(key, statement, prove(key, statement, witness))


LAYERED = ("one_gemm", "two_layers", "convolutions")


@pytest.mark.parametrize("name", LAYERED)
def test_protocol__an_activation_may_not_hide_in_the_overflow(monkeypatch, name):
    """A byte moved from Y to P, with all later layers computed from Y = 0, is refused: P (255 - Y) = 0."""

    def rewrite(honest, program, relation, columns, row, total):
        value = honest(program, relation, columns, row, total)
        if 0 < value < 255:
            columns["Y"][row], columns["P0"][row] = 0, value
            return 0
        return value

    assert not _proves_rewritten(monkeypatch, name, "_limbs", rewrite)


@pytest.mark.parametrize("name", LAYERED)
def test_protocol__an_activation_may_not_lean_on_the_underflow(monkeypatch, name):
    """Y one too large with N one too large, and all later layers to match, is refused: N Y = 0."""

    def rewrite(honest, program, relation, columns, row, total):
        value = honest(program, relation, columns, row, total)
        if 0 < value < 255:
            columns["Y"][row], columns["N0"][row] = value + 1, 1
            return value + 1
        return value

    assert not _proves_rewritten(monkeypatch, name, "_limbs", rewrite)


@pytest.mark.parametrize("name", ["one_gemm", "two_layers", "convolutions", "pools_and_views"])
def test_protocol__a_padding_row_holds_nothing(name):
    """A byte on a padding row of a block that is read is refused, though limbs balance."""

    def change(program, columns):
        block = program.blocks[0]
        row = block.offset + block.size - 1
        columns["Y"][row] = columns["N0"][row] = 1

    assert not proves(name, change)


def test_protocol__rows_of_no_block_are_free():
    """Bytes on rows that no relation reads are accepted, as the page says: a proof is no nonce."""

    def change(program, columns):
        columns["R0"][program.rows - 1] = 77

    assert proves("one_gemm", change)


def test_protocol__a_byte_output_is_the_committed_byte():
    """Public bytes changed together with nothing else are refused."""
    outputs = list(made("pools_and_views")[2].outputs)
    outputs[0] += 1 if outputs[0] < 255 else -1
    assert not proves("pools_and_views", lambda program, columns: outputs)


def _scores_with(program, columns, value, position=0):
    """Put a value into V of one of block c's rows and return the outputs that follow from it."""
    key, _, statement, _ = made("tables")
    row, weight = program.block("c").offset + position, program.vk_tensor("w")
    step = int(value) - int(columns["V"][row])
    assert step
    columns["V"][row] = value
    scores = list(statement.outputs)
    for index in range(2):
        entry = int(key.columns["K0"][weight.offset + 8 * index + position])
        scores[index] += step * (entry if entry < R // 2 else entry - R)
    return scores


def test_protocol__a_value_of_another_key_is_refused():
    """V of another entry of the table, with the outputs that follow from it, is refused."""

    def change(program, columns):
        bell = made("tables")[0].columns["K0"][512:768]
        other = next(value for value in bell if value != columns["V"][program.block("c").offset])
        return _scores_with(program, columns, other)

    assert not proves("tables", change)


def test_protocol__a_value_of_another_table_is_refused():
    """A block that asks for one function may not get the other's value (each table has its balance)."""

    def change(program, columns):
        rows = [program.block("c").offset + position for position in range(5)]
        values = [made("tables")[0].columns["K0"][256 + int(columns["Y"][row])] for row in rows]
        position = next(i for i in range(5) if values[i] != columns["V"][rows[i]])
        return _scores_with(program, columns, values[position], position)

    assert not proves("tables", change)


def test_protocol__no_value_stands_where_none_is_asked():
    """V on a padding row and on a row of no block is refused."""

    def padding(program, columns):
        columns["V"][program.block("a").offset + 3] = 9

    def nowhere(program, columns):
        columns["V"][program.rows - 1] = 9

    assert not proves("tables", padding)
    assert not proves("tables", nowhere)


def test_protocol__zero_rows_beyond_a_table_are_no_entries():
    """Rows of the key that hold no table do not let a byte have their value."""

    def change(program, columns):
        return _scores_with(program, columns, 1000)

    assert not proves("tables", change)


def test_protocol__a_maximum_is_one_of_its_positions(monkeypatch):
    """A maximum one too large, with all differences and later layers to match, is refused by the product."""

    def rewrite(honest, program, block, tensors, columns):
        honest(program, block, tensors, columns)
        first = (0,) * len(block.dims)
        assert tensors["block", block.name][first] < 255
        tensors["block", block.name][first] += 1
        for name in ("Y", "D0", "D1", "D2"):
            columns[name][block.offset] += 1

    assert not _proves_rewritten(monkeypatch, "maxima", "_maximum", rewrite)


def test_protocol__a_maximum_is_at_least_every_position():
    """A maximum that is another position of the window makes a difference negative, and is refused."""

    def change(program, columns):
        row = next(r for r in range(128, 144) if columns["D0"][r] or columns["D1"][r])
        less = next(columns[n][row] for n in ("D0", "D1", "D2") if columns[n][row])
        for name in ("Y", "D0", "D1", "D2"):
            columns[name][row] = (columns[name][row] - less) % R

    assert not proves("maxima", change)


def test_protocol__another_index_than_the_greatest_has_no_proof():
    """Each other index, with the differences taken for it, needs a negative limb and is refused."""
    best = made("maxima")[2].outputs[0]
    for index in set(range(5)) - {best}:
        assert not proves("maxima", lambda program, columns, index=index: [index])


def test_protocol__an_index_names_an_element():
    """An index beyond the elements is refused before anything is computed (3.0 item 5)."""
    key, _, statement, words = made("maxima")
    for index in (5, 7, -1):
        with pytest.raises(ProofRejectedError, match=r"expected output best within 0\.\.4"):
            verify(key.verifying, replace(statement, outputs=(index,)), words, trapdoor_key(key.srs))


def test_protocol__inputs_stay_in_their_domain():
    """A byte out of an input's domain is refused by name, whatever the proof says."""
    key, _, statement, words = made("pools_and_views")
    outside = statement.inputs[:-1] + b"\xff"
    with pytest.raises(ProofRejectedError, match=r"expected input e within 10\.\.200, found 255"):
        verify(key.verifying, replace(statement, inputs=outside), words, trapdoor_key(key.srs))


def test_protocol__a_commitment_of_another_weight_is_refused():
    """A key whose column differs in one weight does not accept the proof even under the same digest."""
    key, _, statement, words = made("one_gemm")
    other = vector(key.columns["K0"])
    other[0] += 1
    verifying = replace(key.verifying, commitments=(key.srs.commit(other),))
    assert not accepts(replace(key, verifying=verifying), statement, words)


def test_protocol__all_multiplicities_are_in_the_first_message():
    """R1 holds every witness and multiplicity column, R2 helpers alone (3.0 item 3)."""
    for name in CASES:
        program = made(name)[0].verifying.program
        helpers = {column for column in program.columns if column.startswith("H")}
        assert set(program.second_columns) == helpers
        assert set(program.first_columns) == set(program.columns) - helpers - set(program.key_columns)


def test_protocol__the_seed_depends_on_every_part_of_a_statement():
    """Another input, output, context or key digest starts another transcript."""
    key, _, statement, _ = made("one_gemm")
    others = [
        replace(statement, inputs=bytes(len(statement.inputs))),
        replace(statement, outputs=(0, *statement.outputs[1:])),
        replace(statement, context=b"\0" * 32),
    ]
    states = {seed(key.verifying, other).state for other in [statement, *others]}
    states.add(seed(replace(key.verifying, digest=b"\0" * 32), statement).state)
    assert len(states) == 5


class _Unreduced(Transcript):
    """Absorbs one word of message EV as itself plus r, as a prover may who wants a second proof."""

    def absorb(self, label, words):
        shift = R if label == "claims" else 0
        return super().absorb(label, [words[0] + shift, *words[1:]])


def test_protocol__a_scalar_plus_r_makes_no_second_proof():
    """A proof whose every challenge belongs to an unreduced scalar is refused for that scalar."""
    key, witness, statement, _ = made("one_gemm")
    words = list(prove(key, statement, witness, _Unreduced(seed(key.verifying, statement).state)))
    words[sum(proof_words.part_lengths(key.verifying.program)[:3])] += R
    with pytest.raises(ProofRejectedError, match="below r"):
        verify(key.verifying, statement, words, trapdoor_key(key.srs))


def test_protocol__that_second_proof_fails_by_its_scalar_alone(monkeypatch):
    """Without the check of scalars the same words pass: the check is no decoration."""
    key, witness, statement, _ = made("one_gemm")
    words = list(prove(key, statement, witness, _Unreduced(seed(key.verifying, statement).state)))
    words[sum(proof_words.part_lengths(key.verifying.program)[:3])] += R
    monkeypatch.setattr(proof_words, "check_scalars", lambda parts: None)
    assert accepts(key, statement, words)
