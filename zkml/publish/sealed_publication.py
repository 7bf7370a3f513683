"""Encrypt what a model's offering will sell: before the model is registered, since it commits to the key.

Key, published file, its check, its record: each step is done once, and an interrupted run goes on where it
stopped, with the same key.
"""

from dataclasses import dataclass
from pathlib import Path

from circuits.bundle import Bundle
from marketplace.opening import find_wrong_chunk
from marketplace.sealed_files import check_sealed_file
from marketplace.sealed_store import find_record, keep_record
from marketplace.sealing import seal_file
from zkml.adapters.private_folder import make_private_folder
from zkml.core.artifact_encryption import Artifact, ArtifactKey
from zkml.core.cid import parse_cid
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.records import from_hex
from zkml.core.sealed_records import SealedRecord
from zkml.errors import ArtifactError, DigestMismatchError
from zkml.publish.artifact_keys import KeptKey, KeyBinding, key_of, load_or_create_key
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class SealingPlaces:
    """Where sealing keeps its files.

    Attributes:
        keys: folder of keys, private.
        work: folder of unfinished files, private.
        records: folder of records.
        store: where published files go.
    """

    keys: Path
    work: Path
    records: Path
    store: ArtifactStore


@dataclass(frozen=True, slots=True)
class SealedModel:
    """What was sealed, and where its key is.

    Attributes:
        record: of the published file; an offering's terms carry its `artifact`.
        kept: the key.
        is_new: whether this run encrypted it; else an earlier one had.
        is_exposed: whether the plaintext lies in the store as well, from a publication before.
    """

    record: SealedRecord
    kept: KeptKey
    is_new: bool
    is_exposed: bool

    @property
    def key_commitment(self) -> bytes:
        """What the model must be registered with."""
        return from_hex(self.record.key_commitment)


def binding_for(market: Market, publisher: str, bundle: Bundle) -> KeyBinding:
    """Return what the key of a bundle's model is for: the model itself, its ONNX file.

    Args:
        market: the chain and its contracts.
        publisher: checksummed address of who registers.
        bundle: of the model, for a single input.
    """
    manifest = bundle.manifest
    return KeyBinding(
        chain_id=market.chain.chain_id,
        registry=market.registry.address,
        publisher=publisher,
        circuit=manifest.circuit,
        artifact=manifest.files["onnx"].digest,
        name=manifest.name,
    )


def seal_model(
    bundle: Bundle, binding: KeyBinding, places: SealingPlaces, *, progress: Progress = silent
) -> SealedModel:
    """Encrypt a bundle's ONNX file, and put what buyers need into the store. Again, it does nothing twice.

    Args:
        bundle: opened with all roles.
        binding: what the key is for; see `binding_for`.
        places: where keys, work, records and published files are.
        progress: told of the stages `digest`, `encrypt`, `check` and `decrypt`.

    Raises:
        KeyFileError, ConfigError: see `load_or_create_key`.
        DigestMismatchError: the model changed meanwhile, or the disk gave back other bytes than it was given.
        FormatError: the model is larger than an artifact can be.
        StorageError: no space or no permission.
    """
    source = bundle.file("onnx")
    bundle.require("onnx")
    kept = load_or_create_key(places.keys, binding)
    if not bundle.manifest.srs.secure:
        _store_srs(bundle, places.store)
    record = _record_of_an_earlier_run(places, kept.key, progress)
    is_new = record is None
    if record is None:
        record = _sealed(source, kept, places, progress)
        keep_record(places.records, record)
    is_exposed = places.store.has(parse_cid(bundle.manifest.files["onnx"].cid))
    return SealedModel(record, kept, is_new, is_exposed)


def own_artifact(
    places: SealingPlaces, key_commitment: bytes, *, progress: Progress = silent
) -> SealedRecord:
    """Return the record of an artifact that is about to be offered, once all that a bond hangs on is right.

    The key is still here, the published file is the one of the record, and the key opens all of it.

    Args:
        places: where keys, records and published files are.
        key_commitment: of the model, as on chain.
        progress: told of the stages `check` and `decrypt`.

    Raises:
        KeyFileError: the key is lost, or readable by others.
        ArtifactNotFoundError: record or file is not here.
        FormatError, DigestMismatchError: they are damaged, or the key does not open them.
        StorageError: they cannot be read.
    """
    key = key_of(places.keys, key_commitment)
    record = find_record(places.records, key_commitment)
    _check_opens(places.store.path_of(parse_cid(record.cid)), record.artifact, key, progress)
    return record


def _store_srs(bundle: Bundle, store: ArtifactStore) -> None:
    """Store an SRS of this machine: the key is rebuilt with it, and nobody can have it from anywhere else."""
    if not store.has(parse_cid(bundle.manifest.files["srs"].cid)):
        bundle.require("srs")
        store.put_file(bundle.file("srs"))


def _record_of_an_earlier_run(
    places: SealingPlaces, key: ArtifactKey, progress: Progress
) -> SealedRecord | None:
    """Return what an earlier run left; None if it is missing or damaged: then all is done again."""
    try:
        return own_artifact(places, key.commitment, progress=progress)
    except ArtifactError:
        return None


def _sealed(source: Path, kept: KeptKey, places: SealingPlaces, progress: Progress) -> SealedRecord:
    """Encrypt, store, and look at what is stored as a buyer and a challenger would."""
    make_private_folder(places.work, purpose="unfinished artifacts")
    work = places.work / f"{kept.key.commitment.hex()}.sealed"
    artifact = seal_file(source, work, kept.key, progress=progress)
    cid = places.store.put_file(work)
    _check_opens(places.store.path_of(cid), artifact, kept.key, progress)
    work.unlink()
    return SealedRecord.of(artifact, kept.key.commitment, cid)


def _check_opens(published: Path, artifact: Artifact, key: ArtifactKey, progress: Progress) -> None:
    check_sealed_file(published, artifact, progress=progress)
    wrong = find_wrong_chunk(published, artifact, key, progress=progress)
    if wrong is not None:
        raise DigestMismatchError(
            f"expected the key to open every chunk to what was promised, found {wrong} wrong in {published}",
            hint="do not offer it; register the model again with --seal, and look at this machine's disk",
            index=wrong,
        )
