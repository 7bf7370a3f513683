"""EZKL's settings: the run arguments we choose, the canonical form, and what we read from it.

`gen_settings` writes two lists in random order, and that order decides the columns and so the keys. They
are sorted before anything is compiled or set up; then key generation is deterministic.
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, VERSION, ChildOptions
from zkml.core.digests import canonical_json
from zkml.core.manifest import BundleManifest
from zkml.core.strict_json import parse_object
from zkml.errors import CompileError, FormatError, ManifestError, UnsuitableCircuitError

DEFAULT_LOOKUP_RANGE = (-32768, 32768)
PARAM_VISIBILITY = {"fixed": "fixed", "committed": "polycommit"}
"""What EZKL calls a manifest's `param_visibility` in run arguments."""
_WRITTEN_AS = {"kzgcommit": "polycommit"}
"""What EZKL calls it in the settings it writes, where that differs."""
_UNORDERED = ("required_lookups", "required_range_checks")


@dataclass(frozen=True, slots=True)
class RunArguments:
    """The run arguments that decide a circuit; all others stay at EZKL's defaults.

    Attributes:
        input_scale, param_scale: fixed-point exponents in bits.
        decomp_base, decomp_legs: range checks write a number in `legs` digits of this base.
        logrows: log2 of the circuit's rows.
        num_inner_cols: columns of an inner product's block.
        lookup_range: what a lookup table may be asked, both ends included.
        disable_freivalds: check matrix products cell by cell instead of by random challenges.
        param_visibility: `fixed`, or `polycommit` for committed weights.
    """

    input_scale: int = 7
    param_scale: int = 7
    decomp_base: int = 128
    decomp_legs: int = 3
    logrows: int = 17
    num_inner_cols: int = 2
    lookup_range: tuple[int, int] = DEFAULT_LOOKUP_RANGE
    disable_freivalds: bool = False
    input_visibility: str = "public"
    output_visibility: str = "public"
    param_visibility: str = "fixed"


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """What this project reads from a settings file.

    Attributes:
        arguments: the run arguments.
        input_shape, output_shape: shapes of the one input and the one output.
        input_scale_bits, output_scale_bits: their fixed-point exponents.
        num_rows: rows of the layout in one block of columns.
        range_checks: the ranges that get a table.
        has_lookups: whether a table of a non-linear function is used.
        other_rows: longest of the columns that hold dynamic tables, shuffles and committed weights.
    """

    arguments: RunArguments
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_scale_bits: int
    output_scale_bits: int
    num_rows: int
    range_checks: tuple[tuple[int, int], ...]
    has_lookups: bool
    other_rows: int

    @property
    def input_count(self) -> int:
        """Number of input elements."""
        return math.prod(self.input_shape)

    @property
    def output_count(self) -> int:
        """Number of output elements."""
        return math.prod(self.output_shape)


def canonicalize_settings(data: bytes) -> bytes:
    """Return the canonical form of a settings file: sorted lists, timestamp 0, canonical JSON.

    Idempotent. It must be applied before the first setup: afterwards it would change the key.

    Raises:
        FormatError: not a settings file.
    """
    settings = parse_object(data, where="EZKL's settings")
    for name in _UNORDERED:
        if not isinstance(settings.get(name), list):
            raise FormatError(f"expected a list {name} in EZKL's settings, found none")
        settings[name] = sorted(settings[name], key=canonical_json)
    settings["timestamp"] = 0
    return canonical_json(settings)


def write_settings(
    onnx: Path, path: Path, arguments: RunArguments, *, options: ChildOptions = DEFAULT_OPTIONS
) -> CircuitSettings:
    """Write a model's canonical settings and return what they say.

    Raises:
        CompileError: EZKL does not take the model, or it has several inputs or outputs.
        UnsuitableCircuitError: the input or output is not public, or nothing binds the weights.
    """
    client.gen_settings(onnx, path, asdict(arguments), options=options)
    data = canonicalize_settings(path.read_bytes())
    path.write_bytes(data)
    try:
        return parse_settings(data)
    except FormatError as error:
        raise CompileError(error.message, hint="split or merge the model's tensors") from error


def parse_settings(data: bytes) -> CircuitSettings:
    """Read a settings file of EZKL.

    Raises:
        FormatError: not the settings of a circuit with one input and one output.
        UnsuitableCircuitError: the input or output is not public, or nothing binds the weights.
    """
    settings = parse_object(data, where="EZKL's settings")
    try:
        _check_version(settings["version"])
        arguments = _parse_arguments(settings["run_args"])
        shapes = [tuple(int(size) for size in shape) for shape in settings["model_instance_shapes"]]
        if (
            not len(settings["model_input_scales"]) == len(settings["model_output_scales"]) == 1
            or len(shapes) != 2
        ):
            raise FormatError(
                f"expected one input and one output, found tensors of shapes {shapes} in EZKL's settings"
            )
        return CircuitSettings(
            arguments=arguments,
            input_shape=shapes[0],
            output_shape=shapes[1],
            input_scale_bits=int(settings["model_input_scales"][0]),
            output_scale_bits=int(settings["model_output_scales"][0]),
            num_rows=int(settings["num_rows"]),
            range_checks=tuple((int(low), int(high)) for low, high in settings["required_range_checks"]),
            has_lookups=bool(settings["required_lookups"]),
            other_rows=max(
                int(settings["total_dynamic_col_size"]),
                int(settings["total_shuffle_col_size"]),
                sum(int(size) for size in settings["module_sizes"]["polycommit"]),
            ),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"expected EZKL's settings, found {error!r:.120}") from error


def with_logrows(arguments: RunArguments, logrows: int) -> RunArguments:
    """Return the arguments for a circuit of 2^logrows rows."""
    return replace(arguments, logrows=logrows)


def check_settings(settings: CircuitSettings, manifest: BundleManifest) -> None:
    """Check that a manifest says of its circuit what the settings say.

    Raises:
        ManifestError: they differ; a manifest could otherwise give outputs another meaning.
    """
    layout = manifest.layout
    pairs = (
        ("input_shape", tuple(manifest.input_shape), settings.input_shape),
        ("output_shape", tuple(manifest.output_shape), settings.output_shape),
        ("input_scale_bits", manifest.input_scale_bits, settings.input_scale_bits),
        ("output_scale_bits", manifest.output_scale_bits, settings.output_scale_bits),
        ("layout.input_count", layout.input_count, settings.input_count),
        ("layout.output_count", layout.output_count, settings.output_count),
        ("srs.logrows", manifest.srs.logrows, settings.arguments.logrows),
        ("system_version", manifest.system_version, VERSION),
        (
            "param_visibility",
            PARAM_VISIBILITY[manifest.param_visibility],
            settings.arguments.param_visibility,
        ),
    )
    for name, stated, found in pairs:
        if stated != found:
            raise ManifestError(
                f"expected {name} {found} as in the settings, found {stated} in the manifest",
                hint="rebuild or re-download the bundle",
            )


def _check_version(version: object) -> None:
    if version != VERSION:
        raise FormatError(f"expected settings of EZKL {VERSION}, found {version!r:.40}")


def _parse_arguments(found: dict[str, Any]) -> RunArguments:
    visibility = {
        name: _WRITTEN_AS.get(str(found[name]).lower(), str(found[name]).lower())
        for name in ("input_visibility", "output_visibility", "param_visibility")
    }
    for name, value in visibility.items():
        expected = tuple(PARAM_VISIBILITY.values()) if name == "param_visibility" else ("public",)
        if value not in expected:
            raise refuse_visibility(name, value, " or ".join(expected))
    low, high = (int(end) for end in found["lookup_range"])
    return RunArguments(
        input_scale=int(found["input_scale"]),
        param_scale=int(found["param_scale"]),
        decomp_base=int(found["decomp_base"]),
        decomp_legs=int(found["decomp_legs"]),
        logrows=int(found["logrows"]),
        num_inner_cols=int(found["num_inner_cols"]),
        lookup_range=(low, high),
        disable_freivalds=bool(found["disable_freivalds"]),
        **visibility,
    )


def refuse_visibility(name: str, found: str, expected: str) -> UnsuitableCircuitError:
    """Return the error for a circuit that nobody should pay for."""
    what = "input" if name in ("input_visibility", "output_visibility") else "weights"
    return UnsuitableCircuitError(
        f"expected {name} {expected}, found {found}",
        hint=f"a proof of private {what} says only that some {what} gives the output: nobody pays for that",
    )
