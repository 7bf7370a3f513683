"""The verifier in C++ against the specification's: verdicts, transcripts, keys of strangers, the pairing."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from octet_programs import CASES, base, convolutions, execute, maxima, one_gemm, proving_key, tables
from trapdoor import trapdoor_key

from circuits.octet.native import verifier as native
from circuits.octet.native.verifier import NativeVerifier
from circuits.octet.spec import curve, pairing, verifier
from circuits.octet.spec.prover import prove
from circuits.octet.spec.statement import seed
from circuits.octet.tensors import Block, Input
from circuits.octet.terms import Axis, Linear, Relation, Source
from zkml.core.field import R
from zkml.errors import KeygenError, ProofRejectedError

# What the specification says where it refuses, in the order of the library's checks.
REFUSALS = (
    "bytes of context",
    "input bytes",
    "expected input ",
    "expected \\d+ outputs",
    "expected output ",
    "words of proof",
    "a scalar below r",
    "coordinates below q",
    "a point of the curve",
    "the first sum at rho",
    "the second sum at sigma",
    "challenges other than zero|to differ",
    "the pairing equation",
)


pytestmark = pytest.mark.usefixtures("built_verifier")


class Proved:
    """One case with its key, its proof and both verifiers."""

    def __init__(self, case):
        self.key = proving_key(case)
        witness, self.statement = execute(case)
        self.words = prove(self.key, self.statement, witness)
        self.native = NativeVerifier(self.key.verifying, self.key.srs.tau_g2)
        self.trapdoor = trapdoor_key(self.key.srs)

    def specified(self, statement, words):
        """The number of the check by which the specification refuses, 0 if it accepts."""
        try:
            verifier.verify(self.key.verifying, statement, words, self.trapdoor)
        except ProofRejectedError as error:
            (number,) = [i for i, text in enumerate(REFUSALS, 1) if re.search(text, error.message)]
            return number
        return 0

    def compare(self, statement=None, words=None):
        """The verdict of both, which must be one."""
        statement, words = statement or self.statement, self.words if words is None else words
        found = self.native.trace(statement, words).failed
        assert found == self.specified(statement, words)
        return found


@pytest.fixture(scope="module")
def gemm(built_verifier):
    """The least program."""
    return Proved(one_gemm())


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_native_verifier__every_case__accepts_with_the_states_of_the_specification(make):
    """Both verifiers take the same steps: equal states after each mean equal words in and equal challenges out."""
    proved = Proved(make())
    transcript = seed(proved.key.verifying, proved.statement)
    verifier.verify(proved.key.verifying, proved.statement, proved.words, proved.trapdoor, transcript)
    found = proved.native.trace(proved.statement, proved.words)
    assert found.failed == 0
    assert list(found.states) == [event.state for event in transcript.events]
    assert proved.native.words == len(proved.words)
    proved.native.verify(proved.statement, proved.words)


def test_native_verifier__each_word_changed__refuses_by_the_same_check(gemm):
    """Plus one, and zero or plus r: never accepted, and always for the specification's reason."""
    for position, word in enumerate(gemm.words):
        for other in (word + 1, (0, word + R)[position % 2]):
            words = (*gemm.words[:position], other, *gemm.words[position + 1 :])
            if words != gemm.words:
                assert gemm.compare(words=words)


@pytest.mark.parametrize("make", [tables, maxima, convolutions], ids=lambda make: make.__name__)
def test_native_verifier__a_word_of_each_message_changed__refuses_by_the_same_check(make):
    """On programs with tables, maxima, an arg-max and zero points too."""
    proved = Proved(make())
    for position in range(0, len(proved.words), 7):
        words = [*proved.words]
        words[position] ^= 1
        assert proved.compare(words=words)


def test_native_verifier__words_of_another_form__are_refused_by_the_same_check(gemm):
    """Length, numbers that no word holds, points off the curve, and two points swapped."""
    words = gemm.words
    for other in ((), words[:-1], (*words, 0), (-1, *words[1:]), (1 << 300, *words[1:]), (1, 1, *words[2:])):
        assert gemm.compare(words=other)
    assert gemm.compare(words=(*words[2:4], *words[:2], *words[4:]))
    assert gemm.compare(words=(*words[:60], 1 << 256, *words[61:]))


def test_native_verifier__another_statement__is_refused_by_the_same_check(gemm):
    """Context, inputs and outputs: other values, other lengths, values out of range and beyond 64 bits."""
    claim = gemm.statement
    changed = bytes([claim.inputs[0] ^ 1]) + claim.inputs[1:]
    for other in (
        replace(claim, context=bytes(31)),
        replace(claim, context=bytes(32)),
        replace(claim, inputs=claim.inputs[1:]),
        replace(claim, inputs=changed),
        replace(claim, outputs=claim.outputs[1:]),
        replace(claim, outputs=(claim.outputs[0] + 1, *claim.outputs[1:])),
        replace(claim, outputs=(1 << 31, *claim.outputs[1:])),
        replace(claim, outputs=(claim.outputs[0] + R, *claim.outputs[1:])),
    ):
        assert gemm.compare(other)


def test_native_verifier__an_input_outside_its_domain__is_refused_before_anything_is_computed():
    """The compiler's bounds on integers hold within the domain, and for no other byte."""
    case = one_gemm()
    proved = Proved(replace(case, program=replace(case.program, inputs=(Input("x", (6,), 0, 254),))))
    assert not proved.compare()
    other = replace(proved.statement, inputs=b"\xff" + proved.statement.inputs[1:])
    assert proved.compare(other) == REFUSALS.index("expected input ") + 1


def test_native_verifier__an_index_out_of_range__is_refused_before_it_is_used():
    """Arg-max: -1 and the number of elements."""
    proved = Proved(maxima())
    claim = proved.statement
    (place,) = [p for p, output in enumerate(proved.key.verifying.program.outputs) if output.kind == "argmax"]
    before = sum(output.count for output in proved.key.verifying.program.outputs[:place])
    for index in (-1, 1 << 20):
        outputs = (*claim.outputs[:before], index, *claim.outputs[before + 1 :])
        assert proved.compare(replace(claim, outputs=outputs)) == REFUSALS.index("expected output ") + 1


def test_native_verifier__refusal__says_what_was_expected(gemm):
    """A rejection is an error of the project's with the check in it."""
    with pytest.raises(ProofRejectedError, match="as many words as the program's") as caught:
        gemm.native.verify(gemm.statement, gemm.words[1:])
    assert caught.value.context == {"check": REFUSALS.index("words of proof") + 1}


def test_native_verifier__several_threads__share_one_key(gemm):
    """Verifying only reads the handle."""
    wrong = (*gemm.words[:-1], gemm.words[-1] ^ 1)
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(gemm.native.trace, gemm.statement, wrong if k % 2 else gemm.words) for k in range(40)
        ]
        assert [bool(run.result().failed) for run in runs] == [bool(k % 2) for k in range(40)]


def test_key__of_another_ceremony_or_model__makes_the_proof_fail(gemm):
    """[tau]_2, the commitments and the digest all matter."""
    key, tau_g2 = gemm.key.verifying, gemm.key.srs.tau_g2
    for other, tau in (
        (key, pairing.multiply_g2(tau_g2, 2)),
        (replace(key, commitments=tuple(curve.negate(p) for p in key.commitments)), tau_g2),
        (replace(key, digest=bytes(32)), tau_g2),
    ):
        with pytest.raises(ProofRejectedError):
            NativeVerifier(other, tau).verify(gemm.statement, gemm.words)


def twist_point_outside_g2():
    """A point of the twist of another order: the twist has more points than G2."""
    for x in range(1, 100):
        for y in _roots((x, 0)):
            point = ((x, 0), y)
            if not pairing.is_in_g2(point):
                return point
    raise AssertionError


def _roots(x):
    """Square roots of x^3 + 3 / (9 + i) in Fq2, by the norm."""
    q = curve.Q
    b0, b1 = 3 * 9 * pow(82, -1, q) % q, -3 * pow(82, -1, q) % q
    a0, a1 = (pow(x[0], 3, q) + b0) % q, b1
    norm = pow(a0 * a0 + a1 * a1, (q + 1) // 4, q)
    for sign in (norm, -norm):
        half = (a0 + sign) * pow(2, -1, q) % q
        c0 = pow(half, (q + 1) // 4, q)
        if c0 and c0 * c0 % q == half:
            c1 = a1 * pow(2 * c0, -1, q) % q
            if (c0 * c0 - c1 * c1 - a0) % q == 0:
                yield c0, c1


def test_key__whose_points_are_none__is_refused(gemm):
    """A key may come from anyone: curve, range, group of order r, number of columns, digest."""
    key, tau_g2 = gemm.key.verifying, gemm.key.srs.tau_g2
    (x, y), *rest = key.commitments
    (_, c1), tau_y = tau_g2
    for other, tau in (
        (replace(key, commitments=((x, y + 1), *rest)), tau_g2),
        (replace(key, commitments=((x + curve.Q, y), *rest)), tau_g2),
        (replace(key, commitments=((-1, y), *rest)), tau_g2),
        (replace(key, commitments=((1 << 256, y), *rest)), tau_g2),
        (replace(key, commitments=()), tau_g2),
        (replace(key, commitments=(*key.commitments, (1, 2))), tau_g2),
        (replace(key, digest=bytes(31)), tau_g2),
        (key, ((0, 0), (0, 0))),
        (key, ((1, c1), tau_y)),
        (key, twist_point_outside_g2()),
    ):
        with pytest.raises(KeygenError):
            NativeVerifier(other, tau)


LITTLE_MEMORY = """
import resource, sys
from circuits.octet.native.verifier import NativeVerifier, load_verifier
from circuits.octet.program import program_from_json
from circuits.octet.spec.pairing import G2_GENERATOR
from circuits.octet.spec.statement import Statement, VerifyingKey
from zkml.errors import BackendError

load_verifier()
verifier = NativeVerifier(VerifyingKey(program_from_json(sys.stdin.read()), (), bytes(32)), G2_GENERATOR)
with open("/proc/self/statm") as held:
    room = int(held.read().split()[0]) * resource.getpagesize() + (256 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    verifier.verify(Statement(bytes(1), (), bytes(32)), [0] * verifier.words)
except BackendError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as Linux does")
def test_verifying__more_rows_than_memory_holds__is_an_error_and_no_crash():
    """2^26 rows of 32 bytes in 256 MiB, far beyond the limits of a program: the process goes on and says so."""
    broadcast = (Linear(Source("block", "x"), 1, (Axis(None, 0, 1),)),)
    program = base(
        nu=26,
        vk_columns=0,
        inputs=(Input("x", (1,)),),
        outputs=(),
        blocks=(Block("y", 0, (1 << 25,)), Block("x", 1 << 25, (1,))),
        relations=(Relation("input", "x", "", (), input="x"), Relation("requant", "y", "", broadcast)),
    )
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY],
        input=program.to_json(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "found too little" in done.stdout


def test_pairing__of_multiples__is_bilinear_and_no_more():
    """e(aG, bH) = e(abG, H), and not with ab + 1; infinity on one side or on both."""
    g1, g2 = curve.GENERATOR, pairing.G2_GENERATOR
    for a, b in ((1, 1), (2, 3), (R - 1, 5), (0x1234567890ABCDEF << 100, 0xFEDCBA9876543210 << 130)):
        left, left_g2 = curve.multiply(g1, a), pairing.multiply_g2(g2, b)
        assert native.pairing_equal(left, left_g2, curve.multiply(g1, a * b % R), g2)
        assert not native.pairing_equal(left, left_g2, curve.multiply(g1, (a * b + 1) % R), g2)
    assert native.pairing_equal(curve.INFINITY, g2, curve.INFINITY, left_g2)
    assert not native.pairing_equal(curve.INFINITY, g2, g1, g2)


def test_pairing__of_points_that_are_none__is_refused():
    """Off the curve, beyond q, outside the group of order r."""
    g1, g2 = curve.GENERATOR, pairing.G2_GENERATOR
    for left, left_g2 in (((1, 1), g2), ((curve.Q + 1, 2), g2), (g1, twist_point_outside_g2())):
        with pytest.raises(ValueError, match="expected"):
            native.pairing_equal(left, left_g2, g1, g2)


def test_library__built_for_use__cannot_leave_out_a_check(built_verifier):
    """What removes checks is compiled into the tests' own library alone."""
    assert not hasattr(built_verifier, "octet_test_remove")
    assert not hasattr(built_verifier, "octet_test_met")
