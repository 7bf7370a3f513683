"""Prove one input and leave no witness behind."""

from pathlib import Path

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from zkml.core.progress import Progress, silent
from zkml.core.records import ProofFile


def prove_input(
    bundle: Bundle,
    system: ProofSystem,
    packed_input: bytes,
    witness: Path,
    *,
    context: bytes,
    progress: Progress = silent,
) -> ProofFile:
    """Prove what the circuit makes of one input. The proof is not verified here.

    Args:
        bundle: opened with all roles.
        system: the bundle's proof system.
        packed_input: of the circuit's layout and domain.
        witness: where the witness lies while it is needed; its folder is made when missing.
        context: 32 bytes that the proof is bound to where the system binds any; see `ProofSystem.prove`.
        progress: hears of witness and proof.

    Raises:
        ProvingError, StorageError: a step failed; the witness is gone then, too.
    """
    witness.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        made = system.witness(bundle, packed_input, witness, progress=progress)
        return system.prove(bundle, made, progress=progress, context=context).proof
    finally:
        witness.unlink(missing_ok=True)
