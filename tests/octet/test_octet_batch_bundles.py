"""Batch circuits of OCTET: one proof for several jobs, each with the output that it would have had alone."""

from dataclasses import replace

import numpy as np
import pytest
from built_once import shared_folder
from octet_bundles import SAMPLES, changed_settings, lying, octet, small_batch, small_bundle, small_model
from small_onnx import INT64, SmallModel

from circuits import key_rebuilding
from circuits.batches import pack_batch, split_batch
from circuits.octet import opened_network
from circuits.octet.compile.graph import Affine, ByteTensor, Gemm
from circuits.octet.compile.graph_file import read_graph, write_graph
from circuits.octet.compile.graph_size import block_rows
from circuits.octet.compile.views import View
from circuits.octet.opened_key import open_key, open_settings
from circuits.octet.rebuild import verify_keys
from circuits.port import CompileRequest, ErrorBudget
from circuits.srs import SrsStore
from circuits.verification import verify_proof
from zkml.core.records import from_hex, to_hex
from zkml.core.tensors import unpack_output
from zkml.errors import ManifestError, ProofRejectedError, UnsuitableCircuitError, VerifierMismatchError
from zkml.publish.publication import check_batches

ITEMS = 3


def store():
    return SrsStore(shared_folder() / "octet-small" / "srs")


@pytest.fixture(scope="module")
def system():
    return octet()


@pytest.fixture(scope="module")
def base():
    return small_bundle()


@pytest.fixture(scope="module")
def batch():
    return small_batch()


@pytest.fixture(scope="module")
def packed(base, system):
    return [system.quantize_input(base, sample) for sample in SAMPLES[:ITEMS]]


@pytest.fixture(scope="module")
def proof(batch, system, packed, tmp_path_factory):
    witness = system.witness(
        batch, pack_batch(batch.manifest, packed), tmp_path_factory.mktemp("batch") / "w"
    )
    return system.prove(batch, witness).proof


def test_batch__manifest__is_of_the_same_model(base, batch):
    """A batch names its size and its model's own ONNX file, with the same widths, scales and domain."""
    one, several = base.manifest, batch.manifest
    assert (one.batch, several.batch) == (1, ITEMS)
    assert several.files["onnx"] == one.files["onnx"]
    assert several.files["compiled_circuit"].digest == one.files["compiled_circuit"].digest
    assert several.layout.input_count == ITEMS * one.layout.input_count
    assert several.layout.output_count == ITEMS * one.layout.output_count
    for name in ("input_domain", "input_scale_bits", "output_scale_bits", "fidelity", "weight_commitment"):
        assert getattr(several, name) == getattr(one, name)
    assert several.circuit != one.circuit
    assert open_key(batch).reference == open_key(base).reference
    check_batches(base, [batch])


def test_batch__outputs__are_those_of_each_job_alone(base, batch, system, packed, proof, tmp_path):
    """Cutting the batch's output gives every job the very bytes that its own circuit computes."""
    assert from_hex(proof.input) == b"".join(packed)
    alone = tuple(system.witness(base, each, tmp_path / "w").output for each in packed)
    assert len(set(alone)) == ITEMS
    assert split_batch(batch.manifest, from_hex(proof.output)) == alone


def test_batch__proof__is_accepted_for_its_jobs_in_their_order_alone(batch, proof):
    """No job takes another's place: not its output, not its input, and not both."""
    verify_proof(batch, proof)
    turned = {
        "output": to_hex(b"".join(split_batch(batch.manifest, from_hex(proof.output))[::-1])),
        "input": to_hex(b"".join(np.split(np.frombuffer(from_hex(proof.input), np.uint8), ITEMS)[::-1])),
    }
    for fields in ({"output": turned["output"]}, {"input": turned["input"]}, turned):
        with pytest.raises(ProofRejectedError):
            verify_proof(batch, proof.model_copy(update=fields))


def test_batch__witness__is_kept_checked_and_read_back(batch, system, packed, tmp_path):
    """Whatever a node does with one input's circuit it does with a batch's."""
    given = pack_batch(batch.manifest, packed)
    made = system.witness(batch, given, tmp_path / "w")
    system.mock(batch, made)
    assert system.load_witness(batch, given, tmp_path / "w").output == made.output
    outputs = system.quantized_outputs(batch, SAMPLES[:ITEMS].reshape(1, -1))
    assert outputs.ravel().tolist() == list(unpack_output(batch.manifest.tensor_layout, made.output))


def test_batch__key__is_rebuilt_from_the_model_for_one_input(batch, tmp_path):
    """An auditor needs the model's own ONNX file and the recipe, and finds another model under its name."""
    assert verify_keys(batch) == key_rebuilding.verify_keys(batch) == batch.manifest.verifying_key
    swapped = lying(batch, tmp_path / "swapped", {"onnx": small_model(1)})
    with pytest.raises(VerifierMismatchError):
        verify_keys(swapped)


def test_batch__compiled_again__is_the_same_circuit(base, batch, system, tmp_path):
    """The same bundle and SRS give every file byte for byte."""
    again = system.compile_batch(base, ITEMS, tmp_path / "again", store())
    assert again.manifest.to_bytes() == batch.manifest.to_bytes()


@pytest.mark.parametrize("items", [0, 1, 1025])
def test_compile_batch__size_out_of_range__is_refused(items, base, system, tmp_path):
    """A batch is of 2 to 1,024 inputs."""
    with pytest.raises(UnsuitableCircuitError, match="1024"):
        system.compile_batch(base, items, tmp_path / "bundle", store())


def test_compile_batch__of_a_batch__is_refused(batch, system, tmp_path):
    """Batches are made from the bundle for one input alone."""
    with pytest.raises(UnsuitableCircuitError, match=f"bundle for {ITEMS}"):
        system.compile_batch(batch, 2, tmp_path / "bundle", store())


def test_compile_batch__of_a_bundle_that_is_not_its_models__is_refused(base, system, tmp_path):
    """A job would get another output from the batch than from the bundle: no batch is made of it."""
    swapped = lying(base, tmp_path / "swapped", {"onnx": small_model(1)})
    with pytest.raises(VerifierMismatchError, match="integer graph"):
        system.compile_batch(swapped, 2, tmp_path / "bundle", store())
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ({"batch": 2}, {}),
        ({"batch": 1}, {}),
        ({}, {"batch": 1}),
        ({}, {"batch": 2}),
        ({"input_shape": [4, 1]}, {"input_shape": [ITEMS, 4, 1]}),
        ({}, {"input_shape": [2 * ITEMS, 2]}),
        ({}, {"output_shape": [ITEMS, 3]}),
    ],
)
def test_batch__settings_or_manifest_of_another_batch__are_refused(where, what, batch, tmp_path):
    """The number of inputs, and how they lie, is said by program, settings and manifest alike."""

    def change(fields):
        fields["port"].update(where)

    with pytest.raises(ManifestError):
        open_settings(lying(batch, tmp_path / "lie", {"settings": changed_settings(batch, change)}, **what))


def test_batch__recipe_of_another_batch__is_found_by_whoever_rebuilds(batch, tmp_path):
    """A recipe is anybody's word: the program that it makes is compared."""

    def change(fields):
        fields["recipe"]["batch"] = 2

    lie = lying(batch, tmp_path / "lie", {"settings": changed_settings(batch, change)})
    with pytest.raises(VerifierMismatchError):
        verify_keys(lie)


def test_batch__graph_whose_items_take_more_rows_than_the_settings_have__is_not_even_lowered(
    batch, tmp_path, monkeypatch
):
    """Rows are counted for every item: 128 more for each of three are beyond 256."""
    graph = read_graph(batch.file("compiled_circuit").read_bytes())
    (given,) = graph.inputs
    wide = Gemm(View(given.name, given.shape), np.ones((128, 4), dtype=np.int64))
    bias = np.ones((1, 1), dtype=np.int64)
    large = replace(graph, nodes=(*graph.nodes, Affine(ByteTensor("wide", (1, 128), 1.0, 0), (wide,), bias)))
    assert 128 < block_rows(large) < open_settings(batch).program.rows
    monkeypatch.setattr(opened_network, "lower", lambda *_, **__: pytest.fail("the graph was lowered"))
    with pytest.raises(ManifestError, match=r"256 rows, found \d+ in the compiled circuit"):
        opened_network.open_network(lying(batch, tmp_path / "b", {"compiled_circuit": write_graph(large)}))


def rows_model(kind):
    """A model that names the greatest score of every row, or of every pixel: 4 indices."""
    rng = np.random.default_rng(4)
    if kind == "rows":
        model = SmallModel((1, 4, 4))
        weights = model.const(rng.normal(size=(4, 5)).astype(np.float32))
        best = model.node("ArgMax", model.node("MatMul", "x", weights), axis=-1, keepdims=1)
        return model.bytes(best, kind=INT64, rank=3), (4, 4)
    model = SmallModel((1, 2, 4, 4))
    weights = model.const(rng.normal(size=(3, 2, 3, 3)).astype(np.float32))
    scores = model.node("Conv", "x", weights, strides=[2, 2], pads=[1, 1, 0, 0])
    return model.bytes(model.node("ArgMax", scores, axis=1, keepdims=0), kind=INT64, rank=3), (2, 4, 4)


@pytest.mark.parametrize("kind", ["rows", "pixels"])
def test_batch__of_arg_maxima__names_an_index_for_every_row_of_every_job(kind, system, tmp_path):
    """Indices are those of the float model, row by row, and each job gets its own."""
    source = tmp_path / "argmax.onnx"
    data, shape = rows_model(kind)
    source.write_bytes(data)
    samples = np.random.default_rng(9).uniform(-1, 1, (64, 1, *shape)).astype(np.float32)
    request = CompileRequest(
        "best", source, samples, tmp_path / "one", store(), budget=ErrorBudget(min_argmax_agreement=0.9)
    )
    one = system.compile(request)
    two = system.compile_batch(one, 2, tmp_path / "two", store())
    packed = [system.quantize_input(one, sample) for sample in samples[:2]]
    witness = system.witness(two, pack_batch(two.manifest, packed), tmp_path / "w")
    alone = [system.witness(one, each, tmp_path / "v").output for each in packed]
    assert witness.output == b"".join(alone)
    assert len(set(unpack_output(two.manifest.tensor_layout, witness.output))) > 2
    verify_proof(two, system.prove(two, witness).proof)
    assert len(open_settings(two).program.outputs) == 8
    assert verify_keys(two) == two.manifest.verifying_key
