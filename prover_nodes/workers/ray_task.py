"""What runs on a machine of a Ray cluster: one witness or one proof, and the cache of bundles there.

    <cache>/<manifest digest>/    a bundle's proving files, re-hashed on arrival and in each new process
    <cache>/<manifest digest>.lock

The cache is `ZKML_RAY_CACHE`, or a folder of the user's caches. A witness is made where its proof is made,
in a folder of its own, and never leaves it.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from platformdirs import user_cache_path

from circuits.bundle import MANIFEST_NAME, Bundle
from circuits.port import ProofSystem
from circuits.proving_machine import ProvingMachine
from circuits.systems import open_system
from prover_nodes.workers.local import LocalWorker
from prover_nodes.workers.port import Computed, Proved
from zkml.adapters.private_folder import make_private_folder
from zkml.adapters.process.child import Limits
from zkml.adapters.ray.cluster import Stored, fetch, node_name
from zkml.core.digests import Digest, digest_of
from zkml.core.manifest import BundleManifest, FileRole
from zkml.core.progress import silent
from zkml.errors import (
    ArtifactError,
    BackendError,
    DigestMismatchError,
    StorageError,
    ToolchainError,
    ZkmlError,
)

CACHE_VARIABLE = "ZKML_RAY_CACHE"
PROVING_ROLES: tuple[FileRole, ...] = ("settings", "compiled_circuit", "proving_key", "srs")
CHUNK_BYTES = 64 << 20
_STALE_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class TravellingBundle:
    """A bundle's proving files in the cluster's store.

    Attributes:
        manifest: the manifest's canonical bytes.
        digest: what they hash to: the bundle's name.
        files: the pieces of each file, in order.
    """

    manifest: bytes
    digest: Digest
    files: Mapping[FileRole, Sequence[Stored]]


@dataclass(frozen=True, slots=True)
class Order:
    """One piece of work.

    Attributes:
        stage: `witness` or `prove`.
        packed_input: as on chain.
        context: what the proof is bound to; empty for a witness, which is bound to nothing.
        limits: memory and time of the child process.
        threads: processor threads that it may use.
        gpu_binary: EZKL's GPU program on that machine; empty for the processor.
        require_gpu: refuse a proof that no GPU was seen to make.
    """

    stage: str
    packed_input: bytes
    context: bytes
    limits: Limits
    threads: int | None = None
    gpu_binary: str = ""
    require_gpu: bool = False


def carry_out(order: Order, travelling: TravellingBundle) -> dict[str, Any]:
    """Carry out an order on this machine.

    Returns:
        `done` with the fields of `Computed` or `Proved`, `error` with those of the error, or `lost` where the
        cluster has lost the bundle; and `node`.
    """
    try:
        try:
            bundle = local_bundle(travelling)
        except BackendError:
            return {"lost": True, "node": node_name()}
        with tempfile.TemporaryDirectory(prefix="zkml-ray-") as private:
            worker = LocalWorker(bundle, _system_for(bundle, order), Path(private))
            made = _done_by(worker, order)
    except ZkmlError as error:
        told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        return {"error": told, "node": node_name()}
    return {"done": asdict(made), "node": node_name()}


def _done_by(worker: LocalWorker, order: Order) -> Computed | Proved:
    if order.stage == "witness":
        return worker.witness(order.packed_input, progress=silent)
    return worker.prove(order.packed_input, context=order.context, progress=silent)


def local_bundle(travelling: TravellingBundle) -> Bundle:
    """Return the bundle from this machine's cache, fetching it if it is not there or not what it should be.

    Raises:
        ArtifactError: what arrives is not what the manifest says.
        BackendError: the cluster has lost it.
        StorageError: no space or no permission.
    """
    if digest_of(travelling.manifest) != travelling.digest:
        raise DigestMismatchError(f"expected a manifest of digest {travelling.digest}, found another")
    cache = _open_cache()
    target = cache / travelling.digest.removeprefix("sha256:")
    with FileLock(f"{target}.lock"):
        try:
            bundle = Bundle.open(target, roles=PROVING_ROLES)
        except ArtifactError:
            _remove_stale(cache)
            bundle = _fetch_bundle(travelling, target)
        if bundle.manifest_digest != travelling.digest:
            raise DigestMismatchError(f"expected bundle {travelling.digest}, found another at {target}")
        os.utime(target)
        return bundle


def _fetch_bundle(travelling: TravellingBundle, target: Path) -> Bundle:
    staged = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    manifest = BundleManifest.parse(travelling.manifest, where="a bundle on its way")
    try:
        staged.mkdir(mode=0o700)
        for role, pieces in travelling.files.items():
            with (staged / manifest.files[role].path).open("wb") as stream:
                for piece in pieces:
                    np.ascontiguousarray(fetch(piece)).tofile(stream)
        (staged / MANIFEST_NAME).write_bytes(travelling.manifest)
        Bundle.open(staged, roles=PROVING_ROLES)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
    except OSError as error:
        raise StorageError(f"expected to keep a bundle, found {error.strerror} at {target}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Bundle.open(target, roles=PROVING_ROLES)


def _open_cache() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    cache = Path(named) if named else user_cache_path("zkml") / "ray"
    make_private_folder(cache, purpose="bundles from a cluster")
    return cache


def _remove_stale(cache: Path) -> None:
    """Remove bundles that nobody asked for in a week, and what killed fetches left."""
    for path in cache.iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _system_for(bundle: Bundle, order: Order) -> ProofSystem:
    manifest = bundle.manifest
    machine = ProvingMachine(
        threads=order.threads,
        gpu_binary=Path(order.gpu_binary) if order.gpu_binary else None,
        require_gpu=order.require_gpu,
    )
    system = open_system(manifest.system, limits=order.limits, machine=machine)
    if system.version != manifest.system_version:
        raise ToolchainError(
            f"expected {manifest.system} {manifest.system_version} on every machine of the cluster, "
            f"found {system.version} on one"
        )
    return system
