"""What the rules of import work on: an ONNX node whose inputs are constants, values or integer codes."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from circuits.octet.compile.folding import Value
from circuits.octet.compile.real_graph import Pin
from zkml.errors import NonFiniteWeightError, UnsupportedOperatorError


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A constant.

    Attributes:
        values: any dtype.
        steps: where the values are integer multiples of a QDQ scale, that scale for each value.
    """

    values: NDArray[Any]
    steps: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Integer codes of a quantized tensor: what QuantizeLinear makes and DequantizeLinear reads.

    Attributes:
        value: the real value, a tensor with a pin.
        pin: of that tensor; None for a graph input that nobody has read yet.
    """

    value: Value
    pin: Pin | None


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An ArgMax: good for an output and nothing else."""

    value: Value
    shape: tuple[int, ...]


Entry: TypeAlias = Const | Value | Codes | Index


@dataclass(frozen=True, slots=True)
class Operation:
    """An ONNX node with what its inputs stand for.

    Attributes:
        operator: e.g. `Conv`.
        label: what a person finds the node by.
        inputs: an entry for each input; None where an optional one is left out.
        attributes: by name; text as str.
        opset: version of the default operator set.
        outputs: how many outputs the node has.
    """

    operator: str
    label: str
    inputs: tuple[Entry | None, ...]
    attributes: dict[str, Any]
    opset: int
    outputs: int

    def refuse(self, found: str, hint: str = "move this step out of the model") -> UnsupportedOperatorError:
        """Return the error that names this node."""
        return UnsupportedOperatorError(
            f"expected an operator that OCTET proves, found {found} at node {self.label}",
            hint=hint,
            operator=self.operator,
            node=self.label,
        )

    def value(self, position: int) -> Value:
        """Return an input that is computed from the model's inputs."""
        entry = self.inputs[position] if position < len(self.inputs) else None
        if not isinstance(entry, Value):
            kind = "nothing" if entry is None else f"a {type(entry).__name__.lower()}"
            raise self.refuse(f"{self.operator} of {kind} at input {position}")
        return entry

    def has(self, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def const(self, position: int) -> Const:
        """Return an input that is a constant."""
        entry = self.inputs[position] if position < len(self.inputs) else None
        if not isinstance(entry, Const):
            raise self.refuse(f"{self.operator} with a computed input {position}")
        return entry

    def reals(self, position: int) -> NDArray[np.float64]:
        """Return a constant input as finite float64.

        Raises:
            NonFiniteWeightError: it holds NaN or infinity.
        """
        values = np.asarray(self.const(position).values, dtype=np.float64)
        if not np.isfinite(values).all():
            raise NonFiniteWeightError(
                f"expected finite weights, found NaN or infinity in input {position} of node {self.label}"
            )
        return values

    def integers(self, position: int) -> tuple[int, ...]:
        """Return a constant input as integers."""
        return tuple(int(value) for value in self.const(position).values.ravel())
