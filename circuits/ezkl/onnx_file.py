"""Read and write ONNX files with the package that only publishers and auditors have."""

from pathlib import Path
from typing import Any

from zkml.core.extras import install_hint
from zkml.errors import CompileError, ToolchainError


def load_model(path: Path) -> Any:
    """Return the `ModelProto` of a file.

    Raises:
        ToolchainError: the package onnx is not installed.
        CompileError: not an ONNX model.
    """
    try:
        import onnx  # noqa: PLC0415 an extra
    except ImportError as error:
        raise ToolchainError("expected the package onnx, found none", hint=install_hint("onnx")) from error
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's classes have no common parent but Exception
        raise CompileError(
            f"expected an ONNX model, found {' '.join(str(error).split()):.200} at {path}",
            hint="`zkml model check` says what is wrong",
        ) from error


def save_model(model: Any, path: Path) -> None:
    """Write a `ModelProto`; equal models give equal bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))
