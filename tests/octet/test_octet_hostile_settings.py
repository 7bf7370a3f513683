"""Settings of strangers whose hashes hold: programs that hang, overflow or leave something free, and other meanings."""

import re
from dataclasses import replace

import numpy as np
import pytest
from octet_bundles import changed_settings, lying, small_bundle, small_proof

from circuits.octet import settings as settings_file
from circuits.octet.compile.graph import Affine, ByteTensor, Gemm, Graph, Output
from circuits.octet.compile.lower import lower
from circuits.octet.compile.views import View
from circuits.octet.opened_key import open_settings
from circuits.octet.opened_network import open_network
from circuits.octet.proof_length import proof_bytes
from circuits.octet.prove import open_prover
from circuits.octet.settings import CircuitSettings, check_settings, parse_settings
from circuits.verification import verify_proof
from zkml.errors import ManifestError

HUGE = 10**30
LONG = 10**400


@pytest.fixture(scope="module")
def bundle():
    return small_bundle()


def program(change):
    """Return what changes the program of some settings."""
    return lambda fields: change(fields["program"])


def term(change):
    """Return what changes the first term of the first relation that has any."""
    return lambda fields: change(fields["program"]["relations"][1]["terms"][0])


LIES_OF_SETTINGS = {
    "another format": lambda fields: fields.update(format="octet.settings/2"),
    "one field more": lambda fields: fields.update(more=1),
    "one field less": lambda fields: fields.pop("recipe"),
    "no recipe": lambda fields: fields.update(recipe=[]),
    "another version": program(lambda it: it.update(version=3)),
    "a version that is true": program(lambda it: it.update(version=True)),
    "as many rows as there are atoms": program(lambda it: it.update(nu=HUGE)),
    "a number of rows that no float holds": program(lambda it: it.update(nu=LONG)),
    "a scale that is no integer of the statement": program(
        lambda it: it["relations"][1]["terms"][1].update(scale=(1 << 62) + 1)
    ),
    "many outputs of many elements": program(
        lambda it: it["outputs"].extend(
            {"name": f"z{i}", "kind": "int32", "dims": [1 << 16]} for i in range(32)
        )
    ),
    "fewer rows than the limb table": program(lambda it: it.update(nu=7)),
    "negative rows": program(lambda it: it.update(nu=-1)),
    "columns without end": program(lambda it: it.update(vk_columns=HUGE)),
    "no columns": program(lambda it: it.update(vk_columns=0)),
    "limbs without end": program(lambda it: it.update(saturation=HUGE)),
    "another shift": program(lambda it: it.update(shift=17)),
    "no relation": program(lambda it: it.update(relations=[])),
    "a relation forgotten": program(lambda it: it["relations"].pop(0)),
    "a relation twice": program(lambda it: it["relations"].append(it["relations"][0])),
    "relations out of order": program(lambda it: it["relations"].reverse()),
    "a block without an axis": program(lambda it: it["blocks"][0].update(dims=[])),
    "a block of no rows": program(lambda it: it["blocks"][0].update(dims=[0])),
    "a block beyond the columns": program(lambda it: it["blocks"][0].update(dims=[1 << 25])),
    "an axis beyond all columns": program(lambda it: it["blocks"][0].update(dims=[HUGE])),
    "an input of half a gigabyte": lambda fields: (
        fields["program"].update(nu=26),
        fields["program"]["inputs"][0].update(dims=[1 << 26]),
    ),
    "an output of half a gigabyte": program(lambda it: it["outputs"][0].update(dims=[1 << 25])),
    "a dimension that is a float": program(lambda it: it["blocks"][0].update(dims=[1.0, 6])),
    "a dimension that is a word": program(lambda it: it["blocks"][0].update(dims=["6"])),
    "a name with a line end": program(lambda it: it["blocks"][0].update(name="t\n\u202e")),
    "a name without end": program(lambda it: it["inputs"][0].update(name="x" * 1000)),
    "half a surrogate": program(lambda it: it["inputs"][0].update(name="\ud800")),
    "two inputs": program(lambda it: it["inputs"].append({**it["inputs"][0], "name": "z"})),
    "a wider domain": program(lambda it: it["inputs"][0].update(low=0, high=255)),
    "a narrower domain": program(lambda it: it["inputs"][0].update(low=it["inputs"][0]["low"] + 1)),
    "a domain beyond bytes": program(lambda it: it["inputs"][0].update(high=256)),
    "an output of another kind": program(lambda it: it["outputs"][0].update(kind="float")),
    "an output that is an index": program(lambda it: it["outputs"][0].update(kind="argmax")),
    "taps without end": term(lambda it: it["axes"][0].update(taps=HUGE)),
    "taps that take a day": term(lambda it: it["axes"][0].update(out=None, taps=1 << 25)),
    "a step of nothing": term(lambda it: it["axes"][0].update(stride=0)),
    "a weight that is not there": term(lambda it: it.update(weight="none")),
    "a source that is not there": term(lambda it: it["source"].update(name="none")),
    "a source of its own": term(lambda it: it["source"].update(kind="block", name="h")),
    "another offset of the input": lambda fields: fields["port"].update(
        input_offset=fields["port"]["input_offset"] - 1
    ),
    "an offset that is a word": lambda fields: fields["port"].update(input_offset="1"),
    "another scale of the input": lambda fields: fields["port"].update(input_scale_bits=1),
    "another scale of the output": lambda fields: fields["port"].update(output_scale_bits=1),
    "another shape of the input": lambda fields: fields["port"].update(input_shape=[4, 1]),
    "a shape beyond all elements": lambda fields: fields["port"].update(input_shape=[HUGE]),
    "another domain": lambda fields: fields["port"]["domain"].update(minimum=-7),
    "an empty domain": lambda fields: fields["port"]["domain"].update(minimum=7, maximum=6),
    "an index for an output": lambda fields: fields["port"].update(argmax=True),
}


@pytest.mark.parametrize("lie", LIES_OF_SETTINGS)
def test_hostile_bundle__settings_that_lie_are_refused_before_anything_is_verified(lie, bundle, tmp_path):
    """Whatever the settings claim, a verifier, a prover and a witness refuse them in one line."""
    data = changed_settings(bundle, LIES_OF_SETTINGS[lie])
    assert data != bundle.file("settings").read_bytes()
    forged = lying(bundle, tmp_path / "b", {"settings": data})
    with pytest.raises(ManifestError):  # whatever a key may say of the program
        check_settings(parse_settings(data), forged.manifest)
    for use in (
        lambda: verify_proof(forged, small_proof()),
        lambda: open_network(forged),
        lambda: open_prover(forged, 1),
    ):
        with pytest.raises(ManifestError) as caught:
            use()
        assert re.fullmatch(r"expected [^\n]+ found [^\n]+", caught.value.message), caught.value.message
        assert caught.value.message.isprintable()


def test_hostile_bundle__an_index_with_a_scale_is_refused(bundle):
    """The index of the greatest score stands for itself: no settings make a fraction of it."""
    honest = open_settings(bundle)
    scores = Affine(
        ByteTensor("h", (1, 3), 1.0, 0),
        (Gemm(View("x", (1, 4)), np.ones((3, 4), np.int64)),),
        np.full((1, 1), 1 << 15),
    )
    given = ByteTensor("x", (1, 4), 1.0, honest.port.input_offset)
    chosen = Output("y", "argmax", View("h", (1, 3)), (1,), 1.0, 0)
    for bits in (0, 1):
        port = replace(honest.port, input_name="x", output_shape=(1,), argmax=True, output_scale_bits=bits)
        graph, width = Graph(16, (given,), (scores,), (chosen,)), port.layout.input_bytes
        program = lower(graph, port.byte_domain, width=width).program
        layout = bundle.manifest.layout.model_copy(update={"output_count": 1})
        manifest = bundle.manifest.model_copy(
            update={
                "output_scale_bits": bits,
                "output_shape": [1],
                "layout": layout,
                "proof_bytes": proof_bytes(program),
            }
        )
        settings = CircuitSettings(program, port, {})
        if bits == 0:
            check_settings(settings, manifest)
            continue
        with pytest.raises(ManifestError, match="scale bits of an index 0"):
            check_settings(settings, manifest)


def test_settings__words_of_another_width_than_the_packed_input__are_refused(bundle):
    """A contract cuts the packed input into words by the layout: a program of other lanes is about other words."""
    honest = open_settings(bundle)
    (given,) = honest.program.inputs
    other = replace(honest.program, inputs=(replace(given, width=3 - given.width),))
    with pytest.raises(ManifestError, match="expected input bytes"):
        check_settings(replace(honest, program=other), bundle.manifest)


def test_settings__the_length_of_proofs__is_counted_when_all_else_agrees(bundle, monkeypatch):
    """Whatever takes work waits until the manifest repeats everything that takes none."""
    honest = open_settings(bundle)
    asked = []
    monkeypatch.setattr(settings_file, "proof_bytes", lambda program: asked.append(program) or 0)
    more = replace(honest.program, outputs=(*honest.program.outputs, *honest.program.outputs))
    for other in (
        replace(honest, program=more),
        replace(honest, program=replace(honest.program, inputs=())),
        replace(honest, port=replace(honest.port, input_scale_bits=9)),
    ):
        with pytest.raises(ManifestError):
            check_settings(other, bundle.manifest)
        assert not asked
    with pytest.raises(ManifestError, match="expected proof_bytes 0"):
        check_settings(honest, bundle.manifest)
    assert asked == [honest.program]
