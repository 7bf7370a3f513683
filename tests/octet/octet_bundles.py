"""A small OCTET bundle, made once in a test run, and copies of it that lie in one file."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from built_once import built_once, shared_folder
from onnx import TensorProto, helper, numpy_helper

from circuits.bundle import MANIFEST_NAME, Bundle, describe_files
from circuits.octet.build_bundle import FILE_NAMES
from circuits.octet.run_witness import witness_of
from circuits.octet.system import OctetSystem
from circuits.port import CompileRequest
from circuits.srs import SrsStore
from circuits.systems import open_system
from zkml.core.records import ProofFile

SAMPLES = np.random.default_rng(11).uniform(-1, 1, (64, 1, 4)).astype(np.float32)


def small_model(seed: int = 0) -> bytes:
    """Return two dense layers, 4 -> 6 -> 3, with a ReLU between them, of random weights."""
    draw = np.random.default_rng(seed)
    weights = {
        "W": draw.normal(size=(6, 4)),
        "b": draw.normal(size=6),
        "V": draw.normal(size=(3, 6)),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["h"], name="first", transB=1),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "V"], ["y"], name="last", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def octet() -> OctetSystem:
    """Return the system with default limits."""
    return open_system("octet")


def compile_small(folder: Path, srs: Path, seed: int = 0) -> Bundle:
    """Compile the small model of a seed into `folder`."""
    source = folder.with_suffix(".onnx")
    source.write_bytes(small_model(seed))
    return octet().compile(CompileRequest("small", source, SAMPLES, folder, SrsStore(srs)))


def small_bundle() -> Bundle:
    """Return the small bundle; nobody may write to it."""
    folder, _ = built_once(
        "octet-small", lambda folder: compile_small(folder / "bundle", folder / "srs").path
    )
    return Bundle.open(folder / "bundle")


def small_batch() -> Bundle:
    """Return the small bundle's batch of three inputs; nobody may write to it."""
    base = small_bundle()
    srs = SrsStore(shared_folder() / "octet-small" / "srs")
    folder, _ = built_once(
        "octet-small-batch", lambda folder: octet().compile_batch(base, 3, folder / "bundle", srs).path
    )
    return Bundle.open(folder / "bundle")


def other_bundle() -> Bundle:
    """Return a bundle of other weights under the same SRS."""
    small_bundle()
    srs = shared_folder() / "octet-small" / "srs"
    folder, _ = built_once("octet-other", lambda folder: compile_small(folder / "bundle", srs, 1).path)
    return Bundle.open(folder / "bundle")


def small_proof() -> ProofFile:
    """Return a proof of the small bundle for the fourth sample."""

    def build(folder: Path) -> bytes:
        bundle = small_bundle()
        system = octet()
        witness = witness_of(bundle, system.quantize_input(bundle, SAMPLES[3]), folder / "witness")
        return system.prove(bundle, witness).proof.to_bytes()

    return ProofFile.from_bytes(built_once("octet-small-proof", build)[1], where="the shared proof")


def lying(bundle: Bundle, target: Path, files: dict[str, bytes] | None = None, **fields) -> Bundle:
    """Return a copy whose hashes all hold, with other bytes in some files and other values in its manifest.

    Args:
        bundle: an honest one.
        target: folder of the copy.
        files: new bytes by role.
        fields: of the manifest.
    """
    shutil.copytree(bundle.path, target)
    for role, data in (files or {}).items():
        (target / FILE_NAMES[role]).write_bytes(data)
    entries = describe_files(target, FILE_NAMES)
    changed = {"files": entries, "verifying_key": entries["verifying_key"].digest, **fields}
    manifest = bundle.manifest.model_copy(update=changed)
    (target / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    return Bundle.open(target)


def changed_settings(bundle, change) -> bytes:
    """Return the settings with something else in them, written canonically."""
    fields = json.loads(bundle.file("settings").read_bytes())
    change(fields)
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
