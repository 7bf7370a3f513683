"""One proof of an input that nobody chose, for measuring what its verification costs."""

from pathlib import Path

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.single_proof import prove_input
from zkml.core.progress import Progress, labelled, silent
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex
from zkml.core.tensors import expand_input

_SEED = bytes(32)


def sample_input(bundle: Bundle) -> bytes:
    """Return a packed input of the circuit's domain, the same one each time."""
    return expand_input(_SEED, bundle.manifest.tensor_layout, bundle.manifest.input_domain)


def prove_sample(
    bundle: Bundle, system: ProofSystem, *, scratch: Path, progress: Progress = silent
) -> ProofFile:
    """Prove one input of the circuit's domain, the same one each time.

    Args:
        bundle: opened with all roles.
        system: the bundle's proof system.
        scratch: folder for the sample's witness; made when missing.
        progress: hears of witness and proof.

    Raises:
        ProvingError, StorageError: a step failed.
    """
    return prove_input(
        bundle,
        system,
        sample_input(bundle),
        scratch / "sample.json",
        context=from_hex(NO_CONTEXT),
        progress=labelled(progress, lambda: "sample"),
    )
