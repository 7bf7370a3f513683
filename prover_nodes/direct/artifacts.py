"""What a node gives out by content address: manifests of models it serves, and what owners publish."""

from circuits.bundle import Bundle
from prover_nodes.direct.catalogue import Catalogue, ServedModel
from zkml.core.cid import Cid, parse_cid
from zkml.core.manifest import BundleManifest, FileRole
from zkml.core.ports.store import ArtifactStore
from zkml.errors import ArtifactError, ArtifactNotFoundError, FormatError

MAX_ARTIFACT_BYTES = 16 * 1024 * 1024
_MAX_MANIFEST_BYTES = 1024 * 1024
_PUBLIC_ROLES: tuple[FileRole, ...] = ("settings", "verifying_key", "verification_srs", "weightless_onnx")


def store_public_files(bundle: Bundle, store: ArtifactStore) -> None:
    """Store what clients and auditors need of a bundle, whatever its model is; no file with weights.

    A node has its bundles from their publishers, and its store may have nothing of theirs.

    Raises:
        StorageError: no space or no permission.
    """
    for role in _PUBLIC_ROLES:
        if role in bundle.manifest.files and bundle.file(role).is_file():
            store.put_file(bundle.file(role))
    store.put_bytes(bundle.manifest.to_bytes())


class PublicArtifacts:
    """Reads of a store that are limited to what is public of the models in a catalogue."""

    def __init__(self, store: ArtifactStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._manifests: dict[Cid, BundleManifest] = {}

    def read(self, cid: str) -> bytes:
        """Return the bytes of a public artifact; they hash to its identifier.

        Raises:
            FormatError: no content identifier.
            ArtifactNotFoundError: none of the public ones, not stored here, or too large to be given out.
            ArtifactError: the store's bytes do not hash to it.
        """
        wanted, models = parse_cid(cid), self._catalogue.models()
        # Anybody can register an open model that names the manifest of a closed one.
        is_kept_back = any(wanted in self._kept_back(model) for model in models)
        if is_kept_back or not any(wanted in self._public(model) for model in models):
            raise ArtifactNotFoundError(f"expected an artifact of a model served here, found {wanted}")
        try:
            return self._store.read(wanted, limit_bytes=MAX_ARTIFACT_BYTES)
        except FormatError as error:
            raise ArtifactNotFoundError(error.message) from error

    def _public(self, model: ServedModel) -> set[Cid]:
        """Return what is public of a model: of a closed one, no file with its weights."""
        roles = _PUBLIC_ROLES if model.is_closed else (*_PUBLIC_ROLES, "onnx")
        files = self._files(model)
        return {cid for role, cid in files if role is None or role in roles}

    def _kept_back(self, model: ServedModel) -> set[Cid]:
        """Return the files of a closed model that are never given out, whoever else names them."""
        if not model.is_closed:
            return set()
        return {cid for role, cid in self._files(model) if role is not None and role not in _PUBLIC_ROLES}

    def _files(self, model: ServedModel) -> list[tuple[FileRole | None, Cid]]:
        """Return a model's files with their roles, the manifest without one; none where it is not here."""
        try:
            manifest_cid = parse_cid(model.manifest_cid)
            manifest = self._manifest(manifest_cid)
        except ArtifactError:
            return []
        return [(None, manifest_cid), *((role, Cid(entry.cid)) for role, entry in manifest.files.items())]

    def _manifest(self, cid: Cid) -> BundleManifest:
        if cid not in self._manifests:
            data = self._store.read(cid, limit_bytes=_MAX_MANIFEST_BYTES)
            self._manifests[cid] = BundleManifest.parse(data, where=f"manifest {cid}")
        return self._manifests[cid]
