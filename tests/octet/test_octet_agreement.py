"""Specification and native code agree: equal proofs, equal transcripts, equal verdicts, on random networks over every
operator; what is proved is what the integer reference computes."""

from dataclasses import replace
from functools import cache
from itertools import count, islice

import numpy as np
import pytest
from octet_attacks import Bench
from octet_programs import CASES
from proof_systems import SPECIFICATION, Specification, native_provers, tracing_verifiers, verifiers
from random_graphs import RandomGraph, random_inputs

from circuits.octet.compile.lower import lower
from circuits.octet.compile.verifying_key import make_key
from circuits.octet.ref_exec import execute
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.statement import Statement
from circuits.octet.witness import make_witness
from zkml.core.digests import keccak256

NETWORKS = 200
CHUNK = 20
LOG_ROWS = 10


def agreed(key, statement, witness, natives):
    """Prove by the specification and by these others, verify by every verifier, and compare; return the proof."""
    words = Specification().prove(key, statement, witness)
    proofs = {each.name: each.prove(key, statement, witness) for each in natives}
    assert {name for name, proof in proofs.items() if proof != words} == set()
    # A verifier tells its states only where it accepts.
    states = {each.name: each.states(key, statement, words) for each in tracing_verifiers()}
    assert {name for name, found in states.items() if found != states[SPECIFICATION]} == set()
    assert all(each.accepts(key, statement, words) for each in verifiers() if each.name not in states)
    return words


def small_networks():
    """Networks of 2^10 rows or fewer, which the specification proves in 0.2 s."""
    for seed in count():
        graph = RandomGraph(seed).build()
        lowered = lower(graph)
        if lowered.program.nu <= LOG_ROWS:
            yield seed, graph, lowered


@cache
def networks():
    """Make them once."""
    return list(islice(small_networks(), NETWORKS))


@pytest.mark.parametrize("first", range(0, NETWORKS, CHUNK))
def test_agreement__on_random_networks__proofs_transcripts_and_verdicts_are_equal(first):
    """200 networks over every node, term, view and kind of output, inputs at the ends of their domains included."""
    for seed, graph, lowered in networks()[first : first + CHUNK]:
        key = make_key(lowered.program, lowered.constants, graph.digest(), LocalSrs(lowered.program.rows))
        inputs = random_inputs(graph, np.random.default_rng(seed))
        witness = make_witness(lowered, inputs)
        computed = [int(value) for values in execute(graph, inputs).outputs for value in values.reshape(-1)]
        assert list(witness.outputs) == computed
        statement = Statement(witness.inputs, witness.outputs, keccak256(seed.to_bytes(4, "big")))
        every = native_provers()
        words = agreed(key, statement, witness.columns, every if seed % 10 == 0 else every[:1])
        false = replace(statement, outputs=(statement.outputs[0] ^ 1, *statement.outputs[1:]))
        assert not any(each.accepts(key, false, words) for each in verifiers()), seed


@pytest.mark.parametrize("case", CASES)
def test_agreement__on_the_hand_written_programs__proofs_transcripts_and_verdicts_are_equal(case):
    """Programs with what the compiler does not make: several outputs, groups as axes, tables side by side."""
    bench = Bench(case())
    agreed(bench.key, bench.statement, bench.witness, native_provers())
    for each in native_provers():
        states = each.states(bench.key, bench.statement, bench.witness)
        assert states == Specification().states(bench.key, bench.statement, bench.prove())
