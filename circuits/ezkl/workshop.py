"""Build a circuit from settled run arguments: settings, keys, one proof that verifies, manifest.

A mock run, setup and proof can all succeed where verification fails, so a circuit whose proof was not seen
to verify is never called compiled.
"""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from circuits.bundle import describe_files
from circuits.ezkl.calibrate import Calibration
from circuits.ezkl.committed import weight_point_of, write_checked_weightless
from circuits.ezkl.keygen import generate_keys
from circuits.ezkl.settings import PARAM_VISIBILITY, CircuitSettings, with_logrows, write_settings
from circuits.srs import SrsStore
from circuits.srs_file import identify_srs, verification_srs
from circuits.stages import OnTick, run_stage
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.client import MadeProof
from zkml.adapters.ezkl.process import VERSION, ChildOptions
from zkml.core.manifest import BundleManifest, FileRole, Layout
from zkml.core.progress import Progress
from zkml.core.records import to_hex
from zkml.core.tensors import instances_of, pack
from zkml.errors import CalibrationError, KeygenError, ProofRejectedError, ZkmlError

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
    "weightless_onnx": "weightless.onnx",
}
MAX_EXTRA_LOGROWS = 3


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a bundle is being built, and how its children are run.

    Attributes:
        name: the model's.
        directory: the bundle's, with its ONNX file in it.
        source: the ONNX file that EZKL compiles: the bundle's own, or a batch written from it.
        batch: inputs that `source` takes at once.
        srs: where SRS files are kept.
        allow_insecure_srs: make one where no ceremony's is there.
        options: limits of each child.
        progress: told of the stages srs, setup, prove and verify.
    """

    name: str
    directory: Path
    source: Path
    batch: int
    srs: SrsStore
    allow_insecure_srs: bool
    options: ChildOptions
    progress: Progress

    def file(self, role: FileRole) -> Path:
        """Return where the bundle keeps the file of this role."""
        return self.directory / FILE_NAMES[role]

    def with_ticks(self, on_tick: OnTick) -> ChildOptions:
        """Return the children's options, with ticks."""
        return replace(self.options, on_tick=on_tick)


def build_circuit(workshop: Workshop, calibration: Calibration) -> tuple[BundleManifest, float]:
    """Make the circuit with the fewest rows whose proof verifies.

    Returns:
        The manifest, and how many seconds the proof took.

    Raises:
        CalibrationError: no number of rows gave a proof that verifies.
        UnsuitableCircuitError: weights were to be committed, and the key depends on them all the same.
        CompileError, SrsError, StorageError, ProverLimitError, BackendError: a step failed.
    """
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


def _make_circuit(workshop: Workshop, calibration: Calibration, logrows: int) -> CircuitSettings:
    """Write settings, compiled circuit, SRS and keys for this many rows."""
    arguments = with_logrows(calibration.arguments, logrows)
    settings_path, compiled = workshop.file("settings"), workshop.file("compiled_circuit")
    settings = write_settings(workshop.source, settings_path, arguments, options=workshop.options)
    client.compile_circuit(workshop.source, compiled, settings_path, options=workshop.options)
    with run_stage(workshop.progress, "srs") as on_tick:
        found = workshop.srs.find(
            logrows,
            allow_insecure=workshop.allow_insecure_srs,
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


def _prove_once(workshop: Workshop, calibration: Calibration) -> MadeProof:
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


def _commit_weights(workshop: Workshop, calibration: Calibration, made: MadeProof) -> bytes:
    """Return the point that every proof begins with, and write the model that the key is rebuilt from."""
    with run_stage(workshop.progress, "commit") as on_tick:
        options = workshop.with_ticks(on_tick)
        point = weight_point_of(
            workshop.file("compiled_circuit"),
            calibration.sample,
            made.proof,
            verifying_key=workshop.file("verifying_key"),
            srs=workshop.file("srs"),
            options=options,
        )
        write_checked_weightless(
            workshop.file("onnx"),
            workshop.file("weightless_onnx"),
            batch=workshop.batch,
            settings=workshop.file("settings"),
            verifying_key=workshop.file("verifying_key"),
            srs=workshop.file("srs"),
            options=options,
        )
    return point


def _manifest(
    workshop: Workshop, calibration: Calibration, settings: CircuitSettings, made: MadeProof
) -> BundleManifest:
    is_committed = settings.arguments.param_visibility == PARAM_VISIBILITY["committed"]
    point = _commit_weights(workshop, calibration, made) if is_committed else None
    names = {role: name for role, name in FILE_NAMES.items() if is_committed or role != "weightless_onnx"}
    files = describe_files(workshop.directory, names)
    return BundleManifest(
        name=workshop.name,
        system=SYSTEM,
        system_version=VERSION,
        proof_system=PROOF_SYSTEM,
        input_visibility="public",
        output_visibility="public",
        param_visibility="committed" if is_committed else "fixed",
        weight_point=None if point is None else to_hex(point),
        batch=workshop.batch,
        input_shape=list(settings.input_shape),
        output_shape=list(settings.output_shape),
        input_scale_bits=settings.input_scale_bits,
        output_scale_bits=settings.output_scale_bits,
        layout=Layout.of(calibration.layout, calibration.domain),
        srs=identify_srs(workshop.file("srs")),
        verifying_key=files["verifying_key"].digest,
        proof_bytes=len(made.proof),
        fidelity=calibration.fidelity,
        files=files,
    )
