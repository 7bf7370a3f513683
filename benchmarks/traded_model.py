"""The models that nodes are measured with on a chain of their own, compiled once a machine by each system."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.octet_cases import demo_cnn
from benchmarks.verifiers import write_layer
from circuits.bundle import Bundle
from circuits.port import CompileRequest
from circuits.srs import SrsStore
from circuits.systems import open_system

CACHE = Path(tempfile.gettempdir()) / "zkml-benchmarks"
CALIBRATION_SAMPLES = 64


@dataclass(frozen=True)
class TradedModel:
    """A model that somebody pays for.

    Attributes:
        name: of its bundles.
        what: the same in words.
        elements: of its input.
        domain: least and largest value of an element.
        write: writes its ONNX file into a folder, and returns where it is.
    """

    name: str
    what: str
    elements: int
    domain: tuple[float, float]
    write: Callable[[Path], Path]

    def draw(self, count: int, *, seed: int) -> NDArray[np.float32]:
        """Return inputs, no two alike, the same for the same seed. Shape: (count, elements)."""
        drawn = np.random.default_rng(seed).uniform(*self.domain, size=(count, self.elements))
        return drawn.astype(np.float32)

    def open_bundle(self, system: str) -> Bundle:
        """Return its circuit of a proof system, compiled when this machine has none of this version yet."""
        proving = open_system(system)
        folder = CACHE / f"{self.name}-{system}-{proving.version}"
        if not (folder / "bundle").exists():
            folder.mkdir(parents=True, exist_ok=True)
            proving.compile(
                CompileRequest(
                    name=self.name,
                    onnx=self.write(folder),
                    calibration=self.draw(CALIBRATION_SAMPLES, seed=3),
                    target=folder / "bundle",
                    srs=SrsStore(CACHE / "srs"),
                    domain=self.domain,
                )
            )
        return Bundle.open(folder / "bundle")


LAYER = TradedModel(
    "layer",
    "one linear layer of 4 inputs and 3 outputs and a ReLU",
    4,
    (-1.0, 1.0),
    lambda folder: write_layer(folder / "model.onnx", 4, 3),
)
DEMO_CNN = TradedModel(
    "demo-cnn",
    "the demonstration's CNN on 8 x 8 pixels, with random weights",
    64,
    (0.0, 1.0),
    lambda folder: demo_cnn(folder).model,
)
MODELS = {model.name: model for model in (LAYER, DEMO_CNN)}
