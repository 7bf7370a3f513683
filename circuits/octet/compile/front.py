"""Compile a model: from ONNX and calibration data to a statement, and how far that is from the float model.

The error is measured where a user meets it: the float model gets the real inputs, the integer network the
packed integers nearest to them, and both outputs are compared as real numbers.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.fidelity import error_limit, is_within_budget, measure_fidelity
from circuits.float_model import float_outputs
from circuits.octet import ref_exec
from circuits.octet.compile.calibrate import calibrate
from circuits.octet.compile.fixed_point import PortTensors
from circuits.octet.compile.graph import Graph
from circuits.octet.compile.intervals import analyse
from circuits.octet.compile.layout import LEAST_NU
from circuits.octet.compile.lower import Lowered, lower
from circuits.octet.compile.real_graph import RealGraph, RealInput
from circuits.octet.compile.recipe import Recipe, integer_network, network_in_reals
from circuits.port import ErrorBudget
from zkml.core.fixed_point import dequantize
from zkml.core.fixed_point import quantize as to_integers
from zkml.core.manifest import Fidelity
from zkml.errors import CalibrationError, CompileError, DomainError, LayoutError

MAX_SAMPLES = 2048
"""Calibration samples that are run, evenly spread over those given: a range seen on few is too narrow."""

MAX_CELLS = 1 << 27
"""Cells of all tensors of all samples together: a large network is calibrated on fewer samples."""

LEAST_SAMPLES = 16

PERCENTILES = (100.0, 99.99, 99.9)
"""Shares of cells that a tensor's range must hold, tried in this order until the error budget holds."""

SHIFTS_TRIED = (16, 24, 32)
"""Bits behind the binary point of a requantization, the fewest first: each eight are one more column to prove
and to pay for. More are taken where scores lie far apart, or where the error budget asks for them."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledNetwork:
    """A statement, and what is known of it.

    Attributes:
        lowered: program, constants, integer graph, intervals.
        reference: hash of the integer graph, which defines the semantics. 32 bytes.
        port: how the public bytes and integers are read.
        recipe: with the ONNX file, all that `recipe.recompile` needs to make the statement again.
        fidelity: distance from the float model on the calibration data; of an arg-max output, the
            agreement is that of the index.
        percentile: share of the calibration data's cells that every range holds, in percent.
        output_range: least and greatest output of the float model on the calibration data.
    """

    lowered: Lowered
    reference: bytes
    port: PortTensors
    recipe: dict[str, Any]
    fidelity: Fidelity
    percentile: float
    output_range: tuple[float, float]


def compile_network(
    onnx: bytes,
    calibration: NDArray[Any],
    *,
    domain: tuple[float, float] | None = None,
    budget: ErrorBudget | None = None,
    nu: int | None = None,
) -> CompiledNetwork:
    """Compile an ONNX model of one input and one output.

    Deterministic: the same model and data give the same statement, hence the same keys.

    Args:
        onnx: the model, of fixed shapes.
        calibration: real inputs (integer codes where the model takes codes). Shape: (samples, *input shape),
            or (samples, elements).
        domain: least and greatest input value that is to be accepted; that of the calibration data when None.
        budget: how exact the statement must be.
        nu: log2 of the rows; chosen by cost when None.

    Raises:
        NotOnnxError, DynamicShapeError, NonFiniteWeightError, UnsupportedOperatorError: see `import_onnx`;
            the last names the node.
        LayoutError: a sample has another number of elements than the model's input.
        DomainError: a sample is not finite, or outside the domain.
        CalibrationError: the outputs are further from the float model's than the budget allows.
        CompileError: the model has more than one input or output, or some input would have no proof.
        ToolchainError: a package is missing.
    """
    real = network_in_reals(onnx)
    (entry,), (shown,) = real.inputs, real.outputs
    samples = _samples(calibration, entry.shape, _most_samples(real))
    accepted = _domain(samples, domain)
    wanted = float_outputs(onnx, samples)
    within = budget or ErrorBudget()
    tried: list[Fidelity] = []
    for percentile in PERCENTILES:
        ranges = calibrate(real, _fed(entry, samples), percentile)
        for recipe, graph, port in _networks(
            real, Recipe(SHIFTS_TRIED[0], accepted, ranges.bounds, nu or LEAST_NU)
        ):
            fidelity = _fidelity(integer_outputs(graph, port, samples), wanted, argmax=shown.argmax)
            if _meets(fidelity, within, wanted, argmax=shown.argmax):
                lowered = lower(graph, port.byte_domain, nu=nu, width=port.layout.input_bytes)
                return CompiledNetwork(
                    lowered,
                    graph.digest(),
                    port,
                    replace(recipe, nu=lowered.program.nu).as_json(),
                    fidelity,
                    percentile,
                    (float(wanted.min()), float(wanted.max())),
                )
            tried.append(fidelity)
    raise _over_budget(min(tried, key=lambda item: item.max_abs_error), within, wanted)


def _most_samples(real: RealGraph) -> int:
    """Return how many samples a network of this size is run on."""
    cells = sum(math.prod(entry.shape) for entry in (*real.inputs, *real.nodes))
    return max(LEAST_SAMPLES, min(MAX_SAMPLES, MAX_CELLS // cells))


def _samples(calibration: NDArray[Any], shape: tuple[int, ...], most: int) -> NDArray[np.float64]:
    """Return at most so many samples of the input's shape, evenly spread over those given."""
    given = np.asarray(calibration)
    if given.ndim < 1 or len(given) == 0 or given[0].size != int(np.prod(shape)):
        raise LayoutError(f"expected samples of shape {shape}, found calibration data of shape {given.shape}")
    if len(given) > most:
        given = given[np.linspace(0, len(given) - 1, most).astype(int)]
    # As float32, the type in which both the model and the client read an input.
    samples = given.astype(np.float32).astype(np.float64).reshape(len(given), -1)
    if not np.isfinite(samples).all():
        raise DomainError("expected finite samples, found NaN or infinity", hint="clean the data")
    return samples


def _domain(samples: NDArray[np.float64], domain: tuple[float, float] | None) -> tuple[float, float]:
    """Return the accepted range of reals; an input is float32, so its ends are too."""
    lowest, highest = float(samples.min()), float(samples.max())
    if domain is None:
        return lowest, highest
    low, high = (float(np.float32(end)) for end in domain)
    if lowest < low or highest > high:
        raise DomainError(
            f"expected samples in {low:g}..{high:g}, found {lowest:g}..{highest:g}",
            hint="widen the domain (--domain), or give data within it",
        )
    return low, high


def _fed(entry: RealInput, samples: NDArray[np.float64]) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Yield what the network in reals reads: codes of a quantized model as the reals they stand for."""
    for sample in samples:
        values = sample.reshape(entry.shape)
        if entry.code_offset is not None and entry.pin is not None:
            values = entry.pin.scale * (values + entry.code_offset - entry.pin.zero_point)
        yield {entry.name: values}


def _networks(real: RealGraph, recipe: Recipe) -> Iterator[tuple[Recipe, Graph, PortTensors]]:
    """Quantize with each shift for which every input of the domain has a proof.

    Raises:
        CompileError: there is none.
    """
    refusal: CompileError | None = None
    found = 0
    for shift in SHIFTS_TRIED:
        tried = replace(recipe, shift=shift)
        try:
            graph, port = integer_network(real, tried)
            analyse(graph, port.byte_domain)
        except CompileError as error:
            refusal = refusal or error
            continue
        found += 1
        yield tried, graph, port
    if not found:
        assert refusal is not None
        raise refusal


def integer_outputs(graph: Graph, port: PortTensors, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a statement's outputs on real inputs as reals, without proofs.

    Args:
        graph: the integer network.
        port: how its tensors are read.
        samples: inputs of the domain. Shape: (samples, input elements).

    Returns:
        Shape: (samples, output elements).

    Raises:
        DomainError: a sample lies outside the domain.
    """
    rows = []
    for elements in to_integers(samples, port.input_scale_bits):
        run = ref_exec.execute(graph, port.bytes_of(elements.tolist()))
        rows.append(run.outputs[0].reshape(-1))
    return dequantize(np.stack(rows), port.output_scale_bits)


def _fidelity(found: NDArray[np.float64], wanted: NDArray[np.float64], *, argmax: bool) -> Fidelity:
    measured = measure_fidelity(found, wanted)
    if not argmax:
        return measured
    return measured.model_copy(update={"argmax_agreement": float((found == wanted).all(axis=1).mean())})


def _meets(fidelity: Fidelity, budget: ErrorBudget, wanted: NDArray[np.float64], *, argmax: bool) -> bool:
    """Say whether the budget holds; two indices are equal or not, their difference says nothing."""
    if argmax:
        return fidelity.argmax_agreement >= budget.min_argmax_agreement
    return is_within_budget(fidelity, budget, wanted)


def _over_budget(best: Fidelity, budget: ErrorBudget, wanted: NDArray[np.float64]) -> CalibrationError:
    limit = error_limit(budget, wanted)
    return CalibrationError(
        f"expected errors up to {limit:g} and argmax agreement of at least {budget.min_argmax_agreement:g}, "
        f"found {best.max_abs_error:g} and {best.argmax_agreement:g} with activations of 8 bits",
        hint="allow a larger error, narrow the input domain, or compile with EZKL, whose numbers are finer",
        max_abs_error=best.max_abs_error,
        budget=limit,
        argmax_agreement=best.argmax_agreement,
        min_argmax_agreement=budget.min_argmax_agreement,
    )
