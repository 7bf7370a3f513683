"""Circuits small enough to compile in a test run, and a proof of each."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
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
def _shared_directory() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="zkml-test-circuits-")


@functools.cache
def lab(activation: str = "Relu") -> Lab:
    """Compile once per test run."""
    directory = Path(_shared_directory().name) / activation
    directory.mkdir()
    srs = SrsStore(directory.parent / "srs")
    system = open_system("ezkl")
    model = write_mlp(directory / "model.onnx", activation)
    bundle = system.compile(request(directory, model, srs))
    packed = system.quantize_input(bundle, SAMPLES[0])
    witness = system.witness(bundle, packed, directory / "witness.json")
    proof = system.prove(bundle, witness).proof
    return Lab(system, bundle, witness, proof, model, srs, directory)


@functools.cache
def committed_lab(seed: int) -> Lab:
    """Compile a model of one architecture with committed weights, once per test run for each seed."""
    directory = Path(_shared_directory().name) / f"committed-{seed}"
    directory.mkdir()
    srs = SrsStore(directory.parent / "srs")
    system = open_system("ezkl")
    model = write_mlp(directory / "model.onnx", seed=seed)
    bundle = system.compile(request(directory, model, srs, weights="committed"))
    packed = system.quantize_input(bundle, SAMPLES[0])
    witness = system.witness(bundle, packed, directory / "witness.json")
    return Lab(system, bundle, witness, system.prove(bundle, witness).proof, model, srs, directory)


@functools.cache
def batch_lab(inputs: int = 2) -> Lab:
    """Compile a batch of the ReLU model and prove its first samples, once per test run."""
    one = lab("Relu")
    directory = Path(_shared_directory().name) / f"batch-{inputs}"
    directory.mkdir()
    bundle = one.system.compile_batch(one.bundle, inputs, directory / "bundle", one.srs)
    packed = [one.system.quantize_input(one.bundle, sample) for sample in SAMPLES[:inputs]]
    whole = pack_batch(bundle.manifest, packed)
    witness = one.system.witness(bundle, whole, directory / "witness.json")
    proof = one.system.prove(bundle, witness).proof
    return Lab(one.system, bundle, witness, proof, one.onnx, one.srs, directory)


@pytest.fixture(scope="session")
def relu() -> Lab:
    return lab("Relu")


@pytest.fixture(scope="session")
def sigmoid() -> Lab:
    return lab("Sigmoid")
