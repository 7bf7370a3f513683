"""The integer graph: what a quantized network computes, to the last bit (octet.md 3.2).

Two kinds of tensors exist. A *byte tensor* holds Y in [0, 255]; it stands for the real number
scale * (Y - zero_point), but the integers alone are normative and the scale is for people. An
*accumulator* holds a signed integer below 2^31 in magnitude and can only be an output.

Every node is one relation, in topological order:

    Affine    Y = clamp(floor((sum of terms + bias) / 2^shift), 0, 255)   a block of bytes
    Total     A = sum of terms + bias                                     an accumulator
    Lookup    Y = table[X]                                                a block beside its source's
    MaxPool   Y = maximum over a window of at most four cells             a block of bytes

A term (`linear_terms`) reads X - zero_point of one byte tensor, so that whatever lies in the padding of a
window counts as the real number zero. The bias holds the rounding 2^(shift-1) and zero_point * 2^shift of
the output; no correction for an input's zero point is folded into it (octet.md 3.0, item 8).
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.linear_terms import AxesSum, Conv, Copy, Gemm, Scale, Term, WindowSum
from circuits.octet.compile.views import View, as_json, view_shape

Integers: TypeAlias = NDArray[np.int64]
Shape: TypeAlias = tuple[int, ...]

GRAPH_VERSION = 1

__all__ = ["AxesSum", "Conv", "Copy", "Gemm", "Scale", "Term", "WindowSum"]


@dataclass(frozen=True, slots=True)
class ByteTensor:
    """A tensor of bytes.

    Attributes:
        name: unique in the graph.
        shape: true dimensions, row-major; the ONNX batch dimension of 1 is kept.
        scale: real value of one step. Not part of the semantics.
        zero_point: the byte that stands for the real number zero. Range: 0..255.
    """

    name: str
    shape: Shape
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Bytes by requantization of a sum of terms: clamp(floor(A' / 2^shift), 0, 255).

    Attributes:
        output: the bytes.
        terms: at least one, each over tensors that come before.
        bias: of the output's rank; each dimension is 1 or the output's. Holds 2^(shift-1) + zero * 2^shift.
    """

    output: ByteTensor
    terms: tuple[Term, ...]
    bias: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """An accumulator: a sum of terms as it is, below 2^31 in magnitude.

    Attributes:
        name: unique in the graph.
        shape: true dimensions.
        scale: real value of one unit. Not part of the semantics.
        terms: at least one.
        bias: as of `Affine`, without rounding or zero point.
    """

    name: str
    shape: Shape
    scale: float
    terms: tuple[Term, ...]
    bias: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Y = table[X], cell by cell.

    Attributes:
        output: bytes, of the source's shape.
        source: the output of an `Affine` that no other `Lookup` reads.
        table: 256 values in 0..255. Shape: (256,).
    """

    output: ByteTensor
    source: str
    table: Integers


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool:
    """Y[0, c, y, x] = maximum over the window of the bytes of x; padding counts as the byte 0.

    Attributes:
        output: bytes with the source's scale and zero point.
        source: shape (1, C, H, W). Bytes, not bytes minus a zero point.
        kernel: (kh, kw) with 2 <= kh * kw <= 4; larger windows are several of these nodes.
        strides: (s_y, s_x).
        pads: (top, left, bottom, right).
    """

    output: ByteTensor
    source: View
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


Node: TypeAlias = Affine | Total | Lookup | MaxPool


@dataclass(frozen=True, slots=True)
class Output:
    """What the statement publishes.

    Attributes:
        name: the ONNX output's name.
        kind: `int32` reads a `Total`; `bytes` reads any byte tensor; `argmax` publishes, for every row of
            the last axis, the index of the first greatest cell of a `Total` or a byte tensor.
        source: through a view; a `Total` is read whole, in any order of its axes.
        shape: of what is published; the last axis is 1 for `argmax`.
        scale: real value of one step; 1.0 for `argmax`.
        zero_point: of bytes; 0 otherwise.
    """

    name: str
    kind: str
    source: View
    shape: Shape
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole network.

    Attributes:
        shift: S of octet.md 3.2, the same for every `Affine`. One of 16, 24, 32.
        inputs: byte tensors that the statement publishes, in the order of the ONNX inputs.
        nodes: in topological order.
        outputs: in the order of the ONNX outputs.
    """

    shift: int
    inputs: tuple[ByteTensor, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...] = field(default=())

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical JSON: the integer reference's hash of octet.md 3.10."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()

    def as_json(self) -> dict[str, Any]:
        """Return everything normative as plain values; scales are left out."""
        return {
            "version": GRAPH_VERSION,
            "shift": self.shift,
            "inputs": [_tensor_json(tensor) for tensor in self.inputs],
            "nodes": [_node_json(node) for node in self.nodes],
            "outputs": [
                {"kind": out.kind, "source": as_json(out.source), "shape": list(out.shape)}
                for out in self.outputs
            ],
        }


def node_output(node: Node) -> tuple[str, Shape]:
    """Return the name and the shape of what a node makes."""
    if isinstance(node, Total):
        return node.name, node.shape
    return node.output.name, node.output.shape


def byte_tensors(graph: Graph) -> dict[str, ByteTensor]:
    """Return every byte tensor by its name: the inputs, then the nodes' in order."""
    tensors = {tensor.name: tensor for tensor in graph.inputs}
    for node in graph.nodes:
        if not isinstance(node, Total):
            tensors[node.output.name] = node.output
    return tensors


def node_reads(node: Node) -> tuple[View, ...]:
    """Return the views that a node reads, in the order of its terms."""
    if isinstance(node, Affine | Total):
        return tuple(term.source for term in node.terms)
    if isinstance(node, MaxPool):
        return (node.source,)
    return (View(node.source, node.output.shape),)


def _tensor_json(tensor: ByteTensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "zero_point": tensor.zero_point}


def _node_json(node: Node) -> dict[str, Any]:
    name, shape = node_output(node)
    found: dict[str, Any] = {"op": type(node).__name__, "name": name, "shape": list(shape)}
    if isinstance(node, Affine | Total):
        found |= {"terms": [_term_json(term) for term in node.terms], "bias": _array_json(node.bias)}
    elif isinstance(node, Lookup):
        found |= {"source": node.source, "table": _array_json(node.table)}
    else:
        window = {"kernel": node.kernel, "strides": node.strides, "pads": node.pads}
        found |= {"source": as_json(node.source)} | {key: list(value) for key, value in window.items()}
    if not isinstance(node, Total):
        found["zero_point"] = node.output.zero_point
    return found


def _term_json(term: Term) -> dict[str, Any]:
    found: dict[str, Any] = {"term": type(term).__name__, "shape": list(view_shape(term.source))}
    for name in type(term).__slots__:
        value = getattr(term, name)
        if isinstance(value, View):
            found[name] = as_json(value)
        elif isinstance(value, np.ndarray):
            found[name] = _array_json(value)
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _array_json(array: Integers) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": array.ravel().tolist()}
