"""Run `zkml` in forks of one process that has imported everything: a real process each, without its start-up.

    python kill_zygote.py

reads one JSON object a line: {"argv": [...], "environment": {...}, "log": path, "output": path,
"crossings": path, "stop": {...}}; forks; prints {"pid": N}, and {"pid": N, "status": S} when that one ended,
S negative where a signal ended it. It ends with its standard input, and its forks with it.
"""

import contextlib
import importlib
import json
import os
import select
import threading
from typing import Any, NoReturn

from fork_server import become, run_and_exit
from kill_crossings import watch_crossings

MODULES = (
    "circuits.ezkl.system",
    "circuits.octet.chain.chain_key",
    "circuits.octet.system",
    "prover_nodes.api.server",
    "prover_nodes.direct.build",
    "prover_nodes.logs",
    "prover_nodes.process",
    "prover_nodes.process_file",
    "pynvml",
    "structlog",
    "zkml.adapters.ezkl.spares",
    "zkml.adapters.home_directory",
    "zkml.cli.job_open",
    "zkml.cli.prover",
    "zkml.wiring",
)
POLL_SECONDS = 0.02


def run(given: dict[str, Any]) -> NoReturn:
    """Become one command, with its crossings watched."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    files = [os.open(path, flags, 0o600) for path in (os.devnull, given["output"], given["log"])]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("ZKML_") or "NODE" in name
    }
    become(given["argv"], kept | given["environment"], files)
    watch_crossings(given)
    run_and_exit()


def report(**values: int) -> None:
    """Tell whoever started this."""
    print(json.dumps(values), flush=True)


def reap(*, block: bool = False) -> None:
    """Report the forks that have ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
            if not pid:
                return
            report(pid=pid, status=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Serve until standard input ends."""
    for name in MODULES:
        importlib.import_module(name)
    assert threading.active_count() == 1
    report(ready=1)
    pending = b""
    while True:
        if select.select([0], [], [], POLL_SECONDS)[0]:
            read = os.read(0, 1 << 16)
            if not read:
                return
            pending += read
            *lines, pending = pending.split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    run(json.loads(line))
                report(pid=pid)
        reap()


if __name__ == "__main__":
    main()
