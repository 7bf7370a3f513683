"""NVML is asked, and its absence is an answer."""

# ruff: noqa: N802 the names are the library's

import sys
import types

import pytest

from zkml.adapters.gpu.nvml import NvmlCounters, find_gpus


class FakeError(Exception):
    """What the library raises."""


def process(pid: int, memory: int | None) -> types.SimpleNamespace:
    return types.SimpleNamespace(pid=pid, usedGpuMemory=memory)


class FakeLibrary(types.ModuleType):
    """Two devices: 7 works on both, 8 on one; 9 is listed without memory, as in a virtual machine."""

    NVMLError = FakeError

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.broken = False
        self.listed = [[process(7, 100), process(8, 30)], [process(7, 20), process(9, None)]]

    def nvmlInit(self):
        """Do nothing."""

    def nvmlDeviceGetCount(self):
        if self.broken:
            raise FakeError("GPU is lost")
        return 2

    def nvmlSystemGetDriverVersion(self):
        return b"580.1"

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetMemoryInfo(self, device):
        return types.SimpleNamespace(total=1000, used=100 * (device + 1))

    def nvmlDeviceGetUtilizationRates(self, device):
        if device == 1:
            raise FakeError("not supported")
        return types.SimpleNamespace(gpu=42)

    def nvmlDeviceGetUUID(self, device):
        return f"GPU-{device}"

    def nvmlDeviceGetName(self, device):
        return "Fake H1"

    def nvmlDeviceGetComputeRunningProcesses(self, device):
        return self.listed[device]


@pytest.fixture
def library(monkeypatch) -> FakeLibrary:
    fake = FakeLibrary()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.mark.usefixtures("library")
def test_report__devices__with_memory_and_utilisation_where_they_say():
    """A device that does not tell its utilisation is reported without."""
    report = find_gpus()
    assert (report.driver, report.reason) == ("580.1", "")
    assert [(g.name, g.memory_bytes, g.used_bytes, g.utilisation_percent) for g in report.gpus] == [
        ("Fake H1", 1000, 100, 42),
        ("Fake H1", 1000, 200, None),
    ]
    assert report.as_json()["gpus"][1]["uuid"] == "GPU-1"


@pytest.mark.usefixtures("library")
def test_memory_of__processes__summed_over_devices():
    """Only the processes asked for count, on every device; one that is listed without memory counts as 0."""
    counters = NvmlCounters()
    assert counters.memory_of([7]) == 120
    assert counters.memory_of([7, 8]) == 150
    assert counters.memory_of([9]) == 0
    assert counters.memory_of([1]) == 0


def test_counters__device_is_lost__says_so_and_raises_nothing(library: FakeLibrary):
    """A device that falls off the bus while a node runs is a reason, not an exception."""
    counters = NvmlCounters()
    assert counters.memory_of([7]) == 120
    library.broken = True
    assert counters.memory_of([7]) is None
    assert "GPU is lost" in counters.report().reason


def test_report__no_library_or_no_package__none_with_the_reason(monkeypatch):
    """A machine without a driver has no device; that is no error."""
    fake = FakeLibrary()

    def fail() -> None:
        raise FakeError("NVML Shared Library Not Found")

    fake.nvmlInit = fail
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert find_gpus().gpus == ()
    assert "Not Found" in find_gpus().reason
    assert NvmlCounters().memory_of([7]) is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_gpus().reason == "nvidia-ml-py is not installed"
