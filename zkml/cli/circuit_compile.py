"""`zkml circuit compile`: from an ONNX model to a circuit, by one proof system or by the better of two."""

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from zkml.cli.circuit_description import describe_bundle, describe_choice
from zkml.cli.inputs import read_samples
from zkml.cli.options import Session, local_command
from zkml.cli.proving_system import open_proving_system
from zkml.errors import UnsuitableCircuitError, ZkmlError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from circuits.bundle import Bundle
    from circuits.port import CompileRequest
    from zkml.core.progress import Progress
    from zkml.publish.system_choice import AskedSystem, Choice, Wishes


@click.command(name="compile")
@click.argument("onnx", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="Calibration inputs: .npy or .json file, or MODULE:FUNCTION.")
@click.option("--name", help="What people call the model; default: that of OUT.")
@click.option(
    "--batch-size", type=click.IntRange(1, 4096), help="Bind a dynamic first dimension to this number."
)
@click.option("--domain", nargs=2, type=float, help="Least and largest input; default: those of the data.")
@click.option("--max-error", type=float, help="Largest absolute error of any output on the data.")
@click.option(
    "--srs", "srs_file", type=click.Path(path_type=Path), help="The ceremony's file to import first."
)
@click.option("--require-ceremony", is_flag=True, help="Refuse to make an insecure SRS.")
@click.option(
    "--weights",
    type=click.Choice(["fixed", "committed"]),
    default="fixed",
    show_default=True,
    help="In the verifying key, or behind a commitment (EZKL only): one key for all weights of the "
    "architecture.",
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(2, 1024),
    help="Make OUT-batchN too, which proves N inputs at once; may be repeated.",
)
@click.option(
    "--system",
    type=click.Choice(["ezkl", "octet", "auto"]),
    default="ezkl",
    show_default=True,
    help="Proof system. OCTET is far faster to prove and cheaper to settle; auto takes it "
    "where it has every operator and holds the error budget, else EZKL, and says why.",
)
@local_command
def compile_(
    session: Session,
    onnx: Path,
    out: Path,
    data: str,
    name: str | None,
    batch_size: int | None,
    domain: tuple[float, float] | None,
    max_error: float | None,
    srs_file: Path | None,
    require_ceremony: bool,
    weights: Literal["fixed", "committed"],
    batches: tuple[int, ...],
    system: "AskedSystem",
) -> None:
    """Compile an ONNX model to a circuit bundle in the directory OUT.

    Example: zkml circuit compile digits.onnx bundles/digits --data circuits.zoo.digits.data:train_images

    Example: zkml circuit compile digits.onnx bundles/fast --data inputs.npy --domain 0 1 --system octet
    """
    from circuits.port import CompileRequest, ErrorBudget
    from circuits.srs import SrsStore
    from zkml.publish.system_choice import Wishes, compile_with

    store = SrsStore(session.home.srs)
    if srs_file is not None:
        store.import_file(srs_file)
    budget = ErrorBudget() if max_error is None else ErrorBudget(max_abs_error=max_error)
    with (
        tempfile.TemporaryDirectory(prefix="zkml-compile-") as scratch,
        session.console.progress() as progress,
    ):

        @cache
        def samples() -> "NDArray[Any]":
            # Read once the model was found to be one: what is said first is what to mend first.
            return read_samples(data)

        def request_of(model: bytes) -> "CompileRequest":
            # What was checked is what is compiled: it differs from the file where a batch was bound, say.
            path = Path(scratch) / "model.onnx"
            path.write_bytes(model)
            return CompileRequest(
                name=name or out.name,
                onnx=path,
                calibration=samples(),
                target=out,
                srs=store,
                allow_insecure_srs=not require_ceremony,
                domain=domain,
                budget=budget,
                weights=weights,
            )

        wishes = Wishes(onnx, batch_size, budget, _only_of_ezkl(weights), request_of)
        choice: Choice | None = None
        if system == "auto":
            choice = _choose(session, wishes, progress)
            bundle = choice.bundle
        else:
            bundle = compile_with(wishes, system, open_proving_system(session, system), progress)
        made = [
            open_proving_system(session, bundle.manifest.system).compile_batch(
                bundle,
                inputs,
                batch_path(out, inputs),
                store,
                allow_insecure_srs=not require_ceremony,
                progress=progress,
            )
            for inputs in dict.fromkeys(batches)
        ]
    if choice is not None:
        session.console.note(describe_choice(choice))
    warnings = _warnings_of(bundle)
    for warning in warnings:
        session.console.note(f"warning: {warning}")
    _show(session, bundle, made, choice, warnings)


def batch_path(out: Path, inputs: int) -> Path:
    """Return where the bundle lies that proves several inputs of the bundle at `out`."""
    return out.with_name(f"{out.name}-batch{inputs}")


def _only_of_ezkl(weights: str) -> tuple[str, ...]:
    return ("committed weights (--weights committed)",) if weights == "committed" else ()


def _choose(session: Session, wishes: "Wishes", progress: "Progress") -> "Choice":
    """Choose and compile; where neither system can, say what OCTET said before EZKL's error."""
    from zkml.publish.system_choice import choose_system

    try:
        return choose_system(wishes, lambda asked: open_proving_system(session, asked), progress=progress)
    except ZkmlError as error:
        if "octet" in error.context:
            session.console.note(f"OCTET refuses: {error.context['octet']}; EZKL was tried next")
        raise


def _warnings_of(bundle: "Bundle") -> list[str]:
    from circuits.verifier_source import check_chain_verifier

    try:
        check_chain_verifier(bundle)
    except UnsuitableCircuitError as error:
        return [f"no job can pay for this circuit's proofs: {error.message}"]
    return []


def _show(
    session: Session, bundle: "Bundle", batches: "list[Bundle]", choice: "Choice | None", warnings: list[str]
) -> None:
    value, text = describe_bundle(bundle)
    described = [describe_bundle(batch) for batch in batches]
    more: dict[str, Any] = {"batches": [batch for batch, _ in described], "warnings": warnings}
    if choice is not None:
        more["choice"] = choice.as_json()
    session.console.result(value | more, "\n\n".join([text, *(lines for _, lines in described)]))
