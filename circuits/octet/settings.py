"""The settings file of a bundle: the program, how the public tensors stand for reals, and the recipe.

    {"format": "octet.settings/1", "port": .., "program": .., "recipe": ..}     canonical JSON

The program is what verifiers check; `port` says how its bytes and integers are packed at the port, which the
manifest repeats; the recipe is what the compiler decided besides the model, so that everybody can make the
same program from the ONNX file again.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from circuits.octet.compile.coverage import check
from circuits.octet.compile.fixed_point import PortTensors
from circuits.octet.program import Program, program_from_json
from circuits.octet.program_limits import check_limits
from circuits.octet.proof_length import proof_bytes
from zkml.core.manifest import BundleManifest
from zkml.core.records import explain
from zkml.core.strict_json import parse_object
from zkml.errors import CompileError, FormatError, LayoutError, ManifestError

FORMAT = "octet.settings/1"
MAX_SETTINGS_BYTES = 4 << 20
_HINT = "rebuild or re-download the bundle"
_PORT = TypeAdapter(PortTensors)


@dataclass(frozen=True)
class CircuitSettings:
    """What a settings file says.

    Attributes:
        program: the statement without weights.
        port: how public tensors are packed.
        recipe: the compiler's decisions, as plain JSON values.
    """

    program: Program
    port: PortTensors
    recipe: dict[str, Any]

    def to_bytes(self) -> bytes:
        """Return the file's only form."""
        return _canonical(
            {
                "format": FORMAT,
                "port": asdict(self.port),
                "program": json.loads(self.program.to_json()),
                "recipe": self.recipe,
            }
        )


def parse_settings(data: bytes) -> CircuitSettings:
    """Read settings of anybody's and check that the program determines everything it reads.

    Raises:
        ManifestError: too large, not settings, not written canonically, or a program that proves nothing.
    """
    if len(data) > MAX_SETTINGS_BYTES:
        raise ManifestError(
            f"expected at most {MAX_SETTINGS_BYTES} bytes of settings, found {len(data)}", hint=_HINT
        )
    try:
        settings = _parsed(data)
        _ = settings.port.layout  # refuses counts and widths that no contract accepts
        check_limits(settings.program)
        check(settings.program)
    except ValidationError as error:
        raise ManifestError(f"expected packed tensors, found {explain(error)}", hint=_HINT) from error
    except (FormatError, LayoutError, CompileError) as error:
        raise ManifestError(f"{error.message} in the settings", hint=error.hint or _HINT) from error
    return settings


def _parsed(data: bytes) -> CircuitSettings:
    fields = parse_object(data, where="the settings")
    if set(fields) != {"format", "port", "program", "recipe"} or fields["format"] != FORMAT:
        raise FormatError(f"expected settings of format {FORMAT}, found {fields.get('format')!r:.80}")
    recipe = fields["recipe"]
    if not isinstance(recipe, dict):
        raise FormatError(f"expected a recipe of named values, found {type(recipe).__name__}")
    program = program_from_json(_canonical(fields["program"]).decode())
    port = _PORT.validate_json(_canonical(fields["port"]), strict=True)
    settings = CircuitSettings(program, port, recipe)
    if settings.to_bytes() != data:
        raise FormatError("expected canonical JSON, found another form of it")
    return settings


def check_settings(settings: CircuitSettings, manifest: BundleManifest) -> None:
    """Check that a manifest says what the settings say.

    Raises:
        ManifestError: names the first field that differs.
    """
    for what, expected, found in _facts(settings, manifest):
        if expected != found:
            raise ManifestError(f"expected {what} {expected} as in the settings, found {found}", hint=_HINT)


def _facts(settings: CircuitSettings, manifest: BundleManifest) -> Iterator[tuple[str, object, object]]:
    """Yield what must agree, one after the other: whatever takes work comes behind what it rests on."""
    program, port = settings.program, settings.port
    layout, domain = manifest.tensor_layout, manifest.input_domain
    yield "public inputs", 1, len(program.inputs)
    # An arg-max has an output for each row, everything else one tensor.
    yield "public outputs", layout.output_count if port.argmax else 1, len(program.outputs)
    (given,) = program.inputs
    yield "batch", port.batch, manifest.batch
    yield "param_visibility", "fixed", manifest.param_visibility
    yield "layout", port.layout, layout
    yield "input_domain", port.domain, domain
    yield "input_shape", list(port.input_dims), manifest.input_shape
    yield "output_shape", list(port.output_dims), manifest.output_shape
    yield "input_scale_bits", port.input_scale_bits, manifest.input_scale_bits
    yield "output_scale_bits", port.output_scale_bits, manifest.output_scale_bits
    yield "input name", given.name, port.input_name
    yield "input dimensions", port.input_dims, given.dims
    yield "input bytes", given.width, layout.input_bytes
    yield "least input byte", given.low, domain.minimum + port.input_offset
    yield "greatest input byte", given.high, domain.maximum + port.input_offset
    yield "outputs", sum(public.count for public in program.outputs), layout.output_count
    yield "arg-max", port.argmax, all(public.kind == "argmax" for public in program.outputs)
    yield "scale bits of an index", 0, port.output_scale_bits if port.argmax else 0
    yield "rows", True, program.nu <= manifest.srs.logrows
    yield "proof_bytes", proof_bytes(program), manifest.proof_bytes


def _canonical(value: Any) -> bytes:
    """Write JSON with sorted names and no blanks; integers of a program reach 2^62, so not RFC 8785."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"expected plain JSON values, found {error}") from error
