"""Build a bundle of a lowered network: SRS, keys, manifest, and one of its proofs seen to verify.

A circuit for one input comes from a model and calibration data, one for a batch from the bundle for one; from
the statement on, both are built alike.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuits.bundle import Bundle, describe_files, write_bundle
from circuits.measurements import Measurements
from circuits.octet.compile.fixed_point import PortTensors
from circuits.octet.compile.graph_file import write_graph
from circuits.octet.compile.key_columns import integer_columns
from circuits.octet.compile.lower import Lowered
from circuits.octet.insecure_srs import make_insecure_srs
from circuits.octet.key_files import proving_key_bytes, verifying_key_bytes
from circuits.octet.native_choice import choose_native
from circuits.octet.program_limits import check_limits
from circuits.octet.proof_length import proof_bytes
from circuits.octet.prove import make_proof, open_prover
from circuits.octet.run_witness import witness_of
from circuits.octet.settings import CircuitSettings
from circuits.octet.srs_powers import commit_columns
from circuits.octet.verify import prepare_verifier, verify_proof_file
from circuits.octet.version import PROOF_SYSTEM, SYSTEM, VERSION
from circuits.srs import SrsStore
from circuits.srs_file import identify_srs, verification_srs
from circuits.stages import run_stage
from zkml.adapters.process.child import Limits
from zkml.core.manifest import BundleManifest, Fidelity, FileRole, Layout
from zkml.core.progress import Progress
from zkml.core.records import NO_CONTEXT, from_hex

FILE_NAMES: dict[FileRole, str] = {
    "onnx": "model.onnx",
    "settings": "settings.json",
    "compiled_circuit": "circuit.octet",
    "proving_key": "proving.key",
    "verifying_key": "verifying.key",
    "srs": "circuit.srs",
    "verification_srs": "verification.srs",
}


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How the machine is used.

    Attributes:
        limits: time and memory of the proof.
        threads: of commitments and the proof.
        progress: told of the stages calibrate, srs, setup, prove and verify.
        measurements: told how long the proof took.
    """

    limits: Limits
    threads: int
    progress: Progress
    measurements: Measurements


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built, and of which files.

    Attributes:
        name: the model's.
        onnx: its file, which is copied.
        target: directory of the bundle.
        srs: where SRS files are kept.
        allow_insecure_srs: make one where no ceremony's was imported.
    """

    name: str
    onnx: Path
    target: Path
    srs: SrsStore
    allow_insecure_srs: bool


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A statement, and what a bundle says of it besides.

    Attributes:
        lowered: program, constants and integer graph.
        port: how the public tensors are packed.
        recipe: with the ONNX file, all that makes the statement again.
        fidelity: distance from the float model.
        sample: packed input of the proof that is made once.
    """

    lowered: Lowered
    port: PortTensors
    recipe: dict[str, Any]
    fidelity: Fidelity
    sample: bytes


def build_bundle(order: Order, options: CompileOptions, make: Callable[[bytes], Network]) -> Bundle:
    """Build a bundle beside its target and move it there when its proof was seen to verify.

    Args:
        order: what to build.
        options: how the machine is used.
        make: returns the network of the ONNX file's bytes.

    Raises:
        CompileError, SrsError, StorageError, ProverLimitError, BackendError: a step failed.
    """
    seconds: list[float] = []

    def build(directory: Path) -> BundleManifest:
        onnx = directory / FILE_NAMES["onnx"]
        shutil.copyfile(order.onnx, onnx)
        network = make(onnx.read_bytes())
        check_limits(network.lowered.program)
        _write_srs(directory, network, order, options)
        with run_stage(options.progress, "setup"):
            _write_keys(directory, network, options.threads)
        manifest = _manifest(directory, network, order.name)
        seconds.append(_prove_once(Bundle(directory, manifest), network.sample, options))
        return manifest

    bundle = write_bundle(order.target, build)
    options.measurements.record(bundle.manifest.circuit, "prove", seconds[0])
    return bundle


def _write_srs(directory: Path, network: Network, order: Order, options: CompileOptions) -> None:
    with run_stage(options.progress, "srs"):
        native = choose_native().native
        found = order.srs.find(
            network.lowered.program.nu,
            allow_insecure=order.allow_insecure_srs,
            larger=True,
            make=lambda path, logrows: make_insecure_srs(path, logrows, native),
        )
        shutil.copyfile(found, directory / FILE_NAMES["srs"])
        (directory / FILE_NAMES["verification_srs"]).write_bytes(verification_srs(found))


def _write_keys(directory: Path, network: Network, threads: int) -> None:
    lowered = network.lowered
    program = lowered.program
    columns = integer_columns(program, lowered.constants)
    native = choose_native().native
    commitments = commit_columns(columns, directory / FILE_NAMES["srs"], program.rows, native, threads)
    key = verifying_key_bytes(program, lowered.graph.digest(), commitments)
    settings = CircuitSettings(program, network.port, network.recipe)
    written: dict[FileRole, bytes] = {
        "settings": settings.to_bytes(),
        "compiled_circuit": write_graph(lowered.graph),
        "verifying_key": key,
        "proving_key": proving_key_bytes(key, program, columns),
    }
    for role, data in written.items():
        (directory / FILE_NAMES[role]).write_bytes(data)


def _manifest(directory: Path, network: Network, name: str) -> BundleManifest:
    port = network.port
    files = describe_files(directory, FILE_NAMES)
    return BundleManifest(
        name=name,
        system=SYSTEM,
        system_version=VERSION,
        proof_system=PROOF_SYSTEM,
        input_visibility="public",
        output_visibility="public",
        param_visibility="fixed",
        weight_point=None,
        batch=port.batch,
        input_shape=list(port.input_dims),
        output_shape=list(port.output_dims),
        input_scale_bits=port.input_scale_bits,
        output_scale_bits=port.output_scale_bits,
        layout=Layout.of(port.layout, port.domain),
        srs=identify_srs(directory / FILE_NAMES["srs"]),
        verifying_key=files["verifying_key"].digest,
        proof_bytes=proof_bytes(network.lowered.program),
        fidelity=network.fidelity,
        files=files,
    )


def _prove_once(bundle: Bundle, sample: bytes, options: CompileOptions) -> float:
    """Prove a sample and verify it as a stranger would; return the seconds it took."""
    context = from_hex(NO_CONTEXT)
    with tempfile.TemporaryDirectory(prefix="zkml-witness-") as scratch:
        witness = witness_of(bundle, sample, Path(scratch) / "witness")
        with run_stage(options.progress, "prove") as on_tick:
            made = make_proof(
                bundle,
                witness,
                open_prover(bundle, options.threads),
                context=context,
                limits=options.limits,
                on_tick=on_tick,
            )
    prepare_verifier(options.progress)
    with run_stage(options.progress, "verify"):
        verify_proof_file(bundle, made.proof, context=context)
    return made.wall_seconds
