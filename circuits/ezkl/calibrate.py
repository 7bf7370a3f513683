"""Choose a circuit's settings: the coarsest fixed point within the error budget, and the least work.

Deterministic: the same model and data give the same settings, hence the same keys.

- **Scale.** The smallest exponent from 7 bits whose outputs meet the budget. It costs no rows, but a larger
  one makes larger intermediate numbers, which range checks must write in more or larger digits.
- **Decomposition.** EZKL's default base of 16384 needs a table, and so a circuit, of 2^15 rows whatever the
  model; a base of 128 and three digits needs 128. The smallest base is found whose three digits hold every
  intermediate number of the calibration data and of the probes below, then one size up as headroom, then
  as far up as the rows allow that the layout needs anyway: prove time was the same for 128 and 1024.
- **Rows.** 2^logrows is the least power that holds the layout in one block of columns. Fewer rows in more
  columns are possible and lose: the proof grows with the columns (23.6 kB at logrows 10 against 5.3 kB at 13
  for a small CNN), its verification costs gas for each, and it is made no faster.
- **Probes.** The chain chooses the inputs of genesis proofs anywhere in the declared domain, so its corners
  and pseudo-random inputs must have witnesses too.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circuits.ezkl.settings import CircuitSettings, RunArguments, write_settings
from circuits.fidelity import error_limit, is_within_budget, measure_fidelity
from circuits.port import ErrorBudget
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.client import Passage
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.digests import keccak256
from zkml.core.fixed_point import dequantize, quantize
from zkml.core.manifest import Fidelity
from zkml.core.tensors import InputDomain, TensorLayout, expand_input, unpack_input, width_for
from zkml.errors import CalibrationError, WitnessError

SCALES_BITS = range(7, 14)
DECOMPOSITIONS = ((128, 3), (256, 3), (512, 3), (1024, 3), (4096, 3), (16384, 3))
"""Bases and digits to try, in order: they hold numbers below 2^21, 2^24, 2^27, 2^30, 2^36 and 2^42."""
MAX_SAMPLES = 64
"""Calibration samples that are run for each candidate, at about 15 ms each."""
RANDOM_PROBES = 12
LOOKUP_MARGIN = 2
"""A lookup table reaches this many times as far as any input to it that was seen."""
OUTPUT_MARGIN = 16
"""Packed outputs hold this many times the largest output that was seen."""
RESERVED_ROWS = 16
"""Rows that halo2 blinds, with some to spare."""
MAX_TABLE_COLUMNS = 4
MIN_LOGROWS = 6
MAX_LOGROWS = 24


@dataclass(frozen=True, slots=True)
class Calibration:
    """Settings that meet the budget, and what was measured with them.

    Attributes:
        arguments: run arguments, logrows included.
        layout, domain: the public tensors.
        fidelity: distance from the float model on the calibration data.
        sample: the first calibration input, quantized, to prove something with.
    """

    arguments: RunArguments
    layout: TensorLayout
    domain: InputDomain
    fidelity: Fidelity
    sample: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What settings are tried on.

    Attributes:
        onnx: the model.
        samples: real inputs. Shape: (samples, elements).
        reference: the float model's outputs on them. Shape: (samples, output elements).
        domain: least and largest real input value.
        scratch: an existing directory for candidates.
        options: limits and progress of each child.
        arguments: run arguments that are not searched.
    """

    onnx: Path
    samples: NDArray[np.float64]
    reference: NDArray[np.float64]
    domain: tuple[float, float]
    scratch: Path
    options: ChildOptions = DEFAULT_OPTIONS
    arguments: RunArguments = field(default_factory=RunArguments)


@dataclass(frozen=True, slots=True)
class _Candidate:
    settings: CircuitSettings
    domain: InputDomain
    passages: list[Passage]
    fidelity: Fidelity


def calibrate(trial: Trial, budget: ErrorBudget) -> Calibration:
    """Find settings for a model whose outputs stay within the budget.

    Raises:
        CalibrationError: no scale meets the budget, or intermediate numbers are too large for all.
        DomainError: a sample lies outside the domain.
        CompileError: EZKL does not take the model.
    """
    best: _Candidate | None = None
    refusal: WitnessError | None = None
    for scale_bits in SCALES_BITS:
        candidate = _try_scale(trial, scale_bits)
        if isinstance(candidate, WitnessError):
            refusal = candidate
            break  # a larger scale makes larger numbers
        if is_within_budget(candidate.fidelity, budget, trial.reference):
            return _finish(trial, candidate)
        if best is None or candidate.fidelity.max_abs_error < best.fidelity.max_abs_error:
            best = candidate
    raise _over_budget(best, budget, trial) from refusal


def choose_samples(calibration: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return at most `MAX_SAMPLES` samples, evenly spread over the data, flattened."""
    flat = calibration.reshape(len(calibration), -1)
    if len(flat) <= MAX_SAMPLES:
        return flat
    chosen: NDArray[np.float64] = flat[np.linspace(0, len(flat) - 1, MAX_SAMPLES).astype(int)]
    return chosen


def least_logrows(settings: CircuitSettings) -> int:
    """Return the least logrows whose rows hold the layout, the tables and the instances.

    A first guess: a proof must be seen to verify, because EZKL's own figures can be too low.
    """
    low, high = settings.arguments.lookup_range
    lookup_rows = -(-(high - low + 1) // MAX_TABLE_COLUMNS) if settings.has_lookups else 0
    rows = max(
        settings.num_rows,
        settings.other_rows,
        settings.input_count + settings.output_count,
        lookup_rows,
        *(top - bottom + 1 for bottom, top in settings.range_checks),
        1,
    )
    logrows = max(MIN_LOGROWS, (rows + RESERVED_ROWS - 1).bit_length())
    if logrows > MAX_LOGROWS:
        raise CalibrationError(
            f"expected at most 2^{MAX_LOGROWS} rows, found {rows}", hint="use a smaller model"
        )
    return logrows


def with_headroom(arguments: RunArguments) -> RunArguments:
    """Return the arguments with the largest base whose table fits the rows, or unchanged if none does."""
    rows = (1 << arguments.logrows) - RESERVED_ROWS
    fitting = [base for base, legs in DECOMPOSITIONS if legs == arguments.decomp_legs and base <= rows]
    return replace(arguments, decomp_base=max([arguments.decomp_base, *fitting]))


def probes_of(domain: InputDomain, count: int) -> NDArray[np.int64]:
    """Return inputs that any honest circuit of this domain must take.

    The corners (all least, all largest, alternating), zero or the value nearest to it, and inputs expanded
    from fixed seeds as the chain expands them, half of them pushed to the ends of the domain.
    """
    low, high = domain.minimum, domain.maximum
    layout = TensorLayout(count, width_for(low, high), 1, 1)
    alternating = np.where(np.arange(count) % 2 == 0, low, high)
    rows = [
        np.full(count, low),
        np.full(count, high),
        np.full(count, min(max(0, low), high)),
        alternating,
        low + high - alternating,
    ]
    middle = (low + high) / 2
    for index in range(RANDOM_PROBES):
        seed = keccak256(b"zkml.calibration.probe" + index.to_bytes(4, "big"))
        expanded = np.array(unpack_input(layout, expand_input(seed, layout, domain)))
        rows.append(expanded if index % 2 == 0 else np.where(expanded > middle, high, low))
    return np.stack(rows).astype(np.int64)


def _try_scale(trial: Trial, scale_bits: int) -> _Candidate | WitnessError:
    """Return a candidate at this scale with the least decomposition, or why none holds."""
    refusal = WitnessError("expected a witness, found no decomposition to try")
    for index, (base, legs) in enumerate(DECOMPOSITIONS):
        arguments = replace(
            trial.arguments,
            input_scale=scale_bits,
            param_scale=scale_bits,
            decomp_base=base,
            decomp_legs=legs,
        )
        settings = _compile(trial, arguments)
        low, high = quantize(np.array(trial.domain), settings.input_scale_bits).tolist()
        domain = InputDomain(low, high)
        inputs = quantize(trial.samples, settings.input_scale_bits)
        domain.check(inputs)
        try:
            passages = _run(trial, np.concatenate([inputs, probes_of(domain, settings.input_count)]))
        except WitnessError as error:
            refusal = error
            continue
        outputs = np.array([passage.outputs for passage in passages[: len(inputs)]])
        fidelity = measure_fidelity(dequantize(outputs, settings.output_scale_bits), trial.reference)
        roomy_base, roomy_legs = DECOMPOSITIONS[min(index + 1, len(DECOMPOSITIONS) - 1)]
        roomy = replace(arguments, decomp_base=roomy_base, decomp_legs=roomy_legs)
        return _Candidate(replace(settings, arguments=roomy), domain, passages, fidelity)
    return refusal


def _compile(trial: Trial, arguments: RunArguments) -> CircuitSettings:
    path = trial.scratch / "settings"
    settings = write_settings(trial.onnx, path, arguments, options=trial.options)
    client.compile_circuit(trial.onnx, trial.scratch / "compiled", path, options=trial.options)
    return settings


def _run(trial: Trial, inputs: NDArray[np.int64]) -> list[Passage]:
    return client.forward(trial.scratch / "compiled", inputs, options=trial.options)


def _finish(trial: Trial, candidate: _Candidate) -> Calibration:
    """Fix what the search left open: the lookup range, the rows and the widths of the packed tensors."""
    arguments = replace(candidate.settings.arguments, lookup_range=_lookup_range(candidate.passages))
    settings = write_settings(trial.onnx, trial.scratch / "settings", arguments, options=trial.options)
    largest = max(abs(element) for passage in candidate.passages for element in passage.outputs)
    reach = OUTPUT_MARGIN * max(1, largest)
    layout = TensorLayout(
        settings.input_count,
        width_for(candidate.domain.minimum, candidate.domain.maximum),
        settings.output_count,
        width_for(-reach, reach),
    )
    logrows = least_logrows(settings)
    return Calibration(
        arguments=with_headroom(replace(arguments, logrows=logrows)),
        layout=layout,
        domain=candidate.domain,
        fidelity=candidate.fidelity,
        sample=candidate.passages[0].inputs,
    )


def _lookup_range(passages: list[Passage]) -> tuple[int, int]:
    low = min(passage.minimum_lookup_input for passage in passages)
    high = max(passage.maximum_lookup_input for passage in passages)
    return min(LOOKUP_MARGIN * low, -1), max(LOOKUP_MARGIN * high, 1)


def _over_budget(best: _Candidate | None, budget: ErrorBudget, trial: Trial) -> CalibrationError:
    if best is None:
        return CalibrationError(
            "expected every input of the domain to have a witness, "
            "found intermediate numbers of 2^42 and more for a corner or a random input of it",
            hint="narrow the input domain, or normalise the model's inputs and weights",
        )
    return CalibrationError(
        f"expected errors up to {error_limit(budget, trial.reference):g} and argmax agreement of at least "
        f"{budget.min_argmax_agreement:g}, found {best.fidelity.max_abs_error:g} and "
        f"{best.fidelity.argmax_agreement:g} at the best scale",
        hint="allow a larger error, or narrow the input domain",
        max_abs_error=best.fidelity.max_abs_error,
    )
