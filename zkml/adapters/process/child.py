"""Run a command to its end, within memory and time, and return what it wrote.

Memory is the resident size of the whole tree, polled: a limit on address space would stop programs in
Rust and WebAssembly, which reserve far more than they use.
"""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from zkml.adapters.process.launch import Guarded, kill_tree, peak_memory, start_guarded, tree_of
from zkml.errors import ProverLimitError

FIRST_TICK_SECONDS = 0.02
"""The first polls are close together, so that short commands return at once."""
TICK_SECONDS = 0.2
_DRAIN_SECONDS = 5.0
_CHUNK_BYTES = 65_536
_MEBIBYTE = 1 << 20

OnTick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a command may use.

    Attributes:
        memory_bytes: resident size of the command and its descendants together.
        wall_seconds: time from start to end.
        stdout_bytes: length of standard output; more than that ends the command.
        stderr_bytes: how much of the end of standard error is kept; more is dropped silently.
    """

    memory_bytes: int
    wall_seconds: float
    stdout_bytes: int = 64 * _MEBIBYTE
    stderr_bytes: int = _MEBIBYTE


@dataclass(frozen=True, slots=True)
class ChildResult:
    """What a finished command left behind.

    Attributes:
        stdout: everything it wrote to standard output.
        stderr: the end of what it wrote to standard error.
        returncode: its exit code; 128 + N when signal N ended it.
        wall_seconds: time from start to end.
        peak_rss_bytes: the larger of the polled size of the tree and the kernel's own figure for its
            largest process.
    """

    stdout: bytes
    stderr: bytes
    returncode: int
    wall_seconds: float
    peak_rss_bytes: int


def run_child(
    argv: Sequence[str],
    *,
    limits: Limits,
    stdin: bytes = b"",
    on_tick: OnTick | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ChildResult:
    """Run a command under guard until it ends or passes a limit.

    Whatever ends this function, an exception of `on_tick` and Ctrl-C included, the command and all its
    descendants are dead when it returns. A failed command is no error here: look at `returncode`.

    Args:
        argv: program and arguments.
        limits: memory, time and output the command may use.
        stdin: bytes for its standard input.
        on_tick: called from this thread with the elapsed seconds, about five times a second.
        env: the command's whole environment; this process's own when None.
        cwd: the command's working directory.

    Returns:
        Output, exit code, time and peak memory.

    Raises:
        ToolchainError: there is no such program.
        ProverLimitError: a limit was passed; names which, the limit and what was found.
    """
    started = time.monotonic()
    guarded = start_guarded(
        argv, grace_seconds=0, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd
    )
    try:
        streams = _Streams(guarded.process, stdin, limits)
        peak = _watch(guarded, streams, limits, started, on_tick)
        wall_seconds = time.monotonic() - started
        peak = max(peak, peak_memory(guarded))
        kill_tree(guarded)  # a stray descendant would hold the pipes open
        streams.join()
        streams.check()
        stdout, stderr = streams.stdout, streams.stderr
    finally:
        kill_tree(guarded)
    return ChildResult(stdout, stderr, guarded.process.returncode, wall_seconds, peak)


def _watch(
    guarded: Guarded, streams: "_Streams", limits: Limits, started: float, on_tick: OnTick | None
) -> int:
    """Wait for the end, checking limits at each tick; return the peak of the polled memory in bytes."""
    peak, tick = 0, FIRST_TICK_SECONDS
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            guarded.process.wait(tick)
            return peak
        tick = min(TICK_SECONDS, tick * 1.5)
        found = _resident_bytes(guarded.process.pid)
        peak = max(peak, found)
        elapsed = time.monotonic() - started
        if found > limits.memory_bytes:
            raise _passed("memory", limits.memory_bytes, found, "bytes")
        if elapsed > limits.wall_seconds:
            raise _passed("time", limits.wall_seconds, round(elapsed, 1), "seconds")
        streams.check()
        if on_tick is not None:
            on_tick(elapsed)


def _resident_bytes(guard_id: int) -> int:
    total = 0
    for process in tree_of(guard_id):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _passed(limit: str, expected: float, found: float, unit: str) -> ProverLimitError:
    return ProverLimitError(
        f"expected at most {expected} {unit} of {limit}, found {found} in a child process",
        hint=f"raise the {limit} limit, or use a smaller circuit or a larger machine",
        limit=limit,
        expected=expected,
        found=found,
    )


class _Streams:
    """Feeds and drains the three pipes in threads, keeping no more than the limits allow."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> None:
        self._limits = limits
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._stdout_length = 0
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._threads = [
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True),
            threading.Thread(target=self._drain_stdout, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._drain_stderr, args=(process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> bytes:
        """All of standard output, up to its limit."""
        return bytes(self._stdout)

    @property
    def stderr(self) -> bytes:
        """The end of standard error."""
        return bytes(self._stderr)

    def join(self) -> None:
        """Wait for the pipes to run dry; a stray process that holds one open is not waited for."""
        for thread in self._threads:
            thread.join(_DRAIN_SECONDS)

    def check(self) -> None:
        """Raise ProverLimitError when standard output is longer than it may be."""
        if self._stdout_length > self._limits.stdout_bytes:
            raise _passed("output", self._limits.stdout_bytes, self._stdout_length, "bytes")

    def _drain_stdout(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := _read(pipe):
                self._stdout_length += len(chunk)
                self._stdout += chunk[: self._limits.stdout_bytes - len(self._stdout)]

    def _drain_stderr(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := _read(pipe):
                self._stderr += chunk
                del self._stderr[: -self._limits.stderr_bytes]


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # A command may end before it has read its input; its exit code tells, not our broken pipe.
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


def _read(pipe: IO[bytes]) -> bytes:
    read_some: Callable[[int], bytes] = pipe.read1  # type: ignore[attr-defined]
    return read_some(_CHUNK_BYTES)
