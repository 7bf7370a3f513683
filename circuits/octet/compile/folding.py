"""Folding: what ONNX says in many nodes becomes as few relations as precision allows.

While the graph is read, a value is not yet a tensor but a promise in one of three forms: a tensor seen
through a view; a sum of terms that nobody needed as bytes so far (scaling it, adding to it and clamping it
is free and exact); or a function of the cells of one tensor (composing it with another is one table still).
A sum becomes a tensor when something reads it that cannot read a sum, or when two nodes read it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from circuits.octet.compile.axis_walks import kept_order
from circuits.octet.compile.linear_terms import Conv, Copy, Gemm, Numbers, Scale, Term
from circuits.octet.compile.real_graph import (
    Function,
    Pin,
    RealAffine,
    RealMaxPool,
    RealNode,
    Reals,
    RealTable,
    Shape,
)
from circuits.octet.compile.views import Expand, Reshape, Step, View, view_shape


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """min(max(sum of terms + bias, low), high), not yet a tensor; the fields are those of `RealAffine`."""

    label: str
    shape: Shape
    terms: tuple[Term, ...]
    grids: tuple[Numbers | None, ...]
    bias: Reals
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Pointwise:
    """function(tensor), not yet a tensor."""

    label: str
    tensor: str
    function: Function


Form: TypeAlias = Sum | Pointwise | None


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What an ONNX name stands for.

    Attributes:
        form: a promise, or None for the tensor that the view names.
        view: how the form's cells are seen; names a tensor only when form is None.
    """

    form: Form
    view: View

    @property
    def shape(self) -> Shape:
        """The ONNX shape."""
        return view_shape(self.view)

    def then(self, *steps: Step) -> "Value":
        """Return the value seen through more steps."""
        view = self.view
        for step in steps:
            view = view.then(step)
        return Value(self.form, view)


class Folder:
    """The nodes made so far, and the arithmetic of values."""

    def __init__(self) -> None:
        self.nodes: list[RealNode] = []
        self._made: dict[int, tuple[Form, View]] = {}
        self._count = 0

    def name(self, label: str) -> str:
        """Return a new tensor's name."""
        self._count += 1
        return f"t{self._count}:{label}"

    def read(self, value: Value) -> View:
        """Return a view of a tensor that holds the value, making the tensor if there is none."""
        if value.form is None:
            return value.view
        if id(value.form) not in self._made:
            self._made[id(value.form)] = (value.form, self._make(value.form, value.view.base_shape))
        made = self._made[id(value.form)][1]
        for step in value.view.steps:
            made = made.then(step)
        return made

    def tensor(self, value: Value) -> Value:
        """Return the value as a tensor."""
        return Value(None, self.read(value))

    def sum_of(self, label: str, *terms: Term, shape: Shape, grid: Numbers | None = None) -> Value:
        """Return a sum of terms without bias; the grid belongs to the first."""
        grids = (grid, *(None for _ in terms[1:]))
        return _value(Sum(label, shape, terms, grids, np.zeros((1,) * len(shape))))

    def add(self, label: str, first: Value, second: Value, sign: float) -> Value:
        """Return first + sign * second, of tensors or promises of broadcastable shapes."""
        combined = self.combine(label, first, second, lambda x, y: x + sign * y)
        if combined is not None and not (self.is_scaling(first) and self.is_scaling(second)):
            return combined
        shape = np.broadcast_shapes(first.shape, second.shape)
        left, right = (self._as_sum(label, value, shape) for value in (first, second))
        right = _times(right, np.asarray(sign)) or right
        return _value(
            Sum(label, shape, left.terms + right.terms, left.grids + right.grids, left.bias + right.bias)
        )

    def add_constant(self, label: str, value: Value, constant: Reals) -> Value:
        """Return value + constant."""
        if constant.size == 1 and isinstance(value.form, Pointwise):
            return self.apply(label, value, lambda x: x + float(constant.ravel()[0]))
        shape = np.broadcast_shapes(value.shape, constant.shape)
        found = self._as_sum(label, value, shape)
        aligned = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
        return _value(replace(found, bias=found.bias + aligned))

    def times_constant(self, label: str, value: Value, constant: Reals) -> Value:
        """Return value * constant."""
        if constant.size == 1 and isinstance(value.form, Pointwise):
            return self.apply(label, value, lambda x: x * float(constant.ravel()[0]))
        shape = np.broadcast_shapes(value.shape, constant.shape)
        aligned = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
        found = _times(self._as_sum(label, value, shape), aligned)
        if found is None:
            source = self._expanded(self.read(value), shape)
            return self.sum_of(label, Scale(source, aligned), shape=shape)
        return _value(found)

    def clamp(self, label: str, value: Value, low: float, high: float) -> Value:
        """Return min(max(value, low), high). Zero must lie within, else a byte could not stand for it."""
        if not low <= 0 <= high:
            return self.apply(label, value, lambda x: np.clip(x, low, high))
        if not isinstance(value.form, Sum):
            if isinstance(value.form, Pointwise):
                return self.apply(label, value, lambda x: np.clip(x, low, high))
            copy = Copy(value.view, 1.0, (0,) * len(value.shape))
            value = self.sum_of(label, copy, shape=value.shape)
        assert isinstance(value.form, Sum)
        old = value.form
        bounded = replace(
            old, low=float(np.clip(old.low, low, high)), high=float(np.clip(old.high, low, high))
        )
        return Value(bounded, value.view)

    def apply(self, label: str, value: Value, function: Function) -> Value:
        """Return function(value), cell by cell."""
        base = self._base(value) or self._base(self.tensor(value))
        assert base is not None
        view, inner = base
        form = Pointwise(label, view.tensor, lambda x: function(inner(x)))
        return Value(form, View("", view.base_shape, view.steps))

    def combine(
        self, label: str, first: Value, second: Value, function: Callable[[Reals, Reals], Reals]
    ) -> Value | None:
        """Return function(first, second) if both are functions of the same cells, else None."""
        left, right = self._base(first), self._base(second)
        if left is None or right is None or left[0] != right[0]:
            return None
        (view, one), (_, other) = left, right
        form = Pointwise(label, view.tensor, lambda x: function(one(x), other(x)))
        return Value(form, View("", view.base_shape, view.steps))

    def pin(self, label: str, value: Value, pin: Pin) -> Value:
        """Return the value as a tensor whose bytes the model prescribes."""
        if isinstance(value.form, Pointwise):
            name = self.name(label)
            base = value.view.base_shape
            self.nodes.append(RealTable(name, label, base, value.form.tensor, value.form.function, pin))
            return Value(None, View(name, base, value.view.steps))
        form, view = value.form, value.view
        if form is None:
            form = Sum(
                label,
                value.shape,
                (Copy(value.view, 1.0, (0,) * len(value.shape)),),
                (None,),
                np.zeros((1,) * len(value.shape)),
            )
            view = View("", value.shape)
        name = self._affine(label, form, pin)
        return Value(None, View(name, form.shape, view.steps))

    def publish(self, value: Value) -> View:
        """Return a view of an accumulator if the value is a whole sum without bounds, else of bytes."""
        form = value.form
        if not isinstance(form, Sum) or np.isfinite(form.low) or np.isfinite(form.high):
            return self.read(value)
        if kept_order(View("", form.shape, value.view.steps)) is None:
            return self.read(value)
        name = self._affine(form.label, form, None, published=True)
        return View(name, form.shape, value.view.steps)

    def max_pool(self, node: RealMaxPool) -> Value:
        """Return the maximum over windows."""
        self.nodes.append(node)
        return Value(None, View(node.name, node.shape))

    def is_scaling(self, value: Value) -> bool:
        """Whether the value is a tensor, or one scaled and shifted."""
        return value.form is None or (isinstance(value.form, Sum) and self._base(value) is not None)

    def _make(self, form: Form, shape: Shape) -> View:
        if isinstance(form, Pointwise):
            name = self.name(form.label)
            self.nodes.append(RealTable(name, form.label, shape, form.tensor, form.function))
            return View(name, shape)
        assert isinstance(form, Sum)
        only = form.terms[0]
        if len(form.terms) == 1 and isinstance(only, Copy) and _is_identity(form, only):
            return only.source
        return View(self._affine(form.label, form, None), shape)

    def _affine(self, label: str, form: Sum, pin: Pin | None, *, published: bool = False) -> str:
        name = self.name(label)
        self.nodes.append(
            RealAffine(
                name,
                label,
                form.shape,
                form.terms,
                form.grids,
                form.bias,
                form.low,
                form.high,
                pin,
                published,
            )
        )
        return name

    def _as_sum(self, label: str, value: Value, shape: Shape) -> Sum:
        form = value.form
        bounded = isinstance(form, Sum) and (np.isfinite(form.low) or np.isfinite(form.high))
        if isinstance(form, Sum) and not bounded and not value.view.steps and form.shape == shape:
            return form
        source = self._expanded(self.read(value), shape)
        copy = Copy(source, 1.0, (0,) * len(shape))
        return Sum(label, shape, (copy,), (None,), np.zeros((1,) * len(shape)))

    def _base(self, value: Value) -> tuple[View, Function] | None:
        """Return the cells that the value is a function of, and the function."""
        form = value.form
        if form is None:
            return value.view, lambda x: x
        if isinstance(form, Pointwise):
            return View(form.tensor, value.view.base_shape, value.view.steps), form.function
        only = form.terms[0]
        if len(form.terms) > 1 or not isinstance(only, Copy) or form.bias.size > 1:
            return None
        if view_shape(only.source) != form.shape:
            return None
        view = only.source
        for step in value.view.steps:
            view = view.then(step)
        factor, shift = only.multiplier, float(form.bias.ravel()[0])
        return view, lambda x: np.clip(x * factor + shift, form.low, form.high)

    @staticmethod
    def _expanded(view: View, shape: Shape) -> View:
        old = view_shape(view)
        if old == shape:
            return view
        return view.then(Reshape((1,) * (len(shape) - len(old)) + old)).then(Expand(shape))


def _value(form: Sum) -> Value:
    return Value(form, View("", form.shape))


def _is_identity(form: Sum, term: Copy) -> bool:
    unbounded = not np.isfinite(form.low) and not np.isfinite(form.high)
    whole = view_shape(term.source) == form.shape
    return unbounded and whole and term.multiplier == 1.0 and not form.bias.any()


def _times(form: Sum, constant: Reals) -> Sum | None:
    """Return the sum times a constant, or None where a term cannot take the constant in."""
    terms: list[Term] = []
    grids: list[Numbers | None] = []
    for term, grid in zip(form.terms, form.grids, strict=True):
        scaled = _scaled(term, form.shape, constant)
        if scaled is None:
            return None
        terms.append(scaled)
        channel = constant.ravel()
        grids.append(None if grid is None else grid * (channel if channel.size in (1, grid.size) else 1.0))
    return replace(form, terms=tuple(terms), grids=tuple(grids), bias=form.bias * constant)


def _scaled(term: Term, shape: Shape, constant: Reals) -> Term | None:
    if constant.size == 1:
        factor = float(constant.ravel()[0])
        if isinstance(term, Gemm | Conv | Scale):
            return replace(term, weights=term.weights * factor)
        return replace(term, multiplier=term.multiplier * factor)
    channel = 1 if isinstance(term, Conv) else len(shape) - 1
    varies = [axis for axis, size in enumerate(constant.shape) if size > 1]
    if isinstance(term, Gemm | Conv) and varies == [channel]:
        per_channel = constant.reshape((-1,) + (1,) * (term.weights.ndim - 1))
        return replace(term, weights=term.weights * per_channel)
    if isinstance(term, Scale):
        return replace(term, weights=term.weights * constant)
    if isinstance(term, Copy) and view_shape(term.source) == shape:
        return Scale(term.source, term.multiplier * constant)
    return None
