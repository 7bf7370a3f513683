"""The prover in C++ against the specification: the same words, and what it does with what it cannot prove."""

import resource
import sys
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import octet_programs as programs
import pytest

from circuits.octet.native.kernels import PATHS, available_paths, open_native
from circuits.octet.native.prover import PHASES, NativeProver
from circuits.octet.native.words import points_to_words
from circuits.octet.spec import prover as specification
from circuits.octet.spec.field import to_signed
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import seed
from zkml.errors import KeygenError, ProofRejectedError, ProverLimitError, WitnessError

CASES = {case.__name__: case for case in programs.CASES}

pytestmark = pytest.mark.usefixtures("built_kernels")


def integers(column):
    return np.array([to_signed(int(value)) for value in column], dtype=np.int64)


@cache
def srs_words():
    return points_to_words(LocalSrs(1024).points(1024))


@cache
def proved(name):
    """Return the specification's key, statement, witness and words of a case."""
    case = CASES[name]()
    key = programs.proving_key(case)
    witness, statement = programs.execute(case)
    transcript = seed(key.verifying, statement)
    words = specification.prove(key, statement, witness, transcript)
    return key, statement, {n: integers(c) for n, c in witness.items()}, words, transcript


def prover(name, path=None, threads=2):
    key = proved(name)[0]
    native = open_native(path)
    columns = {column: integers(values) for column, values in key.columns.items()}
    return NativeProver(native, key.verifying, columns, native.points(srs_words()), threads)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", CASES)
def test_native_prover__makes_the_words_of_the_specification(name, path):
    """Every gadget, every form of term, on every path: the proof is the same, word for word."""
    if path not in available_paths():
        pytest.skip(f"no {path} path on this machine")
    _, statement, witness, words, _ = proved(name)
    assert prover(name, path).prove(statement, witness) == words


@pytest.mark.parametrize("name", CASES)
def test_native_prover__goes_through_the_specifications_states(name):
    """The transcript has the same state after every step, so that every challenge is the same."""
    _, statement, witness, words, transcript = proved(name)
    assert prover(name).trace(statement, witness) == (
        words,
        tuple(event.state for event in transcript.events),
    )


@pytest.mark.parametrize("path", PATHS)
def test_native_prover__weights_beyond_52_bits__are_taken_whole(path):
    """Lanes hold 52 bits of an integer at once: what is longer, of either sign, makes the same words."""
    if path not in available_paths():
        pytest.skip(f"no {path} path on this machine")
    case = programs.one_gemm()
    pixels, weights = case.inputs["x"].copy(), case.constants["w"].copy()
    pixels[2] = 0  # so that the sums stay as small as sums are
    weights[:, 2] = [-(1 << 63), (1 << 63) - 1, 1 << 52, -(1 << 52) - 1, -(1 << 57)]
    case = replace(case, inputs={"x": pixels}, constants={**case.constants, "w": weights})
    key = programs.proving_key(case)
    witness, statement = programs.execute(case)
    native = open_native(path)
    columns = {name: integers(values) for name, values in key.columns.items()}
    engine = NativeProver(native, key.verifying, columns, native.points(srs_words()))
    expected = specification.prove(key, statement, witness)
    assert engine.prove(statement, {name: integers(values) for name, values in witness.items()}) == expected


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_native_prover__threads__do_not_change_the_proof(threads):
    """How the work is cut decides nothing."""
    _, statement, witness, words, _ = proved("tables")
    assert prover("tables", threads=threads).prove(statement, witness) == words


def test_native_prover__rows_of_no_block__may_hold_anything():
    """What no relation reads is free: the words are those that the specification makes of the same rows."""
    key, statement, witness, _, _ = proved("one_gemm")
    free = {name: column.copy() for name, column in witness.items()}
    free["Y"][200] = 77
    free["M"][0] -= 1
    free["M"][77] += 1
    expected = specification.prove(key, statement, {n: [int(v) for v in c] for n, c in free.items()})
    assert prover("one_gemm").prove(statement, free) == expected


def test_native_prover__tells_every_phase_in_order_and_times_it():
    """A listener hears each phase begin, parts of it from 0 to 1, and the report names them all."""
    _, statement, witness, words, _ = proved("two_layers")
    heard = []
    engine = prover("two_layers")
    assert engine.prove(statement, witness, on_phase=lambda phase, done: heard.append((phase, done))) == words
    order = [phase for phase, _ in heard]
    assert list(dict.fromkeys(order)) == list(PHASES)
    assert order == sorted(order, key=PHASES.index)
    assert all(0 <= done <= 1 for _, done in heard)
    assert list(engine.last_phases) == list(PHASES)
    assert all(seconds >= 0 for seconds in engine.last_phases.values())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_native_prover__a_listener_that_raises__ends_the_proof(phase, error):
    """What it raises comes out, whatever the phase, and the prover can be used again."""
    _, statement, witness, words, _ = proved("one_gemm")
    engine = prover("one_gemm")

    def stop(now, done):
        if now == phase:
            raise error(phase)

    with pytest.raises(error, match=phase):
        engine.prove(statement, witness, on_phase=stop)
    assert engine.prove(statement, witness) == words


def test_native_prover__several_threads_share_one():
    """The handle is only read: two proofs at once are both right."""
    _, statement, witness, words, _ = proved("tables")
    engine = prover("tables")
    found = []
    workers = [
        threading.Thread(target=lambda: found.append(engine.prove(statement, witness))) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [words] * 3


def enlarged(name, nu, threads=2):
    """Return a prover and a witness of the same program on more rows; its proofs are of nothing."""
    key, statement, witness, _, _ = proved(name)
    program = replace(key.verifying.program, nu=nu)
    rows = {n: np.pad(integers(c), (0, program.rows - len(c))) for n, c in key.columns.items()}
    native = open_native()
    points = native.points(np.tile(srs_words(), (program.rows // len(srs_words()), 1)))
    engine = NativeProver(native, replace(key.verifying, program=program), rows, points, threads)
    return engine, statement, {n: np.pad(c, (0, program.rows - len(c))) for n, c in witness.items()}


@pytest.mark.parametrize("threads", [1, 2])
def test_native_prover__a_long_phase__asks_again_and_again(threads):
    """In the middle of one multiplication of many points, the listener can still end the proof."""
    engine, statement, witness = enlarged("tables", 18, threads)
    heard = []

    def stop(phase, done):
        heard.append((phase, done))
        if phase == "opening" and heard.count((phase, done)) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.prove(statement, witness, on_phase=stop)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits an address space as Linux does")
def test_native_prover__short_memory__is_an_error_and_no_end():
    """Where no more can be had, the proof ends with the reason, and the next one is right again."""
    engine, statement, witness = enlarged("tables", 18)
    used = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(used.split()[1]) * 1024, hard))
    try:
        with pytest.raises(ProverLimitError, match="expected memory for a proof over 262144 rows"):
            engine.prove(statement, witness)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert prover("tables").prove(statement, proved("tables")[2]) == proved("tables")[3]


def changed(name, column, row, value):
    witness = dict(proved(name)[2])
    witness[column] = witness[column].copy()
    witness[column][row] = value
    return witness


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("Y", 0, 256, "expected bytes in Y"),
        ("R1", 3, -1, "expected bytes in R1"),
        ("M", 300, 1, "expected counts on rows 0..255 of M"),
        ("M", 0, -1, "expected counts on rows 0..255 of M"),
        ("V", 1023, 5, "expected V to be the table's value"),
    ],
)
def test_native_prover__a_witness_it_cannot_take__is_refused(column, row, value, message):
    """No wrong proof comes of it, and no crash."""
    with pytest.raises(WitnessError, match=message):
        prover("tables").prove(proved("tables")[1], changed("tables", column, row, value))


def test_native_prover__a_table_value_that_is_another__is_refused():
    """The helpers are made from the table, so that V has to be its value where it is asked."""
    name = "tables"
    witness = proved(name)[2]
    row = int(np.flatnonzero(witness["V"])[0])
    with pytest.raises(WitnessError, match="expected V to be the table's value"):
        prover(name).prove(proved(name)[1], changed(name, "V", row, int(witness["V"][row]) + 1))


@pytest.mark.parametrize("column", ["Y", "V", "M"])
def test_native_prover__a_column_that_is_no_column__is_refused(column):
    """Missing, too short, or of numbers that are no integers of 64 bits."""
    _, statement, witness, _, _ = proved("tables")
    for broken in (None, witness[column][:-1], np.array([1 << 80] * 1024, dtype=object)):
        damaged = {name: values for name, values in witness.items() if name != column}
        if broken is not None:
            damaged[column] = broken
        with pytest.raises(WitnessError, match=f" {column}"):
            prover("tables").prove(statement, damaged)


def test_native_prover__a_statement_no_verifier_takes__is_refused():
    """Too few bytes, an output out of its range, a context of another length."""
    _, statement, witness, _, _ = proved("one_gemm")
    engine = prover("one_gemm")
    for broken in (
        {"inputs": statement.inputs[:-1]},
        {"outputs": (*statement.outputs[:-1], 1 << 31)},
        {"context": b"short"},
    ):
        with pytest.raises(ProofRejectedError):
            engine.prove(type(statement)(**{**vars(statement), **broken}), witness)


def test_native_prover__a_key_that_does_not_fit__is_refused():
    """A missing column, too few points, a digest of another length."""
    key = proved("one_gemm")[0]
    native = open_native()
    columns = {name: integers(values) for name, values in key.columns.items()}
    points = native.points(srs_words())
    with pytest.raises(KeygenError, match="column K0"):
        NativeProver(native, key.verifying, {}, points)
    with pytest.raises(KeygenError, match="expected 256 points"):
        NativeProver(native, key.verifying, columns, native.points(srs_words()[:255]))
    short = type(key.verifying)(key.verifying.program, key.verifying.commitments, b"short")
    with pytest.raises(KeygenError, match="digest of 32 bytes"):
        NativeProver(native, short, columns, points)
