"""`zkml model`: a torch module or an ONNX file in, a checked ONNX model out; and what was sold, opened."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkml.cli.inputs import call_reference
from zkml.cli.model_fetch import fetch
from zkml.cli.model_open import open_
from zkml.cli.options import Session, local_command
from zkml.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from zkml.export.check import CheckedFor
    from zkml.export.checked_model import CheckedModel

_SYSTEM = click.option(
    "--system",
    type=click.Choice(["ezkl", "octet"]),
    default="ezkl",
    show_default=True,
    help="Proof system whose operators are checked.",
)


@click.group("model")
def command() -> None:
    """Export and check ONNX models; fetch and open those that are sold encrypted.

    Example: zkml model check model.onnx
    """


command.add_command(fetch)
command.add_command(open_)


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"expected a shape such as 1,1,8,8, found {text!r:.40}") from error
    if not shape or min(shape) < 1:
        raise ConfigError(f"expected dimensions of at least 1, found {text!r:.40}")
    return shape


def _describe(checked: Any, path: Path) -> tuple[dict[str, Any], str]:
    tensors = {
        side: [{"name": t.name, "shape": list(t.shape), "type": t.element_type} for t in found]
        for side, found in (("inputs", checked.inputs), ("outputs", checked.outputs))
    }
    value = {
        "path": str(path),
        "digest": checked.digest,
        **tensors,
        "operators": dict(checked.operators),
        "parameters": checked.parameters,
        "opset": checked.opset,
        "warnings": list(checked.warnings),
    }
    lines = [f"{path}: ok", f"digest      {checked.digest}"]
    lines += [
        f"{side[:-1]:<12}{t['name']} {t['shape']} {t['type']}" for side in tensors for t in tensors[side]
    ]
    lines.append("operators   " + ", ".join(f"{name} x{count}" for name, count in checked.operators))
    lines.append(f"parameters  {checked.parameters}")
    lines += [f"warning     {warning}" for warning in checked.warnings]
    return value, "\n".join(lines)


@command.command()
@click.argument("module")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--shape", required=True, help="Shape of the input, e.g. 1,1,8,8.")
@click.option("--name", help="Name inside the ONNX file; default: that of OUT.")
@_SYSTEM
@local_command
def export(
    session: Session, module: str, out: Path, shape: str, name: str | None, system: "CheckedFor"
) -> None:
    """Export the torch module that MODULE:FUNCTION returns to the ONNX file OUT, checked.

    Parity with onnxruntime is part of the check.

    Example: zkml model export circuits.zoo.digits.train:trained_module digits.onnx --shape 1,1,8,8
    """
    import torch

    from circuits.stages import run_stage
    from zkml.export.torch_module import export_module

    dimensions = _parse_shape(shape)
    with session.console.progress() as progress, run_stage(progress, f"call {module}"):
        built = call_reference(module)
    if not isinstance(built, torch.nn.Module):
        raise ModelError(f"expected a torch module, found {type(built).__name__} from {module}")
    example = torch.rand(dimensions, generator=torch.Generator().manual_seed(0))
    with session.console.progress() as progress, run_stage(progress, "export, check, compare"):
        checked = export_module(built, example, out, name=name or out.stem, system=system)
        _check_relations(checked, system)
    session.console.result(*_describe(checked, out))


@command.command()
@click.argument("path", metavar="ONNX", type=click.Path(path_type=Path))
@click.option(
    "--batch-size", type=click.IntRange(1, 4096), help="Bind a dynamic first dimension to this number."
)
@_SYSTEM
@local_command
def check(session: Session, path: Path, batch_size: int | None, system: "CheckedFor") -> None:
    """Check that an ONNX model can be proved as it is.

    Example: zkml model check model.onnx

    Example: zkml model check model.onnx --system octet
    """
    from zkml.export.check import check_onnx

    checked = check_onnx(path, batch_size=batch_size, system=system)
    _check_relations(checked, system)
    session.console.result(*_describe(checked, path))


def _check_relations(checked: "CheckedModel", system: "CheckedFor") -> None:
    """Let OCTET's own compiler read the graph: it names the first node that it has no relation for."""
    if system == "octet":
        from circuits.octet.compile.onnx_import import import_onnx

        import_onnx(checked.data)
