"""The option pricer: a plain multilayer perceptron of any width."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

INPUT_SHAPE = (1, 4)
HIDDEN = (64, 64)


def option_pricer(hidden: Sequence[int] = HIDDEN) -> nn.Sequential:
    """Build the untrained network: (batch, 4) numbers of a contract to (batch, 1) prices.

    Args:
        hidden: widths of the hidden layers, each followed by ReLU.
    """
    widths = (INPUT_SHAPE[1], *hidden)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1))


def example_input() -> torch.Tensor:
    """Return an input of the shape that the circuit is built for."""
    return torch.zeros(INPUT_SHAPE)
