"""A malicious prover for the specification: corrupted witnesses, adapted messages, checks removed by name.

A corruption changes values where the interpreter of `octet_programs` writes them, so that everything after it
follows from the lie: the statement that results is false and consistent. Whether it passes is then decided by the
one check that is removed in prover and verifier alike.
"""

from dataclasses import replace

import octet_programs
from octet_programs import Case, base, execute, gemm, held, pixels, proving_key, same, weights
from proof_systems import SPECIFICATION, Specification, verifiers

from circuits.octet.spec import logup, prover, statement, verifier
from circuits.octet.tensors import Block, Input, Output, Table, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis
from zkml.core.field import R

COPY = 1 << 16
HALF = 1 << 15


def table_case():
    """y = requant(W x), v = T[y], int32 outputs of U v: a table, and a zero point on what reads it."""
    readers = Source("lut", "y", 7)
    out = replace(gemm("y", "lut", 3, "u"), source=readers)
    program = base(
        inputs=(Input("x", (4,), 1, 200, 2),),
        outputs=(Output("scores", "int32", (2,)),),
        blocks=(Block("y", 0, (3,), "square"), Block("x", 4, (4,))),
        vk_columns=2,
        vk_tensors=(
            VkTensor("w", 0, 0, (3, 4)),
            VkTensor("u", 0, 16, (2, 3)),
            VkTensor("t", 1, 0, (256,)),
        ),
        tables=(Table("square", 3, "t"),),
        relations=(
            held("x"),
            Relation("requant", "y", "", (gemm("x", "block", 4, "w"),), HALF + (90 << 16)),
            Relation("public", "", "scores", (out,), -5),
        ),
    )
    values = [(i * i >> 8) for i in range(256)]
    constants = {"w": weights(31, (3, 4), 20000), "u": weights(32, (2, 3)), "t": values}
    return Case(program, constants, {"x": pixels(33, 4) % 200 + 1})


def maximum_case():
    """A copy of 4x4 bytes, its 2x2 maxima, shown as bytes."""
    window = [(i, j) for i in range(2) for j in range(2)]
    cells = [
        Linear(Source("block", "a"), 1, (Axis(0, 0, 2, 2, base=i), Axis(1, 0, 2, 2, base=j)))
        for i, j in window
    ]
    program = base(
        slots=4,
        inputs=(Input("x", (4, 4)),),
        outputs=(Output("m", "byte", (2, 2)),),
        blocks=(Block("a", 0, (4, 4)), Block("m", 16, (2, 2)), Block("x", 32, (4, 4))),
        vk_columns=0,
        relations=(
            held("x"),
            Relation(
                "requant", "a", "", (Linear(Source("block", "x"), COPY, (same(0, 4), same(1, 4))),), HALF
            ),
            *(Relation("max", "m", "", (cell,), slot=slot) for slot, cell in enumerate(cells)),
            Relation("public", "", "m", (Linear(Source("block", "m"), 1, (same(0, 2), same(1, 2))),)),
        ),
    )
    return Case(program, {}, {"x": pixels(41, (4, 4)) % 250})


def index_case():
    """The index of the greatest of 3 scores, all of them negative."""
    program = base(
        inputs=(Input("x", (4,)),),
        outputs=(Output("best", "argmax", (3,)),),
        blocks=(Block("d", 0, (3,)), Block("x", 4, (4,))),
        vk_tensors=(VkTensor("w", 0, 0, (3, 4)),),
        relations=(
            held("x"),
            Relation("argmax", "d", "best", (gemm("x", "block", 4, "w"),)),
        ),
    )
    return Case(program, {"w": -abs(weights(51, (3, 4), 3000)) - 1}, {"x": pixels(52, 4)})


def image_case():
    """Two channels of 5x5 with a zero point, a depthwise 3x3 convolution with padding 1 and stride 2, then the best of 18."""
    kernel = (
        Axis(0, 0, 2),
        Axis(1, 0, 3, 2, 3, base=-1),
        Axis(2, 0, 3, 2, 3, base=-1),
    )
    depthwise = Contract(
        Source("block", "x", 9), kernel, "k", (WeightAxis(out=0, source=0), WeightAxis(kernel=True))
    )
    whole = tuple(same(axis, length) for axis, length in enumerate((2, 3, 3)))
    program = base(
        inputs=(Input("x", (2, 5, 5)),),
        outputs=(Output("best", "argmax", (2, 3, 3)),),
        blocks=(Block("y", 0, (2, 3, 3)), Block("d", 32, (2, 3, 3)), Block("x", 128, (2, 5, 5))),
        vk_tensors=(VkTensor("k", 0, 0, (2, 9)),),
        relations=(
            held("x"),
            Relation("requant", "y", "", (depthwise,), HALF + (60 << 16)),
            Relation("argmax", "d", "best", (Linear(Source("block", "y", 60), 3, whole),)),
        ),
    )
    return Case(program, {"k": weights(61, (2, 9), 9000)}, {"x": pixels(62, (2, 5, 5))})


def lookup_case(values, identity=1, nu=8, offset=0):
    """v = T[x] for one byte x = 3, shown as an integer."""
    program = base(
        nu=nu,
        inputs=(Input("x", (2,)),),
        outputs=(Output("v", "int32", (2,)),),
        blocks=(Block("y", 0, (2,), "t"), Block("x", 2, (2,))),
        vk_tensors=(VkTensor("values", 0, offset, (256,)),),
        tables=(Table("t", identity, "values"),),
        relations=(
            held("x"),
            Relation("requant", "y", "", (Linear(Source("block", "x"), COPY, (same(0, 2),)),), HALF),
            Relation("public", "", "v", (Linear(Source("lut", "y"), 1, (same(0, 2),)),)),
        ),
    )
    return Case(program, {"values": values}, {"x": [3, 5]})


class Bench:
    """One case with its key, the honest witness and statement."""

    def __init__(self, case):
        self.case, self.key = case, proving_key(case)
        self.witness, self.statement = execute(case)

    @property
    def program(self):
        return self.case.program

    def prove(self, witness=None, claim=None, transcript=None, key=None):
        return prover.prove(key or self.key, claim or self.statement, witness or self.witness, transcript)

    def accepts(self, words, claim=None, key=None, without=""):
        """The verdict of every verifier there is, all of which must agree, with one check left out of each that has it."""
        key, claim = key or self.key, claim or self.statement
        asked = [each for each in verifiers() if not without or each.has(without)]
        verdicts = {each.name: each.accepts(key, claim, words, without) for each in asked}
        assert len(set(verdicts.values())) == 1, verdicts
        return verdicts[SPECIFICATION]

    def seeded(self, claim=None, kind=None):
        """The transcript at the statement's seed, or one of another class."""
        transcript = statement.seed(self.key.verifying, claim or self.statement)
        return kind(transcript.state) if kind else transcript

    def false_statement(self):
        """The honest statement with its first output off by one."""
        outputs = self.statement.outputs
        return replace(self.statement, outputs=(outputs[0] + 1, *outputs[1:]))


def lying(monkeypatch, bench, row, change):
    """Execute a case while `change(columns)` corrupts what the row's relation wrote; all later values follow."""
    honest = octet_programs._limbs

    def limbs(program, relation, columns, at, total):
        value = honest(program, relation, columns, at, total)
        if at == row:
            change(columns)
            return columns["Y"][row]
        return value

    with monkeypatch.context() as patch:
        patch.setattr(octet_programs, "_limbs", limbs)
        return execute(bench.case)


def adjust_helpers(monkeypatch, change):
    """Let `change(columns, helpers, alpha, beta)` corrupt message R2."""
    real = logup.helper_columns

    def helpers(program, columns, alpha, beta):
        found = real(program, columns, alpha, beta)
        change(columns, found, alpha, beta)
        return found

    monkeypatch.setattr(logup, "helper_columns", helpers)


def without_relation(bench, index):
    """The same key for a program that lacks one relation."""
    relations = bench.program.relations
    program = replace(bench.program, relations=(*relations[:index], *relations[index + 1 :]))
    return replace(bench.key, verifying=replace(bench.key.verifying, program=program))


def compared(patch, bench, words, check, claim=None):
    """What a comparing check of the verifier is given for these words: (claimed, expected)."""
    seen = []
    with patch.context() as inner:
        inner.setattr(verifier, check, lambda *pair: seen.append(pair))
        Specification().accepts(bench.key, claim or bench.statement, words)
    return seen[0]


def root(gap):
    """Return the x at which a function that is affine modulo r is zero."""
    at_zero, at_one = gap(0), gap(1)
    return -at_zero * pow(at_one - at_zero, -1, R) % R


def solve(patch, bench, words, position, check, claim=None):
    """Change one word so that a comparison comes out equal; the comparison must be affine in the word."""

    def trial(amount):
        return (*words[:position], (words[position] + amount) % R, *words[position + 1 :])

    def gap(amount):
        claimed, expected = compared(patch, bench, trial(amount), check, claim)
        return (claimed - expected) % R

    return trial(root(gap))


def with_value(bench, value, counts):
    """The witness and statement in which T[3] is `value`, with these changes of the table's multiplicities."""
    column, multiplicity = bench.witness["V"].copy(), bench.witness["M:t"].copy()
    column[0] = value
    multiplicity[3] -= 1
    for row, count in counts.items():
        multiplicity[row] = (multiplicity[row] + count) % R
    witness = {**bench.witness, "V": column, "M:t": multiplicity % R}
    return witness, replace(bench.statement, outputs=(value, bench.statement.outputs[1]))
