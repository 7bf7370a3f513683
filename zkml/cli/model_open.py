"""`zkml model open`: decrypt what an offering sold, and see whether it is what was proved."""

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkml.cli.model_names import model_named, offering_named
from zkml.cli.options import Session, chain_command
from zkml.errors import ChainError, ConfigError

if TYPE_CHECKING:
    from circuits.bundle import Bundle
    from zkml.audit.artifact_audit import FileSource, ModelKeySource
    from zkml.core.artifact_encryption import Artifact
    from zkml.core.digests import Digest
    from zkml.core.identifiers import ModelCommitment
    from zkml.core.progress import Progress

_MIB = 1 << 20
_DEPLOYMENT_STEP = 0
_CHUNK_STEP = 4
"""Of the audit: the one that the chain can check as well."""


@click.command("open")
@click.argument("model", metavar="DID|MODEL")
@click.option(
    "--offering", type=click.IntRange(min=1), help="Number of the offering; default: the model's last one."
)
@click.option("--sealed", type=click.Path(path_type=Path), help="Published file; default: that in the store.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the decrypted model here.")
@click.option(
    "--srs",
    "srs_file",
    type=click.Path(path_type=Path),
    help="The ceremony's file to import first, which the key is rebuilt with.",
)
@click.option(
    "--max-mib",
    type=click.IntRange(min=1),
    default=16 << 10,
    show_default=True,
    help="Largest published file that is opened.",
)
@chain_command
def open_(
    session: Session,
    model: str,
    offering: int | None,
    sealed: Path | None,
    out: Path | None,
    srs_file: Path | None,
    max_mib: int,
) -> None:
    """Open what an offering sold with its revealed key, and compare it with what was proved.

    Decrypts the published file, checks both its roots, and makes the verifying key from the decrypted model.
    Exit code 0: what was sold is what was proved; 3: it differs; 4: it could not be told, e.g. before the
    reveal, when this still shows whether the published file is the one that is offered.

    Example: zkml model open 0x1f... --out model.onnx
    """
    from circuits.srs import SrsStore
    from zkml.audit.artifact_audit import OpeningTools, SoldArtifact, audit_artifact
    from zkml.audit.evidence import Contracts, unreachable_is_inconclusive
    from zkml.cli.audit import rebuild_with
    from zkml.cli.market_session import open_market_of
    from zkml.core.artifact_encryption import ArtifactKey
    from zkml.wiring import open_store

    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"expected a folder for the decrypted model, found none at {out.parent}")
    if srs_file is not None:
        SrsStore(session.home.srs).import_file(srs_file)
    with unreachable_is_inconclusive():
        market = open_market_of(session)
        number = model_named(market, model)
        facts = offering_named(market, number, offering)
    key = ArtifactKey(facts.key) if any(facts.key) else None
    with (
        tempfile.TemporaryDirectory(prefix="zkml-open-") as folder,
        session.console.progress() as progress,
    ):
        scratch = Path(folder)
        (scratch / "bundle").mkdir()
        tools = OpeningTools(
            find_file=_file_source(session, sealed, max_mib * _MIB),
            rebuild_key=_rebuild_key_with(session, progress),
            rebuild_verifier=rebuild_with(session),
            scratch=scratch / "bundle",
            target=out or scratch / "plaintext",
            progress=progress,
        )
        report = audit_artifact(
            SoldArtifact(number, facts.artifact, key),
            market.chain,
            Contracts.of(market.deployment),
            open_store(session.home),
            tools,
        )
    value = {**report.as_json(), "model_id": f"{number:#066x}", "offering_id": facts.offering_id}
    session.console.result(value, report.as_text())
    # A deployment or an endpoint that is wrong says nothing about what was sold.
    at_fault = tuple(step for step in report.rejected_steps if step != _DEPLOYMENT_STEP)
    if at_fault:
        with contextlib.suppress(ChainError):
            _say_what_can_be_done(session, market, facts, at_fault)
    raise click.exceptions.Exit(report.exit_code)


def _say_what_can_be_done(session: Session, market: Any, facts: Any, rejected: tuple[int, ...]) -> None:
    """Say who can end an offering that did not deliver, while there is time."""
    from zkml.cli.imo_times import describe_time
    from zkml.core.offering_machine import OfferingStatus

    number = facts.offering_id
    if market.offerings.status(number) is not OfferingStatus.REVEALED:
        return
    end = describe_time(market.offerings.releasable_at(number))
    if _CHUNK_STEP in rejected:
        session.console.note(f"until {end} anyone can refute it: zkml imo challenge {number}")
    else:
        session.console.note(
            f"until {end} the guardian {facts.guardian} can end offering {number}: "
            f"zkml imo default {number} --reason TEXT"
        )


def _file_source(session: Session, sealed: Path | None, limit_bytes: int) -> "FileSource":
    from marketplace.sealed_store import check_limit, find_sealed
    from zkml.wiring import open_store

    def find(commitment: "ModelCommitment", artifact: "Artifact") -> Path:
        if sealed is not None:
            check_limit(artifact, limit_bytes)
            return sealed
        store, records = open_store(session.home), session.home.sealed
        return find_sealed(store, records, commitment.key_commitment, artifact, limit_bytes=limit_bytes)

    return find


def _rebuild_key_with(session: Session, progress: "Progress") -> "ModelKeySource":
    from circuits.key_rebuilding import verify_revealed
    from circuits.srs import SrsStore
    from zkml.adapters.process.child import Limits
    from zkml.audit.offchain import find_srs
    from zkml.wiring import open_store

    prover = session.settings.prover
    limits = Limits(memory_bytes=prover.memory_limit_mib << 20, wall_seconds=prover.time_limit_seconds)

    def rebuild(bundle: "Bundle", onnx: Path) -> "Digest":
        srs = find_srs(bundle.manifest, open_store(session.home), SrsStore(session.home.srs))
        verbose = session.console.verbose > 0
        return verify_revealed(bundle, onnx, srs, limits=limits, verbose=verbose, progress=progress)

    return rebuild
