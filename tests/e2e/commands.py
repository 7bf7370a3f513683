"""Run commands as a user runs them."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ZKML = [sys.executable, "-m", "zkml.cli"]
TIMEOUT_SECONDS = 400


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user whose home is `home`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("ZKML_") or "NODE" in name
    }
    return {**kept, "ZKML_HOME": str(home), "NO_COLOR": "1"}


class Forks:
    """The process whose forks are commands; it ends with this one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="zkml-forks-")
        self.socket = Path(self._folder.name) / "socket"
        command = [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(self.socket)]
        # Its standard input ends with this process; nobody else may inherit the other end.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def run(self, home: Path, argv: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        given = {"argv": argv, "environment": environment(home), "cwd": str(home.parent)}
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server,
            Path(os.devnull).open() as nothing,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            server.connect(str(self.socket))
            server.settimeout(timeout)
            files = [file.fileno() for file in (nothing, out, err)]
            socket.send_fds(server, [json.dumps(given).encode()], files)
            status = int(server.recv(16))
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess([*ZKML, *argv], status, *texts)


@functools.cache
def forks() -> Forks:
    """Return the process that runs this process's commands."""
    return Forks()


def zkml(home: Path, *argv: str, timeout: float = TIMEOUT_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, in a process of its own."""
    return forks().run(home, argv, timeout)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the processes started meanwhile be stopped by SIGINT, also where pytest itself is not.

    A shell starts what it puts into the background with SIGINT ignored, which children inherit; a handler
    they do not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def nodes_of(home: Path) -> list[int]:
    """Return the processes whose command line names this home: nodes and their guards."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(home) in part for part in process.info["cmdline"] or ()) and process.pid != os.getpid():
            found.append(process.pid)
    return found
