"""How weights are stored: over the axes that their source has, whatever view the graph reads it through.

Source: octet.md 3.5 (constants; kernels as one axis), 3.4 (grouped convolution).
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from circuits.octet.compile.axis_walks import Walk
from circuits.octet.compile.graph import Conv, Integers
from circuits.octet.terms import Axis


def scattered(weights: Integers, walks: Sequence[Walk]) -> Integers:
    """Move axis 1 of weights onto the source's own axes; what the view does not show has weight 0.

    Args:
        weights: shape (N, K, ...).
        walks: of the source axes that axis 1 moves, each with K positions.

    Returns:
        Shape (N, *lengths of those axes, ...).
    """
    outputs, _, *rest = weights.shape
    if not walks:
        # The axis is of length 1, or the view repeats one cell along it.
        return np.asarray(weights.sum(axis=1), dtype=np.int64)
    lengths = [walk.length for walk in walks]
    found = np.zeros((outputs, prod(lengths), *rest), dtype=np.int64)
    positions = np.ravel_multi_index([walk.positions for walk in walks], lengths)
    add_columns(found, positions, weights)
    return found.reshape(outputs, *lengths, *rest)


def full_weights(term: Conv, axes: Sequence[Axis]) -> Integers:
    """Return a convolution's weights over all channels, zeros between groups. Shape: (O, C, taps)."""
    out_channels, per_group, *_ = term.weights.shape
    kernels = kernel_in_source_order(term.weights, axes).reshape(out_channels, per_group, -1)
    full = np.zeros((out_channels, per_group * term.groups, kernels.shape[2]), dtype=np.int64)
    outputs = out_channels // term.groups
    for channel in range(out_channels):
        start = channel // outputs * per_group
        full[channel, start : start + per_group] = kernels[channel]
    return full


def kernel_in_source_order(weights: Integers, axes: Sequence[Axis]) -> Integers:
    """Transpose the kernel where the source's width axis comes before its height axis."""
    order = [axis.out for axis in axes if axis.out in {2, 3}]
    return weights.swapaxes(2, 3) if order == [3, 2] else weights


def add_columns(target: Integers, positions: Integers, weights: Integers) -> None:
    """Add column k of weights to column positions[k] of the target; positions may repeat."""
    for k, position in enumerate(positions):
        target[:, position] += weights[:, k]
