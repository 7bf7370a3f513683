"""What is the contract's own: checks that no other verifier has, calls of any shape, keys from strangers, too little gas.

That it gives the specification's verdict on every proof of these tests is shown where `octet_attacks.Bench` is asked,
and where forgeries, mutated words and random networks are (`test_octet_removed_checks`, `.._malicious_prover`,
`.._mutated_words`, `.._agreement`, `.._batch_programs`).
"""

import random
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import evm_verifier
import forgeries
import pytest
from careless_contract import CONTRACT, MARKED, careless_sources
from evm_verifier import EvmVerifier, call_of, evm, put, tensors
from octet_attacks import Bench
from octet_programs import CASES, one_gemm, weights
from test_octet_removed_checks import UNREACHABLE

from circuits.octet.chain.chain_key import chain_key_words
from circuits.octet.chain.instructions import Instruction, Op, Section, Slot
from circuits.octet.spec import curve, proof_words, statement
from circuits.octet.spec.field import from_signed, to_word
from circuits.octet.spec.transcript import Transcript
from circuits.octet.tensors import Output, VkTensor
from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm.abi import encode_call, function
from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.core.market_identifiers import batch_context, context_of
from zkml.errors import RevertedError

GAS = 2_000_000
VERIFIER = EvmVerifier()
dense, table, index = forgeries.dense, forgeries.table, forgeries.index


@cache
def proof(make):
    """The honest proof of one of the benches, made once."""
    return make().prove()


def key_words(bench, key=None):
    """Return the words of a bench's chain key."""
    verifying = (key or bench.key).verifying
    return list(chain_key_words(verifying, bench.key.srs.tau_g2, *tensors(verifying.program)))


def answer(adapter, calldata, gas=GAS):
    """Return the name of the error with which a call is refused, or the gas of one that is accepted."""
    try:
        return evm().call(adapter, calldata, gas_limit=gas).gas_used
    except RevertedError as error:
        return error.context["name"]


def accepted(adapter, calldata, gas=GAS):
    return isinstance(answer(adapter, calldata, gas), int)


# --- checks that are the contract's alone ------------------------------------------------------------


def of_clone(check, calldata=None, **changes):
    """The answers of the whole contract and of one without a check, behind a clone with something else in it."""
    bench = dense()
    words, (layout, _, _) = key_words(bench), tensors(bench.program)
    words, layout = changes.pop("words", words), changes.pop("layout", layout)
    calldata = calldata or call_of(bench.program, bench.statement, proof(dense))
    whole = put(words, layout, **changes)
    careless = put(words, layout, evm_verifier.CARELESS, **changes)
    number = evm_verifier.switch(bench.program, check, 0).to_bytes(32, "big")
    return (
        answer(whole, calldata),
        answer(careless, calldata + number),
        answer(careless, calldata + bytes(32)),
    )


def stretched(input_=b"", output=b"", words=None):
    """The calldata of the honest proof with more bytes of input or output than there are."""
    bench = dense()
    data, shown = evm_verifier.packed(bench.program, bench.statement)
    words = proof(dense) if words is None else words
    return evm_verifier.encoded(bench.statement.context, data + input_, shown + output, words)


def of_key():
    """Other words lie where the clone points than those that it pins."""
    return of_clone("key_digest", digest=b"\1" * 32)


def of_version():
    """A key of a version to come, whose words mean something else."""
    first, *others = key_words(dense())
    words = [(int.from_bytes(first, "big") + (1 << 240)).to_bytes(32, "big"), *others]
    return of_clone("key_version", words=words)


def of_weights():
    """One key under made-up commitments to weights would be many circuits."""
    return of_clone("no_weights", weights=b"\1" * 32)


def of_tensors():
    """A clone that takes one more element than its key: two inputs, one proof."""
    layout, _, _ = tensors(dense().program)
    return of_clone(
        "tensors_of_key", stretched(b"\7"), layout=replace(layout, input_count=layout.input_count + 1)
    )


def of_input():
    """Bytes behind the input that no word holds."""
    return of_clone("input_length", stretched(b"\7"))


def of_output():
    """Bytes behind the output that no relation holds: the hash runs on into the input's words, as a prover foresees."""
    bench = dense()
    words = [to_word(word) for word in statement.input_words(bench.program, bench.statement)]
    outputs = [to_word(from_signed(value)) for value in bench.statement.outputs]
    parts = (bench.key.verifying.digest, bench.statement.context, keccak256(b"".join(words)))
    seed = Transcript.start(statement.TAG, *parts, *outputs, words[0])
    return of_clone("output_length", stretched(output=b"\0\0\0\7", words=bench.prove(transcript=seed)))


CLONES = {
    "key_digest": (of_key, "KeyMismatch"),
    "key_version": (of_version, "UnknownKeyVersion"),
    "no_weights": (of_weights, "UnexpectedWeightCommitment"),
    "tensors_of_key": (of_tensors, "LayoutMismatch"),
    "input_length": (of_input, "InputLengthMismatch"),
    "output_length": (of_output, "OutputLengthMismatch"),
}


@pytest.mark.parametrize("check", CLONES)
def test_clone__that_does_not_fit_its_key_or_its_call__is_accepted_only_without_the_check(check):
    """Refused by its own error by the contract, and by the test build with nothing left out."""
    make, error = CLONES[check]
    whole, without, nothing_left_out = make()
    assert (whole, nothing_left_out) == (error, error)
    assert isinstance(without, int), without


def aliased_index():
    """3 scores: the digits of index 3 + i are those of i."""
    bench = index()
    lie = replace(bench.statement, outputs=(bench.statement.outputs[0] + 3,))
    return bench, lie, bench.prove(transcript=bench.seeded(lie))


def least_integer():
    """-2^31: the one int32 whose negative is none."""
    case = one_gemm()
    *others, last = case.program.relations
    shift = Bench(case).statement.outputs[0] + (1 << 31) - last.constant
    program = replace(case.program, relations=(*others, replace(last, constant=-shift)))
    bench = Bench(replace(case, program=program))
    assert bench.statement.outputs[0] == -(1 << 31)
    return bench, bench.statement, bench.prove()


@pytest.mark.parametrize("make", [aliased_index, least_integer])
def test_output__that_its_kind_does_not_have__is_accepted_only_without_the_check(make):
    """On the wire every output has 32 bits; an index is one of the tensor's, and no integer is -2^31."""
    bench, claim, words = make()
    assert not bench.accepts(words, claim)
    assert VERIFIER.accepts(bench.key, claim, words, without="output_range")


@cache
def many_outputs(count=29):
    """Integers of both signs, more of them than are read at a time."""
    case = one_gemm()
    columns = (*case.program.vk_tensors[:2], VkTensor("v", 0, 256, (count, 5)))
    program = replace(case.program, nu=9, outputs=(Output("scores", "int32", (count,)),), vk_tensors=columns)
    return Bench(replace(case, program=program, constants={**case.constants, "v": weights(3, (count, 5))}))


def test_outputs__of_a_large_tensor__are_read_and_checked_each():
    """The honest ones are accepted; with -2^31 in any one place the call is refused by name, and with -2^31 + 1 is not."""
    bench = many_outputs()
    words, outputs = bench.prove(), bench.statement.outputs
    assert {value < 0 for value in outputs} == {True, False}
    assert VERIFIER.accepts(bench.key, bench.statement, words)
    adapter = put(key_words(bench), tensors(bench.program)[0])
    for place in range(len(outputs)):
        for least, error in ((-(1 << 31), "OutputOutOfRange"), (1 - (1 << 31), "FirstSumMismatch")):
            claim = replace(bench.statement, outputs=(*outputs[:place], least, *outputs[place + 1 :]))
            assert answer(adapter, call_of(bench.program, claim, words)) == error, place


@pytest.mark.parametrize("shift", [1, curve.Q], ids=["off the curve", "not below q"])
def test_point__that_is_none_where_infinity_was_meant__is_accepted_only_without_the_check(shift):
    """A precompile that fails leaves its term out of the sum, as infinity would: the proof is one of a column of zeros."""
    bench, words = dense(), proof(dense)
    count = 2 * len(bench.program.first_columns)
    zeros = next(place for place in range(0, count, 2) if words[place : place + 2] == (0, 0))
    forged = forgeries.shifted(bench, "first columns", zeros, shift)
    assert not bench.accepts(forged)
    assert VERIFIER.accepts(bench.key, bench.statement, forged, without="points_of_sum")


PLACES = {
    "first sum[2]": range(6),
    "second sum[5]": range(2),
    "claims": (*range(8), proof_words.part_lengths(one_gemm().program)[3] - 1),
    "finals": range(3),
    "mercury values": range(6),
}
"""Scalars of each message, all or some."""


@pytest.mark.parametrize("label", PLACES)
def test_scalar__plus_r_in_any_place__is_refused_by_name(label):
    """The transcript matches, so that nothing else is wrong: each place has its own comparison in the code."""
    bench = dense()
    adapter = put(key_words(bench), tensors(bench.program)[0])
    for place in PLACES[label]:
        words = forgeries.shifted(bench, label, place, R)
        assert answer(adapter, call_of(bench.program, bench.statement, words)) == "ScalarNotCanonical", place


def test_code__leaves_room_under_the_limit_of_a_contract():
    """EIP-170: 24,576 bytes."""
    assert len(load_artifact(CONTRACT).runtime_code) < 22_000


def test_marked_checks__each_has_the_forgery_that_it_stops():
    """A statement marked as a check in the sources must come with what passes without it."""
    assert careless_sources()
    shown = {"output_range", "points_of_sum", *CLONES, *forgeries.MAKERS}
    assert set(MARKED) - shown == UNREACHABLE


def test_page__of_the_contracts_own_checks__names_those_that_are_left_out_here():
    """The second table of attacks has a row for each, and none that no test makes."""
    page = (Path(__file__).parents[2] / "docs" / "octet.md").read_text()
    rows = page.partition("| check of the contract |")[2].partition("\n\n")[0].splitlines()[2:]
    named = {name for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1])}
    assert named == {"output_range", "points_of_sum", *CLONES}


# --- other contexts, models, calls -----------------------------------------------------------------------


def test_proof__made_for_a_job__is_refused_for_every_other_claim():
    """Another job, payee, chain or market, and a batch with that job alone in it: each is another context."""
    job, payee, market = b"\1" * 32, "0x" + "11" * 20, "0x" + "22" * 20
    mine = context_of(31337, market, job, payee)
    others = (
        context_of(31337, market, b"\2" * 32, payee),
        context_of(31337, market, job, market),
        context_of(1, market, job, payee),
        context_of(31337, payee, job, payee),
        batch_context([mine]),
        bytes(32),
    )
    bench = dense()
    claim = replace(bench.statement, context=mine)
    words = bench.prove(claim=claim)
    assert bench.accepts(words, claim)
    for other in others:
        assert not bench.accepts(words, replace(claim, context=other))


def test_proof__of_another_model__is_refused_under_every_key():
    """Ten programs' proofs, each under the keys of all others, with the statement that this key expects."""
    benches = [Bench(make()) for make in CASES]
    proofs = [bench.prove() for bench in benches]
    for bench, own in zip(benches, proofs, strict=True):
        assert bench.accepts(own)
        assert not any(bench.accepts(words) for words in proofs if words != own)


def test_proof__of_the_same_network_with_other_rows__is_refused():
    """nu is the key's: a proof of 2^9 rows is none of 2^8, nor the other way."""
    case = one_gemm()
    short, long = dense(), Bench(replace(case, program=replace(case.program, nu=9)))
    of_short, of_long = proof(dense), long.prove()
    assert long.accepts(of_long)
    for cut in (of_long, of_long[: len(of_short)], (*of_short, *of_long[len(of_short) :]), of_short):
        assert cut == of_long or not long.accepts(cut)
        assert cut == of_short or not short.accepts(cut)


def test_calldata__cut_or_stretched_anywhere__is_refused_or_the_same_call():
    """The words behind a call's arguments are nobody's; everything else is read."""
    bench = dense()
    calldata = call_of(bench.program, bench.statement, proof(dense))
    adapter = put(key_words(bench), tensors(bench.program)[0])
    assert accepted(adapter, calldata)
    assert accepted(adapter, calldata + b"\1" * 33)
    for length in (0, 3, 4, 35, 36, 131, 132, *range(164, len(calldata), 97), len(calldata) - 1):
        assert not accepted(adapter, calldata[:length]), length


def test_calldata__with_another_offset_or_length__is_refused():
    """The three offsets and the first two lengths: overlapping, huge and wrapping ones; the context too is read."""
    bench = dense()
    honest = call_of(bench.program, bench.statement, proof(dense))
    adapter = put(key_words(bench), tensors(bench.program)[0])
    for place in range(4, 4 + 7 * 32, 32):
        for value in (0, 1, 31, 0x7FFF, 1 << 64, (1 << 256) - 1, (1 << 256) - 32):
            calldata = bytearray(honest)
            calldata[place : place + 32] = value.to_bytes(32, "big")
            assert calldata == honest or not accepted(adapter, bytes(calldata)), (place, value)


def test_proof__of_random_words__is_refused():
    """Points of the curve and canonical scalars, so that each stage is reached by some."""
    rng, bench = random.Random(5), table()
    honest = proof(table)
    for cut in range(0, len(honest), 11):
        words = (*honest[:cut], *(rng.randrange(R) for _ in honest[cut:]))
        assert not bench.accepts(words)


def test_too_little_gas__a_true_proof_is_refused_and_a_false_one_never_passes():
    """A precompile without gas returns nothing: the answer is a refusal at each point where gas can end."""
    bench, words = dense(), proof(dense)
    adapter = put(key_words(bench), tensors(bench.program)[0])
    true = call_of(bench.program, bench.statement, words)
    false = call_of(bench.program, bench.statement, (*words[:-4], *words[-2:], *words[-4:-2]))
    needed = next(gas for gas in range(answer(adapter, true), GAS, 1_000) if accepted(adapter, true, gas))
    assert answer(adapter, false) == "OpeningRejected"
    for gas in range(1_000, needed - 2_000, 7_001):
        assert not accepted(adapter, true, gas), gas
        assert not accepted(adapter, false, gas), gas


# --- keys from strangers -----------------------------------------------------------------------------

STATE_CHANGING = {0x55: "SSTORE", 0x5D: "TSTORE", 0xF0: "CREATE", 0xF1: "CALL", 0xF2: "CALLCODE", 0xF4: "DELEGATECALL",
                  0xF5: "CREATE2", 0xFF: "SELFDESTRUCT", **{0xA0 + n: f"LOG{n}" for n in range(5)}}  # fmt: skip


def test_code__of_the_verifier__can_change_nothing_but_its_own_memory():
    """Whatever a key's plan does to memory ends with the call: no instruction is there that could reach further."""
    code = load_artifact(CONTRACT).runtime_code
    found, at = set(), 0
    # Behind INVALID there are constants, where nothing jumps.
    while code[at] != 0xFE:
        found.add(code[at])
        at += 1 + max(0, code[at] - 0x5F) if 0x60 <= code[at] <= 0x7F else 1
    assert len(code) - at < 1_000
    assert {STATE_CHANGING[op] for op in found & set(STATE_CHANGING)} == set()


def hostile(plan, at=None):
    """Return the clone of a key with another first segment, at the plan's place or at an offset of one's own."""
    bench = dense()
    words = key_words(bench)
    places = int.from_bytes(words[2], "big")
    start = places >> 112 & 0xFFFF
    data = bytearray(b"".join(words))
    code = b"".join(step.encode(lambda slot: slot.index) for step in plan)
    assert start + len(code) <= len(data)
    data[start : start + len(code)] = code
    if at is not None:
        data[64:96] = (places & ~(0xFFFF << 112) | at << 112).to_bytes(32, "big")
    return put([bytes(data[i : i + 32]) for i in range(0, len(data), 32)], tensors(bench.program)[0])


def slot(number):
    return Slot(Section.CONSTANT, number)


LOOPS = {
    "sums of 2^32 terms": [Instruction(Op.INNER, (slot(300), slot(0), 65535, slot(0), 65535, slot(0)))] * 2,
    "a table of 2^255 words": [Instruction(Op.TABLE, (slot(300), slot(0), 255))],
    "a table that overwrites the plan": [Instruction(Op.TABLE, (slot(0), slot(9), 12))],
    "every slot written": [Instruction(Op.OUTER, (slot(0), slot(0), 65535, slot(0), 65535))],
    "a walk over carries below zero": [
        Instruction(
            Op.CORRELATE, (slot(0), slot(0), 32, slot(0), 32, 1, 65535, 0, -(1 << 31), 65535, 0, slot(0))
        )
    ],
    "a walk without an end": [
        Instruction(
            Op.CORRELATE, (slot(9), slot(9), 255, slot(9), 255, 1, 65535, 255, 7, 65535, 65535, slot(9))
        )
    ],
}


@pytest.mark.parametrize("plan", LOOPS)
def test_plan__of_a_stranger__ends_with_its_gas_and_leaves_others_alone(plan):
    """Its own circuit accepts nothing, within the gas that the router gives; the next call of another is as before."""
    bench = dense()
    calldata = call_of(bench.program, bench.statement, proof(dense))
    assert not accepted(hostile(LOOPS[plan]), calldata)
    assert VERIFIER.accepts(bench.key, bench.statement, proof(dense))


@pytest.mark.parametrize("opcode", [0, 15, 32, 99, 255])
def test_plan__with_an_opcode_that_no_instruction_has__is_refused(opcode):
    """By name, or because what lies behind it is none either."""
    bench = dense()
    calldata = call_of(bench.program, bench.statement, proof(dense))
    assert opcode not in set(Op)
    words = key_words(bench)
    start = int.from_bytes(words[2], "big") >> 112 & 0xFFFF
    data = bytearray(b"".join(words))
    data[start] = opcode
    adapter = put([bytes(data[i : i + 32]) for i in range(0, len(data), 32)], tensors(bench.program)[0])
    assert answer(adapter, calldata) in {"UnknownInstruction", "FirstSumMismatch", ""}


def test_plan__that_begins_outside_the_key__is_refused():
    """Behind the key's words there is nothing, which is no plan."""
    bench = dense()
    calldata = call_of(bench.program, bench.statement, proof(dense))
    assert not accepted(hostile([], at=0xFFFF), calldata)


@pytest.mark.parametrize("count", [1, 8, 2048])
def test_key__of_too_few_or_too_many_words__is_neither_read_nor_run(count):
    """A header is nine words, and places in a key are byte offsets of 16 bits."""
    bench = dense()
    words = (key_words(bench) + [bytes(32)] * 2048)[:count]
    adapter = put(words, tensors(bench.program)[0])
    reading = encode_call(function(load_artifact(CONTRACT).abi, "verifyingKey"), ())
    for calldata in (call_of(bench.program, bench.statement, proof(dense)), reading):
        assert answer(adapter, calldata) == "KeySizeOutOfRange"


def test_key__with_any_one_word_changed__proves_nothing_of_the_honest_model():
    """Header, descriptors, commitments and plan are all needed; a constant is not where the columns it weighs are zero."""
    bench = table()
    words = key_words(bench)
    calldata = call_of(bench.program, bench.statement, proof(table))
    layout, rng = tensors(bench.program)[0], random.Random(3)
    passed = []
    for place in range(len(words)):
        changed = list(words)
        changed[place] = rng.randbytes(32)
        if accepted(put(changed, layout), calldata):
            passed.append(place)
    places = int.from_bytes(words[2], "big")
    constants = (places >> 144 & 0xFFFF) + 2 * bench.program.vk_columns
    assert set(passed) <= set(range(constants, (places >> 112 & 0xFFFF) // 32)), passed
    assert len(passed) < 6
