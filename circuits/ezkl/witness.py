"""Make a witness: the circuit's computation on one packed input, and its private file.

Takes a hundredth of a proof's time, and fails where a proof could not be made: so it comes before a claim.
"""

import time
from pathlib import Path

from circuits.bundle import Bundle
from circuits.ezkl.settings import check_settings, parse_settings
from circuits.ezkl.witness_file import check_lookup_range, pack_output, read_witness_file
from circuits.port import WitnessResult
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.client import Passage
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.tensors import unpack_input
from zkml.errors import StorageError, WitnessError


def make_witness(
    bundle: Bundle, packed_input: bytes, path: Path, *, options: ChildOptions = DEFAULT_OPTIONS
) -> WitnessResult:
    """Compute the circuit on a packed input and keep the witness at `path`.

    Args:
        bundle: an opened bundle.
        packed_input: as on chain, `layout.input_length_bytes` long.
        path: the file to write; readable by its owner only. Never leaves the node.
        options: limits and progress of the child.

    Raises:
        LayoutError: the packed input is of another length.
        DomainError: an element lies outside the circuit's domain.
        WitnessError: the input has no witness, or one that a proof would hang on.
        StorageError: no space for the witness.
    """
    started = time.monotonic()
    elements = unpack_input(bundle.manifest.tensor_layout, packed_input)
    bundle.manifest.input_domain.check(elements)
    bundle.require("settings", "compiled_circuit")
    settings = parse_settings(bundle.file("settings").read_bytes())
    check_settings(settings, bundle.manifest)
    _create_private(path)
    passage = client.gen_witness(bundle.file("compiled_circuit"), elements, path, options=options)
    output = _checked_output(bundle, elements, passage)
    check_lookup_range(settings, passage)
    return WitnessResult(packed_input, output, path, time.monotonic() - started, passage.peak_rss_bytes)


def load_witness(bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
    """Read back a witness that an earlier run kept.

    Raises:
        WitnessError: it is missing, corrupt, or of another input.
    """
    elements = unpack_input(bundle.manifest.tensor_layout, packed_input)
    passage = read_witness_file(path)
    return WitnessResult(packed_input, _checked_output(bundle, elements, passage), path, 0.0)


def _checked_output(bundle: Bundle, elements: tuple[int, ...], passage: Passage) -> bytes:
    if passage.inputs != elements:
        raise WitnessError(
            "expected a witness of the given input, found one of another", hint="make the witness again"
        )
    return pack_output(bundle.manifest.tensor_layout, passage.outputs)


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StorageError(f"expected to write a witness, found {error.strerror} at {path}") from error
