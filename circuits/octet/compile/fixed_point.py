"""Fixed point at the port: one input and one output whose scales are powers of two.

Outside of a statement, tensors are two's-complement integers with a power-of-two scale (zkml.core.tensors).
A statement's input is bytes, so the byte is X = v + z for a packed integer v; its outputs are integers
already. A tensor whose scale the model prescribes is brought to such a scale by one more relation: an input
by a requantization, an output by an integer multiplier, which rounds nothing and needs no column.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from circuits.octet.compile.graph import Copy, Graph, Integers, Output, Total, byte_tensors, node_output
from circuits.octet.compile.real_graph import RealAffine, RealGraph, RealInput
from circuits.octet.compile.views import View, view_shape
from zkml.core.digests import keccak256
from zkml.core.fixed_point import quantize
from zkml.core.tensors import InputDomain, TensorLayout, width_for
from zkml.errors import CompileError, LayoutError

MAX_INPUT_BITS = 30
MAX_OUTPUT_BITS = 60
"""Bits behind the binary point that an output may have: what a bundle's manifest holds."""

OUTPUT_BYTES = 4
_BYTE = 255


@dataclass(frozen=True, slots=True)
class PortTensors:
    """How a statement's public bytes and integers are read outside of it.

    Attributes:
        input_name: of the program's only input.
        input_shape: of the ONNX input.
        output_shape: of the ONNX output.
        batch: how many inputs, and as many outputs, one statement is about.
        input_scale_bits: an input element v stands for v * 2^-input_scale_bits. Range: 0..30.
        input_offset: the statement's byte is X = v + input_offset. Range: 0..255.
        domain: the integers that v may be.
        output_scale_bits: an output element stands for its value * 2^-output_scale_bits. Range: 0..60.
        argmax: whether the output is the index of the greatest score.
    """

    input_name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_scale_bits: int
    input_offset: int
    domain: InputDomain
    output_scale_bits: int
    argmax: bool
    batch: int

    @property
    def input_dims(self) -> tuple[int, ...]:
        """Shape of all inputs together."""
        return batched(self.input_shape, self.batch)

    @property
    def output_dims(self) -> tuple[int, ...]:
        """Shape of all outputs together."""
        return batched(self.output_shape, self.batch)

    @property
    def layout(self) -> TensorLayout:
        """The packed tensors."""
        return TensorLayout(
            math.prod(self.input_dims),
            width_for(self.domain.minimum, self.domain.maximum),
            math.prod(self.output_dims),
            OUTPUT_BYTES,
        )

    @property
    def byte_domain(self) -> dict[str, tuple[int, int]]:
        """The bytes that the statement's input may hold, by its name."""
        low, high = self.domain.minimum + self.input_offset, self.domain.maximum + self.input_offset
        return {self.input_name: (low, high)}

    def digest(self) -> bytes:
        """Return keccak256 of the canonical JSON: the 32 bytes by which a statement names its meaning."""
        return keccak256(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode())

    def bytes_of(self, elements: Sequence[int]) -> dict[str, Integers]:
        """Return the statement's input for packed integers in row-major order. Shape: `input_dims`.

        Raises:
            LayoutError: another number of elements.
            DomainError: an element lies outside the domain.
        """
        if len(elements) != math.prod(self.input_dims):
            raise LayoutError(f"expected {math.prod(self.input_dims)} elements, found {len(elements)}")
        self.domain.check(elements)
        values = np.array(elements, dtype=np.int64).reshape(self.input_dims)
        return {self.input_name: values + self.input_offset}


def batched(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """Return the shape of so many tensors together: one alone is as it was."""
    return shape if batch == 1 else (batch, *shape)


@dataclass(frozen=True, slots=True)
class InputGrid:
    """The scale, offset and domain of an input; the fields are those of `PortTensors`."""

    scale_bits: int
    offset: int
    domain: InputDomain

    @property
    def range(self) -> tuple[float, float]:
        """The reals that the bytes 0 and 255 stand for, exactly."""
        step = 2.0**-self.scale_bits
        return -self.offset * step, (_BYTE - self.offset) * step


def free_input(graph: RealGraph) -> RealGraph:
    """Return the network with an input whose scale the model does not prescribe.

    The prescribed bytes become the first relation's output. An ONNX input of integer codes stays as it is.
    """
    (entry,) = graph.inputs
    if entry.pin is None or entry.code_offset is not None:
        return graph
    given = RealInput(f"{entry.name}:given", entry.shape, None)
    rank = len(entry.shape)
    copy = Copy(View(given.name, entry.shape), 1.0, (0,) * rank)
    bias = np.zeros((1,) * rank)
    label = f"input {entry.name!r:.80}"
    step = RealAffine(entry.name, label, entry.shape, (copy,), (None,), bias, pin=entry.pin)
    return replace(graph, inputs=(given,), nodes=(step, *graph.nodes))


def input_grid(entry: RealInput, domain: tuple[float, float]) -> InputGrid:
    """Return the finest power-of-two grid of at most 256 integers, zero among them, on a domain.

    Args:
        entry: the input; codes keep the grid of integers that they are.
        domain: least and greatest real (for codes: code) that is to be accepted.

    Raises:
        CompileError: the domain is no interval, or is too wide for bytes.
    """
    low, high = domain
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise CompileError(f"expected a finite domain with low <= high, found {low:g}..{high:g}")
    if entry.code_offset is not None:
        ends = InputDomain(math.ceil(low), math.floor(high))
        if ends.minimum + entry.code_offset < 0 or ends.maximum + entry.code_offset > _BYTE:
            raise CompileError(
                f"expected codes of a byte, found the domain {low:g}..{high:g} of {entry.name!r:.80}"
            )
        return InputGrid(0, entry.code_offset, ends)
    for bits in range(MAX_INPUT_BITS, -1, -1):
        if max(-low, high) * 2.0**bits > 2 * _BYTE:
            continue
        ends = InputDomain(*quantize(np.array([low, high]), bits).tolist())
        if max(ends.maximum, 0) - min(ends.minimum, 0) <= _BYTE:
            return InputGrid(bits, max(-ends.minimum, 0), ends)
    raise CompileError(
        f"expected inputs in a range of at most {_BYTE}, zero included, found the domain {low:g}..{high:g} "
        f"of {entry.name!r:.80}",
        hint="divide the input by a power of two before the model, and multiply by it inside",
    )


def fixed_outputs(graph: Graph, code_offsets: Sequence[int | None]) -> Graph:
    """Return the network with every output an index, or integers at a power-of-two scale.

    Args:
        graph: any network.
        code_offsets: for every output of integer codes, what was added to make them bytes; else None.

    Raises:
        CompileError: an output's scale is beyond 2^-60..1.
    """
    nodes = list(graph.nodes)
    outputs = []
    for out, offset in zip(graph.outputs, code_offsets, strict=True):
        if out.kind != "bytes":
            outputs.append(out)
        else:
            total = _total_of(graph, out, offset)
            nodes.append(total)
            view = View(total.name, total.shape)
            outputs.append(Output(out.name, "int32", view, out.shape, total.scale, 0))
    return Graph(graph.shift, graph.inputs, tuple(nodes), tuple(outputs))


def output_scale_bits(out: Output) -> int:
    """Return the scale of an output of `fixed_outputs` as bits behind the binary point.

    Raises:
        CompileError: the scale is beyond 2^-60..1.
    """
    bits = round(-math.log2(out.scale))
    if not 0 <= bits <= MAX_OUTPUT_BITS:
        raise CompileError(
            f"expected outputs at a scale of 2^-{MAX_OUTPUT_BITS} to 1, found 2^{-bits} in {out.name!r:.80}",
            hint="scale the model's output to numbers below 2^31",
        )
    return bits


def _total_of(graph: Graph, out: Output, code_offset: int | None) -> Total:
    """Return multiplier * (Y - z), or the codes themselves."""
    shape = view_shape(out.source)
    held = byte_tensors(graph)[out.source.tensor]
    taken = {tensor.name for tensor in graph.inputs} | {node_output(node)[0] for node in graph.nodes}
    name = f"output:{out.name}"
    while name in taken:
        name += "'"
    multiplier, bits, shift = 1, 0, 0
    if code_offset is None:
        reach = max(held.zero_point, _BYTE - held.zero_point)
        bits = min(30 - math.ceil(math.log2(held.scale * reach)), MAX_OUTPUT_BITS)
        multiplier = max(round(held.scale * 2.0**bits), 1)
    else:
        shift = held.zero_point - code_offset
    copy = Copy(out.source, multiplier, (0,) * len(shape))
    bias = np.full((1,) * len(shape), shift, dtype=np.int64)
    return Total(name, shape, 2.0**-bits, (copy,), bias)
