"""`zkml circuit`: compile, inspect, mock, prove and verify, without any chain."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkml.cli.circuit_compile import compile_
from zkml.cli.circuit_description import describe_bundle
from zkml.cli.identifiers import parse_digest
from zkml.cli.inputs import read_tensor, write_json
from zkml.cli.options import Session, local_command
from zkml.cli.proving_system import open_proving_system
from zkml.errors import UnsuitableCircuitError

if TYPE_CHECKING:
    from circuits.port import ProofSystem


@click.group("circuit")
def command() -> None:
    """Compile, inspect, prove and verify circuits.

    Example: zkml circuit inspect bundles/digits
    """


command.add_command(compile_)


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
@click.option("--context", help="32 bytes, in hexadecimal, that the proof is bound to besides (OCTET only).")
@local_command
def prove(session: Session, bundle: Path, input_file: Path, out: Path, context: str | None) -> None:
    """Run the circuit on an input and write the output with its proof, verified.

    For a request on a tab a proof of OCTET takes --context, which `zkml tab sign --json` shows.

    Example: zkml circuit prove bundles/digits --input input.json --out proof.json
    """
    from circuits.bundle import Bundle
    from circuits.verification import verify_proof
    from zkml.core.fixed_point import dequantize
    from zkml.core.tensors import unpack_output

    opened = Bundle.open(bundle)
    system = open_proving_system(session, opened.manifest.system)
    bound_to = _bound_to(system, context)
    packed = system.quantize_input(opened, read_tensor(input_file))
    with tempfile.TemporaryDirectory(prefix="zkml-prove-") as scratch, session.console.progress() as progress:
        witness = system.witness(opened, packed, Path(scratch) / "witness.json", progress=progress)
        made = system.prove(opened, witness, progress=progress, context=bound_to)
        verify_proof(opened, made.proof, context=bound_to, progress=progress)
    write_json(out, made.proof.to_bytes())
    integers = unpack_output(opened.manifest.tensor_layout, witness.output)
    real = dequantize(integers, opened.manifest.output_scale_bits)
    value = {
        "proof": str(out),
        "system": opened.manifest.system,
        "context": made.proof.context,
        "output": real.tolist(),
        "output_integers": list(integers),
        "prove_seconds": made.wall_seconds,
        "peak_memory_bytes": made.peak_rss_bytes,
    }
    rounded = [round(number, 4) for number in real.tolist()]
    text = f"{out}: verified, proved in {made.wall_seconds:.3g} s\noutput: {rounded}"
    session.console.result(value, text)


def _bound_to(system: "ProofSystem", context: str | None) -> bytes:
    """Return the context that a proof is to be bound to: what was asked for, else none.

    Raises:
        ConfigError: no 32 bytes.
        UnsuitableCircuitError: proofs of this system are bound to their input and output alone.
    """
    from zkml.core.records import NO_CONTEXT, from_hex

    if context is None:
        return from_hex(NO_CONTEXT)
    found = parse_digest(context, "context")
    if not system.binds_context:
        raise UnsuitableCircuitError(
            f"expected a proof system that binds a context, found {system.name}",
            hint="leave --context out, or compile with --system octet",
        )
    return found


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("proof", type=click.Path(path_type=Path))
@click.option("--context", help="32 bytes, in hexadecimal, that the proof must be bound to; default: any.")
@local_command
def verify(session: Session, bundle: Path, proof: Path, context: str | None) -> None:
    """Verify a proof file against a bundle; exit code 3 when it does not hold.

    A proof of OCTET may be bound to 32 bytes besides its input and output. Whoever wants a proof that was not
    made for somebody else chooses them anew, and asks for them here.

    Example: zkml circuit verify bundles/digits proof.json
    """
    from circuits.bundle import VERIFYING_ROLES, Bundle
    from circuits.proof_binding import check_context
    from circuits.proof_files import read_proof_file
    from circuits.verification import verify_proof
    from zkml.core.records import NO_CONTEXT, from_hex

    opened = Bundle.open(bundle, roles=VERIFYING_ROLES)
    found = read_proof_file(proof)
    if context is not None:
        check_context(found, parse_digest(context, "context"))
    with session.console.progress() as progress:
        verify_proof(opened, found, context=from_hex(found.context), progress=progress)
    value = {
        "accepted": True,
        "system": found.system,
        "circuit": found.circuit,
        "output": found.output,
        "context": found.context,
    }
    bound = "" if found.context == NO_CONTEXT else f", bound to the context {found.context}"
    session.console.result(value, f"accepted: {proof} is a proof of {opened.manifest.name}{bound}")
