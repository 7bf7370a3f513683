"""The recipe of a statement: all that decides it besides the ONNX file.

Calibration looks at data once and leaves numbers: a range for every tensor, a domain, a shift. From them and
the ONNX file anybody makes the same integer graph, program and constants again, without the data, and so
learns whether a key belongs to a model.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from circuits.octet.compile.calibrate import Ranges
from circuits.octet.compile.fixed_point import (
    PortTensors,
    fixed_outputs,
    free_input,
    input_grid,
    output_scale_bits,
)
from circuits.octet.compile.graph import Graph
from circuits.octet.compile.layout import LEAST_NU, MOST_NU
from circuits.octet.compile.linear_chains import merge_chains
from circuits.octet.compile.lower import Lowered, lower
from circuits.octet.compile.onnx_import import import_onnx
from circuits.octet.compile.quantize import quantize
from circuits.octet.compile.real_graph import RealGraph
from circuits.octet.program import SHIFTS
from zkml.core.manifest import MAX_BATCH
from zkml.errors import CompileError, FormatError

MAX_RANGES = 1 << 16
MAX_REAL = 2.0**128
"""No cell of a float32 network is larger; sums of products of such numbers are finite in float64."""

_NAMES = {"shift", "domain", "ranges", "nu", "batch"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Numbers that a statement is made with.

    Attributes:
        shift: S in bits.
        domain: least and greatest real (for a model of integer codes: code) that is accepted.
        ranges: least and greatest real of every tensor by its name.
        nu: log2 of the rows.
        batch: how many inputs the statement is about.
    """

    shift: int
    domain: tuple[float, float]
    ranges: Mapping[str, tuple[float, float]]
    nu: int
    batch: int = 1

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as plain values."""
        ranges = {name: list(ends) for name, ends in self.ranges.items()}
        return asdict(self) | {"domain": list(self.domain), "ranges": ranges}


def recipe_from_json(plain: Mapping[str, Any]) -> Recipe:
    """Read a recipe of anybody's.

    Raises:
        FormatError: it is not one.
    """
    if set(plain) != _NAMES:
        raise FormatError(f"expected a recipe of {sorted(_NAMES)}, found {sorted(plain)!s:.120}")
    shift, nu, ranges, batch = plain["shift"], plain["nu"], plain["ranges"], plain["batch"]
    if type(shift) is not int or shift not in SHIFTS:
        raise FormatError(f"expected a shift among {SHIFTS}, found {shift!r:.80}")
    if type(nu) is not int or not LEAST_NU <= nu <= MOST_NU:
        raise FormatError(f"expected 2^{LEAST_NU}..2^{MOST_NU} rows, found {nu!r:.80}")
    if type(batch) is not int or not 1 <= batch <= MAX_BATCH:
        raise FormatError(f"expected a batch of 1..{MAX_BATCH}, found {batch!r:.80}")
    if not isinstance(ranges, Mapping) or len(ranges) > MAX_RANGES:
        raise FormatError(f"expected at most {MAX_RANGES} ranges by name, found {type(ranges).__name__}")
    read = {name: _ends(ends, name) for name, ends in ranges.items()}
    return Recipe(shift, _ends(plain["domain"], "the domain"), read, nu, batch)


def integer_network(real: RealGraph, recipe: Recipe) -> tuple[Graph, PortTensors]:
    """Return the integer graph of a network in reals, and how its public tensors are read.

    Args:
        real: of one input and one output, the input free (`fixed_point.free_input`).
        recipe: ranges of all its tensors among others.

    Raises:
        CompileError: a scale or a weight is beyond what integers hold.
        CalibrationError: a function is not finite on the range of its cells.
    """
    (entry,), (shown,) = real.inputs, real.outputs
    grid = input_grid(entry, recipe.domain)
    domains = {} if entry.pin else {entry.name: grid.range}
    graph = quantize(real, Ranges(dict(recipe.ranges), 1), shift=recipe.shift, domains=domains)
    graph = fixed_outputs(graph, [shown.code_offset])
    port = PortTensors(
        entry.name,
        entry.shape,
        shown.shape,
        grid.scale_bits,
        grid.offset,
        grid.domain,
        0 if shown.argmax else output_scale_bits(graph.outputs[0]),
        shown.argmax,
        recipe.batch,
    )
    return graph, port


def network_in_reals(onnx: bytes) -> RealGraph:
    """Read a model of one input and one output.

    Raises:
        CompileError: it has more; or see `import_onnx`.
    """
    real = import_onnx(onnx)
    counts = len(real.inputs), len(real.outputs)
    if counts != (1, 1):
        raise CompileError(
            f"expected a model of one input and one output, found {counts[0]} and {counts[1]}",
            hint="join them by Concat, or leave out what is not needed",
        )
    return free_input(merge_chains(real))


def recompile(onnx: bytes, recipe: Mapping[str, Any]) -> tuple[Lowered, PortTensors]:
    """Make a statement again from its model and its recipe, without data.

    Args:
        onnx: the model, of fixed shapes.
        recipe: as `Recipe.as_json` wrote it, or anybody's.

    Returns:
        What `front.compile_network` made of them: equal program, constants and integer graph.

    Raises:
        FormatError: the recipe is none, or not of this model.
        CompileError, CalibrationError: the model does not compile with it; see `front.compile_network`.
    """
    held = recipe_from_json(recipe)
    return make_again(onnx, held, nu=held.nu)


def make_again(onnx: bytes, recipe: Recipe, *, nu: int | None) -> tuple[Lowered, PortTensors]:
    """Make the statement of a recipe, with another number of rows where one is to be found.

    Args:
        onnx: the model, of fixed shapes.
        recipe: all but its own number of rows is used.
        nu: log2 of the rows; chosen by cost when None.

    Raises:
        FormatError, CompileError, CalibrationError: see `recompile`.
    """
    real = network_in_reals(onnx)
    names = {entry.name for entry in real.inputs} | {node.name for node in real.nodes}
    if set(recipe.ranges) != names:
        strange = sorted(names ^ set(recipe.ranges))
        raise FormatError(f"expected a range for each tensor of the model, found {strange[0]!r:.120} amiss")
    graph, port = integer_network(real, recipe)
    return lower(graph, port.byte_domain, nu=nu, width=port.layout.input_bytes, batch=port.batch), port


def _ends(ends: Any, where: str) -> tuple[float, float]:
    numbers = isinstance(ends, list | tuple) and len(ends) == 2 and all(type(end) is float for end in ends)
    if not numbers or not all(abs(end) <= MAX_REAL for end in ends) or ends[0] > ends[1]:
        raise FormatError(f"expected two finite numbers in order, found {ends!r:.80} for {where!r:.120}")
    return ends[0], ends[1]
