"""A program that runs beside this one, such as Anvil: started, listened to, and stopped gently.

Guarded, it never outlives this process. Detached, it goes on, writes to a log file, and is stopped
later, by any process, through its identity.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from zkml.adapters.process.environment import child_environment
from zkml.adapters.process.launch import (
    GUARD_EXIT_SECONDS,
    Guarded,
    find_program,
    kill_tree,
    start_guarded,
)
from zkml.errors import ToolchainError

_SAME_START_SECONDS = 30.0
"""The kernel counts start times from its boot, and tells when that was by today's clock: a clock that is set
right moves them, by a whole second at least. No id is given again within so short a time."""

_KEPT_LINES = 1000
_LINE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process as nobody can mistake it: its id, and when it started.

    Attributes:
        pid: process id; the system reuses it after the end.
        started_at: start time in seconds since 1970, which tells a reused id.
    """

    pid: int
    started_at: float

    def is_running(self) -> bool:
        """Say whether this very process still runs."""
        return self._process() is not None

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


class GuardedProcess:
    """A running program whose output is read line by line and which ends with this process."""

    def __init__(self, guarded: Guarded, identity: ProcessIdentity, grace_seconds: float) -> None:
        self.identity = identity
        self._guarded = guarded
        self._grace_seconds = grace_seconds
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._recent: deque[str] = deque(maxlen=20)
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._drain, args=(guarded.process.stdout,), daemon=True).start()

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        grace_seconds: float = 10.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Self:
        """Start a program under guard.

        Args:
            argv: program and arguments.
            grace_seconds: how long it may take to end after SIGINT, before it is killed. This also
                holds when this process dies: the guard waits so long for state to be written.
            env: the program's whole environment; this process's own when None.
            cwd: the program's working directory.

        Returns:
            The running program; use it in a `with` statement, which stops it.

        Raises:
            ToolchainError: there is no such program, or it did not start.
        """
        guarded = start_guarded(
            argv,
            grace_seconds=grace_seconds,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
        )
        return cls(guarded, identity_of(guarded.pid), grace_seconds)

    @property
    def returncode(self) -> int | None:
        """The exit code, 128 + N after signal N; None while it runs."""
        return self._guarded.process.poll()

    @property
    def recent_output(self) -> str:
        """The last lines of its output, for error messages."""
        with self._changed:
            return "\n".join(self._recent)

    def read_line(self, timeout_seconds: float) -> str | None:
        """Take the next line of its output, standard error included.

        Lines nobody takes are kept up to a thousand; then the oldest are dropped.

        Args:
            timeout_seconds: how long to wait for a line.

        Returns:
            A line without its end, cut at 8 kB; None when none came in time, or when the program ended
            and all was read. `returncode` tells the two apart.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._ended, timeout_seconds)
            return self._lines.popleft() if self._lines else None

    def stop(self) -> int:
        """Ask the program to end (SIGINT), wait for it, and kill what does not obey.

        Returns:
            Its exit code, 128 + N after signal N. A second call returns the same.
        """
        try:
            if self._guarded.process.poll() is None:
                self._guarded.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guarded.process.wait(self._grace_seconds + GUARD_EXIT_SECONDS)
        finally:
            kill_tree(self._guarded)
        return self._guarded.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe:
            while raw := pipe.readline(_LINE_BYTES):
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                with self._changed:
                    self._lines.append(line)
                    self._recent.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def start_detached(
    argv: Sequence[str],
    *,
    log_path: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ProcessIdentity:
    """Start a program that outlives this process, in a session of its own.

    Args:
        argv: program and arguments.
        log_path: file its output is appended to.
        env: the program's whole environment; this process's own when None.
        cwd: the program's working directory.

    Returns:
        Its identity, for `stop_detached`.

    Raises:
        ToolchainError: there is no such program, or the log file cannot be written.
    """
    program = find_program(argv[0], env)
    try:
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=child_environment(env),
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise ToolchainError(
            f"expected to start {program}, found {error.strerror} at {error.filename}", program=program
        ) from error
    identity = identity_of(process.pid)
    # Reaps the child if it ends while this process lives; nothing waits for the thread.
    threading.Thread(target=process.wait, daemon=True).start()
    return identity


def identity_of(pid: int) -> ProcessIdentity:
    """Return the identity of a process; of one that is over, an identity that never runs."""
    try:
        return ProcessIdentity(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return ProcessIdentity(pid, 0.0)


def stop_detached(identity: ProcessIdentity, *, grace_seconds: float = 10.0) -> None:
    """Stop a detached program: SIGINT to its process group, then SIGKILL; does nothing when it is over.

    Args:
        identity: what `start_detached` returned.
        grace_seconds: how long it may take to end after SIGINT.
    """
    deadline = time.monotonic() + grace_seconds
    number = signal.SIGINT
    while identity.is_running():
        if number == signal.SIGINT or time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(identity.pid, number)
            number = signal.SIGKILL
        time.sleep(0.02)
