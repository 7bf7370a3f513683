"""Whether a model that was kept secret until now is the one that a circuit's proofs were about.

The verifying key is made from it again. Where weights are committed that shows the architecture alone, and so
the commitment is made again as well. The model is a stranger's: EZKL reads it in a child process with limits.
"""

import secrets
import tempfile
from pathlib import Path

from circuits.bundle import Bundle
from circuits.ezkl.keygen import rebuild_key
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, VERSION, ChildOptions
from zkml.core.digests import Digest, keccak256
from zkml.core.manifest import BundleManifest
from zkml.core.tensors import expand_input, unpack_input
from zkml.errors import CompileError, KeygenError, ToolchainError, VerifierMismatchError, WitnessError

_SAMPLES = 4
"""Inputs that are tried; a circuit without a witness for any of so many would not have passed its genesis."""


def verify_revealed(
    bundle: Bundle, onnx: Path, srs: Path, *, options: ChildOptions = DEFAULT_OPTIONS
) -> Digest:
    """Rebuild key and weight commitment from a revealed model, and compare them with a bundle's.

    Args:
        bundle: opened with the role `settings` at least; its model is not looked at.
        onnx: the revealed model, of unknown origin.
        srs: what the key was made with.
        options: limits and progress of each child.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the model gives another key, other settings or another weight commitment.
        ToolchainError: EZKL is not installed, or not in the bundle's version.
        ProverLimitError, StorageError: it could not be rebuilt.
    """
    manifest = bundle.manifest
    if manifest.system_version != VERSION:
        raise ToolchainError(
            f"expected EZKL {manifest.system_version}, which made the key, found {VERSION}",
            hint=f"install a zkml that comes with EZKL {manifest.system_version}",
        )
    bundle.require("settings")
    with tempfile.TemporaryDirectory(prefix="zkml-revealed-") as folder:
        scratch = Path(folder)
        try:
            found = rebuild_key(
                onnx,
                bundle.file("settings").read_bytes(),
                srs,
                scratch,
                batch=manifest.batch,
                options=options,
            )
        except (CompileError, KeygenError) as error:
            # The key was made with these settings and this EZKL: it takes the model that it was made from.
            raise VerifierMismatchError(
                f"expected a model that gives the verifying key, found one that EZKL refuses: {error.message}"
            ) from error
        if found != manifest.verifying_key:
            raise VerifierMismatchError(
                f"expected a model that gives the verifying key {manifest.verifying_key}, "
                f"found that it gives {found}"
            )
        if manifest.weight_point is not None:
            _check_weights(manifest, scratch, srs, options)
    return found


def _check_weights(manifest: BundleManifest, scratch: Path, srs: Path, options: ChildOptions) -> None:
    points = _weight_points(manifest, scratch, srs, options)
    if [keccak256(point) for point in points] != [manifest.weight_commitment]:
        raise VerifierMismatchError(
            "expected the weights that every proof is about, found others in a model of that architecture"
        )


def _weight_points(
    manifest: BundleManifest, scratch: Path, srs: Path, options: ChildOptions
) -> tuple[bytes, ...]:
    refusal: WitnessError | None = None
    for _ in range(_SAMPLES):
        # As the chain draws them, and not known before: a model could be made without a witness for some.
        packed = expand_input(secrets.token_bytes(32), manifest.tensor_layout, manifest.input_domain)
        elements = unpack_input(manifest.tensor_layout, packed)
        try:
            return client.weight_points(
                scratch / "compiled", elements, verifying_key=scratch / "vk", srs=srs, options=options
            )
        except WitnessError as error:
            refusal = error
    assert refusal is not None
    raise VerifierMismatchError(
        f"expected a model that computes something on what the chain draws, found none: {refusal.message}"
    ) from refusal
