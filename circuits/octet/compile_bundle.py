"""Compile an ONNX model into a bundle: statement, keys, and one of its proofs seen to verify."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from circuits.bundle import Bundle, describe_files, write_bundle
from circuits.measurements import Measurements
from circuits.octet.compile.front import CompiledNetwork, compile_network
from circuits.octet.compile.graph_file import write_graph
from circuits.octet.compile.key_columns import integer_columns
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
from circuits.packed_input import pack_real_input
from circuits.port import CompileRequest
from circuits.srs_file import identify_srs, verification_srs
from circuits.stages import run_stage
from zkml.adapters.process.child import Limits
from zkml.core.manifest import BundleManifest, FileRole, Layout
from zkml.core.progress import Progress
from zkml.core.records import NO_CONTEXT, from_hex
from zkml.errors import ArtifactNotFoundError, CalibrationError, UnsuitableCircuitError

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


def compile_bundle(request: CompileRequest, options: CompileOptions) -> Bundle:
    """Compile a model; see `circuits.port.ProofSystem.compile`."""
    _check_request(request)
    seconds: list[float] = []

    def build(directory: Path) -> BundleManifest:
        onnx = directory / FILE_NAMES["onnx"]
        shutil.copyfile(request.onnx, onnx)
        with run_stage(options.progress, "calibrate"):
            network = compile_network(
                onnx.read_bytes(), request.calibration, domain=request.domain, budget=request.budget
            )
            check_limits(network.lowered.program)
        _write_srs(directory, network, request, options)
        with run_stage(options.progress, "setup"):
            _write_keys(directory, network, options.threads)
        manifest = _manifest(directory, network, request)
        seconds.append(_prove_once(Bundle(directory, manifest), request, options))
        return manifest

    bundle = write_bundle(request.target, build)
    options.measurements.record(bundle.manifest.circuit, "prove", seconds[0])
    return bundle


def _check_request(request: CompileRequest) -> None:
    for name, expected, found in (
        ("input_visibility", "public", request.input_visibility),
        ("output_visibility", "public", request.output_visibility),
        ("weights", "fixed", request.weights),
    ):
        if found != expected:
            raise UnsuitableCircuitError(
                f"expected {name} {expected}, found {found}",
                hint="compile with --system ezkl: octet keeps weights in the verifying key"
                if name == "weights"
                else "nobody pays for a proof of private tensors",
            )
    if not request.onnx.is_file():
        raise ArtifactNotFoundError(f"expected an ONNX file, found none at {request.onnx}")
    samples = np.asarray(request.calibration)
    if samples.ndim < 2 or samples.size == 0 or not np.issubdtype(samples.dtype, np.number):
        raise CalibrationError(
            f"expected calibration data of shape (samples, ...), found {samples.shape} of {samples.dtype}"
        )


def _write_srs(
    directory: Path, network: CompiledNetwork, request: CompileRequest, options: CompileOptions
) -> None:
    with run_stage(options.progress, "srs"):
        native = choose_native().native
        found = request.srs.find(
            network.lowered.program.nu,
            allow_insecure=request.allow_insecure_srs,
            larger=True,
            make=lambda path, logrows: make_insecure_srs(path, logrows, native),
        )
        shutil.copyfile(found, directory / FILE_NAMES["srs"])
        (directory / FILE_NAMES["verification_srs"]).write_bytes(verification_srs(found))


def _write_keys(directory: Path, network: CompiledNetwork, threads: int) -> None:
    lowered = network.lowered
    program = lowered.program
    columns = integer_columns(program, lowered.constants)
    native = choose_native().native
    commitments = commit_columns(columns, directory / FILE_NAMES["srs"], program.rows, native, threads)
    key = verifying_key_bytes(program, network.reference, commitments)
    settings = CircuitSettings(program, network.port, network.recipe)
    written: dict[FileRole, bytes] = {
        "settings": settings.to_bytes(),
        "compiled_circuit": write_graph(lowered.graph),
        "verifying_key": key,
        "proving_key": proving_key_bytes(key, program, columns),
    }
    for role, data in written.items():
        (directory / FILE_NAMES[role]).write_bytes(data)


def _manifest(directory: Path, network: CompiledNetwork, request: CompileRequest) -> BundleManifest:
    port = network.port
    files = describe_files(directory, FILE_NAMES)
    return BundleManifest(
        name=request.name,
        system=SYSTEM,
        system_version=VERSION,
        proof_system=PROOF_SYSTEM,
        input_visibility="public",
        output_visibility="public",
        param_visibility="fixed",
        weight_point=None,
        batch=1,
        input_shape=list(port.input_shape),
        output_shape=list(port.output_shape),
        input_scale_bits=port.input_scale_bits,
        output_scale_bits=port.output_scale_bits,
        layout=Layout.of(port.layout, port.domain),
        srs=identify_srs(directory / FILE_NAMES["srs"]),
        verifying_key=files["verifying_key"].digest,
        proof_bytes=proof_bytes(network.lowered.program),
        fidelity=network.fidelity,
        files=files,
    )


def _prove_once(bundle: Bundle, request: CompileRequest, options: CompileOptions) -> float:
    """Prove the first calibration sample and verify it as a stranger would; return the seconds it took."""
    packed = pack_real_input(bundle.manifest, np.asarray(request.calibration)[0])
    with tempfile.TemporaryDirectory(prefix="zkml-witness-") as scratch:
        witness = witness_of(bundle, packed, Path(scratch) / "witness")
        with run_stage(options.progress, "prove") as on_tick:
            made = make_proof(
                bundle,
                witness,
                open_prover(bundle, options.threads),
                context=from_hex(NO_CONTEXT),
                limits=options.limits,
                on_tick=on_tick,
            )
    prepare_verifier(options.progress)
    with run_stage(options.progress, "verify"):
        verify_proof_file(bundle, made.proof)
    return made.wall_seconds
