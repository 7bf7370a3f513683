"""Compile a circuit that proves several inputs at once, from the bundle that proves one.

Nothing is calibrated again: scales, digits, domain and widths are the bundle's, so that a job has the same
output whichever circuit proves it. That is checked on the inputs that every honest circuit must take.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from circuits.bundle import Bundle, write_bundle
from circuits.ezkl.batched import write_batched
from circuits.ezkl.calibrate import Calibration, least_logrows, probes_of
from circuits.ezkl.settings import check_settings, parse_settings, write_settings
from circuits.ezkl.workshop import FILE_NAMES, Workshop, build_circuit
from circuits.measurements import Measurements
from circuits.srs import SrsStore
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import ChildOptions
from zkml.core.manifest import MAX_BATCH, BundleManifest
from zkml.core.progress import Progress
from zkml.core.tensors import TensorLayout
from zkml.errors import UnsuitableCircuitError


def compile_batch(
    base: Bundle,
    inputs: int,
    target: Path,
    srs: SrsStore,
    *,
    allow_insecure_srs: bool,
    options: ChildOptions,
    progress: Progress,
    measurements: Measurements,
) -> Bundle:
    """Compile a batch circuit; see `circuits.port.ProofSystem.compile_batch`."""
    if base.manifest.batch != 1 or not 2 <= inputs <= MAX_BATCH:
        raise UnsuitableCircuitError(
            f"expected 2..{MAX_BATCH} inputs and a bundle for one, "
            f"found {inputs} and a bundle for {base.manifest.batch}"
        )
    base.require("onnx", "settings", "compiled_circuit")
    check_settings(parse_settings(base.file("settings").read_bytes()), base.manifest)
    seconds: list[float] = []

    def build(directory: Path) -> BundleManifest:
        shutil.copyfile(base.file("onnx"), directory / FILE_NAMES["onnx"])
        with tempfile.TemporaryDirectory(prefix="zkml-batch-") as scratch:
            source = Path(scratch) / "batched.onnx"
            write_batched(base.file("onnx"), source, inputs)
            workshop = Workshop(
                name=base.manifest.name,
                directory=directory,
                source=source,
                batch=inputs,
                srs=srs,
                allow_insecure_srs=allow_insecure_srs,
                options=options,
                progress=progress,
            )
            manifest, prove_seconds = build_circuit(workshop, _calibration(workshop, base, Path(scratch)))
            _check_same_outputs(base, workshop)
        seconds.append(prove_seconds)
        return manifest

    bundle = write_bundle(target, build)
    measurements.record(bundle.manifest.circuit, "prove", seconds[0])
    return bundle


def _calibration(workshop: Workshop, base: Bundle, scratch: Path) -> Calibration:
    """Take over what the bundle for one input was calibrated to; only the rows are counted anew."""
    one = base.manifest
    # Products of matrices, which a batch makes of products with a vector, would be checked by random
    # challenges: more columns and so a dearer verification, for little in networks small enough to batch.
    arguments = replace(parse_settings(base.file("settings").read_bytes()).arguments, disable_freivalds=True)
    settings = write_settings(workshop.source, scratch / "settings", arguments, options=workshop.options)
    layout, count = one.tensor_layout, workshop.batch
    stated = (settings.input_count, settings.output_count, settings.output_scale_bits)
    if stated != (count * layout.input_count, count * layout.output_count, one.output_scale_bits):
        raise UnsuitableCircuitError(
            f"expected {count} times the bundle's tensors and its output scale, "
            f"found shapes {settings.input_shape} and {settings.output_shape} and {stated[2]} bits",
            hint="the model does not treat its first axis as one of samples",
        )
    probes = probes_of(one.input_domain, layout.input_count)
    return Calibration(
        arguments=replace(arguments, logrows=least_logrows(settings)),
        layout=TensorLayout(
            settings.input_count, layout.input_bytes, settings.output_count, layout.output_bytes
        ),
        domain=one.input_domain,
        fidelity=one.fidelity,
        sample=tuple(int(value) for value in np.resize(probes, (count, probes.shape[1])).ravel()),
    )


def _check_same_outputs(base: Bundle, workshop: Workshop) -> None:
    """Check that a job gets the same output from the batch circuit as from the bundle for one input."""
    one, count = base.manifest, workshop.batch
    probes = probes_of(one.input_domain, one.layout.input_count)
    # Every probe stands at another place of the batch than the one before it.
    batches = np.resize(probes, (-(-len(probes) // count), count, probes.shape[1]))
    single = client.forward(base.file("compiled_circuit"), probes, options=workshop.options)
    expected = np.resize(
        np.array([passage.outputs for passage in single]), (batches.shape[0] * count, one.layout.output_count)
    )
    compiled = workshop.file("compiled_circuit")
    found = client.forward(compiled, batches.reshape(len(batches), -1), options=workshop.options)
    if not np.array_equal(
        np.array([passage.outputs for passage in found]), expected.reshape(len(batches), -1)
    ):
        raise UnsuitableCircuitError(
            "expected the outputs that the bundle for one input computes, found others in the batch",
            hint="the model mixes the samples of a batch, and cannot be proved in batches",
        )
