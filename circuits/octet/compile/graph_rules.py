"""What every integer graph keeps to: names, shapes and ranges, checked before anything runs on one.

A graph that comes from a file may be anybody's. After this check the integer reference, the interval analysis
and the lowering meet no shape that they do not expect and no tensor beyond a size limit; what they then say
of it (bounds, unsupported views) are errors of their own.

Source: the docstrings of `compile.graph` and `compile.linear_terms`, octet.md 3.2.
"""

import math
from collections.abc import Sequence

import numpy as np

from circuits.octet.compile.axis_walks import kept_order
from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Gemm,
    Graph,
    Lookup,
    MaxPool,
    Node,
    Scale,
    Shape,
    Term,
    Total,
    WindowSum,
    node_output,
)
from circuits.octet.compile.graph_size import GraphSize
from circuits.octet.compile.views import View, step_shape
from circuits.octet.program import SHIFTS
from zkml.errors import FormatError

MAX_RANK = 8
MAX_CELLS = 1 << 23
"""Cells of a tensor, of what a view shows, and of a framed image; their sums are bounded by `graph_size`."""


def check_graph(graph: Graph) -> None:
    """Check that a graph is one that the rest of the compiler could have made, and of a size it could have.

    Raises:
        FormatError: it is not; names the tensor.
    """
    _require(graph.shift in SHIFTS, f"a shift among {SHIFTS}", graph.shift, "the graph")
    known = _Known()
    for tensor in graph.inputs:
        known.add_bytes(tensor)
    for node in graph.nodes:
        known.add(node)
    names = [out.name for out in graph.outputs]
    _require(bool(names) and len(set(names)) == len(names), "outputs of one name each", names, "the graph")
    for out in graph.outputs:
        known.size.add_output(out.name)
        shown = known.shown(out.source, out.name, totals=True)
        kinds = ("argmax", "int32") if out.source.tensor in known.totals else ("argmax", "bytes")
        _require(out.kind in kinds, f"a kind among {kinds}", out.kind, out.name)
        if out.source.tensor in known.totals:
            whole = kept_order(out.source) is not None
            _require(whole, "an accumulator as it lies", out.source.steps, out.name)
        count = math.prod(shown) // (shown[-1] if out.kind == "argmax" and shown else 1)
        _shape(out.shape, out.name)
        _require(math.prod(out.shape) == count, f"{count} cells", out.shape, out.name)
        _scale(out.scale, out.name)


class _Known:
    """The tensors made so far."""

    def __init__(self) -> None:
        self.bytes: dict[str, Shape] = {}
        self.totals: dict[str, Shape] = {}
        self.size = GraphSize()
        self._requantized: set[str] = set()

    def add_bytes(self, tensor: ByteTensor) -> None:
        self._new(tensor.name, tensor.shape)
        _require(0 <= tensor.zero_point <= 255, "a zero point of 0..255", tensor.zero_point, tensor.name)
        _scale(tensor.scale, tensor.name)
        self.bytes[tensor.name] = tensor.shape

    def add(self, node: Node) -> None:
        name, shape = node_output(node)
        if isinstance(node, Affine | Total):
            _require(bool(node.terms), "at least one term", "none", name)
            for term in node.terms:
                shown = self.shown(term.source, name)
                _check_term(term, shown, shape, name)
                self.size.add_term(term, shown, shape, name)
            _broadcasts(node.bias.shape, shape, name)
        elif isinstance(node, Lookup):
            asked = self.bytes.get(node.source) if node.source in self._requantized else None
            _require(asked == shape, "requantized bytes that no other table reads", node.source, name)
            self._requantized.discard(node.source)
            fits = node.table.shape == (256,) and node.table.min() >= 0 and node.table.max() <= 255
            _require(bool(fits), "256 bytes", node.table.shape, name)
        else:
            cells = math.prod(node.kernel)
            _require(2 <= cells <= 4, "a window of 2 to 4 cells", node.kernel, name)
            shown = self.shown(node.source, name)
            _check_windows(shown, node, shape, name)
            _require(shown[1] == shape[1], "as many channels", shown, name)
            inside = all(pad < size for pad, size in zip(node.pads, node.kernel * 2, strict=True))
            _require(inside, "pads smaller than the window", node.pads, name)
        if isinstance(node, Total):
            self._new(name, shape)
            _scale(node.scale, name)
            self.totals[name] = shape
            return
        self.add_bytes(node.output)
        if isinstance(node, Affine):
            self._requantized.add(name)

    def shown(self, view: View, where: str, *, totals: bool = False) -> Shape:
        """Return the shape that a view shows."""
        known = self.bytes | self.totals if totals else self.bytes
        _require(
            known.get(view.tensor) == view.base_shape,
            "a view of a tensor made before",
            (view.tensor, view.base_shape),
            where,
        )
        shape = view.base_shape
        self.size.add_shown(shape, where)
        for step in view.steps:
            try:
                shape = step_shape(shape, step)
            except (ValueError, TypeError, IndexError) as error:
                raise FormatError(f"{error} in {where!r:.120}") from error
            _shape(shape, where)
            self.size.add_shown(shape, where)
        return shape

    def _new(self, name: str, shape: Shape) -> None:
        taken = name in self.bytes or name in self.totals or not name
        _require(not taken, "a name of its own", name, "the graph")
        _shape(shape, name)
        self.size.add_tensor(shape, name)


def _check_term(term: Term, shown: Shape, shape: Shape, where: str) -> None:
    if isinstance(term, Gemm):
        outputs, inputs = term.weights.shape if term.weights.ndim == 2 else (0, 0)
        found = (*shown[:-1], outputs) if shown and shown[-1] == inputs else None
        _require(found == shape, f"a matrix to {shape}", (shown, term.weights.shape), where)
    elif isinstance(term, Conv):
        _check_convolution(term, shown, shape, where)
    elif isinstance(term, WindowSum):
        _check_windows(shown, term, shape, where)
        _require(shown[1] == shape[1], "as many channels", shown, where)
    elif isinstance(term, AxesSum):
        fits = list(term.axes) == sorted({axis for axis in term.axes if 0 <= axis < len(shown)})
        kept = tuple(1 if axis in term.axes else size for axis, size in enumerate(shown))
        _require(fits and kept == shape, f"sums over axes to {shape}", (shown, term.axes), where)
    elif isinstance(term, Scale):
        _require(shown == shape, f"the shape {shape}", shown, where)
        _broadcasts(term.weights.shape, shape, where)
    else:
        inside = len(shown) == len(shape) == len(term.starts) and all(
            start >= 0 and start + size <= length
            for start, size, length in zip(term.starts, shown, shape, strict=True)
        )
        _require(inside, f"a copy within {shape}", (shown, term.starts), where)


def _check_convolution(term: Conv, shown: Shape, shape: Shape, where: str) -> None:
    _require(term.weights.ndim == 4 and term.groups >= 1, "weights of four axes", term.weights.shape, where)
    outputs, per_group = term.weights.shape[:2]
    _check_windows(shown, term, shape, where)
    fits = shape[1] == outputs and outputs % term.groups == 0 and shown[1] == per_group * term.groups
    _require(fits, f"weights from {shown} to {shape}", (term.weights.shape, term.groups), where)


def _check_windows(shown: Shape, term: Conv | WindowSum | MaxPool, shape: Shape, where: str) -> None:
    """Check that windows over what a view shows make an image of this shape."""
    kernel = term.weights.shape[2:] if isinstance(term, Conv) else term.kernel
    _require(len(shown) == len(shape) == 4 and shown[0] == shape[0] == 1, "an image", shown, where)
    counts = len(kernel) == len(term.strides) == 2 and len(term.pads) == 4
    steps = counts and min((*kernel, *term.strides)) >= 1 and min(term.pads) >= 0
    _require(steps, "windows", (kernel, term.strides, term.pads), where)
    framed = [shown[2 + axis] + term.pads[axis] + term.pads[axis + 2] for axis in (0, 1)]
    _shape((shown[1], *framed), where)
    sizes = tuple(
        (size - reach) // step + 1 for size, reach, step in zip(framed, kernel, term.strides, strict=True)
    )
    _require(sizes == shape[2:], f"windows at {shape[2:]} places", sizes, where)


def _broadcasts(small: Shape, shape: Shape, where: str) -> None:
    fits = len(small) == len(shape) and all(a in (1, b) for a, b in zip(small, shape, strict=True))
    _require(fits, f"a shape that {shape} repeats", small, where)


def _shape(shape: Sequence[int], where: str) -> None:
    fits = len(shape) <= MAX_RANK and all(1 <= size <= MAX_CELLS for size in shape)
    _require(fits and math.prod(shape) <= MAX_CELLS, f"at most {MAX_CELLS} cells", tuple(shape), where)


def _scale(scale: float, where: str) -> None:
    _require(bool(np.isfinite(scale)) and scale > 0, "a positive scale", scale, where)


def _require(holds: bool, expected: str, found: object, where: str) -> None:  # noqa: FBT001
    if not holds:
        raise FormatError(f"expected {expected}, found {found!r:.120} in {where!r:.120}")
