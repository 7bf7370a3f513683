"""Compile an ONNX model into a bundle: calibrate, generate keys, prove once, verify, and only then keep it.

A mock run, setup and proof can all succeed where verification fails, so a circuit whose proof was not seen
to verify is never called compiled.
"""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle, describe_files, write_bundle
from circuits.ezkl.calibrate import Calibration, Trial, calibrate, choose_samples
from circuits.ezkl.keygen import generate_keys
from circuits.ezkl.reference import float_outputs
from circuits.ezkl.settings import CircuitSettings, refuse_visibility, with_logrows, write_settings
from circuits.measurements import Measurements
from circuits.port import CompileRequest
from circuits.srs_file import identify_srs, verification_srs
from circuits.stages import OnTick, run_stage
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.client import MadeProof
from zkml.adapters.ezkl.process import VERSION, ChildOptions
from zkml.core.manifest import BundleManifest, FileRole, Layout
from zkml.core.progress import Progress
from zkml.core.tensors import instances_of, pack
from zkml.errors import (
    ArtifactNotFoundError,
    CalibrationError,
    DomainError,
    KeygenError,
    ProofRejectedError,
    ZkmlError,
)

SYSTEM = "ezkl"
PROOF_SYSTEM = "halo2-kzg-bn254-ezkl-v23"
FILE_NAMES: dict[FileRole, str] = {
    "onnx": "model.onnx",
    "settings": "settings.json",
    "compiled_circuit": "circuit.ezkl",
    "proving_key": "proving.key",
    "verifying_key": "verifying.key",
    "srs": "circuit.srs",
    "verification_srs": "verification.srs",
}
MAX_EXTRA_LOGROWS = 3


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Where a bundle is being built, and how its children are run."""

    request: CompileRequest
    directory: Path
    options: ChildOptions
    progress: Progress

    def file(self, role: FileRole) -> Path:
        return self.directory / FILE_NAMES[role]

    def with_ticks(self, on_tick: OnTick) -> ChildOptions:
        return replace(self.options, on_tick=on_tick)


def compile_bundle(
    request: CompileRequest, *, options: ChildOptions, progress: Progress, measurements: Measurements
) -> Bundle:
    """Compile a model; see `circuits.port.ProofSystem.compile`.

    Args:
        request: the model, its calibration data and where the bundle goes.
        options: limits of each child.
        progress: told of the stages calibrate, srs, setup, prove and verify.
        measurements: told how long the first proof took.
    """
    for name, found in (
        ("input_visibility", request.input_visibility),
        ("output_visibility", request.output_visibility),
    ):
        if found != "public":
            raise refuse_visibility(name, found, "public")
    if not request.onnx.is_file():
        raise ArtifactNotFoundError(f"expected an ONNX file, found none at {request.onnx}")
    seconds: list[float] = []

    def build(directory: Path) -> BundleManifest:
        workshop = _Workshop(request, directory, options, progress)
        shutil.copyfile(request.onnx, workshop.file("onnx"))
        manifest, prove_seconds = _build(workshop)
        seconds.append(prove_seconds)
        return manifest

    bundle = write_bundle(request.target, build)
    measurements.record(bundle.manifest.circuit, "prove", seconds[0])
    return bundle


def _build(workshop: _Workshop) -> tuple[BundleManifest, float]:
    calibration = _calibrate(workshop)
    first = calibration.arguments.logrows
    refusal: ZkmlError | None = None
    for logrows in range(first, first + MAX_EXTRA_LOGROWS + 1):
        try:
            settings = _make_circuit(workshop, calibration, logrows)
            made = _prove_once(workshop, calibration)
        except (KeygenError, ProofRejectedError) as error:
            refusal = error  # EZKL lays some circuits out in fewer rows than they need
            continue
        return _manifest(workshop, calibration, settings, made), made.wall_seconds
    assert refusal is not None
    raise CalibrationError(
        f"expected a proof that verifies with logrows {first}..{first + MAX_EXTRA_LOGROWS}, "
        f"found none: {refusal.message}",
        hint="EZKL cannot prove this model",
    ) from refusal


def _calibrate(workshop: _Workshop) -> Calibration:
    request = workshop.request
    with (
        run_stage(workshop.progress, "calibrate") as on_tick,
        tempfile.TemporaryDirectory(prefix="zkml-calibrate-") as scratch,
    ):
        samples = choose_samples(_checked_samples(request.calibration))
        domain = request.domain or (float(samples.min()), float(samples.max()))
        trial = Trial(
            onnx=workshop.file("onnx"),
            samples=samples,
            reference=float_outputs(workshop.file("onnx"), samples),
            domain=domain,
            scratch=Path(scratch),
            options=workshop.with_ticks(on_tick),
        )
        return calibrate(trial, request.budget)


def _checked_samples(calibration: NDArray[np.float64]) -> NDArray[np.float64]:
    samples = np.asarray(calibration)
    if samples.ndim < 2 or samples.size == 0 or not np.issubdtype(samples.dtype, np.number):
        raise CalibrationError(
            f"expected calibration data of shape (samples, ...), found {samples.shape} of {samples.dtype}"
        )
    if not np.all(np.isfinite(samples)):
        raise DomainError("expected finite calibration data, found NaN or infinity", hint="clean the data")
    return samples


def _make_circuit(workshop: _Workshop, calibration: Calibration, logrows: int) -> CircuitSettings:
    """Write settings, compiled circuit, SRS and keys for this many rows."""
    arguments = with_logrows(calibration.arguments, logrows)
    onnx, settings_path, compiled = (workshop.file(role) for role in ("onnx", "settings", "compiled_circuit"))
    settings = write_settings(onnx, settings_path, arguments, options=workshop.options)
    client.compile_circuit(onnx, compiled, settings_path, options=workshop.options)
    with run_stage(workshop.progress, "srs") as on_tick:
        found = workshop.request.srs.find(
            logrows,
            allow_insecure=workshop.request.allow_insecure_srs,
            options=workshop.with_ticks(on_tick),
        )
        shutil.copyfile(found, workshop.file("srs"))
        workshop.file("verification_srs").write_bytes(verification_srs(found))
    with run_stage(workshop.progress, "setup") as on_tick:
        generate_keys(
            compiled,
            workshop.file("srs"),
            verifying_key=workshop.file("verifying_key"),
            proving_key=workshop.file("proving_key"),
            options=workshop.with_ticks(on_tick),
        )
    return settings


def _prove_once(workshop: _Workshop, calibration: Calibration) -> MadeProof:
    """Prove the first calibration sample and verify it with what a stranger would verify it with."""
    compiled = workshop.file("compiled_circuit")
    with tempfile.TemporaryDirectory(prefix="zkml-witness-") as scratch:
        witness = Path(scratch) / "witness.json"
        with run_stage(workshop.progress, "prove") as on_tick:
            passage = client.gen_witness(compiled, calibration.sample, witness, options=workshop.options)
            made = client.prove(
                witness,
                compiled,
                workshop.file("proving_key"),
                workshop.file("srs"),
                options=workshop.with_ticks(on_tick),
            )
    layout = calibration.layout
    packed = pack(passage.inputs, layout.input_bytes), pack(passage.outputs, layout.output_bytes)
    with run_stage(workshop.progress, "verify") as on_tick:
        client.verify(
            made.proof,
            instances_of(layout, *packed),
            settings=workshop.file("settings"),
            verifying_key=workshop.file("verifying_key"),
            srs=workshop.file("verification_srs"),
            options=workshop.with_ticks(on_tick),
        )
    return made


def _manifest(
    workshop: _Workshop, calibration: Calibration, settings: CircuitSettings, made: MadeProof
) -> BundleManifest:
    layout, domain = calibration.layout, calibration.domain
    files = describe_files(workshop.directory, FILE_NAMES)
    return BundleManifest(
        name=workshop.request.name,
        system=SYSTEM,
        system_version=VERSION,
        proof_system=PROOF_SYSTEM,
        input_visibility="public",
        output_visibility="public",
        param_visibility="fixed",
        input_shape=list(settings.input_shape),
        output_shape=list(settings.output_shape),
        input_scale_bits=settings.input_scale_bits,
        output_scale_bits=settings.output_scale_bits,
        layout=Layout(
            input_count=layout.input_count,
            input_bytes=layout.input_bytes,
            output_count=layout.output_count,
            output_bytes=layout.output_bytes,
            input_minimum=domain.minimum,
            input_maximum=domain.maximum,
        ),
        srs=identify_srs(workshop.file("srs")),
        verifying_key=files["verifying_key"].digest,
        proof_bytes=len(made.proof),
        fidelity=calibration.fidelity,
        files=files,
    )
