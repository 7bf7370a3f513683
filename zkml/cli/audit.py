"""`zkml audit`: check what others claim; exit code 3 when it is wrong, 4 when it could not be told."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkml.cli.options import Session, chain_command, local_command

if TYPE_CHECKING:
    from zkml.audit.rebuild import VerifierSource


@click.group("audit")
def command() -> None:
    """Check a job or a proof.

    Example: zkml audit proof proof.json --bundle bundles/digits
    """


@command.command()
@click.argument("job")
@click.option("--rebuild", is_flag=True, help="Also generate and compile the verifier anew from the key.")
@chain_command
def job(session: Session, job: str, rebuild: bool) -> None:
    """Audit a job from chain data and artifacts alone: numbered steps, each ok, rejected or inconclusive.

    Example: zkml audit job 0x5c...
    """
    from circuits.verification import verify_proof
    from zkml.audit.evidence import Contracts, unreachable_is_inconclusive
    from zkml.audit.job_audit import audit_job
    from zkml.audit.policy import AuditPolicy
    from zkml.cli.job import parse_job
    from zkml.cli.registry import open_market_of
    from zkml.wiring import open_store

    job_id = parse_job(job)
    with unreachable_is_inconclusive():
        market = open_market_of(session)
        # A mistyped id is no accusation of anybody: it is an error before any audit.
        market.manager.facts(job_id)
    report = audit_job(
        job_id,
        market.chain,
        Contracts.of(market.deployment),
        open_store(session.home),
        AuditPolicy.from_settings(session.settings.chain),
        verify=verify_proof,
        rebuild=_rebuild_with(session) if rebuild else None,
    )
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)


def _rebuild_with(session: Session) -> "VerifierSource":
    from circuits.bundle import Bundle
    from zkml.publish.publication import compiled_verifier

    def rebuild(bundle: Bundle) -> bytes:
        return compiled_verifier(bundle, cache_dir=session.home.verifiers).runtime_code

    return rebuild


@command.command()
@click.argument("proof", type=click.Path(path_type=Path))
@click.option("--bundle", required=True, type=click.Path(path_type=Path), help="The circuit's bundle.")
@click.option("--verifier", type=click.Path(path_type=Path), help="Compiled verifier (JSON) to run as well.")
@local_command
def proof(session: Session, proof: Path, bundle: Path, verifier: Path | None) -> None:
    """Audit a proof file against a bundle, without any chain.

    Example: zkml audit proof proof.json --bundle bundles/digits
    """
    from zkml.audit.proof_audit import audit_proof

    report = audit_proof(proof, bundle, verifier_path=verifier)
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)
