"""A program that takes EZKL's arguments and proves by the package, and counters that say what a test wants.

No machine of the tests has a GPU: what is tested is that the device's counters are believed, and nobody else.
"""

import stat
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from zkml.core.ports.gpu import Gpu, GpuReport

PROGRAM = """#!{python}
import argparse, os, signal, sys
VERSION, BEHAVIOUR = {version!r}, {behaviour!r}
parser = argparse.ArgumentParser(prog="ezkl", allow_abbrev=False)
parser.add_argument("-V", "--version", action="version", version="ezkl " + VERSION)
prove = parser.add_subparsers(required=True).add_parser("prove", allow_abbrev=False)
for short, name in (("-W", "--witness"), ("-M", "--compiled-circuit")):
    prove.add_argument(short, name, required=True)
for name in ("--pk-path", "--proof-path", "--srs-path"):
    prove.add_argument(name, required=True)
prove.add_argument("--check-mode", choices=["safe", "unsafe"], default="safe")
given = parser.parse_args()
has_backend = "ICICLE_BACKEND_INSTALL_DIR" in os.environ
print("[*] Running with ICICLE GPU" if has_backend else "[*] Running with CPU", flush=True)
if BEHAVIOUR == "cold":
    print("\\x1b[31m[E]\\x1b[0m GPU warmup failed: NoDevice", file=sys.stderr)
if BEHAVIOUR == "fails":
    sys.exit("[E] \\x1b[31mfailed\\x1b[0m: [halo2] the device ran out of memory")
if BEHAVIOUR == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if BEHAVIOUR == "silent":
    sys.exit(0)
import ezkl
ezkl.prove(given.witness, given.compiled_circuit, given.pk_path, given.proof_path, given.srs_path)
"""


def write_program(path: Path, *, version: str = "23.0.5", behaviour: str = "proves") -> Path:
    """Write the program and return its path."""
    path.write_text(PROGRAM.format(python=sys.executable, version=version, behaviour=behaviour))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class FakeCounters:
    """One device, which lists a program's processes with some memory, or nobody's."""

    def __init__(self, program: Path, memory_bytes: int | None, *, has_device: bool = True) -> None:
        self._program = program
        self._memory_bytes = memory_bytes
        self._has_device = has_device
        self.asked = 0

    def report(self) -> GpuReport:
        if not self._has_device:
            return GpuReport("", (), "no NVIDIA driver answers: library not found")
        return GpuReport("580.1", (Gpu(0, "GPU-1", "Fake H1", 80 << 30, 1 << 30, 3),))

    def memory_of(self, processes: Collection[int]) -> int | None:
        self.asked += 1
        if not self._memory_bytes:
            return self._memory_bytes
        return self._memory_bytes if any(self._is_program(pid) for pid in processes) else 0

    def _is_program(self, pid: int) -> bool:
        try:
            return str(self._program) in psutil.Process(pid).cmdline()
        except psutil.Error:
            return False
