"""The transcript's trace: every message is hashed, whole, once and before the challenge that follows it (3.10).

What a prover does to a verifier that forgets one of them is in `forged_messages`.
"""

from dataclasses import replace

import forgeries
import octet_programs
import pytest
from octet_attacks import Bench
from octet_programs import one_gemm
from trapdoor import trapdoor_key

from circuits.octet.spec.verifier import verify


@pytest.fixture
def dense():
    return forgeries.dense()


@pytest.fixture
def table():
    return forgeries.table()


@pytest.mark.parametrize("kind", ["dense", "table"])
def test_trace__of_prover_and_verifier__is_the_same_and_holds_every_word_once(kind, request):
    """The absorbed words, one after the other, are the proof; both sides draw the same challenges."""
    bench = request.getfixturevalue(kind)
    proving, verifying = bench.seeded(), bench.seeded()
    words = bench.prove(transcript=proving)
    verify(bench.key.verifying, bench.statement, words, trapdoor_key(bench.key.srs), verifying)
    assert proving.events == verifying.events
    absorbed = [word for event in verifying.events for word in event.words]
    assert absorbed == list(words)
    assert len({event.challenge for event in verifying.events}) == len(verifying.events)


@pytest.mark.parametrize("kind", ["dense", "table"])
def test_trace__order_of_messages_and_challenges__is_that_of_the_page(kind, request):
    """3.8 with 3.0 item 1: beta is a squeeze after alpha, tau are squeezes after lambda, all else follows a message."""
    bench = request.getfixturevalue(kind)
    transcript = bench.seeded()
    bench.prove(transcript=transcript)
    nu = bench.program.nu
    expected = ["first columns", *(["beta"] if bench.program.tables else []), "second columns"]
    expected += [f"tau[{i}]" for i in range(nu)]
    expected += [f"first sum[{i}]" for i in range(nu)]
    expected += ["claims", *(f"second sum[{i}]" for i in range(nu)), "finals"]
    expected += [f"mercury {m}" for m in ("h", "q g", "s d", "values", "w", "w_y pi")]
    assert [event.label for event in transcript.events] == expected
    squeezed = {event.label.partition("[")[0] for event in transcript.events if event.kind == "squeeze"}
    assert squeezed == {"tau"} | ({"beta"} if bench.program.tables else set())


def test_trace__first_message__holds_every_witness_column_and_every_multiplicity(table):
    """3.0 item 3: nothing but helpers comes after alpha."""
    program = table.program
    assert {"Y", "V", "M", "M:square", *(f"R{i}" for i in range(2))} <= set(program.first_columns)
    assert all(name.startswith("H") for name in program.second_columns)
    transcript = table.seeded()
    table.prove(transcript=transcript)
    assert len(transcript.events[0].words) == 2 * len(program.first_columns)


def test_seed__every_part_of_the_statement__moves_it(dense):
    """Key, context, each input byte and each output are in the state before the first challenge."""
    states = {dense.seeded().state}
    claim = dense.statement
    variants = [replace(claim, context=b"\x08" * 32)]
    for position in range(len(claim.inputs)):
        changed = bytearray(claim.inputs)
        changed[position] ^= 1
        variants.append(replace(claim, inputs=bytes(changed)))
    for position in range(len(claim.outputs)):
        outputs = list(claim.outputs)
        outputs[position] += 1
        variants.append(replace(claim, outputs=tuple(outputs)))
    states |= {dense.seeded(variant).state for variant in variants}
    assert len(states) == 1 + len(variants)


def test_seed__of_another_length__cannot_be_made():
    """Nothing separates the parts but their lengths: context and counts of outputs are checked before."""
    bench = Bench(one_gemm())
    assert len(octet_programs.CONTEXT) == 32
    for context in (b"", bytes(31), bytes(33)):
        assert not bench.accepts(bench.prove(), replace(bench.statement, context=context))
