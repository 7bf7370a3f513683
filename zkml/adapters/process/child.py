"""Run a command to its end, within memory and time, and return what it wrote.

Memory is the resident size of the whole tree, polled: a limit on address space would stop programs in
Rust and WebAssembly, which reserve far more than they use.
"""

import contextlib
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zkml.adapters.process.launch import Guarded, kill_tree, peak_memory, start_guarded
from zkml.adapters.process.tree import resident_by_process
from zkml.errors import ProverLimitError

FIRST_TICK_SECONDS = 0.02
"""The first looks are close together, so that short commands are seen, too."""
TICK_SECONDS = 0.2
_DRAIN_SECONDS = 5.0
_CHUNK_BYTES = 65_536
_MEBIBYTE = 1 << 20

OnTick = Callable[[float], None]
OnSample = Callable[[Sequence[int]], None]


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


class ReadyChild:
    """A command that was started under guard and waits for its input: its start-up is over when it is used.

    It is used once, by one thread. Until then it is bounded by nothing but this process's life.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Start a command.

        Args:
            argv: program and arguments.
            env: the command's whole environment; this process's own when None.
            cwd: the command's working directory.

        Raises:
            ToolchainError: there is no such program.
        """
        self._guarded = start_guarded(
            argv, grace_seconds=0, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd
        )

    @property
    def is_alive(self) -> bool:
        """Say whether it still waits."""
        return self._guarded.process.poll() is None and not _says_the_end(self._guarded, 0.0)

    def close(self) -> None:
        """End it and all its descendants; doing it again changes nothing."""
        kill_tree(self._guarded)
        for pipe in (self._guarded.process.stdin, self._guarded.process.stdout, self._guarded.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def run(
        self,
        stdin: bytes,
        *,
        limits: Limits,
        on_tick: OnTick | None = None,
        on_sample: OnSample | None = None,
        started: float | None = None,
    ) -> ChildResult:
        """Give it its input and wait for its end; see `run_child`.

        Args:
            stdin: bytes for its standard input.
            limits: memory, time and output the command may use from now on.
            on_tick: called from this thread with the elapsed seconds, about five times a second.
            on_sample: called from this thread with the process ids of the command and its descendants.
            started: monotonic seconds from which time counts; now when None.

        Raises:
            ProverLimitError: a limit was passed; names which, the limit and what was found.
        """
        guarded = self._guarded
        begin = time.monotonic() if started is None else started
        try:
            streams = _Streams(guarded.process, stdin, limits)
            peak = _watch(guarded, streams, limits, begin, _Hearers(on_tick, on_sample))
            wall_seconds = time.monotonic() - begin
            peak = max(peak, peak_memory(guarded))
            kill_tree(guarded)  # a stray descendant would hold the pipes open
            streams.join()
            streams.check()
            stdout, stderr = streams.stdout, streams.stderr
        finally:
            kill_tree(guarded)
        return ChildResult(stdout, stderr, guarded.process.returncode, wall_seconds, peak)


def run_child(
    argv: Sequence[str],
    *,
    limits: Limits,
    stdin: bytes = b"",
    on_tick: OnTick | None = None,
    on_sample: OnSample | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ChildResult:
    """Run a command under guard until it ends or passes a limit.

    Whatever ends this function, an exception of `on_tick` and Ctrl-C included, the command and all its
    descendants are dead when it returns. A failed command is no error here: look at `returncode`.
    Any number of threads may run commands at once.

    Args:
        argv: program and arguments.
        limits: memory, time and output the command may use.
        stdin: bytes for its standard input.
        on_tick: called from this thread with the elapsed seconds, about five times a second.
        on_sample: called from this thread with the process ids of the command and its descendants, as often.
        env: the command's whole environment; this process's own when None.
        cwd: the command's working directory.

    Returns:
        Output, exit code, time and peak memory.

    Raises:
        ToolchainError: there is no such program.
        ProverLimitError: a limit was passed; names which, the limit and what was found.
    """
    started = time.monotonic()
    child = ReadyChild(argv, env=env, cwd=cwd)
    return child.run(stdin, limits=limits, on_tick=on_tick, on_sample=on_sample, started=started)


@dataclass(frozen=True, slots=True)
class _Hearers:
    on_tick: OnTick | None
    on_sample: OnSample | None


def _watch(guarded: Guarded, streams: "_Streams", limits: Limits, started: float, hearers: _Hearers) -> int:
    """Wait for the end, checking limits at each tick; return the peak of the polled memory in bytes."""
    peak, tick = 0, FIRST_TICK_SECONDS
    while True:
        if _is_over(guarded, tick):
            return peak
        tick = min(TICK_SECONDS, tick * 1.5)
        tree = resident_by_process(guarded.process.pid)
        found = sum(tree.values())
        peak = max(peak, found)
        elapsed = time.monotonic() - started
        if found > limits.memory_bytes:
            raise _passed("memory", limits.memory_bytes, found, "bytes")
        if elapsed > limits.wall_seconds:
            raise _passed("time", limits.wall_seconds, round(elapsed, 1), "seconds")
        streams.check()
        if hearers.on_sample is not None:
            hearers.on_sample(list(tree))
        if hearers.on_tick is not None:
            hearers.on_tick(elapsed)


def _is_over(guarded: Guarded, within_seconds: float) -> bool:
    """Wait for the guard's end, and no longer than that; say whether it came."""
    # The guard reports the command's end on its lifeline, and that wakes us: asking time and again whether a
    # process has ended costs processor time, and finds it late.
    if not _says_the_end(guarded, within_seconds):
        return guarded.process.poll() is not None
    with contextlib.suppress(subprocess.TimeoutExpired):
        guarded.process.wait(within_seconds)
        return True
    return False


def _says_the_end(guarded: Guarded, within_seconds: float) -> bool:
    """Wait for the guard to report the end of its command, no longer than that; say whether it did."""
    lifeline = select.poll()
    lifeline.register(guarded.lifeline, select.POLLIN)
    return bool(lifeline.poll(within_seconds * 1000))


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
