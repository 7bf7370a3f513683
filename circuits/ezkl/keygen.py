"""Generate keys, and generate them again to check them.

Deterministic: the same ONNX, canonical settings and SRS give byte-identical keys on every machine.
"""

import tempfile
from pathlib import Path

from circuits.bundle import Bundle
from circuits.ezkl.settings import parse_settings, write_settings
from circuits.file_identity import identify_file
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.digests import Digest
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
    """Rebuild a bundle's verifying key from its ONNX, settings and SRS, and compare.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the settings or the key are not those of the ONNX model.
        CompileError, KeygenError, ProverLimitError, ArtifactError: it could not be rebuilt.
    """
    bundle.require("onnx", "settings", "srs")
    published = bundle.file("settings").read_bytes()
    with tempfile.TemporaryDirectory(prefix="zkml-rebuild-") as name:
        scratch = Path(name)
        arguments = parse_settings(published).arguments
        write_settings(bundle.file("onnx"), scratch / "settings", arguments, options=options)
        if (scratch / "settings").read_bytes() != published:
            raise VerifierMismatchError(
                "expected the settings that the ONNX model gives, found others in the bundle",
                hint="the bundle's publisher made it from another model",
            )
        client.compile_circuit(
            bundle.file("onnx"), scratch / "compiled", scratch / "settings", options=options
        )
        generate_keys(
            scratch / "compiled",
            bundle.file("srs"),
            verifying_key=scratch / "vk",
            proving_key=scratch / "pk",
            options=options,
        )
        found = identify_file(scratch / "vk").digest
    if found != bundle.manifest.verifying_key:
        raise VerifierMismatchError(
            f"expected the verifying key {found} that the ONNX model and settings give, "
            f"found {bundle.manifest.verifying_key} in the manifest",
        )
    return found
