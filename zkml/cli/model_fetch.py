"""`zkml model fetch`: get from a mirror what buying, opening and challenging take."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkml.cli.model_names import model_named, offering_named
from zkml.cli.options import Session, chain_command
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, FormatError, MarketError

if TYPE_CHECKING:
    from marketplace.mirrors import Mirror
    from zkml.core.artifact_encryption import Artifact
    from zkml.core.identifiers import ModelCommitment
    from zkml.core.ports.store import ArtifactStore
    from zkml.core.progress import Progress

_MIB = 1 << 20
_MAX_FILE_BYTES = 256 << 20
"""Of a file that the key is rebuilt with: an SRS that was made for a local chain is the largest."""


@click.command("fetch")
@click.argument("model", metavar="DID|MODEL")
@click.argument("url")
@click.option(
    "--max-mib",
    type=click.IntRange(min=1),
    default=16 << 10,
    show_default=True,
    help="Largest published file that is fetched.",
)
@chain_command
def fetch(session: Session, model: str, url: str, max_mib: int) -> None:
    """Fetch the published file of a sealed model, and what its key is rebuilt with, into this home.

    URL is a copy of the creator's artifacts folder on any web server. All of it is checked: files by their
    digests, the published file by both roots of the last offering. Interrupted, it goes on where it stopped.

    Example: zkml model fetch 0x1f... https://models.example/artifacts
    """
    from marketplace.mirrors import Mirror
    from zkml.adapters.private_folder import make_private_folder
    from zkml.cli.market_session import open_market_of
    from zkml.wiring import open_store

    market = open_market_of(session)
    number = model_named(market, model)
    commitment = market.registry.commitment_of(number)
    if not any(commitment.key_commitment):
        raise MarketError(
            f"expected a sealed model, found that {number:#066x} commits to no key",
            hint="its files are public: see its manifest, zkml registry show",
        )
    make_private_folder(session.home.sealing, purpose="unfinished files")
    mirror, store = Mirror(url, session.home.sealing), open_store(session.home)
    with session.console.progress() as progress:
        offered = _offered(market, number)
        path, record = _fetch_sealed(
            session, mirror, store, commitment, offered, limit_bytes=max_mib * _MIB, progress=progress
        )
        missing = _fetch_circuit_files(mirror, store, commitment, progress)
    for role in missing:
        session.console.note(f"note: the mirror has no {role}: the key cannot be rebuilt without it")
    value = {
        "model_id": f"{number:#066x}",
        "path": str(path),
        "cid": record.cid,
        "size_bytes": record.size_bytes,
        "offered": offered is not None,
        "missing": missing,
    }
    held = "held against the offering" if offered is not None else "of no offering yet"
    session.console.result(value, f"{path}: both roots are right, {held}")


def _offered(market: Any, model: int) -> "Artifact | None":
    try:
        artifact: Artifact = offering_named(market, model, None).artifact
    except MarketError:
        return None
    return artifact


def _fetch_sealed(
    session: Session,
    mirror: "Mirror",
    store: "ArtifactStore",
    commitment: "ModelCommitment",
    offered: "Artifact | None",
    *,
    limit_bytes: int,
    progress: "Progress",
) -> tuple[Path, Any]:
    """Fetch record and published file; the record is kept once the file has both its roots."""
    from marketplace.sealed_files import check_sealed_file, sealed_size
    from marketplace.sealed_store import check_limit, keep_record
    from zkml.core.cid import parse_cid

    record = mirror.record(commitment.key_commitment)
    if offered is not None and record.artifact != offered:
        raise DigestMismatchError(
            "expected the artifact that is offered, found that the mirror has another one",
            hint="ask another mirror; if all have it, the creator offers what nobody can open: do not buy",
        )
    check_limit(record.artifact, limit_bytes)
    cid = parse_cid(record.cid)
    mirror.fetch(cid, sealed_size(record.size_bytes), store, progress=progress)
    path = store.path_of(cid)
    check_sealed_file(path, record.artifact, progress=progress)
    keep_record(session.home.sealed, record)
    return path, record


def _fetch_circuit_files(
    mirror: "Mirror", store: "ArtifactStore", commitment: "ModelCommitment", progress: "Progress"
) -> list[str]:
    """Fetch the manifest and what the key is rebuilt with; return the roles of what the mirror lacks."""
    from circuits.bundle import VERIFYING_ROLES
    from zkml.client.inputs import MAX_MANIFEST_BYTES, fetch_manifest
    from zkml.core.cid import Cid, parse_cid

    try:
        mirror.fetch(parse_cid(commitment.manifest_cid), MAX_MANIFEST_BYTES, store)
    except ArtifactNotFoundError:
        return ["manifest"]
    manifest = fetch_manifest(commitment, store)
    roles = list(VERIFYING_ROLES)
    if not manifest.srs.secure:
        roles.append("srs")  # a ceremony's is had from the ceremony
    missing = []
    for role in roles:
        entry = manifest.files[role]
        if entry.size_bytes > _MAX_FILE_BYTES:
            raise FormatError(
                f"expected a {role} of at most {_MAX_FILE_BYTES} bytes, found {entry.size_bytes}"
            )
        try:
            mirror.fetch(Cid(entry.cid), entry.size_bytes, store, progress=progress)
        except ArtifactNotFoundError:
            missing.append(str(role))
    return missing
