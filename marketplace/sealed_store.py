"""The published files of encrypted artifacts in a content-addressed store, with a record of each.

    <records>/<key commitment>.json     `zkml.core.sealed_records.SealedRecord`

The key commitment stands in the model's commitment on chain, and the records lie inside the store's folder:
whoever is handed that folder, or a mirror of it, finds the file of a model by what the chain says of it.
"""

from pathlib import Path

from marketplace.sealed_files import check_sealed_file, check_sealed_size, sealed_size
from zkml.adapters.atomic_write import write_atomically
from zkml.core.artifact_encryption import Artifact
from zkml.core.cid import Cid, parse_cid
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.records import from_hex, to_hex
from zkml.core.sealed_records import SealedRecord
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, FormatError, StorageError

MAX_SEALED_BYTES = 16 << 30
"""What is fetched unless more was asked for: 16 GiB."""
MAX_RECORD_BYTES = 4096


def record_path(records: Path, key_commitment: bytes) -> Path:
    """Return where the record of a key commitment is."""
    return records / f"{key_commitment.hex()}.json"


def keep_record(records: Path, record: SealedRecord) -> None:
    """Keep a record where `find_record` finds it.

    Raises:
        StorageError: no space or no permission.
    """
    path = record_path(records, from_hex(record.key_commitment))
    write_atomically(path, record.to_bytes())


def find_record(records: Path, key_commitment: bytes) -> SealedRecord:
    """Return the record of the artifact that a model's publisher committed to a key of.

    Args:
        records: the folder of records.
        key_commitment: as the model's commitment on chain has it, 32 bytes.

    Raises:
        ArtifactNotFoundError: there is none here.
        FormatError: it is damaged, or of another key.
        StorageError: it cannot be read.
    """
    path = record_path(records, key_commitment)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(
            f"expected the record of a sealed artifact, found none at {path}",
            hint="get it from a mirror of the creator's: zkml model fetch MODEL URL",
            path=path,
        ) from error
    except OSError as error:
        raise StorageError(f"expected a readable record, found {error.strerror} at {path}") from error
    if len(data) > MAX_RECORD_BYTES:
        raise FormatError(f"expected a record of at most {MAX_RECORD_BYTES} bytes, found more in {path}")
    record = SealedRecord.from_bytes(data, where=str(path))
    if record.key_commitment != to_hex(key_commitment):
        raise FormatError(
            f"expected a record of key commitment {to_hex(key_commitment)}, found another in {path}"
        )
    return record


def fetch_sealed(
    store: ArtifactStore,
    records: Path,
    key_commitment: bytes,
    artifact: Artifact,
    *,
    limit_bytes: int = MAX_SEALED_BYTES,
    progress: Progress = silent,
) -> Path:
    """Return the published file of an offered artifact, checked: what buyers do before they reserve.

    Only a file that rebuilds both roots can be opened, or refuted, once the key is revealed.

    Args:
        store: where published files are.
        records: the folder of their records.
        key_commitment: of the model, as on chain.
        artifact: as the offering on chain has it, whatever the record says.
        limit_bytes: of the published file.
        progress: told of the stage `check`.

    Raises:
        ArtifactNotFoundError: record or file is not here.
        FormatError: the record is damaged, or the file has another size, or more than the limit.
        DigestMismatchError: it is another artifact than the offering's, or damaged: do not buy.
        StorageError: it cannot be read.
    """
    path = find_sealed(store, records, key_commitment, artifact, limit_bytes=limit_bytes)
    check_sealed_file(path, artifact, progress=progress)
    return path


def find_sealed(
    store: ArtifactStore,
    records: Path,
    key_commitment: bytes,
    artifact: Artifact,
    *,
    limit_bytes: int = MAX_SEALED_BYTES,
) -> Path:
    """Return the published file of an artifact; its roots are left to the caller. See `fetch_sealed`."""
    check_limit(artifact, limit_bytes)
    record = find_record(records, key_commitment)
    if record.artifact != artifact:
        raise DigestMismatchError(
            "expected the record of the artifact that is offered, found that of another one "
            f"in {record_path(records, key_commitment)}",
            hint="ask the creator for the record of this offering; if there is none, do not buy",
        )
    return _stored(store, parse_cid(record.cid), artifact)


def check_limit(artifact: Artifact, limit_bytes: int) -> None:
    """Check that the published file of an artifact is no larger than what somebody is ready to read.

    Raises:
        FormatError: it is.
    """
    size = sealed_size(artifact.size_bytes)
    if size > limit_bytes:
        raise FormatError(f"expected a published file of at most {limit_bytes} bytes, found one of {size}")


def _stored(store: ArtifactStore, cid: Cid, artifact: Artifact) -> Path:
    if not store.has(cid):
        raise ArtifactNotFoundError(
            f"expected the published file {cid} in the store, found nothing",
            hint="get it from a mirror of the creator's: zkml model fetch MODEL URL",
            cid=cid,
        )
    path = store.path_of(cid)
    check_sealed_size(path, artifact.size_bytes)
    return path
