"""From a person's numbers to a packed input: the manifest's scale, the circuit's domain.

Imports no proof system: quantising is EZKL's rule in `zkml.core.fixed_point`, held equal to it by a test.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zkml.core.cid import parse_cid
from zkml.core.digests import digest_bytes, digest_of
from zkml.core.fixed_point import dequantize, quantize
from zkml.core.identifiers import ModelCommitment
from zkml.core.manifest import BundleManifest
from zkml.core.ports.store import ArtifactStore
from zkml.core.tensors import InputDomain, TensorLayout, pack, unpack_input
from zkml.errors import ArtifactNotFoundError, DigestMismatchError, DomainError, LayoutError

MAX_MANIFEST_BYTES = 1 << 20


def fetch_manifest(commitment: ModelCommitment, store: ArtifactStore) -> BundleManifest:
    """Return the manifest that a model's publisher committed to.

    Raises:
        ArtifactNotFoundError: it is not in the store; names the CID.
        DigestMismatchError: CID and digest on chain name different bytes.
        FormatError, ManifestError: the CID is none, or the bytes are no manifest.
    """
    cid = parse_cid(commitment.manifest_cid)
    data = store.read(cid, limit_bytes=MAX_MANIFEST_BYTES)
    found = digest_of(data)
    if digest_bytes(found) != commitment.manifest_digest:
        raise DigestMismatchError(
            f"expected a manifest of digest sha256:{commitment.manifest_digest.hex()}, "
            f"found {found} under {cid}",
            hint="the publisher registered a CID and a digest of different files: do not use this model",
        )
    return BundleManifest.parse(data, where=cid)


def pack_input(values: ArrayLike, manifest: BundleManifest) -> bytes:
    """Pack one input for a circuit.

    Args:
        values: real numbers, quantised by the manifest's scale, or integers, taken as they are. Of the
            model's input shape, or flat.
        manifest: of the model's circuit.

    Returns:
        The packed input.

    Raises:
        LayoutError: another number of elements.
        DomainError: not numbers, not finite, or outside the circuit's domain.
    """
    array = _numbers(values)
    layout = manifest.tensor_layout
    if array.size != layout.input_count:
        shape = "x".join(str(length) for length in manifest.input_shape)
        raise LayoutError(
            f"expected {layout.input_count} input elements ({shape}), found {array.size}",
            hint=f"the model is {manifest.name}",
        )
    is_integer = np.issubdtype(array.dtype, np.integer)
    elements = array if is_integer else quantize(array, manifest.input_scale_bits)
    manifest.input_domain.check(elements)
    return pack(elements, layout.input_bytes)


def check_packed(packed: bytes, layout: TensorLayout, domain: InputDomain) -> None:
    """Check a packed input as the chain will.

    Raises:
        LayoutError: its length is wrong.
        DomainError: an element lies outside the domain.
    """
    domain.check(unpack_input(layout, packed))


def real_values(
    commitment: ModelCommitment, elements: Sequence[int], store: ArtifactStore | None
) -> tuple[float, ...] | None:
    """Return a circuit's integers as real numbers, or None where the model's manifest is not in the store.

    Raises:
        DigestMismatchError, FormatError, ManifestError: see `fetch_manifest`.
    """
    if store is None:
        return None
    try:
        manifest = fetch_manifest(commitment, store)
    except ArtifactNotFoundError:
        return None
    return tuple(float(value) for value in dequantize(elements, manifest.output_scale_bits))


def _numbers(values: ArrayLike) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise LayoutError(f"expected an array of numbers, found {error}") from error
    is_number = np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)
    if not is_number:
        raise DomainError(f"expected an array of numbers, found one of {array.dtype}")
    if (
        np.issubdtype(array.dtype, np.unsignedinteger)
        and array.size
        and int(array.max()) > np.iinfo(np.int64).max
    ):
        raise DomainError(f"expected integers of 64 bits, found {int(array.max())}")
    return array
