"""Compile an ONNX model into a bundle: calibrate, then build the circuit and see one of its proofs verify."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle, write_bundle
from circuits.ezkl.calibrate import Calibration, Trial, calibrate, choose_samples
from circuits.ezkl.settings import PARAM_VISIBILITY, RunArguments, refuse_visibility
from circuits.ezkl.workshop import FILE_NAMES, Workshop, build_circuit
from circuits.float_model import float_outputs
from circuits.measurements import Measurements
from circuits.port import CompileRequest
from circuits.stages import run_stage
from zkml.adapters.ezkl.process import ChildOptions
from zkml.core.manifest import BundleManifest
from zkml.core.progress import Progress
from zkml.errors import ArtifactNotFoundError, CalibrationError, DomainError


def compile_bundle(
    request: CompileRequest, *, options: ChildOptions, progress: Progress, measurements: Measurements
) -> Bundle:
    """Compile a model; see `circuits.port.ProofSystem.compile`.

    Args:
        request: the model, its calibration data and where the bundle goes.
        options: limits of each child.
        progress: told of the stages calibrate, srs, setup, prove and verify, and commit where weights are.
        measurements: told how long the first proof took.
    """
    for name, found in (
        ("input_visibility", request.input_visibility),
        ("output_visibility", request.output_visibility),
    ):
        if found != "public":
            raise refuse_visibility(name, found, "public")
    if request.weights not in PARAM_VISIBILITY:
        raise refuse_visibility("weights", request.weights, " or ".join(PARAM_VISIBILITY))
    if not request.onnx.is_file():
        raise ArtifactNotFoundError(f"expected an ONNX file, found none at {request.onnx}")
    seconds: list[float] = []

    def build(directory: Path) -> BundleManifest:
        workshop = _workshop(request, directory, options, progress)
        shutil.copyfile(request.onnx, workshop.file("onnx"))
        manifest, prove_seconds = build_circuit(workshop, _calibrate(workshop, request))
        seconds.append(prove_seconds)
        return manifest

    bundle = write_bundle(request.target, build)
    measurements.record(bundle.manifest.circuit, "prove", seconds[0])
    return bundle


def _workshop(
    request: CompileRequest, directory: Path, options: ChildOptions, progress: Progress
) -> Workshop:
    return Workshop(
        name=request.name,
        directory=directory,
        source=directory / FILE_NAMES["onnx"],
        batch=1,
        srs=request.srs,
        allow_insecure_srs=request.allow_insecure_srs,
        options=options,
        progress=progress,
    )


def _calibrate(workshop: Workshop, request: CompileRequest) -> Calibration:
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
            arguments=RunArguments(
                disable_freivalds=not request.use_freivalds,
                param_visibility=PARAM_VISIBILITY[request.weights],
            ),
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
