"""Rebuild a bundle's verifying key from its model, whatever system made it, and compare."""

from pathlib import Path

from circuits.bundle import Bundle
from circuits.stages import run_stage
from zkml.adapters.process.child import Limits
from zkml.core.digests import Digest
from zkml.core.progress import Progress, silent
from zkml.errors import CircuitError


def verify_keys(bundle: Bundle) -> Digest:
    """Rebuild a bundle's verifying key from its model, settings and SRS, and compare.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the settings or the key are not those of the model.
        CompileError, KeygenError, ProverLimitError, ArtifactError: it could not be rebuilt.
        CircuitError: this version does not know the bundle's system.
    """
    # Each system is imported only when it is needed.
    if bundle.manifest.system == "ezkl":
        from circuits.ezkl.keygen import verify_keys as rebuild_ezkl  # noqa: PLC0415

        return rebuild_ezkl(bundle)
    if bundle.manifest.system == "octet":
        from circuits.octet.rebuild import verify_keys as rebuild_octet  # noqa: PLC0415

        return rebuild_octet(bundle)
    raise CircuitError(f"expected a known proof system, found {bundle.manifest.system}")


def verify_revealed(
    bundle: Bundle,
    onnx: Path,
    srs: Path,
    *,
    limits: Limits,
    verbose: bool = False,
    progress: Progress = silent,
) -> Digest:
    """Rebuild key and weight commitment from a revealed model, and compare them with a bundle's.

    Args:
        bundle: opened with the role `settings` at least; its model is not looked at.
        onnx: the revealed model, of unknown origin.
        srs: what the key was made with.
        limits: memory and time of a child process, where the system works in one.
        verbose: pass the system's own warnings on to stderr.
        progress: hears of one stage.

    Returns:
        The verifying key's digest.

    Raises:
        VerifierMismatchError: the model is not the one that the circuit's proofs are about.
        ToolchainError, ProverLimitError, StorageError, ArtifactError, SrsError: it could not be rebuilt.
        CircuitError: this version does not know the bundle's system.
    """
    system = bundle.manifest.system
    with run_stage(progress, "rebuild the verifying key") as on_tick:
        if system == "ezkl":
            from circuits.ezkl.revealed import verify_revealed as rebuild_ezkl  # noqa: PLC0415
            from zkml.adapters.ezkl.process import ChildOptions  # noqa: PLC0415

            options = ChildOptions(limits=limits, on_tick=on_tick, verbose=verbose)
            return rebuild_ezkl(bundle, onnx, srs, options=options)
        if system == "octet":
            from circuits.octet.rebuild import verify_revealed as rebuild_octet  # noqa: PLC0415

            return rebuild_octet(bundle, onnx, srs)
    raise CircuitError(f"expected a known proof system, found {system}")
