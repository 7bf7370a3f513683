"""OCTET behind the port of proof systems: nothing above sees which system it is."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from octet_bundles import (
    SAMPLES,
    compile_small,
    lying,
    octet,
    other_bundle,
    small_bundle,
    small_model,
    small_proof,
)

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.circuit_facts import circuit_facts
from circuits.key_rebuilding import verify_keys
from circuits.measurements import Measurements
from circuits.octet.system import OctetSystem, open_octet
from circuits.octet.witness_file import read_witness, write_witness
from circuits.port import CompileRequest, ErrorBudget
from circuits.proving_machine import ProvingMachine
from circuits.srs import SrsStore
from circuits.verification import verify_proof
from prover_nodes.workers.local import LocalWorker
from prover_nodes.workers.ray_task import PROVING_ROLES
from zkml.adapters.process.child import Limits
from zkml.core.progress import silent
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex, to_hex
from zkml.core.tensors import pack, unpack_input, unpack_output
from zkml.errors import (
    BackendError,
    BindingError,
    CalibrationError,
    DomainError,
    GpuError,
    LayoutError,
    ProofRejectedError,
    ProverLimitError,
    UnsuitableCircuitError,
    VerifierMismatchError,
    WitnessError,
)


@pytest.fixture
def bundle():
    return small_bundle()


@pytest.fixture
def system():
    return octet()


@pytest.fixture
def witness(bundle, system, tmp_path):
    return system.witness(bundle, system.quantize_input(bundle, SAMPLES[3]), tmp_path / "witness")


def test_port__a_compiled_model_is_proved_and_verified_like_any_other(bundle, system, witness):
    """Witness, mock, proof and verification follow each other, and a stranger needs three small files."""
    system.mock(bundle, witness)
    proof = small_proof()
    assert (proof.input, proof.output) == (to_hex(witness.input), to_hex(witness.output))
    stranger = Bundle.open(bundle.path, roles=VERIFYING_ROLES)
    verify_proof(stranger, proof)
    assert len(proof.proof) == 2 + 2 * bundle.manifest.proof_bytes
    facts = circuit_facts(bundle)
    assert facts["rows"] == 1 << facts["log_rows"] >= 256
    assert 0 < facts["committed_columns"] < facts["columns"]


def test_port__the_output_is_the_models_within_the_stated_error(bundle, system):
    """What is proved is what the float model computes, as near as the manifest says, on inputs it never saw."""
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(small_model(), providers=["CPUExecutionProvider"])
    fresh = np.random.default_rng(5).uniform(-0.9, 0.9, (40, 1, 4)).astype(np.float32)
    wanted = np.stack([session.run(None, {"x": sample})[0][0] for sample in fresh])
    found = system.quantized_outputs(bundle, fresh) / 2.0**bundle.manifest.output_scale_bits
    assert np.abs(found - wanted).max() <= 2 * bundle.manifest.fidelity.max_abs_error
    assert np.ptp(wanted) > 1


def test_port__a_witness_is_read_back_for_its_own_input_alone(bundle, system, witness):
    """A kept witness serves its input after a restart; of another input, circuit or file it is refused."""
    again = system.load_witness(bundle, witness.input, witness.path)
    assert again.output == witness.output
    other = system.quantize_input(bundle, SAMPLES[4])
    with pytest.raises(WitnessError, match="another"):
        system.load_witness(bundle, other, witness.path)
    with pytest.raises(WitnessError, match="circuit"):
        system.load_witness(other_bundle(), witness.input, witness.path)
    with pytest.raises(WitnessError):
        system.load_witness(bundle, witness.input, witness.path.with_name("missing"))


@pytest.mark.parametrize("at", [0, 40, 5000, -1])
def test_port__a_broken_witness_file_is_refused_before_it_is_proved(at, bundle, system, witness):
    """One flipped byte anywhere, or a missing half, is found by the file's hash."""
    data = bytearray(witness.path.read_bytes())
    data[min(at, len(data) - 1)] ^= 1
    for broken in (bytes(data), bytes(data[: len(data) // 2]), b""):
        witness.path.write_bytes(broken)
        for use in (system.prove, system.mock):
            with pytest.raises(WitnessError, match="witness"):
                use(bundle, witness)


def test_port__a_witness_of_other_tensors_than_it_is_said_to_be_of_is_not_proved(bundle, system, witness):
    """What a proof is about is in the witness file, and nobody's word for it is taken."""
    with pytest.raises(WitnessError, match="this input and output"):
        system.prove(bundle, replace(witness, output=bytes(len(witness.output))))


def test_port__mock_refuses_what_the_circuit_does_not_compute(bundle, system, witness):
    """A witness whose hash holds, with one other limb or another output, does not satisfy the circuit."""
    program = circuit_program(bundle)
    packed, columns = read_witness(witness.path, program, bundle.manifest.circuit)
    columns["R0"][0] ^= 1
    write_witness(witness.path, program, bundle.manifest.circuit, packed, columns)
    with pytest.raises(BackendError, match="column R0"):
        system.mock(bundle, witness)
    columns["R0"][0] ^= 1
    lie = packed[0], bytes(len(packed[1]))
    write_witness(witness.path, program, bundle.manifest.circuit, lie, columns)
    with pytest.raises(BackendError, match="output"):
        system.mock(bundle, replace(witness, output=lie[1]))


def test_port__a_proof_of_a_false_witness_does_not_verify(bundle, system, witness):
    """The prover looks at nothing, so a lie about the output goes through it, and stops at the verifier."""
    program = circuit_program(bundle)
    packed, columns = read_witness(witness.path, program, bundle.manifest.circuit)
    values = list(unpack_output(bundle.manifest.tensor_layout, packed[1]))
    values[0] += 1
    lie = packed[0], pack(values, 4)
    write_witness(witness.path, program, bundle.manifest.circuit, lie, columns)
    made = system.prove(bundle, replace(witness, output=lie[1]))
    with pytest.raises(ProofRejectedError):
        verify_proof(bundle, made.proof)


def test_port__an_output_that_no_proof_can_have_is_refused_before_it_is_proved(bundle, system, witness):
    """Of the 32 bits of an output the least integer is none that a statement may publish."""
    program = circuit_program(bundle)
    packed, columns = read_witness(witness.path, program, bundle.manifest.circuit)
    lie = packed[0], b"\x80\0\0\0" + packed[1][4:]
    write_witness(witness.path, program, bundle.manifest.circuit, lie, columns)
    with pytest.raises(WitnessError, match="output"):
        system.prove(bundle, replace(witness, output=lie[1]))


def test_port__the_context_is_bound_and_written_only_where_there_is_one(bundle, system, witness):
    """A proof made for a job is none for another job, nor for none; without one the file is as it always was."""
    context = bytes(range(32))
    bound = system.prove(bundle, witness, context=context).proof
    verify_proof(bundle, bound, context=context)
    assert ProofFile.from_bytes(bound.to_bytes(), where="test") == bound
    for other in (from_hex(NO_CONTEXT), bytes(31) + b"\1"):
        with pytest.raises(BindingError, match="context"):
            verify_proof(bundle, bound, context=other)
        with pytest.raises(ProofRejectedError):
            verify_proof(bundle, bound.model_copy(update={"context": to_hex(other)}), context=other)
    with pytest.raises(BindingError):
        verify_proof(bundle, bound)
    free = small_proof()
    assert b"context" not in free.to_bytes()
    assert b"context" in bound.to_bytes()


def test_port__two_proofs_at_once_are_both_good(bundle, tmp_path):
    """Two lanes of a node share one system and one loaded key."""
    system = octet()
    start = threading.Barrier(2)

    def lane(number: int) -> ProofFile:
        packed = system.quantize_input(bundle, SAMPLES[number])
        witness = system.witness(bundle, packed, tmp_path / f"{number}")
        start.wait()
        return system.prove(bundle, witness).proof

    with ThreadPoolExecutor(2) as lanes:
        proofs = list(lanes.map(lane, range(2)))
    assert proofs[0].input != proofs[1].input
    for proof in proofs:
        verify_proof(bundle, proof)


def test_port__two_lanes_of_a_node_prove_the_same_input_at_once(bundle, tmp_path):
    """Through the node's own worker: neither takes the other's witness, and both are bound as they were told."""
    worker = LocalWorker(bundle, octet(), tmp_path)
    packed = from_hex(small_proof().input)
    assert to_hex(worker.witness(packed, progress=silent).output) == small_proof().output
    with ThreadPoolExecutor(2) as lanes:
        contexts = bytes(32), b"\1" * 32
        free, bound = lanes.map(
            lambda context: worker.prove(packed, context=context, progress=silent), contexts
        )
    assert to_hex(free.proof) == small_proof().proof
    told = {"proof": to_hex(bound.proof), "context": to_hex(contexts[1])}
    verify_proof(bundle, small_proof().model_copy(update=told), context=contexts[1])
    worker.close()


def test_port__proving_needs_the_files_that_travel_to_a_worker_and_no_others(bundle, witness, tmp_path):
    """A worker holds settings, circuit, proving key and SRS alone, and makes the same proof."""
    target = tmp_path / "travelled"
    shutil.copytree(bundle.path, target)
    for role in set(bundle.manifest.files) - set(PROVING_ROLES):
        (target / bundle.manifest.files[role].path).unlink()
    travelled = Bundle.open(target, roles=PROVING_ROLES)
    system = octet()
    made = system.prove(travelled, system.witness(travelled, witness.input, tmp_path / "there"))
    assert made.proof == small_proof()


def test_port__stages_are_measured_and_reported(bundle, tmp_path):
    """What witness and proof took is remembered per circuit, told beforehand, and forgotten on demand."""
    system = OctetSystem(Limits(1 << 40, 3600), Measurements(tmp_path / "measured.json"))
    heard = []
    system.check_device(bundle)  # builds the kernels, which is a stage of its own the first time
    made = system.witness(
        bundle, system.quantize_input(bundle, SAMPLES[0]), tmp_path / "w", progress=heard.append
    )
    assert system.expected_prove_seconds(bundle) is None
    proved = system.prove(bundle, made, progress=heard.append)
    assert [event.stage for event in heard if event.finished] == ["witness", "prove"]
    assert system.expected_prove_seconds(bundle) == pytest.approx(proved.wall_seconds, abs=0.01)
    assert system.measured(bundle, "prove").peak_bytes == proved.peak_rss_bytes > 1 << 20
    assert proved.device == "cpu"
    system.forget_measured(bundle)
    assert system.measured(bundle, "witness") is None
    system.close()
    system.close()


@pytest.mark.parametrize(
    ("limits", "what"), [(Limits(1 << 40, 0.0), "within 0 s"), (Limits(1, 3600), "within 0 MiB")]
)
def test_port__a_proof_beyond_its_limits_is_ended(limits, what, bundle, witness):
    """Time and memory are watched inside the process; the error says which ran out."""
    system = OctetSystem(limits, Measurements(None))
    with pytest.raises(ProverLimitError, match=what):
        system.prove(bundle, witness)


def test_port__a_proof_that_would_fill_the_machine_is_not_begun(bundle, system, witness, monkeypatch):
    """Proofs share the node's process, so the machine's free memory is looked at beforehand."""
    monkeypatch.setattr("circuits.octet.prove.available_memory", lambda: 1 << 10)
    with pytest.raises(ProverLimitError, match="free memory"):
        system.prove(bundle, witness)


def test_port__memory_is_watched_while_a_proof_is_made(bundle, witness, monkeypatch):
    """Memory that grows in the middle of a proof ends it there."""
    sizes = iter([0, 0, 0, 0, 1 << 50])
    monkeypatch.setattr("circuits.octet.prove.own_memory", lambda: next(sizes, 1 << 50))
    system = OctetSystem(Limits(1 << 40, 3600), Measurements(None))
    with pytest.raises(ProverLimitError, match="in this process at"):
        system.prove(bundle, witness)


def test_port__an_interrupt_ends_a_proof_and_leaves_the_system_whole(bundle, system, witness):
    """Whatever a progress callback raises comes out, and the next proof is made as if nothing had been."""

    heard = []

    def interrupt(event):
        heard.append(event)
        if len(heard) > 1:  # the first says that the stage begins, the second comes out of the prover
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        system.prove(bundle, witness, progress=interrupt)
    assert [event.finished for event in heard] == [False, False]
    assert system.prove(bundle, witness).proof == small_proof()


def test_port__inputs_outside_the_circuit_are_refused(bundle, system, tmp_path):
    """Another length, a value beyond the domain, a number that is none: each is refused before any work."""
    layout, domain = bundle.manifest.tensor_layout, bundle.manifest.input_domain
    with pytest.raises(LayoutError):
        system.witness(bundle, bytes(layout.input_length_bytes + 1), tmp_path / "w")
    beyond = pack([domain.maximum + 1] * layout.input_count, layout.input_bytes + 1)
    with pytest.raises(LayoutError):
        system.witness(bundle, beyond, tmp_path / "w")
    with pytest.raises(DomainError):
        system.quantize_input(bundle, [100.0, 0, 0, 0])
    with pytest.raises(DomainError):
        system.quantize_input(bundle, [float("nan"), 0, 0, 0])
    with pytest.raises(LayoutError):
        system.quantize_input(bundle, [0.0])
    assert len(unpack_input(layout, system.quantize_input(bundle, SAMPLES[0]))) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights", "committed"), ("input_visibility", "private"), ("output_visibility", "hashed")],
)
def test_port__what_octet_does_not_offer_is_refused_at_once(field, value, system, tmp_path):
    """Committed weights and private tensors are refused before anything is compiled."""
    request = CompileRequest(
        "small", tmp_path / "none.onnx", SAMPLES, tmp_path / "b", SrsStore(tmp_path / "srs"), **{field: value}
    )
    with pytest.raises(UnsuitableCircuitError, match=field):
        system.compile(request)
    assert not (tmp_path / "b").exists()


def test_port__a_budget_that_bytes_cannot_meet_is_refused_with_figures(system, tmp_path):
    """The error says how far the circuit was from the model, for whoever chooses a system by it."""
    source = tmp_path / "small.onnx"
    source.write_bytes(small_model())
    request = CompileRequest(
        "small", source, SAMPLES, tmp_path / "b", SrsStore(tmp_path / "srs"), budget=ErrorBudget(1e-9)
    )
    with pytest.raises(CalibrationError) as caught:
        system.compile(request)
    figures = caught.value.context
    assert figures["max_abs_error"] > figures["budget"] == pytest.approx(1e-9)
    assert not list(tmp_path.glob(".b*")), "half a bundle was left behind"


def test_port__a_gpu_is_refused_by_name():
    """What comes later says so: no GPU."""
    with pytest.raises(GpuError):
        open_octet(None, Measurements(None), machine=ProvingMachine(require_gpu=True))


def test_port__the_key_is_rebuilt_from_the_model_and_from_no_other(bundle, tmp_path):
    """The ONNX file and the recipe give the key again; another model's key under this model's name is found."""
    assert verify_keys(bundle) == bundle.manifest.verifying_key
    swapped = lying(bundle, tmp_path / "swapped", {"onnx": small_model(1)})
    with pytest.raises(VerifierMismatchError):
        verify_keys(swapped)


def test_port__compiling_again_gives_the_same_circuit(bundle, tmp_path):
    """The same model, data and SRS give every file byte for byte, so that others can check the digest."""
    again = compile_small(tmp_path / "again", bundle.path.parent / "srs")
    assert again.manifest.to_bytes() == bundle.manifest.to_bytes()


def circuit_program(bundle):
    from circuits.octet.opened_key import open_settings  # noqa: PLC0415

    return open_settings(bundle).program
