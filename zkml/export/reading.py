"""Read ONNX from a file or from bytes: untrusted bytes in, a valid graph in one piece out.

Nothing outside the model's own folder is opened, whatever the file says.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from zkml.errors import ArtifactNotFoundError, NotOnnxError
from zkml.export.graph import graphs_of, tensors_of
from zkml.export.packages import require

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

MAX_MODEL_BYTES = 512 * 1024 * 1024
"""No larger file is read, external data included. 512 MiB of weights are 134 M: far beyond any circuit."""

_EXPORT_AGAIN = "export the model again as one ONNX file"
_EXTERNAL = 1  # TensorProto.EXTERNAL


def read_model(source: Path | bytes) -> "tuple[ModelProto, bytes]":
    """Read an ONNX model; `check_graph` then checks the graph in it.

    Args:
        source: path of an ONNX file, or its bytes. Bytes cannot have external data.

    Returns:
        The model and its bytes as one file: those of `source`, or new ones with external data read in.

    Raises:
        ArtifactNotFoundError: no such file.
        NotOnnxError: not ONNX, truncated, too large, or external data is missing or elsewhere.
        ToolchainError: the package onnx is missing.
    """
    where = "these bytes" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read_file(source)
    if len(data) > MAX_MODEL_BYTES:
        raise NotOnnxError(f"expected at most {MAX_MODEL_BYTES} bytes, found {len(data)} in {where}")
    model = _parse(data, where)
    folder = None if isinstance(source, bytes) else source.parent
    if _inline_external_data(model, folder, MAX_MODEL_BYTES - len(data)):
        data = model.SerializeToString(deterministic=True)
    return model, data


def check_graph(model: "ModelProto") -> None:
    """Check the model against ONNX's own rules.

    Raises:
        NotOnnxError: carries the checker's words.
    """
    onnx = require("onnx")
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise NotOnnxError(
            f"expected a valid ONNX graph, found this fault: {_first_line(error)}", hint=_EXPORT_AGAIN
        ) from error


def _read_file(path: Path) -> bytes:
    try:
        if not path.is_file():
            if path.exists():
                raise NotOnnxError(f"expected an ONNX file, found a folder or device at {path}")
            raise ArtifactNotFoundError(f"expected an ONNX file, found nothing at {path}", path=path)
        size = path.stat().st_size
        if size > MAX_MODEL_BYTES:
            raise NotOnnxError(f"expected at most {MAX_MODEL_BYTES} bytes, found {size} in {path}")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactNotFoundError(
            f"expected a readable file, found {error.strerror or error} at {path}", path=path
        ) from error


def _parse(data: bytes, where: str) -> "ModelProto":
    onnx = require("onnx")
    decode_error = require("google.protobuf.message").DecodeError
    try:
        model: ModelProto = onnx.ModelProto.FromString(data)
    except (decode_error, ValueError, RecursionError) as error:
        found = "an empty file" if not data else f"{len(data)} bytes of something else, or cut short,"
        raise NotOnnxError(f"expected an ONNX model, found {found} in {where}", hint=_EXPORT_AGAIN) from error
    # Almost any short text parses as a protobuf of unknown fields; these three make it ONNX.
    if not (model.ir_version > 0 and model.opset_import and model.graph.node):
        raise NotOnnxError(
            f"expected an ONNX model with a version, an operator set and nodes, found none in {where}",
            hint=_EXPORT_AGAIN,
        )
    return model


def _inline_external_data(model: "ModelProto", folder: Path | None, budget_bytes: int) -> bool:
    changed = False
    for graph in graphs_of(model):
        for label, tensor in tensors_of(graph):
            if tensor.data_location != _EXTERNAL:
                continue
            raw = _external_bytes(label, tensor, folder, budget_bytes)
            budget_bytes -= len(raw)
            tensor.raw_data = raw
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            changed = True
    return changed


def _external_bytes(label: str, tensor: "TensorProto", folder: Path | None, budget_bytes: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise NotOnnxError(
            f"expected a model in one piece, found external data {location!r:.80} for tensor {label}",
            hint="pass the file's path, or export the model as one ONNX file",
        )
    path = _path_inside(folder, location, label)
    if not path.is_file():
        raise NotOnnxError(
            f"expected external data of tensor {label} in {location!r:.80}, found no such file",
            hint="copy the data file beside the model, or export the model as one ONNX file",
        )
    size = path.stat().st_size
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(size - offset)))
    except ValueError as error:
        raise NotOnnxError(
            f"expected a numeric offset and length, found others for tensor {label}"
        ) from error
    if offset < 0 or length < 0 or offset + length > size:
        raise NotOnnxError(
            f"expected {length} bytes at offset {offset} for tensor {label}, "
            f"found {size} bytes in {location!r:.80}",
            hint="the data file is cut short: copy it again",
        )
    if length > budget_bytes:
        raise NotOnnxError(
            f"expected at most {MAX_MODEL_BYTES} bytes of model and data, found more at {label}"
        )
    return _read_part(path, offset, length)


def _read_part(path: Path, offset: int, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
    except OSError as error:
        raise ArtifactNotFoundError(
            f"expected a readable file, found {error.strerror or error} at {path}", path=path
        ) from error


def _path_inside(folder: Path, location: str, label: str) -> Path:
    root = folder.resolve()
    try:
        path = (root / location).resolve()  # links are followed first, so that none leads out
    except (OSError, ValueError, RuntimeError) as error:
        raise NotOnnxError(f"expected a file name, found {location!r:.80} for tensor {label}") from error
    if not location or Path(location).is_absolute() or not path.is_relative_to(root):
        raise NotOnnxError(
            f"expected external data inside the model's folder, found {location!r:.80} for tensor {label}",
            hint="do not trust this file; a model in one piece is safer",
        )
    return path


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
