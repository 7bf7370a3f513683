"""`zkml prover drain`: ask the node of a home to stop once what it promised is done, and wait for it."""

import contextlib
import os
import signal
import time
from typing import Any

import click

from zkml.cli.options import Session, local_command
from zkml.errors import ServiceBusyError

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 60.0
"""After its longest drain a node still has to end its threads."""


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help="Longest wait in seconds; default: prover.drain_seconds and a minute.",
)
@local_command
def drain(session: Session, timeout: float | None) -> None:
    """Ask the node of this home to stop once what it has claimed is finished, and wait for it.

    Asked again it only waits: nothing is interrupted. Without a running node there is nothing to do.

    Example: zkml prover drain --timeout 600
    """
    from prover_nodes.process_file import ProcessFile
    from zkml.adapters.home_directory import is_locked

    if not is_locked(session.home, "prover"):
        session.console.result({"running": False, "drained": True}, "no node runs in this home")
        return
    patience = session.settings.prover.drain_seconds + _GRACE_SECONDS if timeout is None else timeout
    pid = _drain(session, ProcessFile(session.home.prover_work.parent), patience)
    session.console.result(
        {"running": False, "drained": True, "pid": pid}, f"drained: process {pid} has ended"
    )


def _pid_of_lock(session: Session) -> int | None:
    """Return the process that holds the node's lock, as it says."""
    try:
        return int((session.home.root / "prover.pid").read_text())
    except (OSError, ValueError):
        return None


def _drain(session: Session, file: Any, patience: float) -> int | None:
    """Ask the node once, and wait until its lock is free; a round of `run --once` is only waited for."""
    from zkml.adapters.home_directory import is_locked
    from zkml.core.progress import ProgressEvent

    started, pid, asked = time.monotonic(), _pid_of_lock(session), False
    with session.console.progress() as progress:
        while is_locked(session.home, "prover"):
            note = file.read()
            if not asked and note is not None and note.pid == pid:
                asked = True
                if not note.draining:
                    # A second signal would interrupt it.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(note.pid, signal.SIGTERM)
            elapsed = time.monotonic() - started
            if elapsed >= patience:
                raise ServiceBusyError(
                    f"expected the node to finish within {patience:g} s, found process {pid} still at work",
                    hint="wait on with `zkml prover drain`, or interrupt it: a second SIGTERM",
                )
            progress(ProgressEvent("drain", elapsed, patience))
            time.sleep(_POLL_SECONDS)
        progress(ProgressEvent("drain", time.monotonic() - started, finished=True))
    return pid
