"""The normative semantics of a quantized network: the integer graph in numpy int64 (octet.md 3.2).

A proof says that the outputs are what this module computes, to the last bit. Interval analysis proves at
compile time that every sum stays below 2^62, so that int64 is exact; nothing here rounds, and no float is
touched but in `quantize_inputs` and `real_outputs`, which stand before and behind the statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.graph import (
    Affine,
    ByteTensor,
    Graph,
    Integers,
    Lookup,
    MaxPool,
    Output,
    Total,
    byte_tensors,
)
from circuits.octet.compile.linear_terms import Term, add_term, windows
from circuits.octet.compile.views import read
from zkml.errors import DomainError


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """Every integer of one run.

    Attributes:
        tensors: bytes and accumulators by the name of their tensor, int64 of the true shape.
        sums: A' of every `Affine` by the name of its output, before the shift. The witness needs them.
        outputs: what the statement publishes, in the graph's order.
    """

    tensors: dict[str, Integers]
    sums: dict[str, Integers]
    outputs: tuple[Integers, ...]


def execute(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> Execution:
    """Run the network on bytes.

    Args:
        graph: the network.
        inputs: for every input of the graph, integers in 0..255 of its shape.

    Raises:
        DomainError: an input is missing, of another shape, or holds what is not a byte.
    """
    run = _Run(graph, {tensor.name: _checked(tensor, inputs) for tensor in graph.inputs})
    for node in graph.nodes:
        if isinstance(node, Affine):
            total = run.total(node.terms, node.bias, node.output.shape)
            run.sums[node.output.name] = total
            run.tensors[node.output.name] = np.clip(total >> graph.shift, 0, 255)
        elif isinstance(node, Total):
            run.tensors[node.name] = run.total(node.terms, node.bias, node.shape)
        elif isinstance(node, Lookup):
            run.tensors[node.output.name] = node.table[run.tensors[node.source]]
        else:
            run.tensors[node.output.name] = run.greatest(node)
    return Execution(run.tensors, run.sums, tuple(run.published(out) for out in graph.outputs))


def execute_batch(graph: Graph, inputs: Mapping[str, NDArray[Any]], items: int) -> Execution:
    """Run the network on every item by itself: the statement of a batch is that of its items.

    Args:
        graph: the network.
        inputs: for every input of the graph, integers in 0..255. Shape: (items, *its shape); its own for 1.
        items: at least 1.

    Returns:
        The arrays of `execute` with an axis of items in front, where there are several.

    Raises:
        DomainError: see `execute`, or there are not so many items.
    """
    if items == 1:
        return execute(graph, inputs)
    for name, values in inputs.items():
        if len(values) != items:
            raise DomainError(f"expected {items} items, found {len(values)} in the input {name!r}")
    runs = [execute(graph, {name: values[item] for name, values in inputs.items()}) for item in range(items)]
    return Execution(
        {name: np.stack([run.tensors[name] for run in runs]) for name in runs[0].tensors},
        {name: np.stack([run.sums[name] for run in runs]) for name in runs[0].sums},
        tuple(np.stack(values) for values in zip(*(run.outputs for run in runs), strict=True)),
    )


def quantize_inputs(graph: Graph, values: Mapping[str, NDArray[Any]]) -> dict[str, Integers]:
    """Return the bytes nearest to real inputs: round half to even, then saturate, as ONNX's QuantizeLinear.

    Args:
        graph: the network.
        values: for every input, finite reals of its shape.

    Raises:
        DomainError: an input is missing, of another shape, or not finite.
    """
    found = {}
    for tensor in graph.inputs:
        value = _of_shape(tensor, values).astype(np.float64)
        if not np.isfinite(value).all():
            raise DomainError(f"expected finite numbers, found NaN or infinity in the input {tensor.name!r}")
        steps = np.clip(np.rint(value / tensor.scale) + tensor.zero_point, 0, 255)
        found[tensor.name] = steps.astype(np.int64)
    return found


def real_outputs(graph: Graph, execution: Execution) -> tuple[NDArray[np.float64], ...]:
    """Return the real numbers that the published integers stand for."""
    return tuple(
        out.scale * (values.astype(np.float64) - out.zero_point)
        for out, values in zip(graph.outputs, execution.outputs, strict=True)
    )


class _Run:
    """The tensors computed so far."""

    def __init__(self, graph: Graph, inputs: dict[str, Integers]) -> None:
        self.tensors = dict(inputs)
        self.sums: dict[str, Integers] = {}
        self._zero_points = {name: tensor.zero_point for name, tensor in byte_tensors(graph).items()}

    def total(self, terms: tuple[Term, ...], bias: Integers, shape: tuple[int, ...]) -> Integers:
        total: Integers = np.broadcast_to(bias, shape).astype(np.int64)
        for term in terms:
            view = term.source
            add_term(total, term, read(view, self.tensors[view.tensor]) - self._zero_points[view.tensor])
        return total

    def greatest(self, node: MaxPool) -> Integers:
        cells = read(node.source, self.tensors[node.source.tensor])
        found: Integers = windows(cells, node.kernel, node.strides, node.pads).max(axis=(-2, -1))
        return found

    def published(self, out: Output) -> Integers:
        values: Integers = np.array(read(out.source, self.tensors[out.source.tensor]), dtype=np.int64)
        if out.kind == "argmax":
            # numpy returns the first of equal maxima, as ONNX does and as octet.md 3.4 proves.
            values = np.argmax(values, axis=-1, keepdims=True)
        return values.reshape(out.shape)


def _of_shape(tensor: ByteTensor, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if tensor.name not in inputs:
        raise DomainError(f"expected the input {tensor.name!r}, found {sorted(inputs)}")
    value = np.asarray(inputs[tensor.name])
    if value.shape != tensor.shape:
        raise DomainError(f"expected the shape {tensor.shape}, found {value.shape} in {tensor.name!r}")
    return value


def _checked(tensor: ByteTensor, inputs: Mapping[str, NDArray[Any]]) -> Integers:
    value = _of_shape(tensor, inputs)
    if value.dtype.kind not in "iu" or value.min() < 0 or value.max() > 255:
        raise DomainError(f"expected integers in 0..255, found others in the input {tensor.name!r}")
    return value.astype(np.int64)
