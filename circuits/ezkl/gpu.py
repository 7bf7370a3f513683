"""Prove with EZKL's GPU program, and believe the device's counters, not the program, about the GPU.

The program ends well whether a GPU did the work or not, so its word counts for nothing: a proof counts as
made on a GPU only if the device's counters showed one of the program's processes with device memory of its
own while it ran, and the program did not say that it failed to warm the device up.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from circuits.measurements import CPU, GPU
from zkml.adapters.ezkl.binary import BACKEND_VARIABLE, EzklBinary, ProvingFiles, has_backend
from zkml.adapters.ezkl.client import MadeProof
from zkml.adapters.ezkl.process import ChildOptions
from zkml.core.ports.gpu import GpuCounters
from zkml.errors import GpuError, ToolchainError

_HINT = f"check the driver, {BACKEND_VARIABLE} and that the program is EZKL's GPU build"


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What made a proof.

    Attributes:
        device: `gpu` or `cpu`, as the counters say.
        gpu_peak_bytes: device memory that the program was seen to use at most.
        note: why it was not the GPU; empty where it was.
    """

    device: str
    gpu_peak_bytes: int
    note: str = ""


class GpuProver:
    """EZKL's GPU program under watch; thread-safe."""

    def __init__(self, program: Path, counters: GpuCounters, *, require: bool) -> None:
        """Watch a program.

        Args:
            program: EZKL's GPU build.
            counters: the devices' own.
            require: raise where no GPU did the work.
        """
        self._binary = EzklBinary(program)
        self._counters = counters
        self._require = require
        self._lock = threading.Lock()
        self._checked: tuple[tuple[int, ...], str] | None = None

    def check(self, version: str) -> None:
        """Check that the program is of a bundle's version, and that there is a device if one is required.

        Args:
            version: of the proof system, as the bundle's manifest states it.

        Raises:
            ToolchainError: no such program, or another version.
            GpuError: a GPU is required and this machine shows none.
        """
        found = self._version()
        if found != version:
            raise ToolchainError(
                f"expected an EZKL program of version {version}, found {found} at {self._binary.path}",
                hint=f"install the GPU build of EZKL {version}",
                program=str(self._binary.path),
            )
        if self._require:
            reason = self.missing()
            if reason:
                raise GpuError(f"expected a GPU, found none: {reason}", hint=_HINT)

    def missing(self) -> str:
        """Return why no GPU can do the work, or an empty text."""
        if not has_backend():
            return f"{BACKEND_VARIABLE} is not set, so the program proves on the processor"
        return self._counters.report().reason

    def prove(self, version: str, files: ProvingFiles, options: ChildOptions) -> tuple[MadeProof, DeviceUse]:
        """Make a proof and say what made it.

        Args:
            version: of the proof system, as the bundle's manifest states it.
            files: what it is made from.
            options: limits and progress.

        Raises:
            ToolchainError: the program is of another version.
            GpuError: a GPU is required, and none did the work.
            BackendError, ProverLimitError: the program failed.
        """
        self.check(version)
        watch = _Watch(self._counters)
        made = self._binary.prove(files, options=options, on_sample=watch.look)
        use = self._judge(watch, warm_up_failed=made.warm_up_failed)
        if self._require and use.device != GPU:
            raise GpuError(f"expected a proof made on a GPU, found one made without: {use.note}", hint=_HINT)
        return made.made, use

    def _judge(self, watch: "_Watch", *, warm_up_failed: bool) -> DeviceUse:
        if warm_up_failed:
            return DeviceUse(CPU, watch.peak_bytes, "the program could not warm the device up")
        if watch.peak_bytes > 0:
            return DeviceUse(GPU, watch.peak_bytes)
        reason = self.missing()
        if not reason and not watch.answered:
            reason = "the device's counters did not answer"
        return DeviceUse(
            CPU, 0, reason or "the device's counters showed no memory of the program's processes"
        )

    def _version(self) -> str:
        """Ask the program once, and again when its file changes."""
        path = self._binary.path
        try:
            status = path.stat()
        except OSError as error:
            raise ToolchainError(
                f"expected an EZKL program, found {error.strerror} at {path}",
                hint="correct prover.gpu_binary",
                program=str(path),
            ) from error
        identity = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        with self._lock:
            if self._checked is None or self._checked[0] != identity:
                self._checked = (identity, self._binary.version())
            return self._checked[1]


class _Watch:
    """The largest device memory that a program was seen with."""

    def __init__(self, counters: GpuCounters) -> None:
        self._counters = counters
        self.peak_bytes = 0
        self.answered = False

    def look(self, processes: Sequence[int]) -> None:
        found = self._counters.memory_of(processes)
        if found is not None:
            self.answered = True
            self.peak_bytes = max(self.peak_bytes, found)
