"""Straight-line programs over the entries of a row: what a sum check sums (octet.md 3.8, AB)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

STEP = np.dtype([("operation", "<u2"), ("to", "<u2"), ("left", "<u2"), ("right", "<u2")])
"""One step as the library reads it."""

_ADD, _SUBTRACT, _MULTIPLY = range(3)


@dataclass
class RowProgram:
    """A program under construction; a register is a number.

    Registers are the tables first, then the constants, then one per step, in order.

    Attributes:
        tables: how many tables there are.
        constants: their values in [0, r), all given before the first step.
    """

    tables: int
    constants: tuple[int, ...] = ()
    _steps: list[tuple[int, int, int, int]] = field(default_factory=list)

    def constant(self, index: int) -> int:
        """Return the register of constant `index`."""
        return self.tables + index

    def add(self, left: int, right: int) -> int:
        """Append left + right; return its register."""
        return self._append(_ADD, left, right)

    def subtract(self, left: int, right: int) -> int:
        """Append left - right; return its register."""
        return self._append(_SUBTRACT, left, right)

    def multiply(self, left: int, right: int) -> int:
        """Append left * right; return its register."""
        return self._append(_MULTIPLY, left, right)

    def steps(self) -> NDArray[np.void]:
        """Return the steps as the library reads them."""
        return np.array(self._steps, dtype=STEP)

    def _append(self, operation: int, left: int, right: int) -> int:
        to = self.tables + len(self.constants) + len(self._steps)
        self._steps.append((operation, to, left, right))
        return to
