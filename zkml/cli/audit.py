"""`zkml audit`: check what others claim; exit code 3 when it is wrong, 4 when it could not be told."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkml.cli.options import Session, chain_command, local_command, sending_command

if TYPE_CHECKING:
    from circuits.bundle import Bundle
    from circuits.verifier_source import VerifierChoice
    from verifier_contracts.expected_verifier import ExpectedVerifier
    from zkml.audit.rebuild import VerifierSource
    from zkml.audit.report import Report
    from zkml.audit.request_case import Signed
    from zkml.wiring import Market


@click.group("audit")
def command() -> None:
    """Check a job, a signed request, a proof, a circuit or a bundle.

    Example: zkml audit proof proof.json --bundle bundles/digits
    """


@command.command()
@click.argument("job")
@click.option("--rebuild", is_flag=True, help="Also generate and compile the verifier anew from the key.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle of the batch that settled the job.")
@chain_command
def job(session: Session, job: str, rebuild: bool, bundle: Path | None) -> None:
    """Audit a job from chain data and artifacts alone: numbered steps, each ok, rejected or inconclusive.

    Example: zkml audit job 0x5c...
    """
    from circuits.verification import verify_proof
    from zkml.audit.evidence import Contracts, unreachable_is_inconclusive
    from zkml.audit.job_audit import audit_job
    from zkml.audit.policy import AuditPolicy
    from zkml.cli.job import parse_job
    from zkml.cli.market_session import open_market_of
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
        rebuild=rebuild_with(session) if rebuild else None,
        own_bundle=bundle,
    )
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)


@command.command()
@click.argument("request")
@click.option("--rebuild", is_flag=True, help="Also generate and compile the verifier anew from the key.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle of the circuit that was asked for.")
@chain_command
def request(session: Session, request: str, rebuild: bool, bundle: Path | None) -> None:
    """Audit a signed request that was settled from a tab, as `audit job` does a job.

    REQUEST is its digest, or the file that `tab sign` wrote, which a request settled by a contract needs.

    Example: zkml audit request request.json
    """
    from circuits.verification import verify_proof
    from zkml.audit.evidence import Contracts, unreachable_is_inconclusive
    from zkml.audit.policy import AuditPolicy
    from zkml.audit.request_audit import audit_request
    from zkml.cli.market_session import open_market_of
    from zkml.wiring import open_store

    with unreachable_is_inconclusive():
        market = open_market_of(session)
    digest, own = _read_request(market, request)
    report = audit_request(
        digest,
        market.chain,
        Contracts.of(market.deployment),
        open_store(session.home),
        AuditPolicy.from_settings(session.settings.chain),
        own=own,
        verify=verify_proof,
        rebuild=rebuild_with(session) if rebuild else None,
        own_bundle=bundle,
    )
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)


def _read_request(market: "Market", text: str) -> "tuple[bytes, Signed | None]":
    """Return a request's digest, and the request itself where a file of it was given."""
    from zkml.audit.request_case import Signed
    from zkml.cli.identifiers import parse_digest
    from zkml.cli.inputs import read_file
    from zkml.core.records import SignedRequestRecord, from_hex
    from zkml.core.signed_requests import request_from_record

    if text.startswith("0x") and not Path(text).exists():
        return parse_digest(text, "request digest"), None
    record = SignedRequestRecord.from_bytes(read_file(Path(text)), where=text)
    signed = request_from_record(market.chain.chain_id, market.tabs.address, record)
    return market.tabs.digest_of(signed), Signed(signed, from_hex(record.signature))


def rebuild_with(session: Session) -> "VerifierSource":
    """Return what makes a bundle's verifier anew, with the compiled ones of this home."""
    from zkml.circuit_verifiers import make_verifier

    def rebuild(bundle: "Bundle", kind: "VerifierChoice") -> "ExpectedVerifier":
        return make_verifier(bundle, kind, cache_dir=session.home.verifiers).expected

    return rebuild


@command.command()
@click.argument("circuit")
@click.option("--bundle", required=True, type=click.Path(path_type=Path), help="The circuit's bundle.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Write the report there.")
@click.option("--attest", is_flag=True, help="Attest the verdict and the report's SHA-256 in the router.")
@click.option("--report-uri", default="", help="Where the report is published.")
@sending_command
def circuit(
    session: Session,
    circuit: str,
    bundle: Path,
    report_file: Path | None,
    attest: bool,
    report_uri: str,
    dry_run: bool,
) -> None:
    """Rebuild a circuit's key and verifier from its published files, and compare them with the chain's.

    With --attest the verdict is said in public, unless there is none; the key is that of the role attester.

    Example: zkml audit circuit 0x3d... --bundle bundles/digits --report report.json
    """
    from circuits.key_rebuilding import verify_keys
    from zkml.audit.circuit_audit import audit_circuit
    from zkml.audit.evidence import Contracts, unreachable_is_inconclusive
    from zkml.cli.identifiers import parse_digest
    from zkml.cli.inputs import write_json
    from zkml.cli.market_session import open_market_of

    if attest and report_file is None:
        raise click.UsageError("--attest needs --report FILE: what is attested is its SHA-256")
    circuit_id = parse_digest(circuit, "circuit id")
    with unreachable_is_inconclusive():
        market = open_market_of(session)
    report = audit_circuit(
        circuit_id,
        market.chain,
        Contracts.of(market.deployment),
        bundle,
        rebuild_key=verify_keys,
        rebuild_verifier=rebuild_with(session),
    )
    data = json.dumps(report.as_json(), indent=2).encode() + b"\n"
    if report_file is not None and not dry_run:
        write_json(report_file, data)
    if attest and _attest(session, market, circuit_id, report, (data, report_uri), dry_run=dry_run):
        raise click.exceptions.Exit(report.exit_code)
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)


def _attest(
    session: Session,
    market: "Market",
    circuit_id: bytes,
    report: "Report",
    said: tuple[bytes, str],
    *,
    dry_run: bool,
) -> bool:
    """Attest what an audit found, REBUILT or REFUTED; return whether a dry run was shown instead.

    Of what could not be told nothing is said.
    """
    from verifier_contracts.router import Verdict
    from zkml.cli.market_session import officer_of
    from zkml.core.digests import digest_bytes, digest_of

    if report.exit_code not in (0, 3):
        session.console.note("nothing is attested: the audit has no verdict")
        return False
    verdict = Verdict.REBUILT if report.exit_code == 0 else Verdict.REFUTED
    data, uri = said
    digest = digest_bytes(digest_of(data))
    account = officer_of(session, "attester", market)
    if dry_run:
        from zkml.cli.plans import show_preview

        router = market.router.contract
        show_preview(
            session, market, account.address, router, "attest", circuit_id, int(verdict), digest, uri
        )
        return True
    receipt = market.router.attest(account, circuit_id, verdict, digest, uri)
    session.console.note(f"attested {verdict.name} by {account.address}: transaction {receipt.transaction}")
    return False


@command.command()
@click.argument("proof", type=click.Path(path_type=Path))
@click.option("--bundle", required=True, type=click.Path(path_type=Path), help="The circuit's bundle.")
@click.option("--verifier", type=click.Path(path_type=Path), help="Compiled verifier (JSON) to run as well.")
@click.option("--context", help="32 bytes, in hexadecimal, that the proof must be bound to; default: any.")
@local_command
def proof(session: Session, proof: Path, bundle: Path, verifier: Path | None, context: str | None) -> None:
    """Audit a proof file against a bundle, without any chain.

    Example: zkml audit proof proof.json --bundle bundles/digits
    """
    from zkml.audit.proof_audit import audit_proof
    from zkml.cli.identifiers import parse_digest

    wanted = None if context is None else parse_digest(context, "context")
    report = audit_proof(proof, bundle, verifier_path=verifier, context=wanted)
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)


@command.command(name="bundle")
@click.argument("bundle", type=click.Path(path_type=Path))
@local_command
def bundle_(session: Session, bundle: Path) -> None:
    """Rebuild a bundle's verifying key from the model and settings in it, without any chain.

    Example: zkml audit bundle bundles/digits
    """
    from circuits.key_rebuilding import verify_keys
    from zkml.audit.bundle_audit import audit_bundle

    report = audit_bundle(bundle, rebuild_key=verify_keys)
    session.console.result(report.as_json(), report.as_text())
    raise click.exceptions.Exit(report.exit_code)
