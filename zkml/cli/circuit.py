"""`zkml circuit`: compile, inspect, mock, prove and verify, without any chain."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import click

from zkml.cli.inputs import read_samples, read_tensor, write_json
from zkml.cli.options import Session, local_command


@click.group("circuit")
def command() -> None:
    """Compile, inspect, prove and verify circuits.

    Example: zkml circuit inspect bundles/digits
    """


def open_proving_system(session: Session, name: str) -> Any:
    """Return a proof system with the configured limits and this home's measurements."""
    from circuits.systems import open_system
    from zkml.adapters.process.child import Limits

    prover = session.settings.prover
    return open_system(
        name,
        limits=Limits(memory_bytes=prover.memory_limit_mib << 20, wall_seconds=prover.time_limit_seconds),
        measurements=session.home.measurements,
        verbose=session.console.verbose > 0,
    )


@command.command(name="compile")
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
    help="In the verifying key, or behind a commitment: one key for all weights of the architecture.",
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(2, 1024),
    help="Make OUT-batchN too, which proves N inputs at once; may be repeated.",
)
@click.option("--system", default="ezkl", show_default=True, help="Proof system.")
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
    system: str,
) -> None:
    """Compile an ONNX model to a circuit bundle in the directory OUT.

    Example: zkml circuit compile digits.onnx bundles/digits --data circuits.zoo.digits.data:train_images
    """
    from circuits.port import CompileRequest, ErrorBudget
    from circuits.srs import SrsStore
    from zkml.export.check import check_onnx

    checked = check_onnx(onnx, batch_size=batch_size)
    store = SrsStore(session.home.srs)
    if srs_file is not None:
        store.import_file(srs_file)
    samples = read_samples(data)
    # What was checked is what is compiled: it differs from the file where a batch was bound, say.
    with (
        tempfile.TemporaryDirectory(prefix="zkml-compile-") as scratch,
        session.console.progress() as progress,
    ):
        model = Path(scratch) / "model.onnx"
        model.write_bytes(checked.data)
        request = CompileRequest(
            name=name or out.name,
            onnx=model,
            calibration=samples,
            target=out,
            srs=store,
            allow_insecure_srs=not require_ceremony,
            domain=domain,
            budget=ErrorBudget() if max_error is None else ErrorBudget(max_abs_error=max_error),
            weights=weights,
        )
        proving = open_proving_system(session, system)
        bundle = proving.compile(request, progress=progress)
        made = [
            proving.compile_batch(
                bundle,
                inputs,
                batch_path(out, inputs),
                store,
                allow_insecure_srs=not require_ceremony,
                progress=progress,
            )
            for inputs in dict.fromkeys(batches)
        ]
    value, text = describe_bundle(bundle)
    described = [describe_bundle(batch) for batch in made]
    value["batches"] = [batch for batch, _ in described]
    session.console.result(value, "\n\n".join([text, *(lines for _, lines in described)]))


def batch_path(out: Path, inputs: int) -> Path:
    """Return where the bundle lies that proves several inputs of the bundle at `out`."""
    return out.with_name(f"{out.name}-batch{inputs}")


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--inputs", required=True, type=click.IntRange(2, 1024), help="How many inputs at once.")
@click.option("--require-ceremony", is_flag=True, help="Refuse to make an insecure SRS.")
@local_command
def batch(session: Session, bundle: Path, out: Path, inputs: int, require_ceremony: bool) -> None:
    """Make the circuit that proves several inputs of a bundle's model at once, in the directory OUT.

    Example: zkml circuit batch bundles/digits bundles/digits-batch8 --inputs 8
    """
    from circuits.bundle import Bundle
    from circuits.srs import SrsStore

    base = Bundle.open(bundle)
    with session.console.progress() as progress:
        made = open_proving_system(session, base.manifest.system).compile_batch(
            base,
            inputs,
            out,
            SrsStore(session.home.srs),
            allow_insecure_srs=not require_ceremony,
            progress=progress,
        )
    session.console.result(*describe_bundle(made))


def describe_bundle(bundle: Any) -> tuple[dict[str, Any], str]:
    """Return a bundle's description as JSON and as text."""
    manifest = bundle.manifest
    value = {
        "path": str(bundle.path),
        "circuit": manifest.circuit,
        "manifest_digest": bundle.manifest_digest,
        "manifest_cid": bundle.manifest_cid,
        "manifest": manifest.model_dump(mode="json"),
    }
    layout, domain, scale = manifest.tensor_layout, manifest.input_domain, 1 << manifest.input_scale_bits
    size = sum(entry.size_bytes for entry in manifest.files.values())
    ceremony = "" if manifest.srs.secure else "  INSECURE: for local chains only"
    lines = [
        f"bundle         {bundle.path}",
        f"name           {manifest.name}",
        f"system         {manifest.system} {manifest.system_version}",
        f"circuit        {manifest.circuit}",
        f"verifying key  {manifest.verifying_key}",
        f"weights        {_weights(manifest)}",
        f"manifest       {bundle.manifest_digest}",
        f"manifest CID   {bundle.manifest_cid}",
        f"input          {manifest.input_shape}, {layout.input_count} x {layout.input_bytes} bytes",
        f"input domain   {domain.minimum}..{domain.maximum} at scale 1/{scale}",
        f"output         {manifest.output_shape}, {layout.output_count} x {layout.output_bytes} bytes",
        f"inputs at once {manifest.batch}",
        f"proof          {manifest.proof_bytes} bytes",
        f"SRS            {manifest.srs.name}, 2^{manifest.srs.logrows} rows{ceremony}",
        f"max error      {manifest.fidelity.max_abs_error:.4g} on {manifest.fidelity.samples} samples",
        f"argmax agrees  {manifest.fidelity.argmax_agreement:.2%}",
        f"files          {len(manifest.files)}, {size / 1e6:.1f} MB",
    ]
    return value, "\n".join(lines)


def _weights(manifest: Any) -> str:
    if manifest.param_visibility == "fixed":
        return "fixed in the verifying key"
    return f"committed: 0x{manifest.weight_commitment.hex()}"


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@local_command
def inspect(session: Session, bundle: Path) -> None:
    """Re-hash every file of a bundle and print what it is.

    Example: zkml circuit inspect bundles/digits
    """
    from circuits.bundle import Bundle

    session.console.result(*describe_bundle(Bundle.open(bundle)))


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@local_command
def mock(session: Session, bundle: Path, input_file: Path) -> None:
    """Check that an input satisfies the circuit, without making a proof.

    Example: zkml circuit mock bundles/digits --input input.json
    """
    from circuits.bundle import Bundle
    from zkml.core.tensors import unpack_output

    opened = Bundle.open(bundle)
    system = open_proving_system(session, opened.manifest.system)
    packed = system.quantize_input(opened, read_tensor(input_file))
    with tempfile.TemporaryDirectory(prefix="zkml-mock-") as scratch, session.console.progress() as progress:
        witness = system.witness(opened, packed, Path(scratch) / "witness.json", progress=progress)
        system.mock(opened, witness, progress=progress)
    output = unpack_output(opened.manifest.tensor_layout, witness.output)
    value = {"satisfied": True, "output": list(output), "scale_bits": opened.manifest.output_scale_bits}
    session.console.result(value, f"satisfied: output {list(output)} at scale 2^{value['scale_bits']}")


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@click.option("--out", "-o", default="proof.json", show_default=True, type=click.Path(path_type=Path))
@local_command
def prove(session: Session, bundle: Path, input_file: Path, out: Path) -> None:
    """Run the circuit on an input and write the output with its proof, verified.

    Example: zkml circuit prove bundles/digits --input input.json --out proof.json
    """
    from circuits.bundle import Bundle
    from circuits.verification import verify_proof
    from zkml.core.fixed_point import dequantize
    from zkml.core.tensors import unpack_output

    opened = Bundle.open(bundle)
    system = open_proving_system(session, opened.manifest.system)
    packed = system.quantize_input(opened, read_tensor(input_file))
    with tempfile.TemporaryDirectory(prefix="zkml-prove-") as scratch, session.console.progress() as progress:
        witness = system.witness(opened, packed, Path(scratch) / "witness.json", progress=progress)
        made = system.prove(opened, witness, progress=progress)
    verify_proof(opened, made.proof)
    write_json(out, made.proof.to_bytes())
    integers = unpack_output(opened.manifest.tensor_layout, witness.output)
    real = dequantize(integers, opened.manifest.output_scale_bits)
    value = {
        "proof": str(out),
        "output": real.tolist(),
        "output_integers": list(integers),
        "prove_seconds": made.wall_seconds,
        "peak_memory_bytes": made.peak_rss_bytes,
    }
    rounded = [round(number, 4) for number in real.tolist()]
    text = f"{out}: verified, proved in {made.wall_seconds:.1f} s\noutput: {rounded}"
    session.console.result(value, text)


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("proof", type=click.Path(path_type=Path))
@local_command
def verify(session: Session, bundle: Path, proof: Path) -> None:
    """Verify a proof file against a bundle; exit code 3 when it does not hold.

    Example: zkml circuit verify bundles/digits proof.json
    """
    from circuits.bundle import VERIFYING_ROLES, Bundle
    from circuits.proof_files import read_proof_file
    from circuits.verification import verify_proof

    opened = Bundle.open(bundle, roles=VERIFYING_ROLES)
    found = read_proof_file(proof)
    verify_proof(opened, found)
    value = {"accepted": True, "circuit": found.circuit, "output": found.output}
    session.console.result(value, f"accepted: {proof} is a proof of {opened.manifest.name}")
