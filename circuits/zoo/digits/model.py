"""The digit classifier: two convolutions and one linear layer, small enough to prove in seconds."""

import torch
from torch import nn

INPUT_SHAPE = (1, 1, 8, 8)
CLASSES = 10


def digit_classifier() -> nn.Sequential:
    """Build the untrained network: (batch, 1, 8, 8) pixels in 0..1 to (batch, 10) logits.

    The first stride of 2 keeps the circuit small: 6,280 rows at scale 7.
    """
    return nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=4, stride=2),  # (batch, 8, 3, 3)
        nn.ReLU(),
        nn.Conv2d(8, 16, kernel_size=3),  # (batch, 16, 1, 1)
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    )


def example_input() -> torch.Tensor:
    """Return an input of the shape that the circuit is built for."""
    return torch.zeros(INPUT_SHAPE)
