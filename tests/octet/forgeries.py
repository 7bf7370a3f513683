"""Proofs of false statements, each made for a verifier that lacks one check: what is wrong in them is told by the
check's name. Messages that are not hashed, and sums that are not compared, are in `forged_messages`."""

from dataclasses import dataclass, replace
from functools import cache

import octet_programs
import pytest
from lattice import unseen
from octet_attacks import (
    Bench,
    adjust_helpers,
    index_case,
    lookup_case,
    lying,
    maximum_case,
    table_case,
    with_value,
)
from octet_programs import Case, base, held, one_gemm, weights
from removable_checks import without

from circuits.octet.spec import curve, logup
from circuits.octet.spec.multilinear import eq_table
from circuits.octet.spec.statement import input_words
from circuits.octet.spec.transcript import Transcript
from circuits.octet.tensors import Block, Input, Output, VkTensor
from circuits.octet.terms import Axis, Contract, Relation, Source, WeightAxis
from zkml.core.field import R


@dataclass(frozen=True)
class Forgery:
    """Words that only a careless verifier takes for a proof of a claim, under a key of the tester's choice."""

    bench: Bench
    words: tuple
    claim: object
    key: object = None

    def passes(self, check=""):
        """Whether every verifier without the check accepts it."""
        return self.bench.accepts(self.words, self.claim, self.key, check)


MAKERS = {}
"""How to forge, by the name of the check that is missing: name, patch -> Forgery."""


def forged_without(*checks):
    """Enter a maker under the names of the checks each of which it does without."""

    def enter(maker):
        MAKERS.update(dict.fromkeys(checks, maker))
        return maker

    return enter


@cache
def forgery(check):
    """Make the forgery for one check, by the specification's prover without it."""
    with without(check), pytest.MonkeyPatch.context() as patch:
        return MAKERS[check](check, patch)


@cache
def dense():
    """One dense layer, then integers."""
    return Bench(one_gemm())


@cache
def table():
    """A dense layer, a table, a dense layer."""
    return Bench(table_case())


@cache
def maximum():
    """Maxima of 2 by 2, shown as bytes."""
    return Bench(maximum_case())


@cache
def index():
    """The greatest of three negative scores."""
    return Bench(index_case())


def inner_row(bench):
    """A row whose quotient is neither clamped nor at an edge."""
    return next(row for row, value in enumerate(bench.witness["Y"]) if 0 < value < 255)


def add(**changes):
    """A corruption that adds to the columns of one row."""

    def make(row):
        def change(columns):
            for name, amount in changes.items():
                columns[name][row] += amount

        return change

    return make


SATURATION = {"saturation_below": add(Y=1, N0=1), "saturation_above": add(Y=-1, P0=1)}
BORROW = add(Y=-1, R1=256)
"""One unit of the quotient moved into a limb that is then no byte."""


@forged_without(*SATURATION)
def moved_activation(check, patch):
    """P and N are zero unless Y is at its edge; otherwise Y is the prover's choice, and with it the output."""
    row = inner_row(dense())
    witness, claim = lying(patch, dense(), row, SATURATION[check](row))
    return Forgery(dense(), dense().prove(witness, claim), claim)


@forged_without("balance_limbs", "limb_group_1", "limb_table")
def limb_that_is_no_byte(check, patch):
    """Helper, table side and balance are each needed for the range of a remainder."""
    bench = dense()
    row = inner_row(bench)
    witness, claim = lying(patch, bench, row, BORROW(row))

    def change(columns, helpers, alpha, beta):
        pole = pow(alpha + int(columns["R1"][row]), -1, R)
        if check == "limb_group_1":
            helpers["H1"][row] = (helpers["H1"][row] - pole) % R
        elif check == "limb_table":
            helpers["HT"][0] = (helpers["HT"][0] + pole) % R

    adjust_helpers(patch, change)
    return Forgery(bench, bench.prove(witness, claim), claim)


def false_value(bench, row):
    """A witness whose table value on a row is one too great, and what follows from it."""
    real = octet_programs._publish

    def publish(program, case, tensors, columns, block, values):
        real(program, case, tensors, columns, block, values)
        tensors["lut", block.name][(row,)] += 1
        columns["V"][row] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octet_programs, "_publish", publish)
        return octet_programs.execute(bench.case)


@forged_without("balance_square", "lut_query_square", "lut_table_square")
def value_the_table_lacks(check, patch):
    """Query, table side and balance of each table are each needed."""
    bench, row = table(), 1
    witness, claim = false_value(bench, row)
    (declared,) = bench.program.tables

    def change(columns, helpers, alpha, beta):
        false = alpha + int(columns["Y"][row]) + beta * int(columns["V"][row]) + beta**2 * declared.identity
        true, false = (pow(key % R, -1, R) for key in (false - beta, false))
        if check == "lut_query_square":
            helpers["H:square"][row] = true
        elif check == "lut_table_square":
            helpers["HT:square"][9] = (helpers["HT:square"][9] + false - true) % R

    adjust_helpers(patch, change)
    return Forgery(bench, bench.prove(witness, claim), claim)


@forged_without("lut_silence")
def value_where_nothing_asks(check, patch):
    """Defence in depth: no term reads such a row here, so that the statement stays true."""
    values = table().witness["V"].copy()
    values[3] = 77  # padding of a block of three
    return Forgery(table(), table().prove({**table().witness, "V": values}), table().statement)


def raised_maximum(bench, slots):
    """m one greater on its first row, with the differences of these slots following."""
    real = octet_programs._maximum

    def raised(program, block, tensors, columns):
        real(program, block, tensors, columns)
        tensors["block", "m"][0, 0] += 1
        columns["Y"][block.offset] += 1
        for slot in range(program.slots):
            column = columns[f"D{slot}"]
            column[block.offset] = column[block.offset] + 1 if slot in slots else 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octet_programs, "_maximum", raised)
        return octet_programs.execute(bench.case)


@forged_without("maximum_product")
def maximum_above_every_cell(check, patch):
    """All differences positive: nothing but their product says that one is zero."""
    witness, claim = raised_maximum(maximum(), range(4))
    return Forgery(maximum(), maximum().prove(witness, claim), claim)


@forged_without("argmax_ties")
def later_of_two_equal_scores(check, patch):
    """Of two equal greatest scores the second passes where [j < index] is not subtracted (3.0 item 5)."""
    equal = -abs(weights(51, (3, 4), 3000)) - 4000
    equal[0] = equal[2] = [-1, -2, -3, -4]
    bench = Bench(replace(index_case(), constants={"w": equal}))
    return Forgery(
        bench,
        bench.prove(claim=replace(bench.statement, outputs=(2,))),
        replace(bench.statement, outputs=(2,)),
    )


@forged_without("table_selector")
def entry_of_a_row_that_is_no_table(check, patch):
    """sel_f keeps M_f off the rows of other tables and of nothing: there T is 0 and u repeats (3.0 item 1)."""
    bench = Bench(lookup_case([9] * 256, nu=9))
    witness, claim = with_value(bench, 0, {256 + 3: 1})
    return Forgery(bench, bench.prove(witness, claim), claim)


@forged_without("own_beta")
def entries_that_pay_for_a_third(check, patch):
    """1/((a+1)(a+3)) = (1/2)/((a+1)(a+2)) + (1/2)/((a+2)(a+3)): T[3] = 3 from T[2] = 2 and T[6] = 4 (3.0 item 1)."""
    values = [9] * 256
    values[2], values[6] = 2, 4
    bench, half = Bench(lookup_case(values)), pow(2, -1, R)
    witness, claim = with_value(bench, 3, {2: half, 6: half})
    return Forgery(bench, bench.prove(witness, claim), claim)


@forged_without("argmax_left_side")
def index_with_a_negative_difference(check, patch):
    """The left side of an arg-max has no N: with requantization's, a negative difference passes (3.0 item 5)."""
    bench = index()
    pixels = bench.case.inputs["x"]
    scores = [
        sum(int(w) * int(x) for w, x in zip(row, pixels, strict=True)) for row in bench.case.constants["w"]
    ]
    wrong = min(range(3), key=lambda place: scores[place])
    columns = {name: bench.witness[name].copy() for name in bench.program.limb_columns}
    for row in range(3):
        quotient, rest = divmod(scores[wrong] - scores[row] - (row < wrong), 1 << 16)
        number = {"Y": max(quotient, 0), "N0": max(-quotient, 0) & 255, "N1": max(-quotient, 0) >> 8}
        for name, value in {**number, "R0": rest & 255, "R1": rest >> 8}.items():
            columns[name][row] = value
    witness = {**columns, **logup.multiplicities(bench.program, columns)}
    claim = replace(bench.statement, outputs=(wrong,))
    return Forgery(bench, bench.prove(witness, claim), claim)


@forged_without("context_length")
def context_of_33_bytes(check, patch):
    """The seed's parts are told apart by their lengths alone."""
    claim = replace(dense().statement, context=bytes(33))
    return Forgery(dense(), dense().prove(claim=claim), claim)


@forged_without("input_range")
def input_outside_its_domain(check, patch):
    """The domain is part of the statement: outside it the interval analysis has promised nothing."""
    bench = Bench(replace(table().case, inputs={"x": [255, 0, 3, 4]}))
    return Forgery(bench, bench.prove(), bench.statement)


@forged_without("output_range")
def output_of_more_than_32_bits(check, patch):
    """A public integer that the port's 32 bits do not hold."""
    case = one_gemm()
    bench = Bench(replace(case, constants={**case.constants, "v": case.constants["v"] * (1 << 20)}))
    assert max(map(abs, bench.statement.outputs)) > 1 << 32
    return Forgery(bench, bench.prove(), bench.statement)


@forged_without("exact_length")
def word_behind_the_proof(check, patch):
    """Extra calldata (4.5)."""
    return Forgery(dense(), (*dense().prove(), 0), dense().statement)


def shifted(bench, label, position, shift):
    """A proof made for a transcript that holds `word + shift`, with that word in it."""

    class Shifted(Transcript):
        def absorb(self, name, words):
            if name == label:
                words = [word + shift * (place == position) for place, word in enumerate(words)]
            return super().absorb(name, words)

    transcript = bench.seeded(kind=Shifted)
    bench.prove(transcript=transcript)
    return tuple(word for event in transcript.events for word in event.words)


@forged_without("canonical_scalars")
def scalar_plus_r(check, patch, label="claims"):
    """A second form of a true proof: not a false statement, but a proof that others read differently."""
    words = shifted(dense(), label, 1, R)
    assert any(word >= R for word in words)
    return Forgery(dense(), words, dense().statement)


@forged_without("canonical_points")
def coordinate_plus_q(check, patch):
    """A point has one form, as the precompiles insist."""
    return Forgery(dense(), shifted(dense(), "first columns", 0, curve.Q), dense().statement)


@forged_without("seed_digest")
def key_of_another_digest(check, patch):
    """A proof under one key's digest is shown under another's."""
    key = replace(dense().key, verifying=replace(dense().key.verifying, digest=b"\x01" * 32))
    return Forgery(dense(), dense().prove(), dense().statement, key)


@forged_without("seed_context")
def context_of_another_job(check, patch):
    """One proof settles two jobs (4.5)."""
    return Forgery(dense(), dense().prove(), replace(dense().statement, context=b"\x08" * 32))


@forged_without("seed_inputs")
def inputs_of_another_job(check, patch):
    """Three words are moved by a short vector that is orthogonal to eq(tau, .), once tau is known."""
    axes = (Axis(None, 0, 1, taps=3), Axis(None, 0, 1, taps=16))
    named = (WeightAxis(out=0), WeightAxis(source=0), WeightAxis(source=1))
    program = base(
        inputs=(Input("x", (3, 16)),),
        outputs=(Output("scores", "int32", (2,)),),
        blocks=(Block("x", 0, (3, 16)),),
        vk_tensors=(VkTensor("w", 0, 0, (2, 3, 16)),),
        relations=(
            held("x"),
            Relation("public", "", "scores", (Contract(Source("block", "x"), axes, "w", named),)),
        ),
    )
    pixels = octet_programs.pixels(41, (3, 16)) % 100 + 80
    bench = Bench(Case(program, {"w": weights(42, (2, 3, 16))}, {"x": pixels}))
    transcript = bench.seeded()
    words = bench.prove(transcript=transcript)
    tau = [event.challenge for event in transcript.events if event.label.startswith("tau")]
    moved = unseen([int(weight) for weight in eq_table(tau[:2])[:3]])
    given = input_words(program, bench.statement)
    other = b"".join((word + by).to_bytes(16, "big") for word, by in zip(given, moved, strict=True))
    return Forgery(bench, words, replace(bench.statement, inputs=other))


@forged_without("input_words")
def block_of_another_input(check, patch):
    """Nothing but its words says that the input's rows hold the input: the network runs on another one."""
    bench = dense()
    lie = replace(bench.case, inputs={"x": [9, 8, 7, 6, 5, 4]})
    witness, claim = octet_programs.execute(lie, bench.case.inputs)
    assert claim.outputs != bench.statement.outputs
    return Forgery(bench, bench.prove(witness, claim), claim)


@forged_without("seed_outputs")
def outputs_that_the_challenges_do_not_see(check, patch):
    """Nine outputs are moved by a short vector that is orthogonal to eq(tau, .), once tau is known."""
    case = one_gemm()
    relations, outputs = case.program.relations, (Output("scores", "int32", (9,)),)
    tensors = (*case.program.vk_tensors[:2], VkTensor("v", 0, 128, (9, 5)))
    wider = replace(case.program, outputs=outputs, vk_tensors=tensors, relations=relations)
    bench = Bench(replace(case, program=wider, constants={**case.constants, "v": weights(3, (9, 5))}))
    transcript = bench.seeded()
    words = bench.prove(transcript=transcript)
    tau = [event.challenge for event in transcript.events if event.label.startswith("tau")]
    moved = unseen([int(weight) for weight in eq_table(tau[:4])[:9]])
    outputs = tuple(a + b for a, b in zip(bench.statement.outputs, moved, strict=True))
    return Forgery(bench, words, replace(bench.statement, outputs=outputs))
