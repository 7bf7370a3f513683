"""Real inputs as packed integers: one rounding for every proof system."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.core.fixed_point import quantize
from zkml.core.manifest import BundleManifest
from zkml.core.tensors import pack
from zkml.errors import LayoutError


def pack_real_input(manifest: BundleManifest, values: NDArray[Any] | Sequence[float]) -> bytes:
    """Pack one real input for a circuit.

    Args:
        manifest: of the circuit.
        values: as many numbers as the circuit's input has, of any shape.

    Raises:
        LayoutError: another number of elements.
        DomainError: a value is not finite, or outside the circuit's domain.
    """
    integers = quantize(values, manifest.input_scale_bits).ravel()
    if integers.size != manifest.layout.input_count:
        raise LayoutError(
            f"expected an input of shape {tuple(manifest.input_shape)}, found {integers.size} elements"
        )
    manifest.input_domain.check(integers)
    return pack(integers, manifest.layout.input_bytes)


def quantize_samples(manifest: BundleManifest, inputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the integers of many real inputs.

    Args:
        manifest: of the circuit.
        inputs: Shape: (samples, ...), with as many elements a sample as the circuit's input.

    Returns:
        Shape: (samples, input elements).

    Raises:
        LayoutError: samples have another number of elements.
        DomainError: a value is not finite, or outside the circuit's domain.
    """
    integers = quantize(inputs, manifest.input_scale_bits).reshape(len(inputs), -1)
    if integers.shape[1] != manifest.layout.input_count:
        raise LayoutError(
            f"expected inputs of shape {tuple(manifest.input_shape)}, "
            f"found {integers.shape[1]} elements a sample"
        )
    manifest.input_domain.check(integers)
    return integers
