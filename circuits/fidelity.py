"""How far a circuit's outputs are from the float model's, and whether that is near enough."""

import numpy as np
from numpy.typing import NDArray

from circuits.port import ErrorBudget
from zkml.core.manifest import Fidelity


def measure_fidelity(outputs: NDArray[np.float64], reference: NDArray[np.float64]) -> Fidelity:
    """Compare a circuit's outputs with the float model's. Shapes: (samples, output elements)."""
    errors = np.abs(outputs - reference)
    same = outputs.argmax(axis=1) == reference.argmax(axis=1)
    return Fidelity(
        samples=len(outputs),
        max_abs_error=float(errors.max()),
        mean_abs_error=float(errors.mean()),
        argmax_agreement=float(same.mean()),
    )


def is_within_budget(fidelity: Fidelity, budget: ErrorBudget, reference: NDArray[np.float64]) -> bool:
    """Say whether a circuit is exact enough."""
    is_close = fidelity.max_abs_error <= error_limit(budget, reference)
    return is_close and fidelity.argmax_agreement >= budget.min_argmax_agreement


def error_limit(budget: ErrorBudget, reference: NDArray[np.float64]) -> float:
    """Return the largest absolute error a budget allows, in the model's units."""
    if budget.max_abs_error is not None:
        return budget.max_abs_error
    return budget.relative_error * float(np.abs(reference).max(initial=1e-6))
