"""What a circuit's stages took on this machine, for predictions only: seconds and peak memory.

Kept outside bundles: a measurement is no property of a circuit and must not change its digests. Losing the
file costs nothing, so an unreadable one counts as empty and a failed write is ignored. Threads and processes
may share a file: a lock beside it is held from reading to writing.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zkml.adapters.atomic_write import write_atomically
from zkml.core.digests import Digest
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError, StorageError

CPU = "cpu"
GPU = "gpu"

_WEIGHT_OF_LATEST = 0.5
_MAX_ENTRIES = 1000
_LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a stage took.

    Attributes:
        seconds: what it takes alone, an average in which the latest run counts half.
        peak_bytes: the most resident memory that any run was seen to use, or None when nobody looked.
        runs: how many were measured.
        device: what did the work.
    """

    seconds: float
    peak_bytes: int | None = None
    runs: int = 1
    device: str = CPU

    def joined(self, seconds: float, peak_bytes: int | None) -> "Measured":
        """Return it with one more run."""
        peaks = [peak for peak in (self.peak_bytes, peak_bytes) if peak is not None]
        average = _WEIGHT_OF_LATEST * seconds + (1 - _WEIGHT_OF_LATEST) * self.seconds
        return replace(
            self, seconds=round(average, 3), peak_bytes=max(peaks, default=None), runs=self.runs + 1
        )


class Measurements:
    """Figures by circuit, stage and device, in one JSON file or, without a path, in memory."""

    def __init__(self, path: Path | None = None) -> None:
        """Use the file at `path`, which the first measurement creates."""
        self._path = path
        self._memory: dict[str, Measured] = {}
        self._lock = threading.Lock()

    def find(self, circuit: Digest, stage: str, device: str = CPU) -> Measured | None:
        """Return what a stage took on a device, or None when it was never measured."""
        with self._lock:
            found = self._read().get(_key(circuit, stage, device))
        return None if found is None else replace(found, device=device)

    def expected_seconds(self, circuit: Digest, stage: str, device: str = CPU) -> float | None:
        """Return what `stage` should take, or None when it was never measured."""
        found = self.find(circuit, stage, device)
        return None if found is None else found.seconds

    def expected_peak_bytes(self, circuit: Digest, stage: str, device: str = CPU) -> int | None:
        """Return the memory that `stage` should need, or None when nobody looked."""
        found = self.find(circuit, stage, device)
        return None if found is None else found.peak_bytes

    def record(
        self,
        circuit: Digest,
        stage: str,
        seconds: float,
        *,
        least_seconds: float | None = None,
        peak_bytes: int | None = None,
        device: str = CPU,
    ) -> None:
        """Remember a measurement beside the earlier ones.

        A run beside others only bounds what the stage takes alone, which is what is remembered: an earlier
        figure within the bounds stands.

        Args:
            circuit: the circuit's digest.
            stage: e.g. `prove`.
            seconds: of this run.
            least_seconds: what it would have taken alone at least; `seconds` when None.
            peak_bytes: resident memory at most in this run; None when nobody looked.
            device: what did the work.
        """
        key = _key(circuit, stage, device)
        with self._lock, self._shared():
            known = self._read()
            earlier = known.pop(key, None)
            if earlier is None:
                known[key] = Measured(round(seconds, 3), peak_bytes)
            else:
                least = seconds if least_seconds is None else least_seconds
                known[key] = earlier.joined(min(max(earlier.seconds, least), seconds), peak_bytes)
            while len(known) > _MAX_ENTRIES:
                del known[next(iter(known))]
            self._memory = known
            self._write(known)

    def forget(self, circuit: Digest, device_prefix: str = "") -> None:
        """Forget what a circuit's stages took.

        Args:
            circuit: the circuit's digest.
            device_prefix: only on devices whose name begins so.
        """
        with self._lock, self._shared():
            left = {
                key: value
                for key, value in self._read().items()
                if not (key.startswith(f"{circuit}/") and key.rpartition("/")[2].startswith(device_prefix))
            }
            self._memory = left
            self._write(left)

    @contextlib.contextmanager
    def _shared(self) -> Iterator[None]:
        """Hold the file against other processes; one that holds it for ever is not waited for."""
        with contextlib.ExitStack() as stack:
            if self._path is not None:
                with contextlib.suppress(OSError, Timeout):
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(FileLock(f"{self._path}.lock", timeout=_LOCK_SECONDS))
            yield

    def _read(self) -> dict[str, Measured]:
        if self._path is None:
            return dict(self._memory)
        try:
            found = parse_object(self._path.read_bytes(), where=str(self._path))
        except (OSError, FormatError):
            return dict(self._memory)
        entries = ((key, _parse(value)) for key, value in found.items())
        return {_current(key): value for key, value in entries if value is not None}

    def _write(self, known: dict[str, Measured]) -> None:
        if self._path is None:
            return
        document = {
            key: {"seconds": value.seconds, "peak_bytes": value.peak_bytes, "runs": value.runs}
            for key, value in known.items()
        }
        with contextlib.suppress(StorageError):
            write_atomically(self._path, json.dumps(document, indent=1).encode())


def _key(circuit: Digest, stage: str, device: str) -> str:
    return f"{circuit}/{stage}/{device}"


def _current(key: str) -> str:
    """Return today's form of a key; the first version named no device."""
    return key if key.count("/") > 1 else f"{key}/{CPU}"


def _parse(value: Any) -> Measured | None:
    """Return a measurement, or None for anything else; the first version kept seconds alone."""
    if _is_number(value):
        return Measured(float(value))
    if not isinstance(value, dict) or not _is_number(value.get("seconds")):
        return None
    peak, runs = value.get("peak_bytes"), value.get("runs")
    return Measured(
        float(value["seconds"]),
        None if peak is None or not _is_number(peak) else int(peak),
        1 if runs is None or not _is_number(runs) else int(runs),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
