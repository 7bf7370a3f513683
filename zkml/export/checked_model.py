"""The record that export and check hand on: an ONNX model about which every check was made."""

from dataclasses import dataclass, field

from zkml.core.digests import Digest


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A graph input or output.

    Attributes:
        name: the tensor's name in the graph.
        shape: dimensions, each at least 1.
        element_type: ONNX's name of the type, e.g. `float` or `int64`.
    """

    name: str
    shape: tuple[int, ...]
    element_type: str


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """An ONNX model that passed every check.

    Attributes:
        data: the model as one ONNX file. These bytes are the model: they differ from the file that was
            checked when its batch was bound or its external data was read in.
        digest: digest of `data`.
        inputs: graph inputs without the initializers, in order.
        outputs: graph outputs, in order.
        operators: each operator with the number of its nodes, sorted by name.
        parameters: number of elements of all floating-point constants.
        opset: version of the default operator set.
        warnings: remarks that do not forbid proving, one line each.
    """

    data: bytes = field(repr=False)
    digest: Digest
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[tuple[str, int], ...]
    parameters: int
    opset: int
    warnings: tuple[str, ...] = ()
