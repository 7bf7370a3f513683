"""Export a torch module as one checked ONNX file, with the same bytes every time."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zkml.adapters.atomic_write import write_atomically
from zkml.errors import ConfigError, ModelError
from zkml.export.check import CheckedFor, check_onnx
from zkml.export.checked_model import CheckedModel
from zkml.export.graph import graphs_of
from zkml.export.packages import require
from zkml.export.parity import check_parity
from zkml.export.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor
    from torch.nn import Module

OPSET = 18
PARITY_SAMPLES = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def export_module(
    module: "Module", example_input: "Tensor", path: Path, *, name: str, system: CheckedFor = "ezkl"
) -> CheckedModel:
    """Export a module in evaluation mode, check it, compare it with onnxruntime, and write it.

    The same weights give the same bytes, whatever the seed, the process and the folder. The graph's
    tensors are called `input` and `output`.

    Args:
        module: takes one float32 tensor and returns one. Its mode is put back afterwards.
        example_input: fixes the shape, batch included.
        path: where the ONNX file goes; written as a whole or not at all.
        name: of the graph; letters, digits, `.`, `_` and `-`, at most 64.
        system: what is to prove it; see `check_onnx`.

    Returns:
        The model as written to `path`.

    Raises:
        ConfigError: the name has other characters.
        ModelError: torch cannot export the module; see also `check_onnx`.
        ParityError: the ONNX model computes something else.
        StorageError: the file could not be written.
        ToolchainError: a package is missing.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"expected a name of letters, digits, '.', '_' and '-', at most 64, found {name!r:.80}",
            hint="pass another name",
        )
    torch = require("torch")
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            graph = _exported(module, example_input)
            _strip(graph, name)
            checked = check_onnx(graph.SerializeToString(deterministic=True), system=system)
            check_parity(module, checked, _samples(example_input))
    finally:
        for part, training in modes:
            part.training = training
    write_atomically(path, checked.data)
    return checked


def _exported(module: "Module", example_input: "Tensor") -> "ModelProto":
    torch = require("torch")
    require("onnxscript")
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example_input.detach(),),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["output"],
                optimize=True,
                verbose=False,
            )
            model: ModelProto = program.model_proto
    except Exception as error:  # torch raises whatever its tracer meets
        words = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
        first = (words.splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise ModelError(
            f"expected a module that torch exports, found {type(error).__name__}: {first}",
            hint="give the shape that the module takes (--shape), and no control flow that depends on values",
        ) from error
    return model


def _strip(model: "ModelProto", name: str) -> None:
    """Remove what differs between machines and says nothing about the function: paths, traces, versions."""
    model.producer_name = "zkml"
    for field in ("producer_version", "domain", "model_version", "doc_string", "metadata_props"):
        model.ClearField(field)
    for graph in graphs_of(model):
        graph.name = name
        for field in ("doc_string", "metadata_props", "value_info"):
            graph.ClearField(field)
        for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
            _clear_remarks(part)
        for node in graph.node:
            attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
            del node.attribute[:]
            node.attribute.extend(attributes)


def _clear_remarks(part: Any) -> None:
    part.ClearField("doc_string")
    part.ClearField("metadata_props")


def _samples(example_input: "Tensor") -> list[Any]:
    """Return the example and random inputs about as large as it, the same for every call."""
    example = example_input.detach().numpy().astype(np.float32)
    generator = np.random.default_rng(0)
    reach = max(1.0, float(np.max(np.abs(example), initial=0.0)))
    shape = (PARITY_SAMPLES - 1, *example.shape)
    return [example, *generator.uniform(-reach, reach, shape).astype(np.float32)]
