"""The gas benchmark: how a settlement is split, and how its tables show that."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import gas_steps
from benchmarks.gas import (
    DIGITS,
    RANDOM,
    Settled,
    by_batch,
    by_network,
    by_precompile,
    digit_like,
    read_options,
)
from benchmarks.gas_split import split
from benchmarks.octet_cases import Case

ROUTER = "0x00000000000000000000000000000000000000aa"
DATA = bytes([0] * 100 + [7] * 50)


def call(to, gas, *below, data=b""):
    found = {"to": f"0x{to:040x}", "gasUsed": hex(gas), "input": "0x" + data.hex()}
    return {**found, "calls": list(below)} if below else found


def settlement(*verifications):
    """A transaction whose market reads from the router, has a proof verified, and books."""
    read = call(0xAA, 2_500)
    return call(0x11, 200_000, read, *verifications, call(0x22, 9_000, call(0x33, 500)), data=DATA)


def verification():
    clone = call(
        0xBB, 100_000, call(0xCC, 98_000, call(7, 6_000), call(6, 150), call(7, 6_000), call(8, 80_000))
    )
    return call(0xAA, 110_000, clone)


def test_split__of_a_settlement__adds_up_and_counts_precompiles_below_the_adapter():
    """A read of the router is the settlement's; what the market costs is what no other part has."""
    found = split(settlement(verification()), gas_used=200_000, router=ROUTER.upper().replace("X", "x"))
    assert (found.base, found.calldata) == (21_000, 100 * 4 + 50 * 16)
    assert (found.router, found.verifier, found.precompiles) == (10_000, 100_000, 92_150)
    assert found.settlement == 200_000 - 21_000 - 1_200 - 110_000
    assert found.calls == {"modexp": 0, "additions": 1, "multiplications": 2, "pairings": 1}
    assert (found.data_bytes, found.zero_bytes) == (150, 100)


@pytest.mark.parametrize("verifications", [(), (verification(), verification())])
def test_split__no_verification_or_two__is_refused(verifications):
    """Nothing is split that is not one settlement by one proof."""
    with pytest.raises(ValueError, match="one call of the router"):
        split(settlement(*verifications), gas_used=400_000, router=ROUTER)


def test_split__data_whose_floor_decides__is_refused():
    """Under EIP-7623 the parts would not add up to what is paid."""
    floor = 21_000 + 100 * 10 + 50 * 40
    with pytest.raises(ValueError, match="floor"):
        split(settlement(verification()), gas_used=floor, router=ROUTER)


def item(verifier, total, inputs=1):
    gas = split(settlement(verification()), gas_used=total, router=ROUTER)
    return Settled("net", verifier, inputs, RANDOM, 64, 5_000, 12, gas)


def test_tables__of_both_systems__hold_octet_against_the_cheaper_one():
    """EZKL's own lines have no share; a batch shows what each inference costs."""
    found = [item("octet", 200_000), item("ezkl generated", 400_000), item("ezkl shared", 500_000)]
    _, octet, generated, _ = by_network(found).splitlines()
    assert octet.split()[:3] == ["net", "octet", "2^12"]
    assert octet.split()[-1] == "0.50"
    assert generated.split()[-1] == "-"
    assert by_network(found[:1]).splitlines()[1].split()[-1] == "-"
    batch = by_batch([replace(item("octet", 400_002, 4), bytes=DIGITS)]).splitlines()[1]
    assert batch.split()[:5] == ["digits", "4", "2^12", "100,000", "400,002"]
    assert by_precompile(found).splitlines()[1].split() == ["net", "octet", "0", "1", "2", "1"]


def test_digit_like__samples__are_mostly_zero_and_elsewhere_the_same():
    """About a fifth of the elements stays."""
    samples = np.random.default_rng(1).uniform(0.5, 1, size=(64, 784)).astype(np.float32)
    changed = digit_like(Case("net", Path("net.onnx"), samples)).samples
    kept = changed != 0
    assert 0.17 < kept.mean() < 0.21
    assert np.array_equal(changed[kept], samples[kept])
    assert changed.dtype == samples.dtype


def test_options__sizes__are_numbers(capsys):
    """What else there is, is named."""
    assert read_options(["--batches", "--sizes", "2", "4"]).sizes == [2, 4]
    with pytest.raises(SystemExit):
        read_options(["--sizes", "many"])
    assert "invalid int value" in capsys.readouterr().err


def test_walk__plan_and_messages__count_for_the_sum_they_stand_beside():
    """The rounds part a verification: what is absorbed or run before, between and after them is another step."""
    order = [
        ("OctetStatement", "seed"),
        ("OctetTranscript", "absorb"),
        ("OctetKey", "field"),
        ("OctetPlan", "run"),
        ("OctetTranscript", "firstRounds"),
        ("OctetTranscript", "combine"),
        ("OctetWindows", "sums"),
        ("OctetRows", "valueAtRho"),
        ("OctetTranscript", "secondRounds"),
        ("OctetTranscript", "combine"),
        ("", ""),
        ("OctetPlan", "run"),
        ("OctetPoints", "sum"),
        ("OctetPoints", "pair"),
    ]
    walk = gas_steps.Walk()
    assert [walk.enter(*place) for place in order] == [
        gas_steps.STATEMENT,
        gas_steps.COMMITMENTS,
        gas_steps.COMMITMENTS,
        gas_steps.SEGMENTS[0],
        gas_steps.FIRST_ROUNDS,
        gas_steps.CLAIMS,
        gas_steps.SEGMENTS[1],
        gas_steps.ROWS,
        gas_steps.SECOND_ROUNDS,
        gas_steps.FINALS,
        gas_steps.FINALS,
        gas_steps.SEGMENTS[2],
        gas_steps.SUM,
        gas_steps.PAIRING,
    ]


def test_source_map__empty_fields__are_those_before():
    """solc writes what changed alone."""
    assert list(gas_steps.read_source_map("5:2:1;;7;:4:2:i;9:1:-1")) == [
        (5, 1),
        (5, 1),
        (7, 1),
        (7, 2),
        (9, -1),
    ]


def test_steps__of_a_trace__add_up_to_what_the_adapter_used():
    """Below the clone each opcode is its function's; the clone has the rest, and a precompile is its caller's."""
    places = {1: ("OctetStatement", "seed"), 2: ("OctetPoints", "sum"), 3: ("OctetPoints", "pair")}
    logs = [
        {"pc": pc, "op": op, "gas": gas, "gasCost": cost, "depth": depth}
        for pc, op, gas, cost, depth in (
            (0, "STATICCALL", 2_000, 1_000, 2),
            (0, "CALLDATACOPY", 1_000, 10, 3),
            (0, "DELEGATECALL", 990, 950, 3),
            (1, "MSTORE", 900, 5, 4),
            (2, "STATICCALL", 895, 600, 4),
            (3, "POP", 295, 2, 4),
            (3, "RETURN", 293, 0, 4),
            (0, "RETURN", 333, 3, 3),
            (9, "POP", 1_330, 2, 2),
        )
    ]

    class Places:
        def at(self, counter):
            return places[counter]

    found = gas_steps.steps_of(logs, Places())
    inside = {gas_steps.STATEMENT: 5, gas_steps.SUM: 600, gas_steps.PAIRING: 2}
    assert {step: found[step] for step in inside} == inside
    assert sum(found.values()) == 1_000 - 333 + 3
    assert found[gas_steps.CLONE] == 670 - 607
    assert "execution" in gas_steps.show(found)


def test_prototype__steps__are_all_of_the_contracts_once():
    """No step stands beside two of the prototype's, and none is left out."""
    beside = [step for _, same in gas_steps.PROTOTYPE.values() for step in same]
    assert sorted(beside) == sorted(gas_steps.STEPS)
