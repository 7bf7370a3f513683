"""Net (a), two convolutions and a dense layer: every word is the one an independent prover made."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import octet_programs as programs
import pytest

from circuits.octet.spec.prover import prove
from circuits.octet.spec.srs import LocalSrs
from circuits.octet.spec.transcript import Transcript
from circuits.octet.spec.verifier import verify
from circuits.octet.tensors import Block, Input, Output, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis

GOLDEN = json.loads((Path(__file__).parent / "golden" / "net_a.json").read_text())

SHAPES = {"w1": (4, 1, 25), "b1": (4,), "w2": (8, 4, 25), "b2": (8,), "w3": (10, 8, 4, 4), "b3": (10,)}


def net_a():
    same, source = programs.same, WeightAxis
    window = (same(None, 1), Axis(1, 0, 12, 2, 5), Axis(2, 0, 12, 2, 5))
    second = (same(None, 1), Axis(1, 0, 4, 2, 5), Axis(2, 0, 4, 2, 5))
    kernel = (programs.OUT, programs.IN, programs.KERNEL)
    dense = (programs.OUT, source(source=0), source(source=1), source(source=2))

    def layer(kind, block, output, terms, bias, channels):
        return Relation(kind, block, output, (terms, Linear(Source("vk", bias), 1, (same(0, channels),))))

    program = programs.base(
        nu=12,
        shift=24,
        inputs=(Input("x", (1, 28, 28)),),
        outputs=(Output("scores", "int32", (10,)),),
        blocks=(Block("y1", 0, (4, 12, 12)), Block("y2", 1024, (8, 4, 4)), Block("x", 2048, (1, 28, 28))),
        vk_tensors=tuple(
            VkTensor(name, 0, {"w1": 0, "b1": 128, "b2": 136, "b3": 144, "w2": 1024, "w3": 2048}[name], shape)
            for name, shape in SHAPES.items()
        ),
        relations=(
            programs.held("x"),
            layer("requant", "y1", "", Contract(Source("block", "x"), window, "w1", kernel), "b1", 4),
            layer("requant", "y2", "", Contract(Source("block", "y1"), second, "w2", kernel), "b2", 8),
            layer(
                "public",
                "",
                "scores",
                Contract(Source("block", "y2"), (same(None, 1),) * 3, "w3", dense),
                "b3",
                10,
            ),
        ),
    )
    constants = {n: np.array(GOLDEN["constants"][n], dtype=object).reshape(s) for n, s in SHAPES.items()}
    return programs.Case(program, constants, {"x": np.array(GOLDEN["input"]).reshape(1, 28, 28)})


@pytest.fixture(scope="module")
def made():
    case = net_a()
    key = replace(programs.proving_key(case), srs=LocalSrs(1 << 12, tau=int(GOLDEN["tau"])))
    witness, statement = programs.execute(case)
    return key, witness, statement


def test_net_a__net_a_has_the_outputs_of_the_independent_prover(made):
    """The interpreter of programs computes what the other implementation computed."""
    assert list(made[2].outputs) == GOLDEN["outputs"]


def test_net_a__every_word_of_net_a_is_the_independent_provers(made):
    """From the same seed, weights, input and tau the specification makes the same 164 words."""
    key, witness, statement = made
    words = prove(key, statement, witness, _transcript())
    assert [hex(word) for word in words] == GOLDEN["words"]


def test_net_a__the_verifier_accepts_the_independent_provers_words(made):
    """The words are a proof in the verifier's eyes, with real pairings."""
    key, _, statement = made
    program, columns, srs = key.verifying.program, key.columns, key.srs
    verifying = replace(key.verifying, commitments=tuple(srs.commit(columns[n]) for n in program.key_columns))
    verify(verifying, statement, [int(word, 16) for word in GOLDEN["words"]], srs.opening_key, _transcript())


def _transcript():
    return Transcript.start(bytes.fromhex(GOLDEN["seed"]))
