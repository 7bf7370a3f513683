"""A proof counts as made on a GPU only if the device's own counters say so."""

import pytest
from ezkl_circuits import SAMPLES, Lab, relu
from gpu_program import FakeCounters, write_program

from circuits.proving_machine import ProvingMachine
from circuits.systems import open_system
from circuits.verification import verify_proof
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.observer import SilentObserver
from prover_nodes.workers.opening import open_circuits
from zkml.adapters.ezkl.binary import EzklBinary
from zkml.config.settings import ProverSettings
from zkml.core.progress import ProgressEvent
from zkml.errors import BackendError, GpuError, ProverLimitError, ToolchainError

pytestmark = pytest.mark.integration
__all__ = ["relu"]

USED = 300 << 20


class Heard(SilentObserver):
    """Remembers the devices of proofs."""

    def __init__(self) -> None:
        self.devices: list[str] = []

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        self.devices.append(device)


@pytest.fixture
def backend(monkeypatch):
    monkeypatch.setenv("ICICLE_BACKEND_INSTALL_DIR", "/opt/icicle/backend")


def prove(relu: Lab, program, counters, *, require: bool = False, progress=lambda _event: None):
    machine = ProvingMachine(gpu_binary=program, require_gpu=require, gpu_counters=counters)
    system = open_system("ezkl", machine=machine)
    return system, system.prove(relu.bundle, relu.witness, progress=progress)


@pytest.mark.usefixtures("backend")
def test_prove__counters_show_memory_of_the_program__made_on_the_gpu(relu: Lab, tmp_path):
    """The program's proof verifies, and its device memory was seen while it was made."""
    program = write_program(tmp_path / "ezkl-gpu")
    system, made = prove(relu, program, FakeCounters(program, USED), require=True)
    verify_proof(relu.bundle, made.proof)
    assert (made.device, made.gpu_peak_bytes, made.note) == ("gpu", USED, "")
    assert system.measured(relu.bundle, "prove").device == "gpu"


@pytest.mark.parametrize(
    ("behaviour", "memory", "has_device", "words"),
    [
        ("proves", 0, True, "showed no memory"),
        ("proves", None, True, "did not answer"),
        ("proves", 0, False, "no NVIDIA driver answers"),
        ("cold", USED, True, "could not warm the device up"),
    ],
)
@pytest.mark.usefixtures("backend")
def test_prove__silent_fall_back_to_the_processor__is_reported(
    relu: Lab, tmp_path, behaviour, memory, has_device, words
):
    """The program says "Running with ICICLE GPU" and ends well each time; the counters say otherwise."""
    program = write_program(tmp_path / "ezkl-gpu", behaviour=behaviour)
    notes: list[ProgressEvent] = []
    system, made = prove(
        relu, program, FakeCounters(program, memory, has_device=has_device), progress=notes.append
    )
    verify_proof(relu.bundle, made.proof)
    assert made.device == "cpu"
    assert words in made.note
    assert words in notes[-1].note
    assert system.measured(relu.bundle, "prove").device == "cpu"


@pytest.mark.usefixtures("backend")
def test_prove__fall_back_where_a_gpu_is_required__is_refused(relu: Lab, tmp_path):
    """With `require_gpu`, a proof that no GPU was seen to make is no proof."""
    program = write_program(tmp_path / "ezkl-gpu")
    with pytest.raises(GpuError, match="showed no memory"):
        prove(relu, program, FakeCounters(program, 0), require=True)


def test_prove__no_backend_in_the_environment__is_refused_before_it_costs_time(relu: Lab, tmp_path):
    """EZKL's GPU build proves on the processor where no backend is named: no proof is begun."""
    program = write_program(tmp_path / "ezkl-gpu")
    counters = FakeCounters(program, USED)
    with pytest.raises(GpuError, match="ICICLE_BACKEND_INSTALL_DIR is not set"):
        prove(relu, program, counters, require=True)
    assert counters.asked == 0


@pytest.mark.parametrize("version", ["23.0.4", "22.3.0", "source - no compatibility guaranteed"])
def test_prove__program_of_another_version__is_refused(relu: Lab, tmp_path, version):
    """Keys of one version mean nothing to another: the program must be of the manifest's."""
    program = write_program(tmp_path / "ezkl-gpu", version=version)
    with pytest.raises(ToolchainError, match=r"version 23\.0\.5, found " + version[:6]):
        prove(relu, program, FakeCounters(program, USED))


def test_prove__program_is_replaced_by_another_version__is_noticed(relu: Lab, tmp_path):
    """An update of the program under a running node is looked at before the next proof."""
    program = write_program(tmp_path / "ezkl-gpu")
    system, _made = prove(relu, program, FakeCounters(program, USED))
    write_program(program, version="24.0.0")
    with pytest.raises(ToolchainError, match=r"found 24\.0\.0"):
        system.prove(relu.bundle, relu.witness)


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        ("fails", BackendError, "the device ran out of memory"),
        ("killed", ProverLimitError, "killed by the system"),
        ("silent", BackendError, "found none that can be read"),
    ],
)
def test_prove__program_fails__its_words_are_kept(relu: Lab, tmp_path, behaviour, error, words):
    """A failure of the program is an error of one line, and its end without a proof is a failure."""
    program = write_program(tmp_path / "ezkl-gpu", behaviour=behaviour)
    with pytest.raises(error, match=words) as caught:
        prove(relu, program, FakeCounters(program, USED))
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message


def test_version__not_an_ezkl_program__toolchain_error(tmp_path):
    """A path to nothing, or to another program, is said to be that."""
    for path in (tmp_path / "nothing", "/bin/true"):
        with pytest.raises(ToolchainError):
            EzklBinary(path).version()


@pytest.mark.usefixtures("backend")
def test_open_circuits__gpu_program__observer_hears_of_the_gpu(relu: Lab, tmp_path):
    """A node's proof made on the GPU is counted as one; its witness comes from the package."""
    program = write_program(tmp_path / "ezkl-gpu")
    heard = Heard()
    settings = ProverSettings(gpu_binary=str(program), require_gpu=True)
    with open_circuits(
        [relu.bundle],
        prover=settings,
        work=tmp_path / "work",
        verifiers=tmp_path / "verifiers",
        observer=heard,
        gpu_counters=FakeCounters(program, USED),
    ) as opened:
        [circuit] = opened.circuits
        assert isinstance(circuit, BundleCircuit)
        packed = relu.system.quantize_input(relu.bundle, SAMPLES[1])
        output, _seconds = circuit.witness(packed, progress=lambda _event: None)
        proof, _seconds = circuit.prove(packed, output, context=bytes(32), progress=lambda _event: None)
        circuit.verify(packed, output, proof, context=bytes(32))
    assert heard.devices == ["gpu"]


def test_open_circuits__gpu_required_without_a_program_or_device__refused_at_the_start(relu: Lab, tmp_path):
    """A node that may prove on a GPU alone does not start where it cannot."""
    program = write_program(tmp_path / "ezkl-gpu")
    places = {"work": tmp_path / "work", "verifiers": tmp_path / "verifiers"}
    with pytest.raises(GpuError, match="none named"):
        open_circuits([relu.bundle], prover=ProverSettings(require_gpu=True), **places)
    settings = ProverSettings(gpu_binary=str(program), require_gpu=True)
    counters = FakeCounters(program, USED, has_device=False)
    with pytest.raises(GpuError):
        open_circuits([relu.bundle], prover=settings, gpu_counters=counters, **places)
