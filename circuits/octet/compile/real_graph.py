"""The real graph: the network as float64 relations, before any range or byte is chosen.

Its nodes are those of the integer graph with real numbers in them: constants, batch normalizations and
scalings are already folded, and a chain of element-wise functions of one tensor is one `RealTable`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.linear_terms import Numbers, Term, add_term, windows
from circuits.octet.compile.views import View, read

Reals: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Reals], Reals]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """A scale and a zero point that the model itself prescribes (QDQ and QLinear models).

    Attributes:
        scale: real value of one step, positive.
        zero_point: as a byte: ONNX's plus 128 for int8. Range: 0..255.
    """

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class RealInput:
    """A graph input.

    Attributes:
        name: the ONNX input's name.
        shape: true dimensions.
        pin: where the model prescribes the bytes.
        code_offset: for an ONNX input of integer codes, what is added to a code to make it a byte: 0 for
            uint8, 128 for int8. None for an input of floats.
    """

    name: str
    shape: Shape
    pin: Pin | None
    code_offset: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RealAffine:
    """min(max(sum of terms + bias, low), high).

    Attributes:
        name: of the tensor it makes.
        label: what a person finds the ONNX node by.
        shape: true dimensions.
        terms: with float64 numbers.
        grids: for each term, the step of each output channel when its weights are integer multiples of
            one (a QDQ model's), else None. Shape: (channels,).
        bias: of the shape's rank; each dimension is 1 or the shape's.
        low: lower bound, -inf without one.
        high: upper bound, inf without one.
        pin: where the model prescribes the bytes.
        published: whether it is an output as it is, without becoming bytes.
    """

    name: str
    label: str
    shape: Shape
    terms: tuple[Term, ...]
    grids: tuple[Numbers | None, ...]
    bias: Reals
    low: float = -np.inf
    high: float = np.inf
    pin: Pin | None = None
    published: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RealTable:
    """function(x), cell by cell.

    Attributes:
        name: of the tensor it makes.
        label: what a person finds the ONNX node by.
        shape: true dimensions.
        source: name of the tensor x.
        function: element-wise, float64 to float64.
        pin: where the model prescribes the bytes.
    """

    name: str
    label: str
    shape: Shape
    source: str
    function: Function
    pin: Pin | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RealMaxPool:
    """Maximum over windows; the padding never wins.

    Attributes:
        name: of the tensor it makes.
        label: what a person finds the ONNX node by.
        shape: true dimensions.
        source: shape (1, C, H, W).
        kernel: (kh, kw), at most four cells.
        strides: (s_y, s_x).
        pads: (top, left, bottom, right).
    """

    name: str
    label: str
    shape: Shape
    source: View
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


RealNode: TypeAlias = RealAffine | RealTable | RealMaxPool


@dataclass(frozen=True, slots=True)
class RealOutput:
    """A graph output.

    Attributes:
        name: the ONNX output's name.
        source: of a tensor.
        shape: of what is published.
        argmax: whether the index of the greatest cell is published in place of the cells.
        code_offset: for an ONNX output of integer codes, as of `RealInput`; None for real numbers.
    """

    name: str
    source: View
    shape: Shape
    argmax: bool = False
    code_offset: int | None = None


@dataclass(frozen=True, slots=True)
class RealGraph:
    """A whole network: inputs, nodes in topological order, outputs."""

    inputs: tuple[RealInput, ...]
    nodes: tuple[RealNode, ...]
    outputs: tuple[RealOutput, ...]


def evaluate(graph: RealGraph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Reals]:
    """Return every tensor of the network for one input, in float64."""
    tensors: dict[str, Reals] = {
        entry.name: np.asarray(inputs[entry.name], dtype=np.float64).reshape(entry.shape)
        for entry in graph.inputs
    }
    for node in graph.nodes:
        if isinstance(node, RealAffine):
            total = np.broadcast_to(node.bias, node.shape).astype(np.float64)
            for term in node.terms:
                add_term(total, term, read(term.source, tensors[term.source.tensor]))
            tensors[node.name] = np.clip(total, node.low, node.high)
        elif isinstance(node, RealTable):
            with np.errstate(all="ignore"):  # what is not finite is found when the table is made
                tensors[node.name] = np.asarray(node.function(tensors[node.source]), dtype=np.float64)
        else:
            cells = read(node.source, tensors[node.source.tensor])
            # Padding is zero in `windows`; shifted so that every true cell lies above it.
            lowest = cells.min() - 1.0
            seen = windows(cells - lowest, node.kernel, node.strides, node.pads)
            tensors[node.name] = seen.max(axis=(-2, -1)) + lowest
    return tensors


def real_results(graph: RealGraph, tensors: Mapping[str, Reals]) -> tuple[Reals, ...]:
    """Return the outputs among the tensors of one evaluation."""
    found = []
    for out in graph.outputs:
        values = np.asarray(read(out.source, tensors[out.source.tensor]))
        if out.argmax:
            values = np.argmax(values, axis=-1, keepdims=True).astype(np.float64)
        found.append(values.reshape(out.shape))
    return tuple(found)
