"""Verify a proof file against a bundle. Imports nothing that proves.

EZKL's own check passes more than it should: trailing bytes, edited copies of the instances beside the
instances, settings with other scales, committed weights of anybody's. So files are pinned by digest, the
length is exact, the weights' point is compared, and the instances are built here from the packed tensors and
from nothing else.
"""

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.ezkl.settings import check_settings, parse_settings
from circuits.proof_binding import check_binding
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_LIMITS, ChildOptions
from zkml.adapters.process.child import Limits
from zkml.core.manifest import BundleManifest
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex
from zkml.core.tensors import instances_of, unpack_input
from zkml.errors import BindingError, DomainError, InstanceMismatchError, LayoutError, ProofRejectedError


def verify_proof_file(bundle: Bundle, proof: ProofFile, *, limits: Limits | None = None) -> None:
    """Verify that a proof is one of this circuit, for exactly its own input and output.

    (1) the bundle's files hash to the manifest, and the manifest says what the settings say; (2) the proof
    names this circuit and this key; (3) its tensors fit the layout and the domain; (4) it has the exact
    length and, where weights are committed, begins with their commitment; (5) EZKL accepts its bytes for
    the instances built from the tensors.

    Raises:
        ArtifactError: (1) fails.
        BindingError, VerifierMismatchError: (2) fails.
        InstanceMismatchError: (3) fails.
        ProofRejectedError: (4) or (5) fails.
        BackendError, ProverLimitError: no verdict: EZKL could not be run.
    """
    manifest = bundle.manifest
    bundle.require(*VERIFYING_ROLES)
    check_settings(parse_settings(bundle.file("settings").read_bytes()), manifest)
    check_binding(manifest, proof)
    if proof.context != NO_CONTEXT:
        raise BindingError(
            f"expected a proof without a context, found {proof.context}",
            hint="EZKL's proofs are bound to nothing but their tensors",
        )
    instances = _instances(bundle, from_hex(proof.input), from_hex(proof.output))
    data = from_hex(proof.proof)
    if len(data) != manifest.proof_bytes:
        raise ProofRejectedError(f"expected a proof of {manifest.proof_bytes} bytes, found {len(data)}")
    _check_weights(manifest, data)
    client.verify(
        data,
        instances,
        settings=bundle.file("settings"),
        verifying_key=bundle.file("verifying_key"),
        srs=bundle.file("verification_srs"),
        options=ChildOptions(limits=limits or DEFAULT_LIMITS),
    )


def _check_weights(manifest: BundleManifest, data: bytes) -> None:
    """Where weights are committed EZKL accepts a proof of any weights of the architecture."""
    if manifest.weight_point is None:
        return
    point = from_hex(manifest.weight_point)
    if data[: len(point)] != point:
        raise ProofRejectedError(
            "expected a proof of the committed weights, found one of other weights",
            hint="the prover ran another model of the same architecture",
        )


def _instances(bundle: Bundle, packed_input: bytes, packed_output: bytes) -> tuple[int, ...]:
    layout = bundle.manifest.tensor_layout
    try:
        bundle.manifest.input_domain.check(unpack_input(layout, packed_input))
        return instances_of(layout, packed_input, packed_output)
    except (LayoutError, DomainError) as error:
        raise InstanceMismatchError(f"{error.message} in the proof", hint=error.hint) from error
