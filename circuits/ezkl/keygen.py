"""Generate keys, and generate them again to check them.

Deterministic: the same ONNX, canonical settings and SRS give byte-identical keys on every machine.
"""

import tempfile
from pathlib import Path

from circuits.bundle import Bundle
from circuits.ezkl.batched import write_batched
from circuits.ezkl.settings import parse_settings, write_settings
from circuits.file_identity import identify_file
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.digests import Digest
from zkml.core.manifest import FileRole
from zkml.errors import VerifierMismatchError


def generate_keys(
    compiled: Path,
    srs: Path,
    *,
    verifying_key: Path,
    proving_key: Path,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> None:
    """Write both keys of a compiled circuit.

    Raises:
        KeygenError: EZKL refused.
        StorageError: no space for the keys.
        ProverLimitError: out of memory or time.
    """
    client.setup(compiled, verifying_key, proving_key, srs, options=options)


def verify_keys(bundle: Bundle, *, options: ChildOptions = DEFAULT_OPTIONS) -> Digest:
    """Rebuild a bundle's verifying key from its model, settings and SRS, and compare.

    Where weights are committed the model without its weights serves; the ONNX file may be missing then.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the settings or the key are not those of the model.
        CompileError, KeygenError, ProverLimitError, ArtifactError: it could not be rebuilt.
        UnsuitableCircuitError, ToolchainError: see `circuits.ezkl.batched`.
    """
    model: FileRole = "onnx" if bundle.manifest.weight_point is None else "weightless_onnx"
    bundle.require(model, "settings", "srs")
    with tempfile.TemporaryDirectory(prefix="zkml-rebuild-") as scratch:
        found = rebuild_key(
            bundle.file(model),
            bundle.file("settings").read_bytes(),
            bundle.file("srs"),
            Path(scratch),
            batch=bundle.manifest.batch,
            options=options,
        )
    if found != bundle.manifest.verifying_key:
        raise VerifierMismatchError(
            f"expected the verifying key {found} that the ONNX model and settings give, "
            f"found {bundle.manifest.verifying_key} in the manifest",
        )
    return found


def rebuild_key(
    onnx: Path,
    settings: bytes,
    srs: Path,
    scratch: Path,
    *,
    batch: int = 1,
    options: ChildOptions = DEFAULT_OPTIONS,
) -> Digest:
    """Make the verifying key that a model and settings give.

    Args:
        onnx: the model for one input, with its weights or, where they are committed, without.
        settings: the published settings.
        srs: what the key is made with.
        scratch: an empty folder.
        batch: inputs that the circuit proves at once.
        options: limits and progress of each child.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the model gives other settings.
        CompileError, KeygenError, ProverLimitError: EZKL refused.
        UnsuitableCircuitError, ToolchainError: see `circuits.ezkl.batched`.
    """
    source = onnx if batch == 1 else scratch / "batched.onnx"
    if batch > 1:
        write_batched(onnx, source, batch)
    arguments = parse_settings(settings).arguments
    write_settings(source, scratch / "settings", arguments, options=options)
    if (scratch / "settings").read_bytes() != settings:
        raise VerifierMismatchError(
            "expected the settings that the ONNX model gives, found others in the bundle",
            hint="the bundle's publisher made it from another model",
        )
    client.compile_circuit(source, scratch / "compiled", scratch / "settings", options=options)
    generate_keys(
        scratch / "compiled",
        srs,
        verifying_key=scratch / "vk",
        proving_key=scratch / "pk",
        options=options,
    )
    return identify_file(scratch / "vk").digest
