"""ONNX operators that work cell by cell: scalings fold, bounds saturate, everything else is one table."""

import math
from collections.abc import Callable

import numpy as np

from circuits.octet.compile.folding import Folder, Value
from circuits.octet.compile.onnx_operation import Const, Entry, Operation
from circuits.octet.compile.real_graph import Function, Reals

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Reals) -> Reals:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _softplus(x: Reals) -> Reals:
    return np.asarray(np.logaddexp(0.0, x))


def _round(x: Reals) -> Reals:
    return np.rint(x)  # ONNX rounds half to even


_SELU = (1.67326319217681884765625, 1.05070102214813232421875)

# Functions of one cell with their attributes' default values.
_FUNCTIONS: dict[str, tuple[Callable[..., Reals], dict[str, float]]] = {
    "Abs": (np.abs, {}),
    "Atan": (np.arctan, {}),
    "Ceil": (np.ceil, {}),
    "Celu": (lambda x, alpha: np.maximum(x, 0) + np.minimum(alpha * np.expm1(x / alpha), 0), {"alpha": 1.0}),
    "Cos": (np.cos, {}),
    "Elu": (lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), {"alpha": 1.0}),
    "Erf": (_erf, {}),
    "Exp": (np.exp, {}),
    "Floor": (np.floor, {}),
    "HardSigmoid": (lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    "LeakyRelu": (lambda x, alpha: np.where(x < 0, alpha * x, x), {"alpha": 0.01}),
    "Log": (np.log, {}),
    "Mish": (lambda x: x * np.tanh(_softplus(x)), {}),
    "Reciprocal": (np.reciprocal, {}),
    "Round": (_round, {}),
    "Selu": (
        lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        {"alpha": _SELU[0], "gamma": _SELU[1]},
    ),
    "Sigmoid": (_sigmoid, {}),
    "Sign": (np.sign, {}),
    "Sin": (np.sin, {}),
    "Softplus": (_softplus, {}),
    "Softsign": (lambda x: x / (1 + np.abs(x)), {}),
    "Sqrt": (np.sqrt, {}),
    "Swish": (lambda x, alpha: x * _sigmoid(alpha * x), {"alpha": 1.0}),
    "Tanh": (np.tanh, {}),
    "ThresholdedRelu": (lambda x, alpha: np.where(x > alpha, x, 0), {"alpha": 1.0}),
}


def _table(operation: Operation, folder: Folder) -> list[Entry]:
    function, defaults = _FUNCTIONS[operation.operator]
    numbers = {name: operation.attributes.get(name, value) for name, value in defaults.items()}
    return [folder.apply(operation.label, operation.value(0), lambda x: function(x, **numbers))]


def _gelu(operation: Operation, folder: Folder) -> list[Entry]:
    if operation.attributes.get("approximate", "none") == "tanh":
        factor = math.sqrt(2 / math.pi)
        curve: Function = lambda x: x / 2 * (1 + np.tanh(factor * (x + 0.044715 * x**3)))  # noqa: E731
    else:
        curve = lambda x: x / 2 * (1 + _erf(x / math.sqrt(2)))  # noqa: E731
    return [folder.apply(operation.label, operation.value(0), curve)]


def _relu(operation: Operation, folder: Folder) -> list[Entry]:
    return [folder.clamp(operation.label, operation.value(0), 0.0, np.inf)]


def _clip(operation: Operation, folder: Folder) -> list[Entry]:
    bounds = []
    for position, (name, default) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
        if operation.has(position):
            bounds.append(float(operation.const(position).values.ravel()[0]))
        else:
            bounds.append(float(operation.attributes.get(name, default)))
    if not bounds[0] <= bounds[1]:
        raise operation.refuse(f"a Clip to {bounds}")
    return [folder.clamp(operation.label, operation.value(0), bounds[0], bounds[1])]


def _prelu(operation: Operation, folder: Folder) -> list[Entry]:
    slopes = operation.reals(1)
    value = operation.value(0)
    if slopes.size == 1:
        slope = float(slopes.ravel()[0])
        return [folder.apply(operation.label, value, lambda x: np.where(x < 0, slope * x, x))]
    # max(x, 0) + slope * min(x, 0), with one slope per channel: a sum of two tensors.
    held = folder.tensor(value)
    above = folder.clamp(operation.label, held, 0.0, np.inf)
    below = folder.clamp(operation.label, held, -np.inf, 0.0)
    sloped = folder.times_constant(operation.label, below, slopes)
    return [folder.add(operation.label, folder.tensor(above), sloped, 1.0)]


def _negate(operation: Operation, folder: Folder) -> list[Entry]:
    return [folder.times_constant(operation.label, operation.value(0), np.array(-1.0))]


def _multiply(operation: Operation, folder: Folder) -> list[Entry]:
    one, other = operation.inputs
    if isinstance(one, Value) and isinstance(other, Value):
        return [_present(operation, folder.combine(operation.label, one, other, lambda x, y: x * y))]
    place = 1 if isinstance(other, Const) else 0
    return [folder.times_constant(operation.label, operation.value(1 - place), operation.reals(place))]


def _divide(operation: Operation, folder: Folder) -> list[Entry]:
    one, other = operation.inputs
    if isinstance(one, Value) and isinstance(other, Value):
        return [_present(operation, folder.combine(operation.label, one, other, lambda x, y: x / y))]
    if isinstance(other, Const):
        divisors = operation.reals(1)
        if not divisors.all():
            raise operation.refuse("a Div by zero")
        return [folder.times_constant(operation.label, operation.value(0), 1.0 / divisors)]
    return [_with_scalar(operation, folder, lambda x, number: number / x)]


def _power(operation: Operation, folder: Folder) -> list[Entry]:
    if isinstance(operation.inputs[0], Const):
        return [_with_scalar(operation, folder, lambda x, number: number**x)]
    return [_with_scalar(operation, folder, lambda x, number: x**number)]


def _maximum(operation: Operation, folder: Folder) -> list[Entry]:
    return [_bounded(operation, folder, np.maximum)]


def _minimum(operation: Operation, folder: Folder) -> list[Entry]:
    return [_bounded(operation, folder, np.minimum)]


def _bounded(operation: Operation, folder: Folder, choose: Callable[[Reals, Reals], Reals]) -> Value:
    if len(operation.inputs) == 2 and all(isinstance(entry, Value) for entry in operation.inputs):
        one, other = operation.value(0), operation.value(1)
        return _present(operation, folder.combine(operation.label, one, other, choose))
    return _with_scalar(operation, folder, lambda x, number: choose(x, np.asarray(number)))


def _with_scalar(operation: Operation, folder: Folder, function: Callable[[Reals, float], Reals]) -> Value:
    """Return a function of the one computed input and one constant number."""
    if len(operation.inputs) != 2:
        raise operation.refuse(f"{operation.operator} of {len(operation.inputs)} inputs")
    place = 1 if isinstance(operation.inputs[1], Const) else 0
    constant = operation.reals(place)
    if constant.size == 0 or (constant != constant.ravel()[0]).any():
        raise operation.refuse(f"{operation.operator} with a constant that varies from cell to cell")
    value, number = operation.value(1 - place), float(constant.ravel()[0])
    if np.broadcast_shapes(value.shape, constant.shape) != value.shape:
        raise operation.refuse(f"{operation.operator} that repeats {value.shape}")
    return folder.apply(operation.label, value, lambda x: function(x, number))


def _present(operation: Operation, value: Value | None) -> Value:
    if value is None:
        raise operation.refuse(
            f"{operation.operator} of two different computed tensors", "compile this model with EZKL"
        )
    return value


RULES: dict[str, Callable[[Operation, Folder], list[Entry]]] = {
    **dict.fromkeys(_FUNCTIONS, _table),
    "Clip": _clip,
    "Div": _divide,
    "Gelu": _gelu,
    "Max": _maximum,
    "Min": _minimum,
    "Mul": _multiply,
    "Neg": _negate,
    "PRelu": _prelu,
    "Pow": _power,
    "Relu": _relu,
}
