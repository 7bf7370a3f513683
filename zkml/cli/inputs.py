"""Read tensors that users hand to commands: .json or .npy files, or a function of theirs."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.core.strict_json import parse_json
from zkml.errors import ArtifactNotFoundError, ConfigError, FormatError

MAX_INPUT_BYTES = 256 * 1024 * 1024


def read_tensor(path: Path) -> NDArray[np.float64]:
    """Read an array of numbers from a .npy file or a JSON file of (nested) lists.

    EZKL's `{"input_data": [[...]]}` is read too.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: not an array of finite numbers.
    """
    try:
        size = path.stat().st_size
        if size > MAX_INPUT_BYTES:
            raise FormatError(f"expected at most {MAX_INPUT_BYTES} bytes of input, found {size} in {path}")
        if path.suffix == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            value = parse_json(path.read_bytes(), where=str(path))
            array = np.asarray(value["input_data"][0] if isinstance(value, dict) else value)
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected an input file, found none at {path}") from error
    except OSError as error:
        raise FormatError(f"expected a readable file, found {error.strerror} at {path}") from error
    except (ValueError, KeyError, IndexError, TypeError, EOFError) as error:
        raise FormatError(
            f"expected an array of numbers, found {str(error).splitlines()[0]:.120} in {path}",
            hint="write a JSON list such as [[0.5, 0.25]], or a .npy file",
        ) from error
    return _as_numbers(array, str(path))


def _as_numbers(array: Any, where: str) -> NDArray[np.float64]:
    if array.dtype.kind not in "iufb" or not np.all(np.isfinite(np.asarray(array, dtype=np.float64))):
        raise FormatError(f"expected finite numbers, found elements of type {array.dtype} in {where}")
    return np.asarray(array, dtype=np.float64)


def call_reference(reference: str) -> Any:
    """Import `MODULE:FUNCTION` and return what the function returns.

    This runs the user's own code, on the user's own request.

    Raises:
        ConfigError: no such module or function.
    """
    module_name, _, function_name = reference.partition(":")
    if not function_name:
        raise ConfigError(f"expected MODULE:FUNCTION, found {reference!r:.80}")
    # Console scripts do not look in the working directory; users expect it.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"expected an importable {reference}, found {error}") from error
    if not callable(function):
        raise ConfigError(f"expected a function, found {type(function).__name__} at {reference}")
    return function()


def read_samples(source: str) -> NDArray[np.float64]:
    """Read calibration samples from a .npy or .json file, or from MODULE:FUNCTION.

    Returns:
        Shape: (samples, ...).
    """
    if Path(source).suffix in (".npy", ".json"):
        return read_tensor(Path(source))
    return _as_numbers(np.asarray(call_reference(source)), source)


def read_file(path: Path) -> bytes:
    """Read a file whole.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: it cannot be read, or is too long.
    """
    try:
        size = path.stat().st_size
        if size > MAX_INPUT_BYTES:
            raise FormatError(f"expected at most {MAX_INPUT_BYTES} bytes, found {size} in {path}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected a file, found none at {path}") from error
    except OSError as error:
        raise FormatError(f"expected a readable file, found {error.strerror} at {path}") from error


def write_json(path: Path, data: bytes) -> None:
    """Write a record's canonical JSON, ended by a line feed."""
    from zkml.adapters.atomic_write import write_atomically

    write_atomically(path, json.dumps(json.loads(data), indent=2).encode() + b"\n")


def write_tensor(path: Path, array: NDArray[np.float64]) -> None:
    """Write an array as .npy, or as JSON lists in any other file.

    Raises:
        StorageError: no space or no permission.
    """
    import io

    from zkml.adapters.atomic_write import write_atomically

    if path.suffix != ".npy":
        write_atomically(path, json.dumps(array.tolist()).encode() + b"\n")
        return
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomically(path, buffer.getvalue())
