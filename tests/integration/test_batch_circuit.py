"""Batch circuits: one proof for several jobs, each with the output that it would have had alone."""

import numpy as np
import onnx
import pytest
from ezkl_circuits import SAMPLES, Lab, batch_lab, relu
from onnx import TensorProto, helper

from circuits.batches import pack_batch, split_batch
from circuits.ezkl.batched import write_batched
from circuits.ezkl.keygen import verify_keys
from circuits.verification import verify_proof
from circuits.verifier_source import verifier_source
from verifier_contracts.codegen import compile_verifier
from verifier_contracts.local_verification import verify_in_local_evm
from zkml.core.records import from_hex, to_hex
from zkml.errors import LayoutError, ProofRejectedError, UnsuitableCircuitError

pytestmark = pytest.mark.integration
__all__ = ["relu"]


@pytest.fixture(scope="module")
def two() -> Lab:
    return batch_lab(2)


def test_batch__manifest__is_of_the_same_model(relu: Lab, two: Lab):
    """A batch names its size and its model's own ONNX file, with the same widths, scales and domain."""
    one, batch = relu.bundle.manifest, two.bundle.manifest
    assert (one.batch, batch.batch) == (1, 2)
    assert batch.files["onnx"] == one.files["onnx"]
    assert batch.layout.input_count == 2 * one.layout.input_count
    assert (batch.layout.input_bytes, batch.layout.output_bytes) == (
        one.layout.input_bytes,
        one.layout.output_bytes,
    )
    assert batch.input_domain == one.input_domain
    assert batch.circuit != one.circuit
    assert batch.proof_bytes == one.proof_bytes


def test_batch__outputs__are_those_of_each_job_alone(relu: Lab, two: Lab, tmp_path):
    """Cutting the batch's output gives every job the very bytes that its own circuit computes."""
    packed = [relu.system.quantize_input(relu.bundle, sample) for sample in SAMPLES[:2]]
    assert from_hex(two.proof.input) == b"".join(packed)
    alone = tuple(relu.system.witness(relu.bundle, each, tmp_path / "w").output for each in packed)
    assert split_batch(two.bundle.manifest, from_hex(two.proof.output)) == alone


def test_batch__proof__accepted_here_and_by_the_contracts(two: Lab):
    """One proof of two inputs verifies off chain, and through EzklVerifier over the generated verifier."""
    verify_proof(two.bundle, two.proof)
    verifier = compile_verifier(verifier_source(two.bundle), cache_dir=two.scratch / "verifiers")
    claim = {
        "packed_input": from_hex(two.proof.input),
        "packed_output": from_hex(two.proof.output),
        "proof": from_hex(two.proof.proof),
    }
    layout = two.bundle.manifest.tensor_layout
    verify_in_local_evm(verifier.runtime_code, layout, **claim)
    first, second = split_batch(two.bundle.manifest, claim["packed_output"])
    assert first != second
    with pytest.raises(ProofRejectedError):
        verify_in_local_evm(verifier.runtime_code, layout, **claim | {"packed_output": second + first})


def test_batch__outputs_swapped_between_jobs__refused(two: Lab):
    """A proof of a batch gives each job its own output and no other's."""
    first, second = split_batch(two.bundle.manifest, from_hex(two.proof.output))
    with pytest.raises(ProofRejectedError):
        verify_proof(two.bundle, two.proof.model_copy(update={"output": to_hex(second + first)}))


def test_batch__key__is_rebuilt_from_the_model_for_one_input(two: Lab):
    """An auditor needs no second ONNX file: the batch's is written from the model's by rule."""
    assert verify_keys(two.bundle) == two.bundle.manifest.verifying_key


def test_pack_batch__wrong_count_or_length__refused(two: Lab):
    """A batch circuit proves exactly its number of inputs, each of its length."""
    length = two.bundle.manifest.tensor_layout.input_length_bytes // 2
    with pytest.raises(LayoutError, match="2 inputs"):
        pack_batch(two.bundle.manifest, [bytes(length)])
    with pytest.raises(LayoutError, match="input 1"):
        pack_batch(two.bundle.manifest, [bytes(length), bytes(length - 1)])
    with pytest.raises(LayoutError):
        split_batch(two.bundle.manifest, bytes(1))


@pytest.mark.parametrize("inputs", [0, 1, 1025])
def test_compile_batch__size_out_of_range__refused(inputs: int, relu: Lab, tmp_path):
    """A batch is of 2 to 1,024 inputs."""
    with pytest.raises(UnsuitableCircuitError):
        relu.system.compile_batch(relu.bundle, inputs, tmp_path / "bundle", relu.srs)


def test_compile_batch__of_a_batch__refused(two: Lab, tmp_path):
    """Batches are made from the bundle for one input alone."""
    with pytest.raises(UnsuitableCircuitError, match="bundle for 2"):
        two.system.compile_batch(two.bundle, 2, tmp_path / "bundle", two.srs)


def test_compile_batch__model_that_mixes_its_samples__refused(relu: Lab, tmp_path):
    """A model whose output for one sample depends on its neighbours cannot be settled in batches."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["input", "axes"], ["sum"], keepdims=1),
            helper.make_node("Add", ["input", "sum"], ["output"]),
        ],
        "mixer",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "mixer.onnx")
    from ezkl_circuits import request  # noqa: PLC0415

    mixer = relu.system.compile(request(tmp_path, tmp_path / "mixer.onnx", relu.srs))
    with pytest.raises(UnsuitableCircuitError, match="others in the batch"):
        relu.system.compile_batch(mixer, 2, tmp_path / "batch", relu.srs)
    assert not (tmp_path / "batch").exists()


def test_write_batched__constant_reshape__widens_with_the_batch(tmp_path):
    """A constant shape that begins with the batch axis grows with it, and the float model stays the same."""
    import onnxruntime  # noqa: PLC0415 slow

    graph = helper.make_graph(
        [helper.make_node("Reshape", ["input", "shape"], ["output"])],
        "reshape",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 2, 2])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor("shape", TensorProto.INT64, [2], [1, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "one.onnx")
    write_batched(tmp_path / "one.onnx", tmp_path / "three.onnx", 3)
    session = onnxruntime.InferenceSession(str(tmp_path / "three.onnx"))
    values = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    (found,) = session.run(None, {"input": values})
    assert np.array_equal(found, values.reshape(3, 4))
