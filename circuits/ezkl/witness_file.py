"""Read a witness file's public side: what proving must know before it begins."""

from collections.abc import Sequence
from pathlib import Path

from circuits.ezkl.settings import CircuitSettings
from zkml.adapters.ezkl.client import Passage
from zkml.core.field import felt_from_ezkl_hex, int_from_felt
from zkml.core.strict_json import parse_object
from zkml.core.tensors import TensorLayout, pack
from zkml.errors import FormatError, LayoutError, WitnessError


def read_witness_file(path: Path) -> Passage:
    """Read the inputs, outputs and lookup extremes of a witness file.

    Raises:
        WitnessError: missing, unreadable or malformed.
    """
    try:
        found = parse_object(path.read_bytes(), where="the witness file")
        return Passage(
            _integers(found["inputs"]),
            _integers(found["outputs"]),
            int(found["min_lookup_inputs"]),
            int(found["max_lookup_inputs"]),
        )
    except (OSError, FormatError, KeyError, TypeError, ValueError) as error:
        reason = error.message if isinstance(error, FormatError) else repr(error)
        raise WitnessError(
            f"expected a witness file, found {reason:.200} at {path}", hint="make the witness again"
        ) from error


def check_lookup_range(settings: CircuitSettings, passage: Passage) -> None:
    """Refuse a witness that asks a lookup table for what it does not hold.

    EZKL makes such a witness, and its prover then hangs for ever.

    Raises:
        WitnessError: an input to a lookup table lies outside its range.
    """
    low, high = settings.arguments.lookup_range
    if settings.has_lookups and not (
        low <= passage.minimum_lookup_input and passage.maximum_lookup_input <= high
    ):
        raise WitnessError(
            f"expected lookups within {low}..{high}, "
            f"found {passage.minimum_lookup_input}..{passage.maximum_lookup_input}",
            hint="the circuit was calibrated on a narrower range of inputs",
        )


def pack_output(layout: TensorLayout, outputs: Sequence[int]) -> bytes:
    """Pack a witness's outputs.

    Raises:
        WitnessError: another number of outputs, or one too large for the circuit's layout.
    """
    if len(outputs) != layout.output_count:
        raise WitnessError(f"expected {layout.output_count} outputs, found {len(outputs)} in the witness")
    try:
        return pack(outputs, layout.output_bytes)
    except LayoutError as error:
        raise WitnessError(
            f"{error.message} of the output", hint="the input is far from the calibration data"
        ) from error


def _integers(tensors: list[list[str]]) -> tuple[int, ...]:
    return tuple(int_from_felt(felt_from_ezkl_hex(felt)) for tensor in tensors for felt in tensor)
