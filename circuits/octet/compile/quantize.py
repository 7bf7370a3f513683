"""From reals to integers: scales, zero points, integer weights, tables (octet.md 3.2 and 3.3).

Every tensor becomes bytes of its calibrated range, zero included, so that padding is exact. Weights take
the whole ratio of scales in: W' = round(w s_x / s_y 2^S); of a QDQ model, W' = round(s_w s_x / s_y 2^S)
W_int. So the bytes alone lose precision. A published sum keeps all its digits below 2^31.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from circuits.octet.compile.calibrate import Ranges
from circuits.octet.compile.fixed_point import MAX_OUTPUT_BITS
from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Integers,
    Lookup,
    MaxPool,
    Node,
    Output,
    Scale,
    Term,
    Total,
    WindowSum,
)
from circuits.octet.compile.linear_terms import Numbers
from circuits.octet.compile.real_graph import (
    Pin,
    RealAffine,
    RealGraph,
    RealMaxPool,
    RealOutput,
    RealTable,
)
from circuits.octet.compile.source_axes import pool_tap, window_axes
from circuits.octet.compile.views import View, view_shape
from circuits.octet.program import SHIFTS
from zkml.errors import CalibrationError, CompileError

MAX_TOTAL = (1 << 31) - 1
MAX_WEIGHT = 1 << 46
"""No integer weight or bias is larger: beyond it the interval analysis refuses any sum anyway."""


def quantize(
    graph: RealGraph,
    ranges: Ranges,
    *,
    shift: int = 24,
    domains: Mapping[str, tuple[float, float]] | None = None,
) -> Graph:
    """Return the integer graph of a network.

    Args:
        graph: the network in reals.
        ranges: of its tensors, from calibration.
        shift: S, the bits behind the binary point of a requantization. One of 16, 24, 32.
        domains: real (lowest, highest) of inputs where it is known better than from samples.

    Raises:
        CalibrationError: a function is not finite on the range of its cells.
        CompileError: a weight is too large for its tensor's scale.
    """
    if shift not in SHIFTS:
        raise ValueError(f"expected a shift of {SHIFTS}, found {shift}")
    work = _Quantization(graph, ranges, shift)
    for entry in graph.inputs:
        bounds = (domains or {}).get(entry.name, ranges.bounds[entry.name])
        work.tensors[entry.name] = _tensor(entry.name, entry.shape, entry.pin, bounds)
    for node in graph.nodes:
        if isinstance(node, RealTable):
            work.table(node)
        elif isinstance(node, RealMaxPool):
            work.maximum(node)
        elif node.published:
            work.total(node)
        else:
            work.affine(node)
    inputs = tuple(work.tensors[entry.name] for entry in graph.inputs)
    return Graph(shift, inputs, tuple(work.nodes), tuple(work.output(out) for out in graph.outputs))


class _Quantization:
    """The nodes and byte tensors made so far."""

    def __init__(self, graph: RealGraph, ranges: Ranges, shift: int) -> None:
        self.tensors: dict[str, ByteTensor] = {}
        self.nodes: list[Node] = []
        self._ranges = ranges
        self._shift = shift
        self._totals: dict[str, Total] = {}
        self._tabled: set[str] = set()
        self._affine = {
            node.name for node in graph.nodes if isinstance(node, RealAffine) and not node.published
        }

    def affine(self, node: RealAffine) -> None:
        low, high = self._ranges.bounds[node.name]
        tensor = _tensor(node.name, node.shape, node.pin, (max(low, node.low), min(high, node.high)))
        lower, upper = (_byte(tensor, bound) for bound in (node.low, node.high))
        if node.pin is None or (lower == 0 and upper == 255):
            self._requantized(node, tensor)
            return
        # The model's own scale reaches below the bound: saturate by the byte, then bound by a table.
        inner = replace(tensor, name=f"{node.name}:unbounded")
        self._requantized(node, inner)
        self._lookup(tensor, inner.name, np.clip(np.arange(256), lower, upper))

    def table(self, node: RealTable) -> None:
        source = self.tensors[node.source]
        reals = source.scale * (np.arange(256, dtype=np.float64) - source.zero_point)
        with np.errstate(all="ignore"):  # what is not finite is refused below
            values = np.asarray(node.function(reals), dtype=np.float64)
        if not np.isfinite(values).all():
            at = reals[~np.isfinite(values)][0]
            raise CalibrationError(
                f"expected a function that is finite on the range of its cells, "
                f"found it is not at {at:.6g} at node {node.label}",
                hint="calibrate with inputs of the model's domain, or bound the cells with Clip",
                node=node.label,
            )
        tensor = _tensor(node.name, node.shape, node.pin, (float(values.min()), float(values.max())))
        codes = np.clip(np.rint(values / tensor.scale) + tensor.zero_point, 0, 255).astype(np.int64)
        if node.source in self._tabled or node.source not in self._affine:
            source = self._copied(source, f"{node.name}:source")
        self._tabled.add(source.name)
        self._lookup(tensor, source.name, codes)

    def maximum(self, node: RealMaxPool) -> None:
        held, source = self.tensors[node.source.tensor], node.source
        positions = [divmod(place, node.kernel[1]) for place in range(math.prod(node.kernel))]
        taps = [pool_tap(source, node.strides, node.pads, *position) for position in positions]
        if any(window_axes(tap, node.shape) is None for tap in taps):
            # A maximum reads bytes where they lie, so that a rearranged tensor gets a block of its own.
            copy = self._copied(held, f"{node.name}:source", source)
            source = View(copy.name, copy.shape)
        tensor = ByteTensor(node.name, node.shape, held.scale, held.zero_point)
        self.tensors[node.name] = tensor
        self.nodes.append(MaxPool(tensor, source, node.kernel, node.strides, node.pads))

    def total(self, node: RealAffine) -> None:
        """Choose the finest power of two for which no input can reach 2^31."""
        worst = max(self._worst(node), 2.0**-64)
        for digits in range(min(MAX_OUTPUT_BITS, 30 - math.floor(math.log2(worst))), -64, -1):
            step = 2.0**-digits
            terms = self._terms(node, step)
            bias = _integers(node.bias / step, node.label)
            if self._reach(terms, bias) <= MAX_TOTAL:
                total = Total(node.name, node.shape, step, terms, bias)
                self._totals[node.name] = total
                self.nodes.append(total)
                return
        raise CompileError(f"expected outputs below 2^31, found larger ones at node {node.label}")

    def output(self, out: RealOutput) -> Output:
        name = out.source.tensor
        if out.argmax:
            return Output(out.name, "argmax", out.source, out.shape, 1.0, 0)
        if name in self._totals:
            return Output(out.name, "int32", out.source, out.shape, self._totals[name].scale, 0)
        tensor = self.tensors[name]
        return Output(out.name, "bytes", out.source, out.shape, tensor.scale, tensor.zero_point)

    def _requantized(self, node: RealAffine, tensor: ByteTensor) -> None:
        unit = tensor.scale / 2.0**self._shift
        bias = _integers(node.bias / unit, node.label) + self._rounding(tensor)
        self.tensors[tensor.name] = tensor
        self.nodes.append(Affine(tensor, self._terms(node, unit), bias))

    def _copied(self, source: ByteTensor, name: str, view: View | None = None) -> ByteTensor:
        """Return a tensor of the same bytes with a block of its own: 2^S (X - z) + 2^(S-1) + z 2^S."""
        seen = view or View(source.name, source.shape)
        copy = replace(source, name=name, shape=view_shape(seen))
        rank = len(copy.shape)
        term = Copy(seen, 1 << self._shift, (0,) * rank)
        self.tensors[name] = copy
        self.nodes.append(Affine(copy, (term,), np.full((1,) * rank, self._rounding(source), dtype=np.int64)))
        return copy

    def _rounding(self, tensor: ByteTensor) -> int:
        """Return what the bias of a requantization holds besides its own: a half, and the zero point."""
        return (1 << (self._shift - 1)) + (tensor.zero_point << self._shift)

    def _lookup(self, tensor: ByteTensor, source: str, table: Numbers) -> None:
        self.tensors[tensor.name] = tensor
        self._affine.discard(tensor.name)
        self.nodes.append(Lookup(tensor, source, np.asarray(table, dtype=np.int64)))

    def _terms(self, node: RealAffine, unit: float) -> tuple[Term, ...]:
        """Return the terms in integers, for a sum that counts in units."""
        return tuple(
            _term(term, grid, self.tensors[term.source.tensor].scale / unit, node.label)
            for term, grid in zip(node.terms, node.grids, strict=True)
        )

    def _worst(self, node: RealAffine) -> float:
        reach = float(np.abs(node.bias).max(initial=0.0))
        for term in node.terms:
            held = self.tensors[term.source.tensor]
            furthest = held.scale * max(held.zero_point, 255 - held.zero_point)
            reach += furthest * _norm(term)
        return reach

    def _reach(self, terms: tuple[Term, ...], bias: Integers) -> int:
        """Return a bound of the magnitude of a sum that holds for all bytes."""
        reach = int(np.abs(bias).max(initial=0))
        for term in terms:
            zero = self.tensors[term.source.tensor].zero_point
            reach += max(zero, 255 - zero) * round(_norm(term))
        return reach


def _tensor(name: str, shape: tuple[int, ...], pin: Pin | None, bounds: tuple[float, float]) -> ByteTensor:
    if pin is not None:
        return ByteTensor(name, shape, pin.scale, pin.zero_point)
    low, high = min(bounds[0], 0.0), max(bounds[1], 0.0)
    if high == low:
        return ByteTensor(name, shape, 1.0, 0)
    # As float32: the last digits of a function's values differ from machine to machine.
    scale = float(np.float32((high - low) / 255)) or (high - low) / 255
    return ByteTensor(name, shape, scale, round(-low / scale))


def _byte(tensor: ByteTensor, bound: float) -> int:
    if not np.isfinite(bound):
        return 0 if bound < 0 else 255
    return int(np.clip(np.rint(bound / tensor.scale) + tensor.zero_point, 0, 255))


def _norm(term: Term) -> float:
    """Return the greatest sum of magnitudes of the numbers that one cell of the output adds up."""
    if isinstance(term, Gemm | Conv):
        return float(np.abs(term.weights).reshape(len(term.weights), -1).sum(axis=1).max())
    if isinstance(term, Scale):
        return float(np.abs(term.weights).max())
    count = 1
    if isinstance(term, WindowSum):
        count = term.kernel[0] * term.kernel[1]
    elif isinstance(term, AxesSum):
        count = math.prod(view_shape(term.source)[axis] for axis in term.axes)
    return abs(term.multiplier) * count


def _term(term: Term, grid: Numbers | None, ratio: float, label: str) -> Term:
    if not isinstance(term, Gemm | Conv | Scale):
        return replace(term, multiplier=int(_integers(np.array(term.multiplier * ratio), label)))
    if grid is None:
        return replace(term, weights=_integers(term.weights * ratio, label))
    aligned = grid.reshape((-1,) + (1,) * (term.weights.ndim - 1))
    with np.errstate(all="ignore"):  # a step of zero has weights of zero
        counts = np.where(aligned == 0, 0.0, np.rint(term.weights / np.where(aligned == 0, 1.0, aligned)))
    return replace(
        term, weights=_integers(grid * ratio, label).reshape(aligned.shape) * counts.astype(np.int64)
    )


def _integers(values: Numbers, label: str) -> Integers:
    """Return the nearest integers, half to even.

    Raises:
        CompileError: one is beyond what any sum can hold.
    """
    if not (np.abs(values) <= MAX_WEIGHT).all():
        raise CompileError(
            f"expected integer weights up to 2^{MAX_WEIGHT.bit_length() - 1}, "
            f"found {float(np.abs(values).max()):.3g} at node {label}",
            hint="the output's range is tiny beside its weights: calibrate with more samples",
            node=label,
        )
    return np.rint(values).astype(np.int64)
