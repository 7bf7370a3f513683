"""How far are OCTET's integer networks from onnxruntime, on inputs that calibration never saw?"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.machine import describe
from circuits.fidelity import is_within_budget, measure_fidelity
from circuits.float_model import float_outputs
from circuits.octet.compile.front import CompiledNetwork, compile_network, integer_outputs
from circuits.octet.terms import Contract
from circuits.port import ErrorBudget
from zkml.errors import ZkmlError
from zkml.export.shapes import fix_shapes

MODELS_VARIABLE = "ZKML_ONNX_EXAMPLES"
"""Folder of models, one to a subfolder: network.onnx, and input.json as EZKL's examples have it."""

SAMPLES = 512
"""Inputs to calibrate with, and as many more to measure with."""

ANY = ErrorBudget(max_abs_error=float("inf"), min_argmax_agreement=0.0)


@dataclass(frozen=True)
class Case:
    """A model with inputs to calibrate with and inputs to measure with. Shapes: (samples, *input shape)."""

    name: str
    data: bytes
    calibration: NDArray[Any]
    held_out: NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the model.
        refusal: why it was not compiled, else "".
        log_rows: nu.
        used_rows: rows that activations occupy.
        key_columns: columns of the verifying key.
        products: product terms of the first sum check.
        max_error: largest error of any output on held-out inputs, in the model's units.
        error_share: that as part of the range of the float model's outputs.
        agreement: part of the held-out inputs whose largest output (or index) is the same one.
        within_budget: whether the usual error budget holds on the held-out inputs.
        compile_seconds: from ONNX bytes to the statement, calibration included.
    """

    name: str
    refusal: str = ""
    log_rows: int = 0
    used_rows: int = 0
    key_columns: int = 0
    products: int = 0
    max_error: float = 0.0
    error_share: float = 0.0
    agreement: float = 0.0
    within_budget: bool = False
    compile_seconds: float = 0.0


def measure(case: Case) -> Row:
    """Compile a model and compare it with onnxruntime on its held-out inputs."""
    began = time.perf_counter()
    try:
        low, high = (
            float(end(map(end, (case.calibration.ravel(), case.held_out.ravel())))) for end in (min, max)
        )
        compiled = compile_network(case.data, case.calibration, domain=(low, high), budget=ANY)
    except ZkmlError as error:
        return Row(case.name, refusal=error.message)
    seconds = time.perf_counter() - began
    flat = case.held_out.astype(np.float32).astype(np.float64).reshape(len(case.held_out), -1)
    found = integer_outputs(compiled.lowered.graph, compiled.port, flat)
    return _row(case, compiled, found, seconds)


def _row(case: Case, compiled: CompiledNetwork, found: NDArray[np.float64], seconds: float) -> Row:
    wanted = float_outputs(case.data, case.held_out)
    fidelity = measure_fidelity(found, wanted)
    agreement, within = fidelity.argmax_agreement, is_within_budget(fidelity, ErrorBudget(), wanted)
    if compiled.port.argmax:
        agreement = float((found == wanted).all(axis=1).mean())
        within = agreement >= ErrorBudget().min_argmax_agreement
    program = compiled.lowered.program
    terms = [term for relation in program.relations for term in relation.terms]
    return Row(
        case.name,
        log_rows=program.nu,
        used_rows=sum(block.size for block in program.blocks),
        key_columns=program.vk_columns,
        products=sum(isinstance(term, Contract) for term in terms),
        max_error=fidelity.max_abs_error,
        error_share=fidelity.max_abs_error / max(float(np.ptp(wanted)), 1e-30),
        agreement=agreement,
        within_budget=within,
        compile_seconds=seconds,
    )


def examples(folder: Path) -> Iterator[Case]:
    """Yield the models of a folder with uniform inputs over the range of their own example input."""
    for path in sorted(folder.glob("*/network.onnx")):
        model = onnx.load(path)
        example = json.loads((path.parent / "input.json").read_text())["input_data"][0]
        shape = [dim.dim_value or 1 for dim in model.graph.input[0].type.tensor_type.shape.dim]
        cells = np.array(example, dtype=np.float64).ravel()
        low, high = (cells.min(), cells.max()) if np.ptp(cells) else (-1.0, 1.0)
        drawn = np.random.default_rng(1).uniform(low, high, (2 * SAMPLES, *shape)).astype(np.float32)
        try:
            fix_shapes(model, 1)
        except ZkmlError as error:
            print(f"{path.parent.name}: {error.message}", file=sys.stderr)
            continue
        yield Case(path.parent.name, model.SerializeToString(), drawn[:SAMPLES], drawn[SAMPLES:])


def zoo() -> Iterator[Case]:
    """Yield the zoo's models, trained here, with their training and test inputs."""
    try:
        import torch  # noqa: PLC0415 extras
        from torch import nn  # noqa: PLC0415

        from circuits.zoo import digits, options  # noqa: F401, PLC0415
        from circuits.zoo.digits.train import train as train_digits  # noqa: PLC0415
        from circuits.zoo.options.train import train as train_options  # noqa: PLC0415

        trained = train_digits()
        pricer = train_options()
    except (ImportError, ZkmlError) as error:
        print(f"the zoo is left out: {error}", file=sys.stderr)
        return

    def exported(module: nn.Module, shape: Sequence[int]) -> bytes:
        from zkml.export.torch_module import export_module  # noqa: PLC0415

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "model.onnx"
            return export_module(module, torch.zeros(tuple(shape)), target, name="model").data

    images = np.concatenate([trained.train_inputs, trained.test_inputs]).astype(np.float64)
    first = len(trained.train_inputs)
    yield Case("zoo digits", exported(trained.module, (1, 1, 8, 8)), images[:first], images[first:])
    contracts = pricer.contracts
    known, fresh = (part.astype(np.float64) for part in (contracts.train_inputs, contracts.test_inputs))
    yield Case("zoo options", exported(pricer.module, (1, 4)), known, fresh)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, the refused models below."""
    out = io.StringIO()
    titles = (
        "model",
        "nu",
        "rows used",
        "key columns",
        "products",
        "max error",
        "of range",
        "arg-max",
        "budget",
    )
    out.write(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|\n")
    for row in rows:
        if not row.refusal:
            out.write(
                f"| {row.name} | {row.log_rows} | {row.used_rows} | {row.key_columns} | {row.products} "
                f"| {row.max_error:.2g} | {100 * row.error_share:.2f} % | {100 * row.agreement:.1f} % "
                f"| {'holds' if row.within_budget else 'fails'} |\n"
            )
    for row in rows:
        if row.refusal:
            out.write(f"\n{row.name}: {row.refusal}\n")
    return out.getvalue()


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the zoo and, where a folder of models is given, these."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks octet_fidelity", description=__doc__)
    parser.add_argument(
        "--models", type=Path, default=os.environ.get(MODELS_VARIABLE), help="folder of models"
    )
    parser.add_argument("--no-zoo", action="store_true", help="leave out the zoo, which is trained first")
    parser.add_argument("--json", action="store_true", help="print one JSON object and no table")
    options = parser.parse_args(list(arguments))
    cases = [] if options.no_zoo else list(zoo())
    if options.models:
        cases.extend(examples(Path(options.models)))
    rows = [measure(case) for case in cases]
    if options.json:
        print(json.dumps({"machine": describe(), "rows": [asdict(row) for row in rows]}))
        return
    print(describe())
    print(table(rows))
