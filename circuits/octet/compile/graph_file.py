"""An integer graph as bytes: canonical, so that equal graphs are equal files.

The file is a magic word, the length of a header, the header as canonical JSON, and the arrays of integers one
after the other, each in the fewest of 1, 2, 4 or 8 bytes a number, little endian, two's complement. The
header says for each array where it stands in the graph, by its place in the order of writing.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from math import prod
from typing import Any

import numpy as np

from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Integers,
    Lookup,
    MaxPool,
    Output,
    Scale,
    Total,
    WindowSum,
)
from circuits.octet.compile.graph_rules import MAX_RANK, check_graph
from circuits.octet.compile.views import Expand, Reshape, Slice, Transpose, View
from zkml.core.strict_json import parse_json
from zkml.errors import FormatError

MAGIC = b"octet graph 1\n\0\0"
MAX_HEADER_BYTES = 1 << 24
MAX_FILE_BYTES = 1 << 29
_WIDTHS = (1, 2, 4, 8)
_CLASSES = {
    found.__name__: found
    for found in (
        *(Affine, Total, Lookup, MaxPool, Output, ByteTensor, Graph),
        *(AxesSum, Conv, Copy, Gemm, Scale, WindowSum),
        *(View, Expand, Reshape, Slice, Transpose),
    )
}
_INTEGERS = ("base_shape", "shape", "starts", "sizes", "steps", "order", "axes", "kernel", "strides", "pads")
_MULTIPLIER_BITS = 62


def write_graph(graph: Graph) -> bytes:
    """Return the bytes of a graph."""
    arrays: list[Integers] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"shape": list(value.shape), "width": _width(value)}
        if is_dataclass(value):
            found = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
            return {"is": type(value).__name__, **found}
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    header = json.dumps(plain(graph), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    data = [MAGIC, struct.pack("<Q", len(header)), header]
    # Numbers follow in the order in which the fields stand in their classes.
    data.extend(array.astype(f"<i{_width(array)}").tobytes() for array in arrays)
    return b"".join(data)


def read_graph(data: bytes) -> Graph:
    """Read a graph and check that it is well formed.

    Raises:
        FormatError: not a graph, not written canonically, or beyond a size limit.
    """
    if not data.startswith(MAGIC) or not 24 <= len(data) <= MAX_FILE_BYTES:
        raise FormatError(f"expected an integer graph of at most {MAX_FILE_BYTES} bytes, found another file")
    (length,) = struct.unpack_from("<Q", data, 16)
    if length > min(MAX_HEADER_BYTES, len(data) - 24):
        raise FormatError(f"expected a header of at most {MAX_HEADER_BYTES} bytes, found {length}")
    reader = _Reader(data, 24 + length)
    try:
        graph = reader.graph(parse_json(data[24 : 24 + length], where="the header"))
        check_graph(graph)
        canonical = reader.position == len(data) and write_graph(graph) == data
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(
            f"expected an integer graph, found {type(error).__name__}: {error!s:.120}"
        ) from error
    if not canonical:
        raise FormatError("expected the canonical form of an integer graph, found another")
    return graph


class _Reader:
    """Builds dataclasses from the header and takes the arrays in their order."""

    def __init__(self, data: bytes, position: int) -> None:
        self.position = position
        self._data = data

    def graph(self, plain: Any) -> Graph:
        found = self._record(plain)
        if not isinstance(found, Graph):
            raise TypeError(f"expected a Graph, found {type(found).__name__}")
        return found

    def _record(self, plain: Any) -> Any:
        kind = _CLASSES[plain["is"]]
        names = [field.name for field in fields(kind)]
        if set(plain) != {"is", *names}:
            raise TypeError(f"expected the fields {names}, found {sorted(plain)}")
        return kind(**{name: self._field(kind, name, plain[name]) for name in names})

    def _field(self, kind: type, name: str, value: Any) -> Any:
        if name in {"weights", "bias", "table"}:
            return self._array(value)
        if name == "steps" and kind is View:
            return self._records(value, (Expand, Reshape, Slice, Transpose))
        if name in _INTEGERS:
            return tuple(_integer(item) for item in value)
        if name in _RECORDS:
            return self._records(value, _RECORDS[name])
        if name == "output" or (name == "source" and kind is not Lookup):
            wanted = ByteTensor if name == "output" else View
            return self._records([value], (wanted,))[0]
        return _SCALARS[name](value)

    def _records(self, values: Any, kinds: tuple[type, ...]) -> tuple[Any, ...]:
        found = tuple(self._record(value) for value in values)
        for item in found:
            if not isinstance(item, kinds):
                raise TypeError(f"expected one of {[kind.__name__ for kind in kinds]}, found {type(item)}")
        return found

    def _array(self, plain: Any) -> Integers:
        shape, width = tuple(_integer(size) for size in plain["shape"]), plain["width"]
        if set(plain) != {"shape", "width"} or width not in _WIDTHS or len(shape) > MAX_RANK:
            raise TypeError("expected a shape and a width of an array")
        size = prod(shape) * width
        if min(shape, default=1) < 1 or size > len(self._data) - self.position:
            raise TypeError(f"expected {size} bytes of numbers, found {len(self._data) - self.position}")
        values = np.frombuffer(self._data, f"<i{width}", prod(shape), self.position)
        self.position += size
        return values.astype(np.int64).reshape(shape)


def _width(array: Integers) -> int:
    """Return the fewest bytes that hold every number."""
    low, high = int(array.min()), int(array.max())
    return next(width for width in _WIDTHS if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1)


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) >= 1 << _MULTIPLIER_BITS:
        raise TypeError(f"expected an integer, found {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected text, found {value!r:.40}")
    return value


def _real(value: Any) -> float:
    if type(value) is not float:
        raise TypeError(f"expected a number with a point, found {value!r:.40}")
    return value


_RECORDS: dict[str, tuple[type, ...]] = {
    "inputs": (ByteTensor,),
    "nodes": (Affine, Total, Lookup, MaxPool),
    "outputs": (Output,),
    "terms": (AxesSum, Conv, Copy, Gemm, Scale, WindowSum),
}
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "kind": _text,
    "source": _text,
    "tensor": _text,
    "scale": _real,
    "zero_point": _integer,
    "shift": _integer,
    "groups": _integer,
    "multiplier": _integer,
}
