"""Run a circuit on real inputs without proofs: what its quantization does to a model's accuracy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.packed_input import quantize_samples
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions


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
    integers = quantize_samples(bundle.manifest, inputs)
    passages = client.forward(bundle.file("compiled_circuit"), integers, options=options)
    return np.array([passage.outputs for passage in passages], dtype=np.int64)
