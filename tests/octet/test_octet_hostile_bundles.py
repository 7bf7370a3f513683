"""Bundles of strangers whose hashes all hold and that lie in one file: each is refused by name, none crashes."""

import dataclasses
import json
import re

import numpy as np
import pytest
from octet_bundles import SAMPLES, changed_settings, lying, octet, other_bundle, small_bundle, small_proof

from circuits.bundle import Bundle
from circuits.key_rebuilding import verify_keys
from circuits.octet.compile.graph_file import read_graph, write_graph
from circuits.octet.key_files import proving_key_bytes, read_proving_key
from circuits.octet.opened_key import open_key, open_settings
from circuits.octet.opened_network import open_network
from circuits.octet.prove import open_prover
from circuits.srs_points import P
from circuits.verification import verify_proof
from zkml.core.digests import digest_of
from zkml.errors import (
    ArtifactError,
    CircuitError,
    DigestMismatchError,
    ManifestError,
    ProofRejectedError,
    VerifierMismatchError,
)

HUGE = 10**30


@pytest.fixture(scope="module")
def bundle():
    return small_bundle()


BROKEN = {
    "nothing": b"",
    "no JSON": b"\xff\xfe",
    "brackets without end": b"[" * 100_000,
    "a list": b"[]",
    "null": b"null",
    "a number that is none": b'{"format":NaN}',
    "digits without end": b'{"format":' + b"9" * 5000 + b"}",
    "a name twice": b'{"format":1,"format":1}',
}


@pytest.mark.parametrize("role", ["settings", "verifying_key", "compiled_circuit", "proving_key"])
@pytest.mark.parametrize("form", BROKEN)
def test_hostile_bundle__a_file_of_another_form_is_refused(form, role, bundle, tmp_path):
    """Bytes that are nothing of the kind are refused by whoever needs the file."""
    forged = lying(bundle, tmp_path / "b", {role: BROKEN[form]})
    use = {
        "settings": open_settings,
        "verifying_key": open_key,
        "compiled_circuit": open_network,
        "proving_key": lambda opened: open_prover(opened, 1),
    }[role]
    with pytest.raises(ManifestError, match="expected"):
        use(forged)


def test_hostile_bundle__json_in_another_form_is_refused(bundle, tmp_path):
    """One key has one encoding, hence one digest."""
    for role, use in (("settings", open_settings), ("verifying_key", open_key)):
        spaced = json.dumps(json.loads(bundle.file(role).read_bytes()), indent=1).encode()
        with pytest.raises(ManifestError, match="canonical"):
            use(lying(bundle, tmp_path / role, {role: spaced}))


def point(x: int, y: int) -> str:
    """Return a commitment as the file has it."""
    return "0x" + x.to_bytes(32, "big").hex() + y.to_bytes(32, "big").hex()


LIES_OF_KEYS = {
    "a point off the curve": lambda key: key.update(commitments=[point(1, 3)]),
    "a coordinate beyond the prime": lambda key: key.update(commitments=[point(1 + P, 2)]),
    "half a point": lambda key: key.update(commitments=[point(1, 2)[:66]]),
    "one commitment more": lambda key: key["commitments"].append(point(1, 2)),
    "no commitment": lambda key: key.update(commitments=[]),
    "the key of another program": lambda key: key.update(program="0x" + "11" * 32),
    "half a reference": lambda key: key.update(reference="0x11"),
    "one field more": lambda key: key.update(more=1),
    "another format": lambda key: key.update(format="octet.verifying-key/2"),
}


@pytest.mark.parametrize("lie", LIES_OF_KEYS)
def test_hostile_bundle__a_key_that_lies_is_refused(lie, bundle, tmp_path):
    """Points that are none, another count, another program: the key does not open."""
    key = json.loads(bundle.file("verifying_key").read_bytes())
    LIES_OF_KEYS[lie](key)
    data = json.dumps(key, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ManifestError):
        open_key(lying(bundle, tmp_path / "b", {"verifying_key": data}))


@pytest.mark.parametrize("field", ["reference", "commitments"])
def test_hostile_bundle__a_key_that_opens_and_is_another_accepts_no_proof_of_this_one(
    field, bundle, tmp_path
):
    """Other weights or semantics make another statement: an honest proof, renamed to it, is rejected."""
    key = json.loads(bundle.file("verifying_key").read_bytes())
    other = json.loads(other_bundle().file("verifying_key").read_bytes())
    assert key["program"] == other["program"]
    key[field] = other[field]
    data = json.dumps(key, sort_keys=True, separators=(",", ":")).encode()
    forged = lying(bundle, tmp_path / "b", {"verifying_key": data})
    renamed = {"circuit": forged.manifest.circuit, "verifying_key": forged.manifest.verifying_key}
    with pytest.raises(ProofRejectedError):
        verify_proof(forged, small_proof().model_copy(update=renamed))


def test_hostile_bundle__what_opens_and_is_not_the_models_is_found_when_the_key_is_rebuilt(bundle, tmp_path):
    """Another scale of the outputs in settings and manifest alike, or other commitments, are not the ONNX file's."""
    bits = bundle.manifest.output_scale_bits + 1
    data = changed_settings(bundle, lambda fields: fields["port"].update(output_scale_bits=bits))
    rescaled = lying(bundle, tmp_path / "rescaled", {"settings": data}, output_scale_bits=bits)
    open_key(rescaled)
    with pytest.raises(VerifierMismatchError, match="settings"):
        verify_keys(rescaled)
    key = json.loads(bundle.file("verifying_key").read_bytes())
    key["commitments"] = [point(1, 2)]
    data = json.dumps(key, sort_keys=True, separators=(",", ":")).encode()
    recommitted = lying(bundle, tmp_path / "recommitted", {"verifying_key": data})
    open_key(recommitted)
    with pytest.raises(VerifierMismatchError, match="verifying key"):
        verify_keys(recommitted)


def srs_with(bundle, change) -> tuple[bytes, dict]:
    """Return the verifier's SRS with other G2 points, and what the manifest then says of it."""
    data = bytearray(bundle.file("verification_srs").read_bytes())
    change(data)
    identity = bundle.manifest.srs.model_copy(update={"tau_g2": digest_of(bytes(data[-256:]))})
    return bytes(data), {"srs": identity}


def test_hostile_bundle__another_tau_is_refused_even_where_the_manifest_agrees(bundle, tmp_path):
    """A point outside G2, another generator, a coordinate beyond the prime: none becomes a key."""

    def swap(data: bytearray) -> None:
        data[-256:-128], data[-128:] = data[-128:], data[-256:-128]

    def flip(data: bytearray) -> None:
        data[-1] ^= 1

    def overflow(data: bytearray) -> None:
        data[-32:] = b"\xff" * 32

    from circuits.octet.opened_key import make_opened  # noqa: PLC0415

    settings = open_settings(bundle)
    key = bundle.file("verifying_key").read_bytes()
    for change in (swap, flip, overflow):
        data, fields = srs_with(bundle, change)
        manifest = bundle.manifest.model_copy(update=fields)
        with pytest.raises(ManifestError, match="expected"):
            make_opened(manifest, settings, key, data[-256:])
        with pytest.raises(ManifestError, match="G2 points"):
            make_opened(bundle.manifest, settings, key, data[-256:])
        with pytest.raises(ManifestError):
            lying(bundle, tmp_path / change.__name__, {"verification_srs": data}, **fields)


def test_hostile_bundle__a_proving_key_of_another_model_makes_no_proof_of_this_one(bundle, tmp_path):
    """Other columns behind the right verifying key: the proof is made, and rejected; a foreign key is not opened."""
    program = open_settings(bundle).program
    key, columns = read_proving_key(bundle.file("proving_key").read_bytes(), program)
    foreign = other_bundle().file("proving_key").read_bytes()
    with pytest.raises(ManifestError, match="verifying key"):
        open_prover(lying(bundle, tmp_path / "foreign", {"proving_key": foreign}), 1)
    _, others = read_proving_key(foreign, program)
    forged = lying(bundle, tmp_path / "forged", {"proving_key": proving_key_bytes(key, program, others)})
    system = octet()
    witness = system.witness(forged, system.quantize_input(forged, SAMPLES[0]), tmp_path / "w")
    with pytest.raises(ProofRejectedError):
        verify_proof(bundle, system.prove(forged, witness).proof)
    columns["K0"][0] = np.iinfo(np.int64).min
    extreme = proving_key_bytes(key, program, columns)
    cut = bundle.file("proving_key").read_bytes()[:-8]
    unnamed = b"O" + bundle.file("proving_key").read_bytes()[1:]
    for name, data in (("extreme", extreme), ("cut", cut), ("unnamed", unnamed)):
        with pytest.raises(ManifestError, match="proving key"):
            open_prover(lying(bundle, tmp_path / name, {"proving_key": data}), 1)


def test_hostile_bundle__a_circuit_of_other_weights_gives_no_proof_under_this_key(bundle, tmp_path):
    """The same program with another model's integers computes other values, which this key does not accept."""
    forged = lying(
        bundle, tmp_path / "b", {"compiled_circuit": other_bundle().file("compiled_circuit").read_bytes()}
    )
    system = octet()
    witness = system.witness(forged, system.quantize_input(forged, SAMPLES[0]), tmp_path / "w")
    with pytest.raises(ProofRejectedError):
        verify_proof(bundle, system.prove(forged, witness).proof)


def test_hostile_bundle__a_circuit_of_another_program_does_not_open(bundle, tmp_path):
    """Where the graph gives another program than the settings state, no witness is made of it."""
    graph = read_graph(bundle.file("compiled_circuit").read_bytes())
    data = write_graph(dataclasses.replace(graph, shift=32))
    with pytest.raises(ManifestError, match="one of another"):
        open_network(lying(bundle, tmp_path / "b", {"compiled_circuit": data}))


def test_hostile_bundle__an_srs_of_other_points_gives_no_proof_under_this_key(bundle, tmp_path):
    """Points that are no powers of tau are no danger to a verifier: what they make is rejected."""
    data = bytearray(bundle.file("srs").read_bytes())
    first, second = slice(4 + 64, 4 + 128), slice(4 + 128, 4 + 192)
    data[first], data[second] = data[second], data[first]
    forged = lying(bundle, tmp_path / "b", {"srs": bytes(data)})
    system = octet()
    witness = system.witness(forged, system.quantize_input(forged, SAMPLES[0]), tmp_path / "w")
    with pytest.raises((ManifestError, ProofRejectedError)):
        verify_proof(bundle, system.prove(forged, witness).proof)


LIES_OF_MANIFESTS = {
    "input_scale_bits": 3,
    "output_scale_bits": 3,
    "input_shape": [4, 1],
    "output_shape": [3],
    "proof_bytes": 32,
    "param_visibility": "committed",
    "batch": 2,
}


@pytest.mark.parametrize("field", LIES_OF_MANIFESTS)
def test_hostile_bundle__a_manifest_that_contradicts_the_settings_is_refused(field, bundle):
    """A manifest cannot give the same proof another meaning."""
    forged = Bundle(bundle.path, bundle.manifest.model_copy(update={field: LIES_OF_MANIFESTS[field]}))
    with pytest.raises(ManifestError, match=field):
        open_key(forged)


@pytest.mark.parametrize(("side", "shape"), [("input", [1, 3]), ("output", [1, 2])])
def test_hostile_bundle__settings_and_manifest_that_agree_against_the_program_are_refused(
    side, shape, bundle, tmp_path
):
    """Where both leave out the last element, the program still has it."""
    data = changed_settings(bundle, lambda fields: fields["port"].update({f"{side}_shape": shape}))
    layout = bundle.manifest.layout.model_copy(update={f"{side}_count": shape[1]})
    forged = lying(bundle, tmp_path / "b", {"settings": data}, layout=layout, **{f"{side}_shape": shape})
    with pytest.raises(ManifestError, match=f"{side} dimensions|{side}s"):
        open_key(forged)


def test_hostile_bundle__domain_layout_and_version_are_the_settings_own(bundle):
    """Neither a wider domain, nor another packing, nor a version of tomorrow is believed."""
    layout = bundle.manifest.layout
    for update in (
        {"input_minimum": layout.input_minimum - 1},
        {"input_bytes": layout.input_bytes + 1},
        {"output_bytes": 8},
    ):
        manifest = bundle.manifest.model_copy(update={"layout": layout.model_copy(update=update)})
        with pytest.raises(ManifestError, match=r"layout|domain|byte"):
            open_key(Bundle(bundle.path, manifest))
    for update in ({"system_version": "9.9.9"}, {"system": "octet2"}):
        with pytest.raises(CircuitError, match=r"octet|known"):
            verify_proof(
                Bundle(bundle.path, bundle.manifest.model_copy(update=update)),
                small_proof().model_copy(update=update),
            )


def test_hostile_bundle__a_file_that_changes_after_opening_is_found(bundle, tmp_path):
    """A bundle is looked at again at every use: yesterday's verdict does not cover today's bytes."""
    copy = lying(bundle, tmp_path / "b")
    open_key(copy)
    path = copy.file("settings")
    path.write_bytes(path.read_bytes().replace(b'"nu":8', b'"nu":9'))
    with pytest.raises(DigestMismatchError, match=re.escape(path.name)):
        open_key(copy)
    path.unlink()
    with pytest.raises(ArtifactError):
        open_key(copy)
