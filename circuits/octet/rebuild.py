"""Make a bundle's key again from its ONNX file and its SRS, and compare: the key is the model's own.

The settings hold the recipe, what the compiler decided from calibration data; with it the ONNX file alone
gives the program, the constants and the integer graph again, to the last bit.
"""

from pathlib import Path

from circuits.bundle import Bundle
from circuits.octet.bundle_bytes import read_bounded, read_role
from circuits.octet.compile.key_columns import integer_columns
from circuits.octet.compile.recipe import recompile
from circuits.octet.key_files import verifying_key_bytes
from circuits.octet.native_choice import choose_native
from circuits.octet.opened_key import open_settings
from circuits.octet.settings import CircuitSettings
from circuits.octet.srs_powers import commit_columns
from zkml.core.digests import Digest, digest_of
from zkml.errors import CalibrationError, CompileError, FormatError, ModelError, VerifierMismatchError

MAX_ONNX_BYTES = 1 << 30


def verify_keys(bundle: Bundle) -> Digest:
    """Rebuild a bundle's verifying key from its model, settings and SRS, and compare.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the settings or the key are not those of the model.
        ModelError, CompileError, SrsError, ArtifactError, ToolchainError: it could not be rebuilt.
    """
    onnx = read_role(bundle, "onnx", MAX_ONNX_BYTES)
    bundle.require("srs")
    return _compare(bundle, open_settings(bundle), onnx, bundle.file("srs"))


def verify_revealed(bundle: Bundle, onnx: Path, srs: Path) -> Digest:
    """Rebuild the key from a model that was kept secret until now, and compare it with a bundle's.

    Args:
        bundle: opened with the role `settings` at least; its model is not looked at.
        onnx: the revealed model, of unknown origin.
        srs: what the key was made with.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the model gives another key or other settings, or cannot be compiled.
        SrsError, ArtifactError, ToolchainError: the key could not be rebuilt.
        CircuitError: the bundle is of another version of this system.
    """
    settings, data = open_settings(bundle), read_bounded(onnx, MAX_ONNX_BYTES)
    try:
        return _compare(bundle, settings, data, srs)
    except (ModelError, CompileError, CalibrationError, FormatError) as error:
        # The recipe compiles the model that it was written for.
        raise VerifierMismatchError(
            f"expected a model that gives the verifying key, found one that is refused: {error.message}"
        ) from error


def _compare(bundle: Bundle, settings: CircuitSettings, onnx: bytes, srs: Path) -> Digest:
    lowered, port = recompile(onnx, settings.recipe)
    if (lowered.program, port) != (settings.program, settings.port):
        raise VerifierMismatchError(
            "expected the settings that the ONNX model gives, found others in the bundle",
            hint="the bundle's publisher made it from another model",
        )
    columns = integer_columns(lowered.program, lowered.constants)
    native = choose_native().native
    points = commit_columns(columns, srs, lowered.program.rows, native, threads=1)
    found = digest_of(verifying_key_bytes(lowered.program, lowered.graph.digest(), points))
    if found != bundle.manifest.verifying_key:
        raise VerifierMismatchError(
            f"expected the verifying key {found} that the ONNX model and settings give, "
            f"found {bundle.manifest.verifying_key} in the manifest",
        )
    return found
