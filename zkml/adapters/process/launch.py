"""Start a command under the guard, hear what the guard reports, and end the whole tree."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from zkml.adapters.process import guard
from zkml.adapters.process.environment import child_environment
from zkml.adapters.process.tree import tree_of
from zkml.errors import ToolchainError

GUARD_EXIT_SECONDS = 5.0
START_SECONDS = 30.0
_REPORT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running guard and this end of its lifeline: closing it, in any way, ends the command.

    Attributes:
        process: the guard.
        lifeline: this end; the guard writes its report to it.
        pid: the command's process id, which is also the id of its process group.
        report: what the guard reported with the start; of a short command that may be all.
    """

    process: subprocess.Popen[bytes]
    lifeline: socket.socket
    pid: int
    report: Mapping[str, int]


def start_guarded(
    argv: Sequence[str],
    *,
    grace_seconds: float,
    stdin: int,
    stderr: int,
    env: Mapping[str, str] | None,
    cwd: Path | None,
) -> Guarded:
    """Start a command that dies with this process.

    The guard has a session of its own, so Ctrl-C in a terminal reaches this process alone, which then
    decides how the command ends.

    Args:
        argv: program and arguments; a program without a slash is looked up on PATH.
        grace_seconds: how long the command may take after SIGINT before it is killed; 0 kills at once.
        stdin: `subprocess.PIPE` or `subprocess.DEVNULL`; stdout is always a pipe.
        stderr: `subprocess.PIPE`, or `subprocess.STDOUT` to mix both streams.
        env: the command's whole environment; this process's own when None.
        cwd: the command's working directory; this process's own when None.

    Returns:
        The running guard; the caller ends it with `kill_tree`.

    Raises:
        ToolchainError: there is no such program, or it cannot be started.
    """
    program = find_program(argv[0], env)
    ours, theirs = socket.socketpair()
    number = str(theirs.fileno())
    # -I and -S: neither the environment nor site-packages can change or slow down the guard.
    command = [sys.executable, "-I", "-S", guard.__file__, "--lifeline", number]
    command += ["--grace", str(grace_seconds), "--", program, *argv[1:]]
    try:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(env),
            cwd=cwd,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise ToolchainError(
            f"expected to start {program}, found {error.strerror}", program=program
        ) from error
    finally:
        theirs.close()
    return _confirm_start(process, ours, program)


def find_program(program: str, env: Mapping[str, str] | None) -> str:
    """Return the path of an executable.

    Raises:
        ToolchainError: there is none of that name.
    """
    found = shutil.which(program, path=None if env is None else env.get("PATH"))
    if found is None:
        raise ToolchainError(
            f"expected an executable program, found none at {program}",
            hint="install it, or correct its path",
            program=program,
        )
    return found


def kill_tree(guarded: Guarded) -> None:
    """Kill the command and all its descendants, and reap the guard; does nothing when all is over.

    The guard kills the process group; what left the group is found through the process table.
    """
    descendants = tree_of(guarded.process.pid)
    for process in descendants:
        with contextlib.suppress(psutil.Error):
            process.kill()
    guarded.lifeline.close()
    try:
        guarded.process.wait(GUARD_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        guarded.process.kill()
        guarded.process.wait()
    if guarded.process.returncode < 0:
        # Somebody killed the guard, so nobody has ended the command's group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(guarded.pid, signal.SIGKILL)


def peak_memory(guarded: Guarded) -> int:
    """Return the peak resident bytes of the largest process of a command that has ended.

    Returns:
        The kernel's figure; 0 when the guard was killed and could not report it.
    """
    report = {**guarded.report, **_read_report(guarded.lifeline, GUARD_EXIT_SECONDS)}
    return report.get("maxrss", 0)


def _read_report(lifeline: socket.socket, timeout_seconds: float) -> dict[str, int]:
    """Return what the guard has reported since the last call: `pid`, `maxrss` in bytes."""
    lifeline.settimeout(timeout_seconds)
    try:
        text = lifeline.recv(_REPORT_BYTES).decode("ascii", "replace")
    except OSError:
        return {}
    pairs = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {name: int(number) for name, number in pairs if number.isdigit()}


def _confirm_start(process: subprocess.Popen[bytes], lifeline: socket.socket, program: str) -> Guarded:
    """Wait until the guard has started the command."""
    report: dict[str, int] = {}
    try:
        report = _read_report(lifeline, START_SECONDS)
    finally:
        if "pid" not in report:
            lifeline.close()
            process.kill()
            process.wait()
    if "pid" not in report:
        raise ToolchainError(f"expected {program} to start, found that it did not", program=program)
    return Guarded(process, lifeline, report["pid"], report)
