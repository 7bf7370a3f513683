"""The digit images, scaled to 0..1 and split once and for all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.core.extras import install_hint
from zkml.errors import ToolchainError

TEST_SHARE = 0.2
_SPLIT_SEED = 0  # independent of the training seed: the held-out images are always the same 360
_GREATEST_PIXEL = 16


@dataclass(frozen=True, slots=True)
class DigitImages:
    """Images and labels, the test part held out from training.

    Attributes:
        train_inputs: float32 pixels in 0..1, multiples of 1/16. Shape: (1437, 1, 8, 8).
        train_labels: digits 0..9. Shape: (1437,).
        test_inputs: as `train_inputs`. Shape: (360, 1, 8, 8).
        test_labels: as `train_labels`. Shape: (360,).
    """

    train_inputs: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_inputs: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_images() -> DigitImages:
    """Load the images that scikit-learn carries, and hold out a fifth, stratified by digit.

    Raises:
        ToolchainError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415  (only the demo's extra installs it)
        from sklearn.model_selection import train_test_split  # noqa: PLC0415
    except ImportError as error:
        raise ToolchainError(
            "expected the package scikit-learn, found none", hint=install_hint("sklearn")
        ) from error
    pixels: NDArray[Any]
    pixels, labels = load_digits(return_X_y=True)
    inputs = (pixels / _GREATEST_PIXEL).astype(np.float32).reshape(-1, 1, 8, 8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, random_state=_SPLIT_SEED, stratify=labels
    )
    return DigitImages(
        inputs[train], labels[train].astype(np.int64), inputs[test], labels[test].astype(np.int64)
    )


def train_images() -> NDArray[np.float32]:
    """Return the training images, to calibrate a circuit with. Shape: (1437, 1, 8, 8)."""
    return load_images().train_inputs
