"""A bundle of made-up files whose manifest is true: opening checks digests, not circuits."""

from pathlib import Path

from circuits.bundle import describe_files
from circuits.srs_file import ceremony_verification_srs, identify_srs
from zkml.core.manifest import BundleManifest, Fidelity, FileRole, Layout

NAMES: dict[FileRole, str] = {
    "onnx": "model.onnx",
    "settings": "settings.json",
    "compiled_circuit": "circuit.ezkl",
    "proving_key": "proving.key",
    "verifying_key": "verifying.key",
    "srs": "circuit.srs",
    "verification_srs": "verification.srs",
}


def fill(directory: Path) -> BundleManifest:
    """Write one file per role and return their manifest."""
    for role, name in NAMES.items():
        is_srs = role in ("srs", "verification_srs")
        data = ceremony_verification_srs() if is_srs else role.encode() * 100
        (directory / name).write_bytes(data)
    files = describe_files(directory, NAMES)
    return BundleManifest(
        name="made-up",
        system="ezkl",
        system_version="23.0.5",
        proof_system="halo2-kzg-bn254-ezkl-v23",
        input_visibility="public",
        output_visibility="public",
        param_visibility="fixed",
        weight_point=None,
        batch=1,
        input_shape=[1, 4],
        output_shape=[1, 3],
        input_scale_bits=7,
        output_scale_bits=7,
        layout=Layout(
            input_count=4,
            input_bytes=2,
            output_count=3,
            output_bytes=3,
            input_minimum=-128,
            input_maximum=128,
        ),
        srs=identify_srs(directory / NAMES["srs"]),
        verifying_key=files["verifying_key"].digest,
        proof_bytes=3072,
        fidelity=Fidelity(samples=1, max_abs_error=0.0, mean_abs_error=0.0, argmax_agreement=1.0),
        files=files,
    )
