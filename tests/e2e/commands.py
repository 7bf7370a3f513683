"""Run commands as a user runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


def zkml(home: Path, *argv: str, timeout: float = TIMEOUT_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*ZKML, *argv],
        env=environment(home),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


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
