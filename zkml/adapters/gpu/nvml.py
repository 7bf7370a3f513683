"""NVIDIA's management library as `zkml.core.ports.gpu.GpuCounters`.

The library comes with the driver: where it is missing there is no device to count. In a container its
process ids may be those of the host; then it lists none of ours, and nothing counts as made on a GPU.
"""

import contextlib
import threading
from collections.abc import Callable, Collection
from typing import Any

from zkml.core.ports.gpu import Gpu, GpuReport


class NvmlCounters:
    """The devices of this machine; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._reason = ""

    def report(self) -> GpuReport:
        """Return the devices as they are now; none, with the reason, where NVML does not answer."""
        found: GpuReport = self._ask(_read_report, lambda reason: GpuReport("", (), reason))
        return found

    def memory_of(self, processes: Collection[int]) -> int | None:
        """Return the bytes of device memory that these processes use together, or None where nobody says."""
        wanted = frozenset(processes)
        found: int | None = self._ask(lambda library: _memory_of(library, wanted), lambda _reason: None)
        return found

    def _ask(self, question: Callable[[Any], Any], otherwise: Callable[[str], Any]) -> Any:
        with self._lock:
            library = self._open()
            if library is None:
                return otherwise(self._reason)
            try:
                return question(library)
            except library.NVMLError as error:
                return otherwise(f"NVML does not answer: {error}")

    def _open(self) -> Any:
        if self._library is not None or self._reason:
            return self._library
        try:
            import pynvml  # noqa: PLC0415 an optional package, loaded when somebody asks for devices
        except ImportError:
            self._reason = "nvidia-ml-py is not installed"
            return None
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self._reason = f"no NVIDIA driver answers: {error}"
            return None
        self._library = pynvml
        return pynvml


def find_gpus() -> GpuReport:
    """Return this machine's devices; none, with the reason, where there are none."""
    return NvmlCounters().report()


def _read_report(library: Any) -> GpuReport:
    count = library.nvmlDeviceGetCount()
    gpus = tuple(_read_gpu(library, index) for index in range(count))
    driver = _text(library.nvmlSystemGetDriverVersion())
    return GpuReport(driver, gpus, "" if gpus else "the driver sees no device")


def _read_gpu(library: Any, index: int) -> Gpu:
    device = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(device)
    utilisation: int | None = None
    with contextlib.suppress(library.NVMLError):
        utilisation = int(library.nvmlDeviceGetUtilizationRates(device).gpu)
    return Gpu(
        index=index,
        uuid=_text(library.nvmlDeviceGetUUID(device)),
        name=_text(library.nvmlDeviceGetName(device)),
        memory_bytes=int(memory.total),
        used_bytes=int(memory.used),
        utilisation_percent=utilisation,
    )


def _memory_of(library: Any, wanted: frozenset[int]) -> int | None:
    total, says = 0, False
    for index in range(library.nvmlDeviceGetCount()):
        device = library.nvmlDeviceGetHandleByIndex(index)
        for process in library.nvmlDeviceGetComputeRunningProcesses(device):
            if process.pid in wanted and process.usedGpuMemory is not None:
                total += int(process.usedGpuMemory)
        says = True
    return total if says else None


def _text(found: str | bytes) -> str:
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found
