"""Run a circuit on real inputs without proofs: what its quantization does to a model's accuracy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.fixed_point import quantize
from zkml.core.tensors import pack
from zkml.errors import LayoutError


def quantize_input(bundle: Bundle, values: NDArray[Any] | Sequence[float]) -> bytes:
    """Pack one real input for a circuit.

    Args:
        bundle: an opened bundle.
        values: as many numbers as the circuit's input has, of any shape.

    Raises:
        LayoutError: another number of elements.
        DomainError: a value is not finite, or outside the circuit's domain.
    """
    manifest = bundle.manifest
    integers = quantize(values, manifest.input_scale_bits).ravel()
    if integers.size != manifest.layout.input_count:
        raise LayoutError(
            f"expected an input of shape {tuple(manifest.input_shape)}, found {integers.size} elements"
        )
    manifest.input_domain.check(integers)
    return pack(integers, manifest.layout.input_bytes)


def quantized_outputs(
    bundle: Bundle, inputs: NDArray[Any], *, options: ChildOptions = DEFAULT_OPTIONS
) -> NDArray[np.int64]:
    """Compute the circuit's integer outputs on many real inputs, in few children.

    Args:
        bundle: an opened bundle.
        inputs: Shape: (samples, ...), with as many elements a sample as the circuit's input.
        options: limits and progress of each child.

    Returns:
        Shape: (samples, output elements).

    Raises:
        LayoutError: samples have another number of elements.
        DomainError: a value is not finite, or outside the circuit's domain.
        WitnessError: a sample has no witness; names its index.
    """
    bundle.require("compiled_circuit")
    manifest = bundle.manifest
    integers = quantize(inputs, manifest.input_scale_bits).reshape(len(inputs), -1)
    if integers.shape[1] != manifest.layout.input_count:
        raise LayoutError(
            f"expected inputs of shape {tuple(manifest.input_shape)}, "
            f"found {integers.shape[1]} elements a sample"
        )
    manifest.input_domain.check(integers)
    passages = client.forward(bundle.file("compiled_circuit"), integers, options=options)
    return np.array([passage.outputs for passage in passages], dtype=np.int64)
