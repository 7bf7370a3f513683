"""The native kernels against integers, py_ecc and the specification, on every path this machine has."""

import itertools
import random

import numpy as np
import pytest
from eth_hash.auto import keccak
from py_ecc.optimized_bn128 import FQ, G1, Z1, add, curve_order, field_modulus, multiply, neg, normalize
from trapdoor import trapdoor_key

from circuits.octet.native import build, kernels, library
from circuits.octet.native.kernels import find_native, open_native
from circuits.octet.native.row_program import RowProgram
from circuits.octet.native.sum_check import SumCheck
from circuits.octet.native.words import from_words, points_to_words, to_words
from circuits.octet.spec import mercury, multilinear
from circuits.octet.spec.field import vector
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.transcript import Transcript
from zkml.errors import ToolchainError

R, Q = curve_order, field_modulus
EDGES = [0, 1, 2, 3, (1 << 52) - 1, 1 << 52, (1 << 64) - 1, 1 << 64, 1 << 128, (1 << 253) - 1]

pytestmark = pytest.mark.usefixtures("built_kernels")


@pytest.fixture
def dice():
    """Random numbers, the same in each run."""
    return random.Random(20260115)


def affine(point):
    return (0, 0) if point[2] == FQ.zero() else tuple(int(c) for c in normalize(point))


def expected_sum(points, scalars):
    total = Z1
    for point, scalar in zip(points, scalars, strict=True):
        total = add(total, multiply(point, scalar % R))
    return affine(total)


def test_native__keccak_at_the_block_boundaries():
    """The hash agrees with eth_hash at every length around the rate of 136 bytes."""
    best = open_native()
    for size in [*range(4), 31, 32, 33, *range(134, 139), 271, 272, 273, 5216]:
        data = bytes(i * 7 % 256 for i in range(size))
        assert best.keccak256(data) == keccak(data)


@pytest.mark.parametrize("field", ["Fr", "Fq"])
def test_native__field_operations_agree_with_integers(native, dice, field):
    """All four operations equal those of Python's integers, on edges, near the prime and at random."""
    prime = {"Fr": R, "Fq": Q}[field]
    values = [*EDGES, *(prime - 1 - e for e in EDGES[:8]), prime // 2, prime // 2 + 1]
    pairs = [
        *itertools.product(values, repeat=2),
        *((dice.randrange(prime), dice.randrange(prime)) for _ in range(999)),
    ]
    left, right = (to_words(side) for side in zip(*pairs, strict=True))
    meaning = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "multiply_by_difference": lambda a, b: a * (a - b),
    }
    for operation, exact in meaning.items():
        found = from_words(native.field_batch(field, operation, left, right))
        assert found == [exact(a, b) % prime for a, b in pairs], operation


def test_native__a_value_that_is_not_below_the_prime_is_refused(native):
    """No kernel takes x + p for x."""
    one, large = to_words([1]), to_words([R])
    for a, b in ((one, large), (large, one)):
        with pytest.raises(ValueError, match="below the field's prime"):
            native.field_batch("Fr", "add", a, b)
    with pytest.raises(ValueError, match="below"):
        native.field_batch("Fq", "add", to_words([Q]), one)
    with pytest.raises(ValueError, match="below"):
        native.eq_table([R])
    with pytest.raises(ValueError, match="below"):
        native.evaluate(large, [1])
    points = native.points(points_to_words([(1, 2)]))
    with pytest.raises(ValueError, match="below"):
        points.multiply(large)
    with pytest.raises(ValueError, match="within the stated bits"):
        points.multiply_small(np.array([256], dtype=np.uint64), 8)


@pytest.mark.parametrize("variables", [0, 1, 2, 3, 4, 7])
def test_native__eq_table_and_evaluation_are_those_of_the_specification(native, dice, variables):
    """Tables of every size around the width of a lane, with edges among the coordinates."""
    point = [dice.choice([0, 1, R - 1, dice.randrange(R)]) for _ in range(variables)]
    scale = dice.randrange(R)
    table = from_words(native.eq_table(point, scale))
    assert table == [int(e) * scale % R for e in multilinear.eq_table(point)]
    for length in {0, 1, (1 << variables) // 2 + 1, 1 << variables}:
        values = [dice.randrange(R) for _ in range(min(length, 1 << variables))]
        padded = vector([*values, *[0] * ((1 << variables) - len(values))])
        assert native.evaluate(to_words(values), point) == multilinear.evaluate(padded, point)


@pytest.fixture(scope="module")
def points():
    """Multiples of the generator with their logarithms, 3 to 300."""
    made = [multiply(G1, 3)]
    for _ in range(297):
        made.append(add(made[-1], G1))
    return [affine(p) for p in made], list(range(3, 301))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 64, 298])
@pytest.mark.parametrize("threads", [1, 3])
def test_native__products_of_points_equal_those_of_py_ecc(native, dice, points, count, threads):
    """Full scalars, bytes, 16 and 64 bits, with the edges 0, 1 and r - 1 among them."""
    held = native.points(points_to_words(points[0]))
    logs = points[1][:count]
    full = [dice.choice([0, 1, R - 1, R // 2, dice.randrange(R), dice.randrange(R)]) for _ in logs]
    assert held.multiply(to_words(full), threads) == expected_sum(
        [G1], [sum(a * b for a, b in zip(full, logs, strict=True))]
    )
    for bits in (1, 8, 16, 33, 63, 64):
        small = [dice.choice([0, 1, (1 << bits) - 1, dice.randrange(1 << bits)]) for _ in logs]
        found = held.multiply_small(np.array(small, dtype=np.uint64), bits, threads)
        assert found == expected_sum([G1], [sum(a * b for a, b in zip(small, logs, strict=True))]), bits


def test_native__products_of_more_points_than_a_chunk_holds(native, dice):
    """What a chunk leaves in its buckets is carried into the next, for one thread and for several."""
    period, count = 32, 20_000
    base = [multiply(G1, 5)]
    for _ in range(period - 1):
        base.append(add(base[-1], multiply(G1, 11)))
    logs = [(5 + 11 * (i % period)) for i in range(count)]
    xy = points_to_words([affine(p) for p in base])
    held = native.points(np.tile(xy, (count // period, 1)))
    scalars = np.array([dice.randrange(256) for _ in range(count)], dtype=np.uint8)
    total = expected_sum([G1], [sum(int(a) * b for a, b in zip(scalars, logs, strict=True))])
    assert held.multiply_small(scalars, 8) == total
    assert held.multiply_small(scalars, 8, threads=2) == total
    full = [dice.randrange(R) for _ in range(count)]
    assert held.multiply(to_words(full), 2) == expected_sum(
        [G1], [sum(a * b for a, b in zip(full, logs, strict=True))]
    )


def test_native__degenerate_points_are_added_rightly(native, dice):
    """The same point again and again, opposite points, and infinity: no slope, but a sum."""
    g, minus, other = affine(G1), affine(neg(G1)), affine(multiply(G1, 9))
    cases = [
        ([g] * 50, [1] * 50),
        ([g] * 51, [255] * 51),
        ([g, minus], [7, 7]),
        ([g, minus] * 20 + [other], [3] * 41),
        ([(0, 0), g, (0, 0), minus, other], [5, 5, 5, 5, 5]),
        ([(0, 0)] * 9, [1] * 9),
        ([g, g, minus, minus, g, other, other, minus], [2] * 8),
        ([g] * 9, [0] * 9),
    ]
    logs = {g: 1, minus: R - 1, other: 9, (0, 0): 0}
    for points, scalars in cases:
        held = native.points(points_to_words(points))
        exact = sum(logs[p] * s for p, s in zip(points, scalars, strict=True))
        assert held.multiply_small(np.array(scalars, dtype=np.uint8), 8) == expected_sum([G1], [exact])
        full = [s * dice.choice([1, R - 1, 1 << 200]) % R for s in scalars]
        exact = sum(logs[p] * s for p, s in zip(points, full, strict=True))
        assert held.multiply(to_words(full)) == expected_sum([G1], [exact])


def test_native__points_off_the_curve_are_refused(native):
    """Neither a wrong ordinate, nor a coordinate above the prime, nor a lone zero is taken."""
    for point in [(1, 3), (0, 1), (1, 0), (1 + Q, 2), (1, 2 + Q)]:
        with pytest.raises(ValueError, match=r"on the curve|below the field's prime"):
            native.points(points_to_words([(1, 2), point]))
    with pytest.raises(ValueError, match="sizes"):
        native.points(points_to_words([(1, 2)])).multiply(to_words([1, 1]))


def row_sum(tables, function, variables, prefix, value):
    """The sum over the free rows with the next variable set to `value`, by the specification's folding."""
    folded = [vector(t) for t in tables]
    for challenge in prefix:
        folded = [multilinear.fold(t, challenge) for t in folded]
    last = [multilinear.fold(t, value) for t in folded]
    return sum(function(*(int(t[i]) for t in last)) for i in range(len(last[0]))) % R


@pytest.mark.parametrize("variables", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("threads", [1, 2])
def test_native__sum_check_of_degree_two(native, dice, variables, threads):
    """Every round of sum A B equals the specification's tables summed at 0 and 2, down to one row."""
    tables = [
        [dice.choice([0, 1, R - 1, dice.randrange(R)]) for _ in range(1 << variables)] for _ in range(2)
    ]
    program = RowProgram(2)
    product = program.multiply(0, 1)
    check = SumCheck(
        native, variables, [to_words(t) for t in tables], program, product, degree=2, threads=threads
    )
    challenges = []
    for _ in range(variables):
        assert check.round() == [
            row_sum(tables, lambda a, b: a * b, variables, challenges, x) for x in (0, 2)
        ]
        challenges.append(dice.choice([0, 1, R - 1, dice.randrange(R)]))
        check.bind(challenges[-1])
    assert check.finals() == [multilinear.evaluate(vector(t), challenges) for t in tables]


def helper_row(native, dice, variables, active):
    """The AB row of octet.md 2.1 with one group of limbs: eq (H A B C D - ..) + lambda H, tail included."""
    alpha, weight = dice.randrange(R), dice.randrange(R)
    limbs = [[dice.randrange(256) for _ in range(active)] for _ in range(4)]
    helper = [sum(pow(alpha + limb[i], -1, R) for limb in limbs) % R for i in range(active)]
    rest = 4 * pow(alpha, -1, R) % R
    point = [dice.randrange(R) for _ in range(variables)]
    eq = [int(e) for e in multilinear.eq_table(point)]
    program = RowProgram(6, (alpha, weight))
    a, b, c, d = (program.add(limb, program.constant(0)) for limb in range(4))
    ab, cd = program.multiply(a, b), program.multiply(c, d)
    full = program.multiply(4, program.multiply(ab, cd))
    parts = program.add(program.multiply(program.add(a, b), cd), program.multiply(program.add(c, d), ab))
    shown = program.multiply(5, program.subtract(full, parts))
    result = program.add(shown, program.multiply(4, program.constant(1)))
    tables, tails = [*limbs, helper, eq], [0, 0, 0, 0, rest, 0]
    check = SumCheck(
        native, variables, [to_words(t) for t in tables], program, result, degree=6,
        tails=tails, active=active, idle=weight * rest % R, threads=2,
    )  # fmt: skip

    def exact(w, x, y, z, h, e):
        w, x, y, z = w + alpha, x + alpha, y + alpha, z + alpha
        return e * (h * w * x * y * z - (w + x) * y * z - (y + z) * w * x) + weight * h

    extended = [[*t, *[tail] * ((1 << variables) - len(t))] for t, tail in zip(tables, tails, strict=True)]
    return check, exact, extended


@pytest.mark.parametrize(
    ("variables", "active"), [(1, 1), (4, 16), (4, 1), (5, 11), (7, 37), (7, 100), (8, 255)]
)
def test_native__sum_check_of_the_helper_row_with_a_prefix(native, dice, variables, active):
    """Degree 6 over a prefix of any length gives what the whole tables give, rows without limbs included."""
    check, exact, extended = helper_row(native, dice, variables, active)
    challenges = []
    for _ in range(variables):
        found = check.round()
        assert found == [row_sum(extended, exact, variables, challenges, x) for x in (0, 2, 3, 4, 5, 6)]
        challenges.append(dice.randrange(R))
        check.bind(challenges[-1])
    assert check.finals() == [multilinear.evaluate(vector(t), challenges) for t in extended]


# What is stored as r - 1 - k: values at the upper end of what the wide lanes hold.
LARGEST = [(R - 1 - k) * pow(2, -260, R) % R for k in range(64)]


def values_of(program, row):
    """A row program by integers: the values of all registers."""
    registers = [*row, *program.constants]
    for operation, _, left, right in program.steps().tolist():
        a, b = registers[left], registers[right]
        registers.append((a + b, a - b, a * b)[operation] % R)
    return registers


def test_native__products_of_unreduced_differences_are_exact(native):
    """A difference that waits holds up to 16 q; its square is reduced before it is subtracted again."""
    program = RowProgram(2)
    zeros = program.add(program.add(1, 1), program.add(1, 1))
    large = program.subtract(0, zeros)
    for _ in range(3):
        large = program.add(large, 0)
    result = program.multiply(program.subtract(1, program.multiply(large, large)), 0)
    tables = [LARGEST, [0] * 64]
    for at in range(0, 64, 2):  # one pair at a time: the value at X = 0 is that of a single row
        rows = [to_words(table[at : at + 2]) for table in tables]
        check = SumCheck(native, 1, rows, program, result, degree=1)
        assert check.round() == [values_of(program, [table[at] for table in tables])[result]]


@pytest.mark.parametrize("seed", range(12))
def test_native__row_programs_at_random_agree_with_integers(native, seed):
    """Sums, differences and products in any order, on values at the ends of the range."""
    dice = random.Random(seed)
    program = RowProgram(4, (R - 1, LARGEST[0], 1))
    for _ in range(80):
        operation = dice.choice(
            [program.add, program.add, program.subtract, program.subtract, program.multiply]
        )
        last = 7 + len(program.steps())
        operation(dice.randrange(max(0, last - 9), last), dice.randrange(last))
    result = 6 + len(program.steps())
    tables = [[dice.choice([0, R - 1, dice.randrange(R), *LARGEST[:4]]) for _ in range(32)] for _ in range(4)]
    check = SumCheck(native, 5, [to_words(table) for table in tables], program, result, degree=3)
    expected = []
    for x in (0, 2, 3):
        rows = zip(*(multilinear.fold(vector(table), x) for table in tables), strict=True)
        expected.append(sum(values_of(program, [int(v) for v in row])[result] for row in rows) % R)
    assert check.round() == expected


def test_native__a_row_program_that_reads_what_is_not_written_is_refused(native):
    """A register that no step has written is never read, and a table is never written."""
    table = [to_words([1, 2])]
    program = RowProgram(1)
    program.multiply(0, 5)
    with pytest.raises(ValueError, match="sizes"):
        SumCheck(native, 1, table, program, 1, degree=2)
    with pytest.raises(ValueError, match="sizes"):
        SumCheck(native, 1, table, RowProgram(1), 1, degree=1)
    with pytest.raises(ValueError, match="sizes"):
        SumCheck(native, 1, [to_words([1, 2, 3])], RowProgram(1), 0, degree=1)
    done = SumCheck(native, 1, table, RowProgram(1), 0, degree=1)
    with pytest.raises(ValueError, match="sizes"):
        done.finals()
    done.bind(3)
    with pytest.raises(ValueError, match="sizes"):
        done.round()


@pytest.fixture(scope="module")
def srs():
    """A local SRS and its points."""
    local = LocalSrs(1 << 9)
    return local, points_to_words(local.points(1 << 9))


@pytest.mark.parametrize("variables", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("threads", [1, 2])
def test_native__mercury_proofs_are_byte_equal_to_the_specification(native, dice, srs, variables, threads):
    """The same 22 words and the same transcript afterwards, and the specification's verifier accepts them."""
    local, words = srs
    values = [dice.choice([0, 1, R - 1, dice.randrange(R)]) for _ in range(1 << variables)]
    point = [dice.randrange(R) for _ in range(variables)]
    start = Transcript.start(b"mercury", bytes([variables]))
    state = start.state
    proof, after = native.points(words).mercury_open(to_words(values), point, state, threads)
    expected = mercury.open_at(vector(values), point, start, local)
    assert proof == expected.words()
    assert after == start.state
    again = Transcript.start(b"mercury", bytes([variables]))
    value = multilinear.evaluate(vector(values), point)
    read = mercury.MercuryProof.from_words(proof)
    mercury.verify(local.commit(values), point, value, read, again, key=trapdoor_key(local))


def test_native__without_a_compiler_there_is_a_notice_and_no_error(monkeypatch, caplog):
    """A machine without a C++ compiler goes on in plain Python and says so."""
    monkeypatch.setattr(kernels, "load_library", library.load_library.__wrapped__)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert find_native() is None
    assert "compiler" in caplog.text


def test_native__a_path_that_this_machine_lacks_is_refused(monkeypatch):
    """Asking for instructions that are not there is an error, and asking for the best one never is."""
    monkeypatch.setattr(kernels, "available_paths", lambda: ("scalar",))
    assert open_native().path == "scalar"
    with pytest.raises(ToolchainError, match="ifma path, found scalar"):
        open_native("ifma")


def test_native__another_source_is_another_library(monkeypatch, tmp_path):
    """The name in the cache follows from every source file, so that no stale library is ever loaded."""
    compiler = build._compiler()
    copy = tmp_path / "sources"
    build.shutil.copytree(build.SOURCES, copy)
    before = build._digest(compiler, build.KERNELS)
    monkeypatch.setattr(build, "SOURCES", copy)
    assert build._digest(compiler, build.KERNELS) == before
    for path in sorted(copy.iterdir()):
        text = path.read_text()
        path.write_text(text + "\n")
        assert build._digest(compiler, build.KERNELS) != before
        path.write_text(text)
