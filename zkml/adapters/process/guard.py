"""Run one command that dies when its parent does, however the parent dies.

    python -m zkml.adapters.process.guard [--lifeline FD] [--grace SECONDS] -- COMMAND ...

The parent holds the other end of the lifeline (by default the guard's standard input) and never writes
to it. The kernel closes it when the parent ends, SIGKILL included, and the guard then ends the command's
whole process group. The standard library alone is imported, so that the guard starts in milliseconds.

With `--lifeline FD` (a socket) the command keeps the guard's standard input, and the guard reports two
lines over the socket: `pid N` after the start, `maxrss BYTES` after the end.
"""

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType

POLL_SECONDS = 0.5
NOT_FOUND = 127
SIGNALLED = 128


class _Guard:
    """The command, its lifeline, and how it is being ended."""

    def __init__(self, command: list[str], lifeline: int, grace_seconds: float) -> None:
        self._lifeline = lifeline
        self._grace_seconds = grace_seconds
        self._parent = os.getppid()
        self._received: list[int] = []
        self._kill_at: float | None = None
        self._wake, wake_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        # A caught signal is reset to its default in the command; one ignored by a shell would stay so.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if lifeline == 0 else None,
            process_group=0,
            preexec_fn=_death_signal_setter(),  # noqa: PLW1509 the guard has one thread
        )

    def wait(self) -> int:
        """Wait for the command and return its exit code, 128 + N after signal N."""
        watched = [self._wake, self._lifeline]
        while (code := self.child.poll()) is None:
            readable = select.select(watched, [], [], POLL_SECONDS)[0]
            if self._wake in readable:
                os.read(self._wake, 4096)
            if self._lifeline in readable and _is_at_end(self._lifeline):
                watched = [self._wake]
                self._end(signal.SIGINT)
            # A sibling forked from the parent may hold the lifeline open after the parent is gone.
            if os.getppid() != self._parent:
                self._end(signal.SIGINT)
            if self._received:
                self._end(self._received[0])
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._signal_group(signal.SIGKILL)
        self._signal_group(signal.SIGKILL)
        return code if code >= 0 else SIGNALLED - code

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._received.append(number)

    def _end(self, number: int) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_seconds
            if self._grace_seconds > 0:
                self._signal_group(number)

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, number)


def _is_at_end(descriptor: int) -> bool:
    try:
        return os.read(descriptor, 4096) == b""
    except OSError:
        return True


def _death_signal_setter() -> Callable[[], object] | None:
    """Have the kernel kill the command, too, when the guard itself is killed (Linux only)."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 loaded before the fork, and only where it is used

    set_death_signal = 1
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(set_death_signal, signal.SIGKILL)


def _report(descriptor: int, line: str) -> None:
    if descriptor != 0:
        with contextlib.suppress(OSError):
            os.write(descriptor, f"{line}\n".encode())


class _Options:
    """What the guard was told."""

    def __init__(self) -> None:
        self.lifeline = 0
        self.grace = 0.0
        self.command: list[str] = []


def _read_options(argv: list[str]) -> _Options:
    """Read the arguments by hand: importing a parser takes a third of the guard's whole start."""
    options = _Options()
    rest = list(argv)
    while rest and (word := rest.pop(0)) != "--":
        if word == "--lifeline" and rest:
            options.lifeline = int(rest.pop(0))
        elif word == "--grace" and rest:
            options.grace = float(rest.pop(0))
        else:
            break
    if not rest:
        sys.stderr.write("usage: guard [--lifeline FD] [--grace SECONDS] -- COMMAND ...\n")
        sys.exit(2)
    options.command = rest
    return options


def main(argv: list[str]) -> int:
    """Run the command of `argv` under guard and return the exit code to pass on."""
    options = _read_options(argv)
    try:
        guard = _Guard(options.command, options.lifeline, options.grace)
    except OSError as error:
        sys.stderr.write(f"cannot start {options.command[0]}: {error.strerror}\n")
        return NOT_FOUND
    _report(options.lifeline, f"pid {guard.child.pid}")
    code = guard.wait()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    _report(options.lifeline, f"maxrss {peak if sys.platform == 'darwin' else peak * 1024}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
