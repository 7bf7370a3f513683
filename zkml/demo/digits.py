"""Steps 1 to 3: train the digit classifier, export and check it, compile its circuit; all of it cached."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.port import CompileRequest, ProofSystem
from circuits.srs import SrsStore
from circuits.stages import run_stage
from circuits.zoo.digits.data import DigitImages, load_images
from zkml.adapters.atomic_write import write_atomically
from zkml.config.home import Home
from zkml.core.digests import Digest, digest_bytes, digest_of
from zkml.core.progress import Progress
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError, ModelError
from zkml.export.check import CheckedFor, check_onnx
from zkml.export.checked_model import CheckedModel
from zkml.export.parity import check_parity, onnx_function

NAME = "digits"
FIRST_SYSTEM = "ezkl"
"""Its circuit has the model's name alone; those of other systems stand beside it in the same home."""
LEAST_ACCURACY = 0.95


@dataclass(frozen=True, slots=True)
class PreparedCircuit:
    """The demo's model and circuit.

    Attributes:
        images: training and held-out images.
        model: the checked ONNX model.
        bundle: its circuit.
        float_accuracy: part of the 360 held-out images that the ONNX model classifies rightly.
        circuit_accuracy: the same of the quantized circuit.
        is_cached: whether the bundle was there before.
    """

    images: DigitImages
    model: CheckedModel
    bundle: Bundle
    float_accuracy: float
    circuit_accuracy: float
    is_cached: bool


def dataset_digest(images: DigitImages) -> bytes:
    """Return SHA-256 of the training images and their labels, 32 bytes: what the publisher declares."""
    return digest_bytes(digest_of(images.train_inputs.tobytes() + images.train_labels.tobytes()))


def circuit_name(system: str) -> str:
    """Return what the demo's circuit of a proof system is called, and its folder among the bundles."""
    return NAME if system == FIRST_SYSTEM else f"{NAME}-{system}"


def prepare(home: Home, system: ProofSystem, asked: CheckedFor, progress: Progress) -> PreparedCircuit:
    """Return the demo's circuit, making what is not in the home yet.

    Args:
        home: where model and circuit are kept.
        system: proves the circuit.
        asked: its name.
        progress: hears of the stages.

    Raises:
        ModelError: the model classifies less than 95 % of the held-out images rightly.
        ArtifactError: a cached file was changed; names it.
        CircuitError, ProvingError, ToolchainError, StorageError: a step failed.
    """
    images = load_images()
    path = home.models / f"{NAME}.onnx"
    if not path.exists():
        _train_and_export(path, progress)
    with run_stage(progress, "check the ONNX model"):
        model = check_onnx(path, system=asked)
        float_accuracy = _accuracy(_onnx_outputs(model, images.test_inputs), images.test_labels)
    if float_accuracy < LEAST_ACCURACY:
        raise ModelError(
            f"expected a test accuracy of at least {LEAST_ACCURACY}, found {float_accuracy:.4f} in {path}",
            hint=f"remove {path} and run again",
        )
    bundle, is_cached = _bundle(home, system, model, images, progress)
    circuit_accuracy = _circuit_accuracy(system, bundle, images, progress)
    return PreparedCircuit(images, model, bundle, float_accuracy, circuit_accuracy, is_cached)


def _train_and_export(path: Path, progress: Progress) -> None:
    # torch takes seconds to import, and only the first run needs it.
    from circuits.zoo.digits.model import example_input  # noqa: PLC0415
    from circuits.zoo.digits.train import train  # noqa: PLC0415
    from zkml.export.torch_module import export_module  # noqa: PLC0415

    with run_stage(progress, "train on 1,437 real images"):
        trained = train()
    with run_stage(progress, "export to ONNX, check parity"):
        checked = export_module(trained.module, example_input(), path, name=NAME)
        check_parity(trained.module, checked, list(trained.test_inputs[:32]))


def _onnx_outputs(model: CheckedModel, inputs: NDArray[np.float32]) -> NDArray[Any]:
    run = onnx_function(model)
    return np.stack([np.asarray(run(image[None])).reshape(-1) for image in inputs])


def _accuracy(outputs: NDArray[Any], labels: NDArray[np.int64]) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _bundle(
    home: Home, system: ProofSystem, model: CheckedModel, images: DigitImages, progress: Progress
) -> tuple[Bundle, bool]:
    name = circuit_name(system.name)
    target = home.bundles / name
    if target.exists():
        with run_stage(progress, "re-hash the cached circuit"):
            bundle = Bundle.open(target)
        if bundle.manifest.files["onnx"].digest == model.digest:
            return bundle, True
    request = CompileRequest(
        name=name,
        onnx=home.models / f"{NAME}.onnx",
        calibration=images.train_inputs,
        target=target,
        srs=SrsStore(home.srs),
        domain=(0.0, 1.0),
    )
    return system.compile(request, progress=progress), False


def _circuit_accuracy(system: ProofSystem, bundle: Bundle, images: DigitImages, progress: Progress) -> float:
    """Evaluate the quantized circuit on the held-out images, once for each circuit."""
    path = bundle.path.with_name(f"{bundle.path.name}.accuracy.json")
    subject = _evaluation_subject(bundle, images)
    found = _read_accuracy(path, subject)
    if found is not None:
        return found
    outputs = system.quantized_outputs(bundle, images.test_inputs, progress=progress)
    accuracy = _accuracy(outputs, images.test_labels)
    write_atomically(path, json.dumps({"subject": subject, "accuracy": accuracy}).encode())
    return accuracy


def _evaluation_subject(bundle: Bundle, images: DigitImages) -> Digest:
    data = images.test_inputs.tobytes() + images.test_labels.tobytes()
    return digest_of(bundle.manifest.circuit.encode() + data)


def _read_accuracy(path: Path, subject: Digest) -> float | None:
    try:
        found = parse_object(path.read_bytes(), where=str(path))
        return float(found["accuracy"]) if found["subject"] == subject else None
    except (OSError, FormatError, KeyError, TypeError, ValueError):
        return None
