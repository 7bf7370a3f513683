"""Circuits small enough to compile in a test run, and a proof of each."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from built_once import built_once, shared_folder
from onnx import TensorProto, helper, numpy_helper

from circuits.batches import pack_batch
from circuits.bundle import Bundle
from circuits.port import CompileRequest, ProofSystem, WitnessResult
from circuits.srs import SrsStore
from circuits.systems import open_system
from zkml.core.records import ProofFile

SAMPLES = np.random.default_rng(5).uniform(-1, 1, size=(12, 4)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Lab:
    """A compiled circuit with a witness and a proof of its first sample."""

    system: ProofSystem
    bundle: Bundle
    witness: WitnessResult
    proof: ProofFile
    onnx: Path
    srs: SrsStore
    scratch: Path


def mlp_weights(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix and a bias large enough that not all outputs are zero."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(4, 3)).astype(np.float32)
    return matrix, (1 + rng.uniform(size=(1, 3))).astype(np.float32)


def write_mlp(path: Path, activation: str = "Relu", seed: int = 3) -> Path:
    """Write a model of 4 inputs and 3 outputs: MatMul, Add and an activation."""
    weights, bias = (
        numpy_helper.from_array(values, name)
        for values, name in zip(mlp_weights(seed), ("weights", "bias"), strict=True)
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["input", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["sum"]),
            helper.make_node(activation, ["sum"], ["output"]),
        ],
        "mlp",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3])],
        [weights, bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def request(lab_directory: Path, onnx_path: Path, srs: SrsStore, **changes) -> CompileRequest:
    """Return a request to compile a model of `write_mlp` into `<lab_directory>/bundle`."""
    plain = CompileRequest("tiny", onnx_path, SAMPLES, lab_directory / "bundle", srs, domain=(-1.0, 1.0))
    return dataclasses.replace(plain, **changes)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="zkml-test-circuits-")


def _store() -> SrsStore:
    return SrsStore(shared_folder() / "srs")


def _built(
    name: str, build: Callable[[Path], tuple[Bundle, WitnessResult, ProofFile, Path]], system: str = "ezkl"
) -> Lab:
    """Compile once per test run; files that tests write go to a folder of this process."""
    _, (bundle, witness, proof, model) = built_once(f"circuit-{name}", build)
    scratch = Path(_scratch().name) / name
    # `lab()` and `lab("Relu")` are two for the cache, and one lab.
    scratch.mkdir(exist_ok=True)
    return Lab(open_system(system), bundle, witness, proof, model, _store(), scratch)


def _proved(
    bundle: Bundle, packed: bytes, folder: Path, model: Path
) -> tuple[Bundle, WitnessResult, ProofFile, Path]:
    system = open_system(bundle.manifest.system)
    witness = system.witness(bundle, packed, folder / "witness.json")
    return bundle, witness, system.prove(bundle, witness).proof, model


def _compiled(
    folder: Path, model: Path, system_name: str = "ezkl", **changes: Any
) -> tuple[Bundle, WitnessResult, ProofFile, Path]:
    system = open_system(system_name)
    bundle = system.compile(request(folder, model, _store(), **changes))
    return _proved(bundle, system.quantize_input(bundle, SAMPLES[0]), folder, model)


@functools.cache
def lab(activation: str = "Relu") -> Lab:
    """Compile once per test run."""
    return _built(activation, lambda folder: _compiled(folder, write_mlp(folder / "model.onnx", activation)))


@functools.cache
def octet_lab() -> Lab:
    """Compile the ReLU model with OCTET, once per test run."""

    def build(folder: Path) -> tuple[Bundle, WitnessResult, ProofFile, Path]:
        return _compiled(folder, write_mlp(folder / "model.onnx"), "octet")

    return _built("octet", build, "octet")


@functools.cache
def committed_lab(seed: int) -> Lab:
    """Compile a model of one architecture with committed weights, once per test run for each seed."""
    return _built(
        f"committed-{seed}",
        lambda folder: _compiled(folder, write_mlp(folder / "model.onnx", seed=seed), weights="committed"),
    )


@functools.cache
def batch_lab(inputs: int = 2) -> Lab:
    """Compile a batch of the ReLU model and prove its first samples, once per test run."""
    one = lab("Relu")

    def build(folder: Path) -> tuple[Bundle, WitnessResult, ProofFile, Path]:
        bundle = one.system.compile_batch(one.bundle, inputs, folder / "bundle", one.srs)
        packed = [one.system.quantize_input(one.bundle, sample) for sample in SAMPLES[:inputs]]
        return _proved(bundle, pack_batch(bundle.manifest, packed), folder, one.onnx)

    return _built(f"batch-{inputs}", build)


@pytest.fixture(scope="session")
def relu() -> Lab:
    return lab("Relu")


@pytest.fixture(scope="session")
def sigmoid() -> Lab:
    return lab("Sigmoid")
