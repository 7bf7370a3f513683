"""The manifest of a bundle: complete, consistent, and never half believed."""

import copy
import json

import pytest

from zkml.core.cid import cid_of
from zkml.core.digests import canonical_json, digest_of
from zkml.core.manifest import ROLES, BundleManifest
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import ManifestError

FILES = {
    role: {
        "path": f"{role}.bin",
        "digest": digest_of(role.encode()),
        "cid": cid_of(role.encode()),
        "size_bytes": len(role),
    }
    for role in ROLES
}
GOOD = {
    "format": "zkml.bundle/2",
    "name": "digits",
    "system": "ezkl",
    "system_version": "23.0.5",
    "proof_system": "halo2-kzg-bn254-ezkl-v23",
    "input_visibility": "public",
    "output_visibility": "public",
    "param_visibility": "fixed",
    "weight_point": None,
    "batch": 1,
    "input_shape": [1, 1, 8, 8],
    "output_shape": [1, 10],
    "input_scale_bits": 7,
    "output_scale_bits": 21,
    "layout": {
        "input_count": 64,
        "input_bytes": 2,
        "output_count": 10,
        "output_bytes": 4,
        "input_minimum": 0,
        "input_maximum": 128,
    },
    "srs": {"name": "insecure-local", "secure": False, "tau_g2": digest_of(b"t"), "logrows": 13},
    "verifying_key": FILES["verifying_key"]["digest"],
    "proof_bytes": 3072,
    "fidelity": {"samples": 5, "max_abs_error": 0.1, "mean_abs_error": 0.01, "argmax_agreement": 1.0},
    "files": FILES,
}


def places(value, path=()):
    """Yield the path of every object within a manifest."""
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            yield from places(inner, (*path, name))


def at(manifest, path):
    """Return the object at a path."""
    for name in path:
        manifest = manifest[name]
    return manifest


def changed(path, value):
    """Return a copy of the good manifest with one value changed."""
    manifest = copy.deepcopy(GOOD)
    at(manifest, path[:-1])[path[-1]] = value
    return manifest


def parse(manifest):
    """Parse a manifest from the bytes of its file."""
    return BundleManifest.parse(json.dumps(manifest).encode(), where="manifest.json")


def test_manifest__good__parses_to_checked_forms():
    """A good manifest parses, round-trips, and gives its layout and domain."""
    manifest = parse(GOOD)
    assert manifest.to_bytes() == canonical_json(GOOD)
    assert manifest.tensor_layout == TensorLayout(64, 2, 10, 4)
    assert manifest.input_domain == InputDomain(0, 128)


@pytest.mark.parametrize(
    "path", [(*place, name) for place in places(GOOD) for name in at(GOOD, place)], ids=".".join
)
def test_manifest__field_missing__is_refused(path):
    """Without any one field, at any depth, there is no manifest."""
    manifest = copy.deepcopy(GOOD)
    del at(manifest, path[:-1])[path[-1]]
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        parse(manifest)


@pytest.mark.parametrize("place", list(places(GOOD)), ids=lambda place: ".".join(place) or "root")
def test_manifest__field_foreign__is_refused(place):
    """A field that no version knows, at any depth, is refused."""
    with pytest.raises(ManifestError, match="foreign"):
        parse(changed((*place, "foreign"), {}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "zkml.bundle/3"),
        (("name",), "../digits"),
        (("name",), ""),
        (("input_visibility",), "private"),
        (("output_visibility",), "private"),
        (("param_visibility",), "private"),
        (("param_visibility",), "committed"),
        (("weight_point",), "0x" + "11" * 64),
        (("weight_point",), "0x" + "11" * 63),
        (("batch",), 0),
        (("batch",), 2),
        (("files", "weightless_onnx"), FILES["onnx"] | {"path": "weightless.bin"}),
        (("input_shape",), [1, 1, 8, 9]),
        (("input_shape",), [1, 1, 8, -8]),
        (("output_shape",), [10, 10]),
        (("input_scale_bits",), "7"),
        (("input_scale_bits",), 31),
        (("layout", "input_count"), 63),
        (("layout", "input_count"), 0),
        (("layout", "input_bytes"), 9),
        (("layout", "output_count"), 11),
        (("layout", "output_count"), 65_537),
        (("layout", "input_minimum"), 129),
        (("layout", "input_maximum"), 32_768),
        (("layout", "input_maximum"), 2**40),
        (("srs", "logrows"), 27),
        (("srs", "secure"), True),
        (("srs", "secure"), "no"),
        (("verifying_key",), digest_of(b"another key")),
        (("proof_bytes",), 0),
        (("fidelity", "argmax_agreement"), 1.5),
        (("files", "onnx", "path"), "../../etc/passwd"),
        (("files", "onnx", "path"), "/etc/passwd"),
        (("files", "onnx", "path"), ".hidden"),
        (("files", "onnx", "path"), "a/b"),
        (("files", "onnx", "path"), "settings.bin"),
        (("files", "onnx", "digest"), "md5:00"),
        (("files", "onnx", "cid"), cid_of(b"onnx")[:-1] + "v"),
        (("files", "onnx", "size_bytes"), -1),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_manifest__lie_or_contradiction__is_refused(path, value):
    """Values out of range, paths that lead out, and fields that contradict each other are refused."""
    with pytest.raises(ManifestError, match=r"manifest\.json") as caught:
        parse(changed(path, value))
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff", b'{"format":"zkml.bundle/2"}', b'{"format":"zkml.claim/1"}']
)
def test_manifest__no_manifest__is_refused(data):
    """Something else than a manifest is refused as one, whatever it is."""
    with pytest.raises(ManifestError, match="in x"):
        BundleManifest.parse(data, where="x")


def test_circuit__identity__ignores_what_a_rebuild_changes():
    """The circuit's identity is that of ONNX, settings, SRS and key; the compiled file does not count."""
    good = parse(GOOD)
    assert (
        parse(changed(("files", "compiled_circuit", "digest"), digest_of(b"rebuilt"))).circuit == good.circuit
    )
    assert parse(changed(("name",), "renamed")).circuit == good.circuit


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("system",), "other"),
        (("system_version",), "23.0.6"),
        (("files", "onnx", "digest"), digest_of(b"x")),
        (("files", "settings", "digest"), digest_of(b"x")),
        (("srs", "tau_g2"), digest_of(b"x")),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_circuit__another_source__is_another_circuit(path, value):
    """Change any source of the key and it is another circuit."""
    assert parse(changed(path, value)).circuit != parse(GOOD).circuit


def test_circuit__another_key__is_another_circuit():
    """Another verifying key is another circuit."""
    manifest = changed(("verifying_key",), digest_of(b"k"))
    manifest["files"]["verifying_key"]["digest"] = digest_of(b"k")
    assert parse(manifest).circuit != parse(GOOD).circuit
