"""Pack the inputs of several jobs for one proof, and cut its output into theirs."""

from collections.abc import Sequence

from zkml.core.manifest import BundleManifest
from zkml.errors import LayoutError


def pack_batch(manifest: BundleManifest, packed_inputs: Sequence[bytes]) -> bytes:
    """Return the packed input of a batch: the jobs' packed inputs, one after the other.

    Args:
        manifest: of the batch circuit.
        packed_inputs: as many as the circuit proves at once, each as its job has it.

    Raises:
        LayoutError: another number of inputs, or one of another length.
    """
    if len(packed_inputs) != manifest.batch:
        raise LayoutError(
            f"expected {manifest.batch} inputs, found {len(packed_inputs)}",
            hint="a batch circuit proves exactly its number of inputs",
        )
    length = manifest.tensor_layout.input_length_bytes // manifest.batch
    for index, packed in enumerate(packed_inputs):
        if len(packed) != length:
            raise LayoutError(f"expected {length} bytes, found {len(packed)} in input {index} of the batch")
    return b"".join(packed_inputs)


def split_batch(manifest: BundleManifest, packed_output: bytes) -> tuple[bytes, ...]:
    """Return the packed output of each job of a batch, in the order of their inputs.

    Raises:
        LayoutError: the output is of another length than the circuit's.
    """
    whole = manifest.tensor_layout.output_length_bytes
    if len(packed_output) != whole:
        raise LayoutError(f"expected {whole} bytes of output, found {len(packed_output)}")
    length = whole // manifest.batch
    return tuple(packed_output[start : start + length] for start in range(0, whole, length))
