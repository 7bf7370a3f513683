"""Compute and prove on this machine, in child processes."""

import contextlib
import secrets
import time
from pathlib import Path

from circuits.bundle import ABANDONED_SECONDS, Bundle
from circuits.measurements import Measured
from circuits.port import ProofSystem, WitnessResult
from prover_nodes.workers.port import Computed, Proved
from zkml.core.digests import digest_bytes, keccak256
from zkml.core.progress import Progress
from zkml.core.records import from_hex
from zkml.errors import StorageError, WitnessError

_OWN_SUFFIX = ".proving.json"


class LocalWorker:
    """Implements `prover_nodes.workers.port.Worker` by a proof system on this machine.

    The witness file is private and stays below `work`, which only its owner may enter, until the proof is
    made. Losing it costs nothing: it is computed again. Who proves takes the file under a name of its own, so
    that two proofs of one input at once do not take it from each other.
    """

    def __init__(self, bundle: Bundle, system: ProofSystem, work: Path) -> None:
        """Use a bundle whose files were just checked.

        Args:
            bundle: opened with all roles.
            system: the proof system that its manifest names.
            work: directory for witnesses.
        """
        self._bundle = bundle
        self._system = system
        self._work = work
        self._verifying_key_digest = digest_bytes(bundle.manifest.verifying_key)
        self._sweep()

    def witness(self, packed_input: bytes, *, progress: Progress) -> Computed:
        """Compute the circuit on an input; see `ProofSystem.witness`."""
        own = self._own_path()
        try:
            made = self._system.witness(self._bundle, packed_input, own, progress=progress)
            with contextlib.suppress(OSError):
                own.replace(self._shared_path(packed_input))
        finally:
            own.unlink(missing_ok=True)
        return Computed(made.output, made.wall_seconds, made.peak_rss_bytes)

    def prove(self, packed_input: bytes, *, context: bytes, progress: Progress) -> Proved:
        """Prove what the circuit makes of an input; see `ProofSystem.prove`."""
        own, shared = self._own_path(), self._shared_path(packed_input)
        try:
            witness = self._take_witness(packed_input, shared, own, progress)
            try:
                made = self._system.prove(self._bundle, witness, progress=progress, context=context)
            except BaseException:
                # Somebody may try again.
                with contextlib.suppress(OSError):
                    own.replace(shared)
                raise
        finally:
            own.unlink(missing_ok=True)
        return Proved(
            output=from_hex(made.proof.output),
            proof=from_hex(made.proof.proof),
            seconds=made.wall_seconds,
            peak_bytes=made.peak_rss_bytes,
            device=made.device,
            gpu_peak_bytes=made.gpu_peak_bytes,
            note=made.note,
        )

    def measured(self, stage: str) -> Measured | None:
        """Return what a stage took on this machine, or None when it never ran here."""
        return self._system.measured(self._bundle, stage)

    def forget_measured(self) -> None:
        """Forget what the stages took on this machine."""
        self._system.forget_measured(self._bundle)

    def close(self) -> None:
        """End processes that wait for work; what is under way ends with its caller."""
        self._system.close()

    def _take_witness(
        self, packed_input: bytes, shared: Path, own: Path, progress: Progress
    ) -> WitnessResult:
        """Take the witness that was kept for this input, or compute it again."""
        try:
            shared.rename(own)
            return self._system.load_witness(self._bundle, packed_input, own)
        except (OSError, WitnessError):
            return self._system.witness(self._bundle, packed_input, own, progress=progress)

    def _shared_path(self, packed_input: bytes) -> Path:
        name = keccak256(self._verifying_key_digest + packed_input).hex()
        return self._work / f"{name[:32]}.witness.json"

    def _own_path(self) -> Path:
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"expected a writable {self._work}, found {error.strerror}") from error
        return self._work / f"{secrets.token_hex(8)}{_OWN_SUFFIX}"

    def _sweep(self) -> None:
        """Remove what killed proofs left behind; a young one may still be at work."""
        for rest in self._work.glob(f"*{_OWN_SUFFIX}"):
            with contextlib.suppress(OSError):
                if time.time() - rest.stat().st_mtime > ABANDONED_SECONDS:
                    rest.unlink()
